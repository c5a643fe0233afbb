"""From steady scores to the classes that come and go."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from ..smoothing import Smoothing, check_later
from .values import Event, Kind, Segment

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..labels import Labels


class Timeline:
    """Tells which classes come and go; several may be there at the same time.

    Each class has its own hysteresis. A segment reaches from the first frame that shows the class
    to the end of the last one: the steady scores only decide that there is one, since they lag.
    """

    def __init__(self, smoothing: Smoothing, labels: Labels) -> None:
        self._levels = smoothing
        self._labels = labels
        self._runs: dict[int, _Run] = {}  # by class
        self._first_ms: float | None = None
        self._last_ms: float | None = None

    @property
    def present(self) -> list[int]:
        """The classes that have come and not yet gone, by index."""
        return sorted(index for index, run in self._runs.items() if run.told)

    def step(
        self,
        time_ms: float,
        smoothed: NDArray[np.float32],
        scores: NDArray[np.float32] | None = None,
    ) -> list[Event]:
        """What comes and goes with the frame at `time_ms`; both arrays are (C,).

        `scores` are those of this frame alone, which date a segment to the frame; without them
        the steady ones have to do. Raises UsageError for a time that is not after the last one.
        """
        check_later(time_ms, self._last_ms)
        self._first_ms = time_ms if self._first_ms is None else self._first_ms
        self._last_ms = time_ms
        scores = smoothed if scores is None else scores
        self._hold(time_ms)
        events = self._tell(time_ms)  # before the frame is seen: it may end what is due by now
        rising = np.flatnonzero(scores >= self._levels.enter)
        for index in sorted({*self._runs, *map(int, rising)}):
            run = self._runs.setdefault(index, _Run(time_ms))
            run.see(time_ms, float(scores[index]), float(smoothed[index]), self._levels)
            if run.gone(self._levels):
                events += self._end([index], time_ms)
        return events + self._tell(time_ms)

    def lost(self) -> list[Event]:
        """Ends what is there with the last frame, since nobody saw what came after it."""
        return [] if self._last_ms is None else self._end(list(self._runs), self._last_ms)

    def finish(self, time_ms: float) -> list[Event]:
        """Ends what is there, at the end of the last frame. The timeline then begins anew.

        Of a video that is shorter than `least_s`, all that has entered is told.
        """
        if self._first_ms is None or self._last_ms is None:
            return []
        end_ms = max(time_ms, self._last_ms)
        self._hold(end_ms)
        short = end_ms - self._first_ms < self._levels.least_s * 1e3
        events = self._tell(end_ms, least_ms=0.0 if short else None)
        events += self._end(list(self._runs), end_ms)
        self._first_ms = self._last_ms = None
        return events

    def _hold(self, time_ms: float) -> None:
        """The last frame was there until now."""
        for run in self._runs.values():
            if run.seen:
                run.seen_ms = time_ms

    def _tell(self, time_ms: float, least_ms: float | None = None) -> list[Event]:
        """The starts of what has been seen for long enough."""
        least_ms = self._levels.least_s * 1e3 if least_ms is None else least_ms
        events = []
        for index, run in sorted(self._runs.items()):
            if run.entered and not run.told and run.seen_ms - run.since_ms >= least_ms:
                run.told = True
                events.append(self._event("start", time_ms, index, run))
        return events

    def _end(self, indices: Iterable[int], time_ms: float) -> list[Event]:
        runs = [(index, self._runs.pop(index)) for index in sorted(indices)]
        return [self._event("end", time_ms, index, run) for index, run in runs if run.told]

    def _event(self, kind: Kind, time_ms: float, index: int, run: _Run) -> Event:
        segment = Segment(
            run.since_ms,
            run.seen_ms,
            index,
            self._labels.names[index],
            self._labels.synset(index),
            run.total / run.frames,
            run.peak,
            run.peak_ms,
        )
        return Event(kind, time_ms, segment, run.steady)


class _Run:
    """A class from the first frame in which it is likely, before it is known what becomes of it.

    `seen_ms` is the end of the last frame that showed it. Frames behind that one are `unseen`, and
    count in the mean only once the class is seen again.
    """

    __slots__ = (
        "entered",
        "frames",
        "peak",
        "peak_ms",
        "seen",
        "seen_ms",
        "since_ms",
        "steady",
        "told",
        "total",
        "unseen_frames",
        "unseen_total",
    )

    def __init__(self, time_ms: float) -> None:
        self.since_ms = self.seen_ms = self.peak_ms = time_ms
        self.entered = self.told = self.seen = False
        self.total = self.unseen_total = self.steady = 0.0
        self.frames = self.unseen_frames = 0
        self.peak = -1.0

    def see(self, time_ms: float, score: float, steady: float, levels: Smoothing) -> None:
        """One more frame."""
        self.steady = steady
        self.entered = self.entered or steady >= levels.enter
        self.seen = score >= levels.leave
        self.unseen_total += score
        self.unseen_frames += 1
        if not self.seen:
            return
        self.seen_ms = time_ms
        self.total += self.unseen_total
        self.frames += self.unseen_frames
        self.unseen_total, self.unseen_frames = 0.0, 0
        if score > self.peak:
            self.peak, self.peak_ms = score, time_ms

    def gone(self, levels: Smoothing) -> bool:
        return self.steady < levels.leave if self.entered else not self.seen
