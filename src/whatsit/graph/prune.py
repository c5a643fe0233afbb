"""Leaves of a graph only what leads to one tensor; the rest goes from the file, weights too."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..errors import ModelUnsupported
from .read import (
    Model,
    Operator,
    SubGraph,
    inputs_of,
    intermediates_of,
    only_graph,
    outputs_of,
    producers,
    tensor_name,
)


def prune(model: Model, target: int) -> int:
    """Drops from `model` what the tensor `target` does not need; returns its new index.

    Metadata and signatures go too, since they name tensors that may be gone. A `;` in the name of
    a tensor, which MediaPipe takes for a list, becomes a comma. Raises ModelUnsupported if the
    tensor does not come from the graph's input.
    """
    graph = only_graph(model)
    needed = _ancestors(graph, target)
    if not needed.issuperset(map(int, graph.inputs)):
        raise ModelUnsupported("its embedding does not depend on the picture")
    graph.operators = [o for o in graph.operators if not needed.isdisjoint(outputs_of(o))]
    kept = needed.union(*(_tensors_of(operator) for operator in graph.operators))
    places = _places(kept)
    graph.tensors = [graph.tensors[index] for index in sorted(kept)]
    graph.inputs = _moved(graph.inputs, places)
    graph.outputs = _moved([target], places)
    for operator in graph.operators:
        operator.inputs = _moved(operator.inputs, places)
        operator.outputs = _moved(operator.outputs, places)
        if operator.intermediates is not None:
            operator.intermediates = _moved(intermediates_of(operator), places)
    _drop_codes(model, graph)
    _drop_buffers(model, graph)
    _drop_remarks(model, graph)
    return places[target]


def _ancestors(graph: SubGraph, target: int) -> set[int]:
    """`target` and all tensors that it is computed from, constants too."""
    made_by = producers(graph)
    found, waiting = {target}, [target]
    while waiting:
        operator = made_by.get(waiting.pop())
        if operator is not None:
            new = set(inputs_of(operator)) - found
            found |= new
            waiting.extend(new)
    return found


def _tensors_of(operator: Operator) -> set[int]:
    return {*inputs_of(operator), *outputs_of(operator), *intermediates_of(operator)}


def _places(kept: Iterable[int]) -> dict[int, int]:
    """Old index → new index."""
    return {old: new for new, old in enumerate(sorted(kept))}


def _moved(indices: Iterable[int], places: dict[int, int]) -> np.ndarray:
    return np.array([places.get(int(index), -1) for index in indices], np.int32)


def _drop_codes(model: Model, graph: SubGraph) -> None:
    places = _places({operator.opcodeIndex for operator in graph.operators})
    model.operatorCodes = [model.operatorCodes[index] for index in places]
    for operator in graph.operators:
        operator.opcodeIndex = places[operator.opcodeIndex]


def _drop_buffers(model: Model, graph: SubGraph) -> None:
    places = _places({0, *(tensor.buffer for tensor in graph.tensors)})  # 0 is "no data"
    model.buffers = [model.buffers[index] for index in places]
    for tensor in graph.tensors:
        tensor.buffer = places[tensor.buffer]


def _drop_remarks(model: Model, graph: SubGraph) -> None:
    model.metadata = model.metadataBuffer = model.signatureDefs = None
    graph.debugMetadataIndex = -1
    for operator in graph.operators:
        operator.debugMetadataIndex = -1
    for tensor in graph.tensors:
        tensor.name = tensor_name(tensor).replace(";", ",")
