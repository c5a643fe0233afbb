"""Follows a video or a folder to its end, to Ctrl-C or for a time, and tells what is seen."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ..wording import counted, shown
from . import output, progress
from .stopping import Stop
from .watch_text import clock, event_line, print_index

if TYPE_CHECKING:
    from ..annotate import Annotator
    from ..classifier import Classifier
    from ..events import Event, Segment
    from ..frames import SourceInfo
    from ..streaming import Moment, Stream


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is to become of what is seen."""

    for_ms: float | None
    save: str | None
    rotate: int  # degrees, clockwise, as the model sees it
    mirror: bool
    index: str | None
    as_json: bool


class Teller(Protocol):
    """Tells a person, or a program, what is seen."""

    def show(self, moment: Moment) -> None: ...

    def event(self, event: Event) -> None: ...

    def note(self, text: str) -> None: ...


def watch_folder(classifier: Classifier, folder: str, look: dict[str, Any], wishes: Wishes) -> int:
    """A result for each picture, as it comes. Gives the exit status."""
    from ..frames import open_folder

    write = output.json_writer() if wishes.as_json else output.text_writer()
    # One at a time: more workers would hold a result back until the next picture comes.
    results = classifier.classify_many(open_folder(folder), workers=1, **look)
    if sys.stderr.isatty():
        output.print_note(f"watching the folder {folder!r}; Ctrl-C ends it")
    failed = 0
    with Stop() as stop:
        for result in stop.until(results, seconds=_seconds(wishes.for_ms)):
            write(result)
            failed += result.error is not None
    return 1 if failed else 0


def watch_video(
    classifier: Classifier,
    source: str,
    look: dict[str, Any],
    take: dict[str, Any],
    wishes: Wishes,
) -> int:
    """Events as they come; look and take are arguments of streaming.stream. Gives the status."""
    from .. import streaming

    told: list[Teller] = []  # notes are told by whoever tells the rest, who comes later

    def note(text: str) -> None:
        told[0].note(text) if told else output.print_note(text)

    with streaming.stream(classifier, source, note=note, **look, **take) as stream, Stop() as stop:
        name = classifier.bundle.name
        with (
            _annotator(stream.info, wishes) as annotator,
            _teller(stream, name, look["top"], wishes) as teller,
        ):
            told.append(teller)
            watch = _Watch(stream, teller, annotator, wishes)
            watch.run(stop)
        return watch.conclude(stop)


