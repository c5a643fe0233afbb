"""Scores of a video made steady: a mean over time, and the levels at which a class comes and goes.

The scores of one frame jump: two classes that are alike take turns, a blurred frame is anything.
A mean over the last half second does not, whatever the number of frames in it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

OFF = "off"
_LONGEST_S = 3600.0
_DURATION = re.compile(r"(?P<number>\d+(\.\d*)?|\.\d+)\s*(?P<unit>ms|s)?", re.ASCII)


# Tried on clips of 100 ImageNet photos, 1.5 to 4 s each, that are panned, zoomed, shaken, blurred
# for a moment, cut and dissolved: 25 scenes a minute, in which the best class of single frames
# changes 240 times (Lite0) or 340 times (MobileNetV2).
# - A mean over 0.25 s still changes twice as often as the scene, one over 1 s loses short scenes.
# - At 0.3 as many scenes are found as the model can name. At 0.4 a tenth fewer, since scores are
#   shared among classes that are alike; at 0.25 most of what is added is wrong.
# - Left at half of that, the one class to name changes least, and noise makes no second event.
# - At least 0.3 s loses no scene that no least time would find. With 0.5 s short ones are lost, and
#   a live picture is late by as much.
_TIME_S, _ENTER, _LEAVE, _LEAST_S = 0.5, 0.3, 0.15, 0.3


@dataclass(frozen=True, slots=True)
class Smoothing:
    """How scores become steady, and when a class counts as seen.

    `time_s` is the time constant of the mean: what was seen so long ago weighs e times less than
    what is seen now; 0 is no mean. A class has come when its mean reaches `enter`, and has gone
    when it falls below `leave`; what is there for less than `least_s` is not told, unless all of
    the video is shorter.
    """

    time_s: float = _TIME_S
    enter: float = _ENTER
    leave: float = _LEAVE
    least_s: float = _LEAST_S

    def __post_init__(self) -> None:
        for seconds in (self.time_s, self.least_s):
            if not 0 <= seconds <= _LONGEST_S:  # false for NaN
                raise UsageError(f"smoothing over {seconds} s", expected="0 to 3600 s")
        if not 0 < self.leave <= self.enter <= 1:
            raise UsageError(
                f"classes that enter at {self.enter} and leave at {self.leave}",
                expected="probabilities, of which the second is not above the first",
            )

    @classmethod
    def parse(cls, text: str) -> Smoothing:
        """The time constant as `0.5s`, `500ms` or `0.5`, or `off`. Raises UsageError."""
        word = text.strip().casefold()
        if word == OFF:
            return cls.off()
        match = _DURATION.fullmatch(word)
        seconds = math.nan
        if match is not None:
            seconds = float(match["number"]) / (1e3 if match["unit"] == "ms" else 1.0)
        if not 0 <= seconds <= _LONGEST_S:
            raise UsageError(
                f"smoothing over {text!r}",
                expected="a time from 0s to 3600s such as 0.5s or 500ms, or off",
            )
        return cls(time_s=seconds)

    @classmethod
    def off(cls) -> Smoothing:
        """Each frame on its own: a class is there in the frames where it reaches `enter`."""
        return cls(time_s=0.0, enter=_ENTER, leave=_ENTER, least_s=0.0)

    def at_least(self, threshold: float) -> Smoothing:
        """The same where nothing below `threshold` is asked for: both levels raised alike."""
        if threshold <= self.enter:
            return self
        leave = min(threshold, threshold * self.leave / self.enter)  # min: rounding
        return replace(self, enter=threshold, leave=leave)

    def __str__(self) -> str:
        return OFF if self == Smoothing.off() else f"{self.time_s:g}s"

    def to_json(self) -> dict[str, float]:
        return {
            "time_s": self.time_s,
            "enter": self.enter,
            "leave": self.leave,
            "least_s": self.least_s,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Smoothing:
        """Raises KeyError, TypeError or ValueError for anything but what `to_json` gives."""
        names = ("time_s", "enter", "leave", "least_s")
        return cls(**{name: float(value[name]) for name in names})


class Smoother:
    """The mean of the scores seen so far, the older the less.

    Each frame weighs exp(-age / time_s), and the weights are made to sum to 1. So the first frame
    is its own mean; frames twice as dense change nothing; and after a gap what was before it is
    forgotten by its age, while the first frame behind it weighs no more than the next.
    """

    def __init__(self, smoothing: Smoothing, classes: int) -> None:
        self._time_ms = smoothing.time_s * 1e3
        self._sum = np.zeros(classes)  # float64: an endless stream must not drift
        self._weight = 0.0
        self._last_ms: float | None = None

    def step(self, time_ms: float, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """The mean (C,) once a frame's `scores` (C,) are seen too.

        Raises UsageError for a time that is not after the last one.
        """
        check_later(time_ms, self._last_ms)
        if scores.shape != self._sum.shape:
            raise UsageError(
                f"scores of shape {scores.shape}", expected=f"one for each of {self._sum.size}"
            )
        kept = self._kept(time_ms)
        self._last_ms = time_ms
        self._sum *= kept
        self._sum += scores
        self._weight = self._weight * kept + 1.0
        return (self._sum / self._weight).astype(np.float32)

    def forget(self) -> None:
        """What was seen before counts no longer."""
        self._sum[:] = 0.0
        self._weight = 0.0

    def _kept(self, time_ms: float) -> float:
        """The share that is left of what was seen before."""
        if self._last_ms is None or self._time_ms == 0:
            return 0.0
        return math.exp((self._last_ms - time_ms) / self._time_ms)


def check_later(time_ms: float, last_ms: float | None) -> None:
    """Raises UsageError unless `time_ms` is a time after `last_ms`."""
    if not math.isfinite(time_ms) or (last_ms is not None and time_ms <= last_ms):
        raise UsageError(
            f"a frame at {time_ms} ms" + ("" if last_ms is None else f" after one at {last_ms} ms"),
            expected="times that rise",
        )
