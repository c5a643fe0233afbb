"""From a video, camera or stream to what is in it, frame by frame, and what comes and goes."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Protocol

from .bundle import Bundle
from .errors import InputError, UsageError, VideoUnreadable, WhatsitError
from .events import Event, Index, Segment, Track
from .frames import Frame, Frames, SourceInfo, open_frames
from .machine import cpu_count
from .overlapping import in_order
from .results import Prediction, Result
from .smoothing import Smoothing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .images import ImageSource
    from .preprocess import Region

_MAX_WORKERS = 1024
_SAME_MS = 1e-3  # times are sums of fractions


class Seen(Protocol):
    """What a model makes of one frame; scores (C,)."""

    @property
    def scores(self) -> NDArray[np.float32]: ...


class Model(Protocol):
    """The part of a Classifier that is used here."""

    bundle: Bundle

    def scorer(
        self,
        *,
        allow: Iterable[int | str] = (),
        deny: Iterable[int | str] = (),
        region: Region | None = None,
        rotation: int = 0,
        workers: int = 1,
    ) -> Callable[[ImageSource], Seen]: ...

    def answer(
        self, seen: Any, *, path: str | None = None, top: int = 5, threshold: float = 0.0
    ) -> Result: ...


@dataclass(frozen=True, slots=True)
class Moment:
    """What is seen at one time of a video.

    `result` is about this frame alone, `steady` are the best classes of the mean over time, and
    `current` is the one class to name: it stays until it has gone or another is clearly ahead.
    `dropped` counts the frames so far that came too late to be looked at, or were damaged.
    """

    time_ms: float
    frame: Frame
    result: Result
    steady: tuple[Prediction, ...]
    current: Prediction | None
    events: tuple[Event, ...]
    dropped: int


def stream(
    classifier: Model,
    source: str | int | os.PathLike[str] | IO[bytes],
    *,
    top: int = 5,
    threshold: float = 0.0,
    allow: Iterable[int | str] = (),
    deny: Iterable[int | str] = (),
    region: Region | None = None,
    rotation: int = 0,
    every_ms: float | None = None,
    until_ms: float | None = None,
    live: bool | None = None,
    smoothing: Smoothing | None = None,
    workers: int | None = None,
    format: str | None = None,
    size: tuple[int, int] | None = None,
    fps: float | None = None,
    note: Callable[[str], None] | None = None,
    patience_s: float | None = None,
) -> Stream:
    """Opens a video file, camera or stream, and gives one Moment for each frame, in order.

    A file is looked at whole, or one frame each `every_ms`, and `workers` frames at the same time
    (default: the cores). Of a live source it is always the newest frame, one at a time on all
    threads. Frames at or after `until_ms` are not looked at. Nothing below `threshold` is told.
    `allow`, `deny`, `region` and `rotation` are those of Classifier.classify; the others those of
    frames.open_frames.

    Raises UsageError, SourceUnavailable or VideoUnreadable before the first frame, and ModelError
    when the model fails. Close it to stop early; a `with` block does.
    """
    _check(top, threshold, workers, until_ms)
    classes = {"allow": _keys(allow), "deny": _keys(deny)}

    def scorer(workers: int) -> Callable[[ImageSource], Seen]:
        return classifier.scorer(**classes, region=region, rotation=rotation, workers=workers)

    scorer(1)  # bad arguments are told before a camera is switched on
    frames = open_frames(
        source,
        every_ms=every_ms,
        live=live,
        format=format,
        size=size,
        fps=fps,
        note=note,
        patience_s=patience_s,
    )
    # More than one frame at a time would make a live picture late.
    workers = 1 if frames.info.live else workers or cpu_count()
    levels = (smoothing or Smoothing()).at_least(threshold)
    plan = _Plan(classifier, scorer(workers), workers, top, threshold, every_ms, until_ms, levels)
    return Stream(frames, plan)


def index(
    classifier: Model,
    path: str | os.PathLike[str] | IO[bytes],
    *,
    threshold: float = 0.0,
    allow: Iterable[int | str] = (),
    deny: Iterable[int | str] = (),
    region: Region | None = None,
    rotation: int = 0,
    every_ms: float | None = None,
    smoothing: Smoothing | None = None,
    workers: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> Index:
    """What appears when in a whole video. `progress` is called with the time so far, in ms.

    The other arguments are those of `stream`, which also says what it raises.
    """
    moments = stream(
        classifier,
        path,
        top=1,
        threshold=threshold,
        allow=allow,
        deny=deny,
        region=region,
        rotation=rotation,
        every_ms=every_ms,
        live=False,
        smoothing=smoothing,
        workers=workers,
    )
    segments: list[Segment] = []
    with moments:
        for moment in moments:
            segments += ended(moment.events)
            if progress is not None:
                progress(moment.time_ms)
    return moments.index(segments)


def ended(events: Iterable[Event]) -> list[Segment]:
    """The segments that these events end."""
    return [event.segment for event in events if event.kind == "end"]


@dataclass(frozen=True, slots=True)
class _Plan:
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


class Stream(Iterator[Moment]):
    """The moments of an open source; made by `stream`. A context manager.

    Every start among the events has its end: a file's last moment ends what is there. A live
    source that is lost, or ends by itself, gives one moment more for it, of its last frame. Who
    stops earlier asks `finish` for the ends.
    """

    def __init__(self, frames: Frames, plan: _Plan) -> None:
        self._course = _Course(frames, plan)
        self._moments = self._course.moments()

    @property
    def info(self) -> SourceInfo:
        """What the source is."""
        return self._course.frames.info

    @property
    def looked_at(self) -> int:
        """Frames so far that have their moment."""
        return self._course.looked_at

    @property
    def dropped(self) -> int:
        """Frames so far that came too late to be looked at, or were damaged."""
        return self._course.frames.dropped + self._course.left_out

    def __next__(self) -> Moment:
        return next(self._moments)

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stops the threads and lets go of the source. Calling it again does nothing."""
        self._moments.close()
        self._course.frames.close()

    def stop(self) -> None:
        """Ends it, from any thread, as if the source had: its last moments are still to come."""
        self._course.frames.close()

    def finish(self) -> tuple[Event, ...]:
        """Closes it, and gives the events that no moment has told, such as ends of what is there.

        Nothing is left to tell where the source has ended by itself.
        """
        self.close()
        return self._course.untold()

    def index(self, segments: Iterable[Segment]) -> Index:
        """The index of what was seen so far; `segments` are those that its events have ended."""
        plan, info = self._course.plan, self.info
        bundle = plan.classifier.bundle
        return Index.of(
            segments,
            bundle.labels,
            source=info.name,
            model=bundle.name,
            model_sha256=bundle.sha256,
            duration_ms=self._course.duration_ms(),
            frames=self.looked_at,
            frames_dropped=self.dropped,
            every_ms=plan.every_ms,
            smoothing=plan.levels,
        )


class _Course:
    """How far a stream has come. It knows nothing of its Stream: that would be a cycle.

    So the source of a stream that nobody closes is let go of with the last reference to it.
    """

    def __init__(self, frames: Frames, plan: _Plan) -> None:
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


def _check(top: int, threshold: float, workers: int | None, until_ms: float | None) -> None:
    """Raises UsageError for what cannot be asked for."""
    if top < 1:
        raise UsageError(f"the top {top} classes", expected="at least 1")
    if not 0 <= threshold <= 1:
        raise UsageError(f"a threshold of {threshold}", expected="a probability from 0 to 1")
    if workers is not None and not 1 <= workers <= _MAX_WORKERS:
        raise UsageError(f"{workers} workers", expected=f"a number from 1 to {_MAX_WORKERS}")
    if until_ms is not None and not 0 < until_ms < math.inf:
        raise UsageError(f"until_ms of {until_ms!r}", expected="a number above 0")


def _keys(keys: Iterable[int | str]) -> list[int | str]:
    """A list, since it is read twice; a lone string means one class, not its letters."""
    return [keys] if isinstance(keys, (str, int)) else list(keys)