class _Watch:
    """One video on its way."""

    def __init__(
        self, stream: Stream, teller: Teller, annotator: Annotator | None, wishes: Wishes
    ) -> None:
        self._stream = stream
        self._teller = teller
        self._annotator = annotator
        self._wishes = wishes
        self._segments: list[Segment] = []
        self._last: Moment | None = None
        self._events = 0

    def run(self, stop: Stop) -> None:
        """Tells all that is seen until the end."""
        for moment in self._moments(stop):
            if self._annotator is not None and not self._is_told(moment):
                self._save(moment, self._annotator)
            self._last = moment
            self._teller.show(moment)
            self._tell(moment.events)
        self._tell(self._stream.finish())

    def _save(self, moment: Moment, annotator: Annotator) -> None:
        import numpy as np

        upright = np.rot90(moment.frame.image.rgb(), -self._wishes.rotate // 90)
        annotator.add(upright, moment.time_ms, moment.steady)

    def conclude(self, stop: Stop) -> int:
        """Writes and tells what can be said at the end only. Gives the exit status."""
        wishes, cut_off = self._wishes, stop.number is not None and not self._stream.info.live
        if cut_off:
            output.print_note(self._cut_off())
        if self._stream.info.live and self._stream.dropped:
            output.print_note(self._dropped())
        if self._annotator is not None and not self._annotator.frames:
            output.print_note(f"nothing was seen: {wishes.save!r} was not written")
        if wishes.index is not None and not cut_off:
            index = self._stream.index(self._segments)
            index.save(wishes.index)
            if not wishes.as_json:
                print_index(index, wishes.index)
        elif not self._events and not cut_off:
            output.print_note(
                "no class was seen long enough; --threshold 0.1 tells of less likely ones"
            )
        return 128 + stop.number if cut_off and stop.number is not None else 0

    def _moments(self, stop: Stop) -> Iterator[Moment]:
        """All of them, or those of the time that is asked for: of what is live by the clock."""
        seconds = _seconds(self._wishes.for_ms) if self._stream.info.live else None
        return stop.until(self._stream, seconds=seconds, end=self._stream.stop)

    def _tell(self, events: tuple[Event, ...]) -> None:
        from ..streaming import ended

        self._events += len(events)
        if self._wishes.index is not None:
            self._segments += ended(events)
            if not self._wishes.as_json:
                return  # the table will have them
        for event in events:
            self._teller.event(event)

    def _dropped(self) -> str:
        """How many frames were, and what to do where this seems to be a file that was piped in."""
        dropped, looked_at = self._stream.dropped, self._stream.looked_at
        were = "was" if dropped == 1 else "were"
        text = f"{dropped:,} of {counted(dropped + looked_at, 'frame')} {were} dropped"
        if self._stream.info.kind != "pipe" or dropped <= looked_at:
            return text
        return (
            f"{text}, as they came too fast: ffmpeg -re sends a file at its own pace, and "
            "--no-live looks at each frame"
        )

    def _is_told(self, moment: Moment) -> bool:
        """Whether its frame was seen before: the end or loss of a live source has none."""
        return self._last is not None and self._last.frame is moment.frame

    def _cut_off(self) -> str:
        total_ms, wishes = self._stream.info.duration_ms, self._wishes
        at = clock(self._last.time_ms) if self._last is not None else "the beginning"
        parts = [f"interrupted at {at}" + (f" of {clock(total_ms)}" if total_ms else "")]
        if wishes.save is not None and self._annotator is not None and self._annotator.frames:
            parts.append(f"{shown(wishes.save)} has what was seen so far")
        if wishes.index is not None:
            parts.append(f"{shown(wishes.index)} was not written")
        return "; ".join(parts)


class _Lines:
    """Events as lines or as JSON; how far a file is, on standard error, if that is a terminal."""

    def __init__(self, info: SourceInfo, as_json: bool, advance: progress.Advance) -> None:
        self._total_ms = info.duration_ms
        self._as_json = as_json
        self._advance = advance

    def show(self, moment: Moment) -> None:
        if self._total_ms is not None:
            done, total = round(moment.time_ms / 1e3), round(self._total_ms / 1e3)
            self._advance(done, total, "seconds")

    def event(self, event: Event) -> None:
        if self._as_json:
            output.print_json(event.to_json())
        else:
            output.line(event_line(event))

    def note(self, text: str) -> None:
        output.print_note(text)


@contextlib.contextmanager
def _teller(stream: Stream, model: str, top: int, wishes: Wishes) -> Iterator[Teller]:
    if sys.stdout.isatty() and not wishes.as_json:
        from .watch_view import View

        with View(stream.info, model, top) as view:
            yield view
        return
    # No bar among results on the same terminal.
    seen = contextlib.nullcontext(progress.not_seen) if sys.stdout.isatty() else progress.bar()
    with seen as advance:
        yield _Lines(stream.info, wishes.as_json, advance)


@contextlib.contextmanager
def _annotator(info: SourceInfo, wishes: Wishes) -> Iterator[Annotator | None]:
    if wishes.save is None:
        yield None
        return
    from ..annotate import Annotator

    with Annotator(wishes.save, info, mirror=wishes.mirror) as annotator:
        yield annotator


def _seconds(time_ms: float | None) -> float | None:
    return None if time_ms is None else time_ms / 1e3
