"""A model, opened on an engine: from its input tensor to scores, and to the embedding if asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from ._metadata import TensorInfo
from ._taps import tapped, tensor_info
from .bundle import Bundle, OutputSpec
from .errors import ModelDamaged, ModelUnsupported
from .runtimes import Graph, open_runtime

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]


class Model(Protocol):
    """Not safe for several threads at once: open one for each."""

    def score(self, batch: NDArray[Any]) -> tuple[Floats, Floats | None]:
        """Scores (C,) and, where it was opened for that, the embedding (D,), of (1, h, w, 3)."""
        ...

    def close(self) -> None: ...


class WholeModel:
    """A bundle as it is."""

    def __init__(self, bundle: Bundle, runtime: str, threads: int) -> None:
        self._runtime = open_runtime(bundle, runtime, threads=threads)

    def score(self, batch: NDArray[Any]) -> tuple[Floats, None]:
        return self._runtime.run(batch)[0], None  # (1, C) → (C,)

    def close(self) -> None:
        self._runtime.close()


class TappedModel:
    """A bundle as `tapped_program` makes it: the scores, and the embedding on the way."""

    def __init__(self, program: Graph, runtime: str, threads: int) -> None:
        self._runtime = open_runtime(program, runtime, threads=threads)

    def score(self, batch: NDArray[Any]) -> tuple[Floats, Floats]:
        scores, vectors = self._runtime.both(batch)
        return scores[0], vectors[0]  # (1, C) → (C,), (1, D) → (D,)

    def close(self) -> None:
        self._runtime.close()


def tapped_program(bundle: Bundle, tensor: int | None = None) -> Graph:
    """The bundle's graph with its embedding as a second output.

    `tensor` is the index of the embedding, where it is known. Otherwise it is looked for: raises
    ModelUnsupported for a model without one. Raises ModelDamaged for a `tensor` that cannot be one.
    """
    if tensor is not None:
        return _with_tap(bundle, tensor)
    # Here, since LiteRT's schema takes longer to import than a picture to classify.
    from .graph.head import find_head

    embedding = find_head(bundle).embedding
    try:
        return _with_tap(bundle, embedding)
    except ModelDamaged as error:  # nobody but us called that tensor an embedding
        raise ModelUnsupported(error.message, expected=error.expected) from error


def _with_tap(bundle: Bundle, tensor: int) -> Graph:
    try:
        spec = _vector(tensor, tensor_info(bundle.data, tensor))
        return Graph(bundle.name, tapped(bundle.data, tensor), bundle.output, spec)
    except ModelDamaged as error:
        raise ModelDamaged(
            f"model {bundle.name!r}: {error.message}", expected=error.expected, hint=error.hint
        ) from error


def _vector(tensor: int, info: TensorInfo) -> OutputSpec:
    """What an embedding is made of. Raises ModelDamaged for a tensor that is none."""
    *others, width = info.shape or (0,)
    if len(others) not in (1, 2, 3) or any(side != 1 for side in others) or width < 1:
        raise _no_embedding(tensor, f"it is of shape {list(info.shape)}, not one vector")
    if info.dtype == "float32":
        return OutputSpec("float32", width)
    if info.dtype not in ("int8", "uint8"):
        raise _no_embedding(tensor, f"it is of type {info.dtype}")
    if info.steps is None:
        raise _no_embedding(tensor, "it has no single scale")
    return OutputSpec(info.dtype, width, *info.steps)


def _no_embedding(tensor: int, reason: str) -> ModelDamaged:
    return ModelDamaged(
        f"tensor {tensor} cannot be its embedding: {reason}",
        expected="one vector of float32, int8 or uint8",
        hint="download or copy it again",
    )
