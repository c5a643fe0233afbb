"""A video as a terminal shows it: some lines that stay where they are, and events above them."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Sequence
from statistics import quantiles
from types import TracebackType
from typing import TYPE_CHECKING

from ..wording import shown
from . import output
from .watch_text import clock, event_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from ..events import Event
    from ..frames import Frame, SourceInfo
    from ..results import Prediction
    from ..streaming import Moment

_COLUMNS = 80
_A_SECOND = 8  # times that the lines are drawn anew
_STATS_S = 1.0  # how long numbers stand before they change: faster ones cannot be read
_RATE_S = 3.0  # that frames a second are counted over
_QUIET_S = 2.0  # without a picture, until it is said
_LATEST = 200  # frames that the p95 is of
# One class takes the place of another when it leads by so much; with less they would take turns.
_LEAD = 0.03
_LEAST = 0.01  # what is less likely changes all the time


class View:
    """Shows moments, events and notes until it is left; then the last numbers stay."""

    def __init__(
        self, info: SourceInfo, model: str, top: int, console: Console | None = None
    ) -> None:
        from rich.live import Live

        self._console = console or output.console(soft_wrap=False)
        self._info = info
        self._model = model
        self._top = top
        self._rows = Rows(top)
        self._numbers = Numbers(info)
        self._current: int | None = None
        self._frame: Frame | None = None
        self._live = Live(
            get_renderable=self._drawn,
            console=self._console,
            refresh_per_second=_A_SECOND,
            transient=True,
            redirect_stdout=False,  # events come by `event`, and notes by `note`
            redirect_stderr=False,
        )

    def __enter__(self) -> View:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()
        if kind is None and self._numbers.frames:
            self._numbers.settle()
            self._console.print(self._line(self._numbers.text(), "dim"))

    def show(self, moment: Moment) -> None:
        self._rows.take(moment.steady)
        self._current = None if moment.current is None else moment.current.index
        if moment.frame is not self._frame:  # else it is told again, for what has ended with it
            self._numbers.take(moment)
        self._frame = moment.frame

    def event(self, event: Event) -> None:
        """A line that stays, above the others."""
        style = "bold" if event.kind == "start" else "dim"
        self._console.print(self._line(event_line(event), style))

    def note(self, text: str) -> None:
        """A remark: above the lines if it would come to the same terminal."""
        if not sys.stderr.isatty():
            output.print_note(text)
            return
        from rich.text import Text

        self._console.print(Text(output.noted(text)))

    def _drawn(self) -> Text:
        """The lines that stand: always as many."""
        from rich.text import Text

        info = self._info
        head = f"{shown(info.name, 40)}  {info.width}×{info.height}  {shown(self._model)}"
        lines = [self._line(head, "dim"), Text()]
        rows: list[Prediction | None] = [*self._rows.shown]
        rows += [None] * (self._top - len(rows))
        lines += [Text() if row is None else self._row(row) for row in rows]
        lines += [Text(), self._line(self._numbers.text(), "dim")]
        return Text("\n").join(lines)

    def _row(self, row: Prediction) -> Text:
        style = "bold green" if row.index == self._current else ""
        text = f"{round(100 * row.score):>5} %  {output.bar(row.score)}  {shown(row.label)}"
        return self._line(text, style)

    def _line(self, text: str, style: str = "") -> Text:
        """One line, no longer than the terminal is wide."""
        from rich.text import Text

        line = Text(text, style, no_wrap=True)
        line.truncate(min(self._console.width, _COLUMNS) - 1, overflow="ellipsis")
        return line


class Rows:
    """The best classes, each in its row for as long as it can be."""

    def __init__(self, top: int) -> None:
        self._top = top
        self.shown: list[Prediction] = []

    def take(self, steady: Sequence[Prediction]) -> None:
        """`steady` are the best ones now. Those that were here keep their order, if it is near."""
        now = {each.index: each for each in steady[: self._top] if each.score >= _LEAST}
        kept = [now.pop(each.index) for each in self.shown if each.index in now]
        rows = [*kept, *now.values()]
        for place in range(1, len(rows)):  # as one sorts cards, but not those that differ little
            while place and rows[place].score > rows[place - 1].score + _LEAD:
                rows[place - 1 : place + 1] = rows[place], rows[place - 1]
                place -= 1
        self.shown = rows


class Numbers:
    """Time, speed and losses, as a line whose parts stay in their places."""

    def __init__(self, info: SourceInfo) -> None:
        self._info = info
        self.frames = 0
        self._began_s = self._seen_s = time.monotonic()
        self._time_ms = 0.0
        self._dropped = 0
        self._arrived_s: deque[float] = deque(maxlen=_LATEST)
        self._took_ms: deque[float] = deque(maxlen=_LATEST)
        self._stats = ""
        self._stats_s = 0.0

    def take(self, moment: Moment) -> None:
        self._seen_s = time.monotonic()
        self.frames += 1
        self._time_ms, self._dropped = moment.time_ms, moment.dropped
        self._arrived_s.append(self._seen_s)
        self._took_ms.append(sum(moment.result.timings_ms.values()))
        if self._seen_s - self._stats_s >= _STATS_S:
            self.settle()

    def settle(self) -> None:
        """Counts what has come up to now."""
        self._stats_s = time.monotonic()
        self._stats = f"{self._speed():<18}p95 {self._p95_ms():5.1f} ms"

    def text(self) -> str:
        quiet_s = time.monotonic() - self._seen_s
        if not self.frames:
            return "waiting for the first picture"
        stats = f"no picture for {quiet_s:.0f} s" if quiet_s > _QUIET_S else self._stats
        dropped = f"{self._dropped:,} dropped" if self._dropped or self._info.live else ""
        return f"{self._when()}   {stats:<30}   {dropped}".rstrip()

    def _when(self) -> str:
        total_ms = self._info.duration_ms
        if total_ms is None:
            return f"{clock(self._time_ms):>9}"
        return f"{clock(self._time_ms):>9} of {clock(total_ms)}"

    def _speed(self) -> str:
        """Frames a second; of a file how much faster it is than it plays."""
        if not self._info.live:
            took_s = self._seen_s - self._began_s
            return f"{self._time_ms / 1e3 / took_s:5.1f} × as fast" if took_s else ""
        latest = [s for s in self._arrived_s if self._seen_s - s <= _RATE_S]
        over_s = self._seen_s - latest[0]
        return f"{(len(latest) - 1) / over_s:5.1f} fps" if over_s else ""

    def _p95_ms(self) -> float:
        taken = list(self._took_ms)
        return quantiles(taken, n=20, method="inclusive")[-1] if len(taken) > 1 else taken[0]
