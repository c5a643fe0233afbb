"""The way of a stream: its frames looked at, in order, and what has come and gone in them."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import InputError, VideoUnreadable, WhatsitError
from ..events import Event, Track
from ..frames import Frame, Frames
from ..overlapping import in_order
from ..smoothing import Smoothing
from .values import Model, Moment, Seen

if TYPE_CHECKING:
    from ..images import ImageSource

_SAME_MS = 1e-3  # times are sums of fractions


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked of each frame."""

    classifier: Model
    score: Callable[[ImageSource], Seen]
    workers: int
    top: int
    threshold: float
    every_ms: float | None
    until_ms: float | None
    levels: Smoothing

    def look(self, frame: Frame | None) -> tuple[Frame, Seen | WhatsitError] | None:
        """The frame's scores, in any thread, or why it cannot be decoded: the next one may be."""
        if frame is None:
            return None
        try:
            return frame, self.score(frame.image.rgb())
        except (InputError, VideoUnreadable) as error:
            return frame, error.with_traceback(None)  # whose frames would keep the picture alive


class Course:
    """How far a stream has come. It knows nothing of its Stream: that would be a cycle.

    So the source of a stream that nobody closes is let go of with the last reference to it.
    """

    def __init__(self, frames: Frames, plan: Plan) -> None:
        self.frames = frames
        self.plan = plan
        self.looked_at = 0
        self.left_out = 0  # frames that cannot be decoded, or for which there is no time
        fps = frames.info.fps
        self._track = Track(
            plan.levels,
            plan.classifier.bundle.labels,
            top=plan.top,
            threshold=plan.threshold,
            gaps=frames.info.live,
            usual_ms=plan.every_ms or (1e3 / fps if fps else 0.0),
        )
        self._unreadable: WhatsitError | None = None  # why the first one cannot
        self._failure: WhatsitError | None = None  # what ended the source
        self._reconnects = frames.reconnects
        self._held: Moment | None = None  # of a file: the next frame tells whether it is the last

    def moments(self) -> Generator[Moment, None, None]:
        """All of them; closing it lets go of the source."""
        moment = None
        looks = in_order(self.plan.look, self._given(), self.plan.workers)
        try:
            for look in looks:
                if look is None:
                    ends = self._track.lost()
                    if moment is not None and ends:
                        yield replace(moment, current=None, events=ends)
                    continue
                frame, seen = look
                if isinstance(seen, WhatsitError):
                    self.left_out += 1
                    self._unreadable = self._unreadable or seen
                    continue
                moment = self._moment(frame, seen)
                if self.frames.info.live:
                    yield moment
                    continue
                before, self._held = self._held, moment
                if before is not None:
                    yield before
        finally:
            looks.close()
            self.frames.close()
        end_ms = self.end_ms()
        ends = self._track.finish(end_ms)
        last, self._held = self._held, None
        if last is not None:
            yield replace(last, events=last.events + ends)
        elif moment is not None and ends:
            yield replace(moment, time_ms=end_ms, current=None, events=ends)
        if self._failure is not None:
            raise self._failure
        if moment is None and self._unreadable is not None:  # not one of its frames
            raise self._unreadable

    def untold(self) -> tuple[Event, ...]:
        """The events that no moment has told, once it is closed."""
        held, self._held = self._held, None
        return (() if held is None else held.events) + self._track.finish(self.end_ms())

    def end_ms(self) -> float:
        """The end of the last frame."""
        return self._track.end_ms(self._latest_ms())

    def duration_ms(self) -> float:
        """How much there is: of a file as it says, of what is live as long as it was watched."""
        latest_ms = self._latest_ms()
        if self.frames.info.live or self.frames.info.duration_ms is None or latest_ms is None:
            return self.end_ms()
        return latest_ms

    def _latest_ms(self) -> float | None:
        """The end of the file, or of the part that is asked for, if known."""
        ends_ms = (self.frames.info.duration_ms, self.plan.until_ms)
        return min((end_ms for end_ms in ends_ms if end_ms is not None), default=None)

    def _is_beyond(self, frame: Frame) -> bool:
        until_ms = self.plan.until_ms
        return until_ms is not None and frame.time_ms > until_ms - _SAME_MS

    def _given(self) -> Iterator[Frame | None]:
        """The frames, up to what ends them: what was seen before is told before that is raised.

        None where the source is lost, and waited for.
        """
        last_ms = -math.inf
        try:
            for frame in self.frames.steps():
                if frame is None:
                    yield None
                elif self._is_beyond(frame):
                    return
                elif frame.time_ms > last_ms:
                    last_ms = frame.time_ms
                    yield frame
                else:  # damaged files have several for one time
                    self.left_out += 1
        except WhatsitError as error:
            self._failure = error

    def _moment(self, frame: Frame, seen: Seen) -> Moment:
        reconnects, self._reconnects = self._reconnects, self.frames.reconnects
        away = self._reconnects != reconnects
        now = self._track.step(frame.time_ms, seen.scores, gap=away)
        plan = self.plan
        result = plan.classifier.answer(seen, top=plan.top, threshold=plan.threshold)
        self.looked_at += 1
        dropped = frame.dropped + self.left_out
        return Moment(frame.time_ms, frame, result, now.steady, now.current, now.events, dropped)
