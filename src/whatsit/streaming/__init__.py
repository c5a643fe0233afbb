"""From a video, camera or stream to what is in it, frame by frame, and what comes and goes."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator
from typing import IO, TYPE_CHECKING

from ..errors import UsageError
from ..events import Event, Index, Segment
from ..frames import Frames, SourceInfo, open_frames
from ..machine import cpu_count
from ..smoothing import Smoothing
from .course import Course, Plan
from .values import Model, Seen
from .values import Moment as Moment

if TYPE_CHECKING:
    from ..images import ImageSource
    from ..preprocess import Region

_MAX_WORKERS = 1024


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
    plan = Plan(classifier, scorer(workers), workers, top, threshold, every_ms, until_ms, levels)
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


class Stream(Iterator[Moment]):
    """The moments of an open source; made by `stream`. A context manager.

    Every start among the events has its end: a file's last moment ends what is there. A live
    source that is lost, or ends by itself, gives one moment more for it, of its last frame. Who
    stops earlier asks `finish` for the ends.
    """

    def __init__(self, frames: Frames, plan: Plan) -> None:
        self._course = Course(frames, plan)
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

    def __exit__(self, *_: object) -> None:
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
