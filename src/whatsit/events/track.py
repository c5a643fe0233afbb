"""One video followed through time: its scores made steady, what is there, and what to call it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..results import Prediction, top_k
from ..smoothing import Smoother, Smoothing
from .timeline import Timeline
from .values import Event

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..labels import Labels

# A source that is live and gives nothing for so long, and for so many times as long as before, was
# away: nobody knows what was to be seen meanwhile. Shorter pauses are those of a busy machine.
_GAP_MS = 2000.0
_GAP_INTERVALS = 3.0


@dataclass(frozen=True, slots=True)
class Now:
    """The best classes of the mean over time, the one to name, and what has come or gone."""

    steady: tuple[Prediction, ...]
    current: Prediction | None
    events: tuple[Event, ...]


class Track:
    """Follows one video. With `gaps`, it ends what was there before a long pause.

    `usual_ms` is how long a frame lasts, as far as that is known before there are two.
    """

    def __init__(
        self,
        levels: Smoothing,
        labels: Labels,
        *,
        top: int = 5,
        threshold: float = 0.0,
        gaps: bool = False,
        usual_ms: float = 0.0,
    ) -> None:
        self._levels = levels
        self._labels = labels
        self._top, self._threshold = top, threshold
        self._gaps = gaps
        self._smoother = Smoother(levels, len(labels))
        self._timeline = Timeline(levels, labels)
        self._current: int | None = None
        self._last_ms: float | None = None
        self._interval_ms = usual_ms

    def step(self, time_ms: float, scores: NDArray[np.float32], *, gap: bool = False) -> Now:
        """The next frame's scores (C,); `gap` says that the source was away before it."""
        lost = self.lost() if gap or self._away(time_ms) else ()
        smoothed = self._smoother.step(time_ms, scores)
        events = (*lost, *self._timeline.step(time_ms, smoothed, scores))
        if self._last_ms is not None:
            self._interval_ms = time_ms - self._last_ms
        self._last_ms = time_ms
        best = [i for i in top_k(smoothed, self._top) if smoothed[i] >= self._threshold]
        steady = tuple(self._prediction(i, smoothed) for i in best)
        self._current = self._named(smoothed)
        current = None if self._current is None else self._prediction(self._current, smoothed)
        return Now(steady, current, events)

    def lost(self) -> tuple[Event, ...]:
        """What ends with the last frame, since the source is gone. It may come back."""
        self._smoother.forget()
        self._current = None
        return tuple(self._timeline.lost())

    def finish(self, end_ms: float) -> tuple[Event, ...]:
        """What ends with the video."""
        self._current = None
        return tuple(self._timeline.finish(end_ms))

    def end_ms(self, latest_ms: float | None) -> float:
        """When the last frame ends: it is taken to last as long as the one before it.

        `latest_ms` is the end of the file, if known.
        """
        if self._last_ms is None:
            return 0.0
        end_ms = self._last_ms + self._interval_ms
        return end_ms if latest_ms is None else max(self._last_ms, min(end_ms, latest_ms))

    def _away(self, time_ms: float) -> bool:
        if not self._gaps or self._last_ms is None:
            return False
        return time_ms - self._last_ms > max(_GAP_MS, _GAP_INTERVALS * self._interval_ms)

    def _named(self, smoothed: NDArray[np.float32]) -> int | None:
        """The best class of those there; the one named stays until another is clearly ahead.

        Clearly is by as much as lies between the two levels.
        """
        present = self._timeline.present
        if not present:
            return None
        best = max(present, key=lambda i: (smoothed[i], -i))
        if self._current in present:
            lead = float(smoothed[best]) - float(smoothed[self._current])
            if lead <= self._levels.enter - self._levels.leave:
                return self._current
        return best

    def _prediction(self, index: int, smoothed: NDArray[np.float32]) -> Prediction:
        labels = self._labels
        return Prediction(index, labels.names[index], float(smoothed[index]), labels.synset(index))
