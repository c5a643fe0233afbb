"""The one contract that every inference engine fulfils, and what the engines share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..bundle import OutputSpec
from ..errors import ModelDamaged, RuntimeUnavailable

Array = NDArray[Any]

LITERT = "LiteRT"  # as it is called in errors
INSTALL_LITERT = "pip install ai-edge-litert"
_PROBABILITY_SLACK = 1e-3  # float rounding, and the step of a quantised softmax


class Program(Protocol):
    """What an engine runs: a Bundle, or a `Graph` made of one."""

    @property
    def name(self) -> str: ...

    @property
    def data(self) -> bytes: ...

    @property
    def output(self) -> OutputSpec: ...

    @property
    def tap(self) -> OutputSpec | None: ...


@dataclass(frozen=True, slots=True)
class Graph:
    """A .tflite made in memory. Its output need not be probabilities: then it is for `raw` alone.

    `output.classes` is the number of values that it gives. `tap` says what its second output is,
    where it has one, which may be int8 too.
    """

    name: str
    data: bytes = field(repr=False)
    output: OutputSpec
    tap: OutputSpec | None = None


class Runtime(Protocol):
    """Runs one program on one engine. Not safe for several threads at once: open one for each."""

    def raw(self, batch: Array) -> Array:
        """The output tensor as it is, (1, C), for a batch (1, h, w, 3) of the input's dtype.

        In memory of its own. Raises ModelDamaged if the engine fails or gives other than C values.
        """
        ...

    def run(self, batch: Array) -> NDArray[np.float32]:
        """Scores (1, C) as probabilities, for a batch (1, h, w, 3) of the bundle's input dtype.

        Raises ModelDamaged if the engine fails or gives scores that are no numbers.
        """
        ...

    def both(self, batch: Array) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Scores (1, C) as `run` gives them, and the second output (1, D) in real numbers.

        Only for a program with a `tap`. Each is in memory of its own. Raises ModelDamaged as `run`
        does, and for other than D numbers.
        """
        ...

    def close(self) -> None:
        """Releases the engine's memory. Calling it again does nothing."""
        ...


class Outputs:
    """What `Runtime` promises, from the output tensors of an engine that runs a program."""

    _engine = LITERT  # as it is called in errors

    def __init__(self, program: Program) -> None:
        self._name = program.name
        self._output, self._tap = program.output, program.tap

    def raw(self, batch: Array) -> Array:
        """The output tensor (1, C) for a batch (1, h, w, 3)."""
        return flat(self._name, self._output, self._invoke(batch)[0], engine=self._engine)

    def run(self, batch: Array) -> NDArray[np.float32]:
        """Scores (1, C) for a batch (1, h, w, 3)."""
        return probabilities(self._name, self._output, self._invoke(batch)[0], engine=self._engine)

    def both(self, batch: Array) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Scores (1, C) and the second output (1, D) for a batch (1, h, w, 3)."""
        assert self._tap is not None
        scores, tap = self._invoke(batch)
        return (
            probabilities(self._name, self._output, scores, engine=self._engine),
            real_numbers(self._name, self._tap, tap, engine=self._engine),
        )

    def _invoke(self, batch: Array) -> Sequence[Array]:
        """The outputs, in the order of the graph; what comes next may overwrite them."""
        raise NotImplementedError


def check_outputs(program: Program, found: int, *, engine: str = LITERT) -> None:
    """Raises ModelDamaged unless the engine finds one output, and one more for a tap."""
    expected = 1 if program.tap is None else 2
    if found != expected:
        raise failed(program.name, f"it finds {found} outputs instead of {expected}", engine=engine)


def flat(name: str, spec: OutputSpec, raw: Array, *, engine: str = LITERT) -> Array:
    """The output tensor `raw` of the model `name` as (1, C), in memory of its own.

    Raises ModelDamaged for anything but C values.
    """
    if raw.size != spec.classes:  # a damaged graph's output need not have the declared shape
        reason = f"it gives {raw.size} values instead of {spec.classes}"
        raise failed(name, reason, engine=engine)
    return np.array(raw).reshape(1, -1)  # (1, C) or (1, 1, 1, C) → (1, C)


def probabilities(
    name: str, spec: OutputSpec, raw: Array, *, engine: str = LITERT
) -> NDArray[np.float32]:
    """The scores (1, C) in the output tensor `raw` of the model `name`, in memory of their own.

    Raises ModelDamaged for anything but C probabilities.
    """
    if raw.size != spec.classes:  # a damaged graph's output need not have the declared shape
        reason = f"it gives {raw.size} scores for {spec.classes} classes"
        raise failed(name, reason, engine=engine)
    scores = raw.reshape(1, -1).astype(np.float32, copy=False)  # (1, C) or (1, 1, 1, C) → (1, C)
    if spec.dtype == "uint8":
        scores = (scores - np.float32(spec.zero_point)) * np.float32(spec.scale)
    low, high = float(scores.min()), float(scores.max())
    if not (low >= -_PROBABILITY_SLACK and high <= 1 + _PROBABILITY_SLACK):  # true for NaN too
        raise ModelDamaged(
            f"model {name!r} gives scores from {low:g} to {high:g}",
            expected="probabilities from 0 to 1",
            hint="the file is damaged, or its graph ends before the softmax",
        )
    return np.clip(scores, 0.0, 1.0)


def real_numbers(
    name: str, spec: OutputSpec, raw: Array, *, engine: str = LITERT
) -> NDArray[np.float32]:
    """The tensor `raw` of the model `name` as (1, D) real numbers, in memory of their own.

    They are those of LiteRT's operator DEQUANTIZE. Raises ModelDamaged for anything but D numbers.
    """
    values = flat(name, spec, raw, engine=engine)
    if spec.dtype == "float32":
        if not np.isfinite(values).all():
            raise ModelDamaged(
                f"model {name!r} computes values that are no numbers on the way to its scores",
                hint="the file is damaged, or its weights are too large",
            )
        return values
    return (values.astype(np.float32) - np.float32(spec.zero_point)) * np.float32(spec.scale)


def no_engine(engine: str, reason: str, install: str) -> RuntimeUnavailable:
    """The error of an install without `engine`; `install` is the command that brings it."""
    return RuntimeUnavailable(f"{engine} cannot be imported: {reason}", hint=install)


def failed(name: str, reason: str, *, engine: str = LITERT) -> ModelDamaged:
    """The error of a model that `engine` refuses, or that does not survive it."""
    return ModelDamaged(
        f"{engine} cannot run model {name!r}: {' '.join(reason.split())}",
        hint=f"the file is damaged, or made for another version of {engine}"
        if engine == LITERT
        else f"the file is damaged, or needs what {engine} lacks; the runtime 'litert' may run it",
    )
