"""An engine that needs no model to run: for tests, of this package and of programs that use it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .base import Array, Program


class FakeRuntime:
    """Answers by the mean brightness of the input: 0 is surely the first class, 255 the last."""

    def __init__(self, program: Program, threads: int = 1) -> None:
        self._classes = program.output.classes
        self._tap = program.tap
        self.closed = False

    def run(self, batch: Array) -> NDArray[np.float32]:
        """Scores (1, C): a peak of 0.9 at the class of the brightness, the rest spread evenly."""
        brightness = float(batch.mean()) / 255 if batch.dtype == np.uint8 else float(batch.mean())
        peak = min(self._classes - 1, max(0, int(brightness * self._classes)))
        scores = np.full((1, self._classes), 0.1 / max(1, self._classes - 1), np.float32)
        scores[0, peak] = 0.9
        return scores

    def raw(self, batch: Array) -> Array:
        """The same numbers as `run`."""
        return self.run(batch)

    def both(self, batch: Array) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The scores, and D times the mean of the input."""
        assert self._tap is not None
        return self.run(batch), np.full((1, self._tap.classes), batch.mean(), np.float32)

    def close(self) -> None:
        """Notes that it was called."""
        self.closed = True
