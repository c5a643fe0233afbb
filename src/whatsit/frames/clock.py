"""The time of each frame, whatever its container says of times."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_ASSUMED_FPS = 25.0  # libav's own guess, for streams that tell neither times nor a rate
_STEP_BACK_MS = 1000.0  # a time further back than this is a new beginning, not disorder


class Clock:
    """Times in ms from the start of the source, which never go back."""

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        rate = stream.guessed_rate or stream.average_rate
        self._step_ms = 1000 / float(rate or _ASSUMED_FPS)
        self._base: Fraction = stream.time_base or Fraction(1, 1000)
        self._start_ms: float | None = None
        # Sound may begin first, and then so do the times that a player shows.
        if len(container.streams) > 1 and container.start_time is not None:
            self._start_ms = container.start_time / 1000
        self._last_ms: float | None = None

    def time_ms(self, frame: VideoFrame) -> float:
        stamp = frame.pts if frame.pts is not None else frame.dts
        if stamp is None:
            time_ms = self._next_ms()
        else:
            at_ms = float(stamp * self._base * 1000)
            if self._start_ms is None:
                self._start_ms = at_ms
            time_ms = max(0.0, at_ms - self._start_ms)
            if self._last_ms is not None and time_ms < self._last_ms - _STEP_BACK_MS:
                time_ms = self._next_ms()
                self._start_ms = at_ms - time_ms
        self._last_ms = max(time_ms, self._last_ms or 0.0)
        return self._last_ms

    def _next_ms(self) -> float:
        return 0.0 if self._last_ms is None else self._last_ms + self._step_ms
