"""A tensor on a graph's way, given as one more output: the embedding, or the last feature map.

Only the list of outputs is written anew (a few bytes behind the file), so nothing is unpacked.
"""

from __future__ import annotations

from ._flatbuffer import Node
from ._metadata import GET_IT_AGAIN, TensorInfo, reading, tensor_of
from .errors import ModelDamaged

_MAX_INDICES = 1 << 20  # that operators name: the largest graphs have some thousand tensors


def tensor_info(data: bytes, index: int) -> TensorInfo:
    """The tensor at `index` of the model in `data`. Raises ModelDamaged where there is none."""
    with reading():
        tensors = _graph(data).nodes(0)
        if 0 <= index < len(tensors):
            return tensor_of(tensors[index])
    raise _no_tensor(index, "the graph has no such tensor")


def tapped(data: bytes, index: int) -> bytes:
    """The model in `data`, to be run only: its graph gives the tensor at `index` as well.

    The tensor becomes the graph's last output. Raises ModelDamaged for one that is not computed
    from the graph's input: of those an engine would give a constant, or memory never written.
    """
    with reading():
        graph = _graph(data)
        outputs = graph.numbers(2, "i")
        if index in outputs:
            raise _no_tensor(index, "it is the graph's output already")
        if index not in _computed(graph):
            raise _no_tensor(index, "it is not computed from the picture")
        return graph.with_numbers(2, "i", (*outputs, index))


def _graph(data: bytes) -> Node:
    """The model's first subgraph, which is the one that is run."""
    return Node.root(data).nodes(2)[0]


def _computed(graph: Node) -> set[int]:
    """The tensors that the operators make of the graph's inputs."""
    inputs = frozenset(graph.numbers(1, "i"))
    found = set(inputs)
    indices = 0
    for operator in graph.nodes(3):  # in the order in which they run
        sources, targets = operator.numbers(1, "i"), operator.numbers(2, "i")
        indices += len(sources) + len(targets)
        if indices > _MAX_INDICES:  # operators may share one long list
            raise ValueError(f"more than {_MAX_INDICES} inputs and outputs of operators")
        if not found.isdisjoint(sources):
            found.update(targets)
    return found - inputs


def _no_tensor(index: int, reason: str) -> ModelDamaged:
    return ModelDamaged(
        f"tensor {index} of the model cannot be read: {reason}",
        expected="a tensor on the way from the picture to the scores",
        hint=GET_IT_AGAIN,
    )
