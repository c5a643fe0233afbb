"""A model, opened on an engine: from its input tensor to scores, and to the embedding if asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from .bundle import Bundle, OutputSpec
from .runtimes import Graph, open_runtime

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .graph.head import Tail

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


@dataclass(frozen=True, slots=True)
class Halves:
    """A bundle's graph cut at its embedding: the same operators, in two files."""

    backbone: Graph
    rest: Graph
    tail: Tail

    @classmethod
    def of(cls, bundle: Bundle) -> Halves:
        """Raises ModelUnsupported for a model without an embedding."""
        # Here, since LiteRT's schema takes longer to import than a picture to classify.
        from .graph.head import embedding_graph, find_head, tail_graph

        width = find_head(bundle).width
        tail = tail_graph(bundle)
        return cls(
            Graph(bundle.name, embedding_graph(bundle), OutputSpec("float32", width)),
            Graph(bundle.name, tail.data, bundle.output),
            tail,
        )


class SplitModel:
    """A bundle in its halves: the scores of the whole, and the embedding on the way."""

    def __init__(self, halves: Halves, runtime: str, threads: int) -> None:
        self._tail = halves.tail
        self._backbone = open_runtime(halves.backbone, runtime, threads=threads)
        self._rest = open_runtime(halves.rest, runtime, threads=1)

    def score(self, batch: NDArray[Any]) -> tuple[Floats, Floats]:
        vector: Floats = self._backbone.raw(batch)[0]  # (1, D) → (D,)
        return self._rest.run(self._tail.batch(vector))[0], vector

    def close(self) -> None:
        self._backbone.close()
        self._rest.close()
