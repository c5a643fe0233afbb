"""A specimen on an inference engine, whatever its edges are: from input tensor to probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..bundle import OutputSpec
from ..errors import ModelUnsupported
from ..machine import cpu_count
from ..runtimes import ISOLATED, LITERT, Graph, open_runtime

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .specimen import Specimen

    Scores = NDArray[np.float64]

_SLACK = 0.01
_RUNNABLE = ("float32", "uint8", "int8")


class Engine:
    """Runs a specimen. `odd` becomes True once it has given what is no probability.

    `logits` is for the caller to set who has seen that it always does.

    Raises ModelUnsupported for one that takes no picture, ModelDamaged where the engine fails.
    """

    def __init__(self, specimen: Specimen) -> None:
        source, target = specimen.input, specimen.output
        if source is None or target is None or specimen.height_width is None:
            raise ModelUnsupported(
                f"model {specimen.name!r} takes no picture", expected="[1, height, width, 3]"
            )
        if not specimen.classes or {source.dtype, target.dtype} - set(_RUNNABLE):
            raise ModelUnsupported(
                f"model {specimen.name!r} gives no list of scores that can be read",
                expected="[1, classes] of float32, uint8 or int8",
            )
        graph = Graph(specimen.name, specimen.data, OutputSpec(target.dtype, specimen.classes))
        runtime = LITERT if specimen.builtin else ISOLATED
        self._runtime = open_runtime(graph, runtime, threads=min(4, cpu_count()))
        self._target = target
        self._channels_first = specimen.channels_first
        self.logits = self.odd = False

    @property
    def step(self) -> float:
        """The smallest difference that the scores can show; 0 for float32."""
        return float(self._target.scale or 0.0) if self._target.dtype != "float32" else 0.0

    def scores(self, batch: NDArray[Any]) -> Scores:
        """Probabilities (C,) for a batch (1, h, w, 3); of logits their softmax."""
        if self._channels_first:
            batch = np.ascontiguousarray(batch.transpose(0, 3, 1, 2))  # (1, 3, h, w)
        raw = self._runtime.raw(np.ascontiguousarray(batch))[0].astype(np.float64)  # (C,)
        if self._target.dtype != "float32" and self._target.scale:
            raw = (raw - self._target.zero_point) * self._target.scale
        if not np.isfinite(raw).all():
            return np.full(raw.size, 1 / raw.size)  # says nothing, and is like no other answer
        if self.logits or raw.min() < -_SLACK or raw.max() > 1 + _SLACK:
            self.odd = True
            return softmax(raw)
        scores: Scores = np.clip(raw, 0.0, 1.0)
        return scores

    def close(self) -> None:
        """Releases the engine."""
        self._runtime.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def softmax(logits: Scores) -> Scores:
    """Probabilities (C,) of logits (C,)."""
    powers: Scores = np.exp(logits - logits.max())
    shares: Scores = powers / powers.sum()
    return shares
