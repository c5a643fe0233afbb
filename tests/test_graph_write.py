"""Graphs written, continued and pruned: LiteRT is the judge of what comes out."""

from __future__ import annotations

import make_heads
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

import whatsit
from whatsit._flatbuffer import read_model
from whatsit.bundle import OutputSpec
from whatsit.graph.prune import prune
from whatsit.graph.read import (
    Op,
    Quantisation,
    Type,
    computed_inputs,
    constant,
    only_graph,
    op_code,
    op_name,
    parse,
    shape_of,
    tensor_name,
)
from whatsit.graph.write import GraphWriter
from whatsit.runtimes import Graph, open_runtime


def run(graph: bytes, values: np.ndarray, count: int) -> np.ndarray:
    program = Graph("written", graph, OutputSpec("float32", count))
    return open_runtime(program).raw(values)


def doubled(writer: GraphWriter, tensor: int, name: str) -> int:
    """Adds a tensor of twice the values."""
    shape = shape_of(writer.graph.tensors[tensor])
    out = writer.tensor(name, shape, Type.FLOAT32)
    writer.operator(Op.ADD, 1, [tensor, tensor], [out], schema.AddOptionsT())
    return out


def test_what_is_written_runs() -> None:
    writer = GraphWriter("twice")
    source = writer.tensor("in", (1, 3), Type.FLOAT32)
    data = writer.finish([source], [doubled(writer, source, "out")])
    found = run(data, np.array([[1, 2, 3]], np.float32), 3)
    assert found.tolist() == [[2, 4, 6]]
    assert read_model(data).description == b"twice"


def test_a_graph_is_continued_without_a_second_entry_for_the_same_operator() -> None:
    writer = GraphWriter("twice")
    source = writer.tensor("in", (1, 3), Type.FLOAT32)
    data = writer.finish([source], [doubled(writer, source, "out")])
    more = GraphWriter.onto(read_model(data))
    end = more.reshaped(doubled(more, 1, "again"), (3, 1))
    continued = more.finish([0], [end])
    model = read_model(continued)
    assert [op_code(model, o) for o in model.subgraphs[0].operators] == [Op.ADD, Op.ADD, Op.RESHAPE]
    assert len(model.operatorCodes) == 2
    assert run(continued, np.array([[1, 2, 3]], np.float32), 3).tolist() == [[4, 8, 12]]


@pytest.mark.parametrize(
    ("code", "dtype", "zero_point"), [(Type.INT8, np.int8, -3), (Type.UINT8, np.uint8, 128)]
)
def test_quantised_numbers_become_real_ones(code: int, dtype: type, zero_point: int) -> None:
    writer = GraphWriter("real")
    source = writer.tensor("in", (1, 2), code, Quantisation.single(0.5, zero_point))
    real = writer.dequantised(source)
    assert writer.dequantised(real) == real
    found = run(writer.finish([source], [real]), np.array([[1, 100]], dtype), 2)
    assert found.tolist() == [[(1 - zero_point) / 2, (100 - zero_point) / 2]]


def test_a_tensor_of_the_right_shape_is_not_reshaped() -> None:
    writer = GraphWriter("same")
    source = writer.tensor("in", (1, 2), Type.FLOAT32)
    assert writer.reshaped(source, (1, 2)) == source
    assert writer.graph.operators == []


def test_no_two_tensors_get_the_same_name() -> None:
    writer = GraphWriter("names")
    for _ in range(3):
        writer.tensor("a", (1,), Type.FLOAT32)
    again = GraphWriter.onto(writer.model)
    again.tensor("a", (1,), Type.FLOAT32)
    assert [tensor.name for tensor in again.graph.tensors] == ["a", "a/2", "a/3", "a/4"]


def test_a_reshape_keeps_the_steps() -> None:
    writer = GraphWriter("steps")
    source = writer.tensor("in", (1, 2), Type.INT8, Quantisation.single(0.25, 7))
    flat = writer.graph.tensors[writer.reshaped(source, (2,))]
    steps = Quantisation.of(flat)
    assert steps is not None
    assert (steps.scales.tolist(), steps.zero_points.tolist()) == ([0.25], [7])


def test_constants_and_names_are_read_back() -> None:
    bundle = make_heads.small("fully connected")
    model = parse(bundle)
    graph = only_graph(model)
    layer = graph.operators[-2]
    assert op_name(op_code(model, layer)) == "FULLY_CONNECTED"
    assert [tensor_name(graph.tensors[i]) for i in layer.inputs] == ["means", "weights", "bias"]
    assert computed_inputs(model, layer) == [int(layer.inputs[0])]
    assert constant(model, graph.tensors[layer.inputs[0]]) is None
    bias = constant(model, graph.tensors[layer.inputs[2]])
    assert bias is not None
    assert (bias.dtype, bias.tolist()) == (np.float32, [0.25, -0.5])


def test_an_operator_of_the_future_has_a_number() -> None:
    assert op_name(9999) == "operator 9999"


def test_pruning_leaves_what_leads_to_a_tensor() -> None:
    writer = GraphWriter("fork")
    source = writer.tensor("in;also this", (1, 3), Type.FLOAT32)
    writer.constant("not used", np.ones(1000, np.float32))
    one = doubled(writer, source, "one;two")
    kept = writer.constant("kept", np.array([[5, 6, 7]], np.float32))
    sum_ = writer.tensor("sum", (1, 3), Type.FLOAT32)
    writer.operator(Op.SUB, 1, [one, kept], [sum_], schema.SubOptionsT())
    writer.operator(Op.MUL, 1, [sum_, sum_], [doubled(writer, sum_, "end")], schema.MulOptionsT())
    model = read_model(writer.finish([source], [sum_]))
    model.metadata = [schema.MetadataT()]
    target = prune(model, sum_)
    graph = only_graph(model)
    assert [tensor_name(tensor) for tensor in graph.tensors] == [
        "in,also this",
        "one,two",
        "kept",
        "sum",
    ]
    assert [op_code(model, operator) for operator in graph.operators] == [Op.ADD, Op.SUB]
    assert len(model.buffers) == 2
    assert len(model.operatorCodes) == 2
    assert model.metadata is None
    data = GraphWriter.onto(model).finish([int(i) for i in graph.inputs], [target])
    assert run(data, np.array([[1, 2, 3]], np.float32), 3).tolist() == [[-3, -2, -1]]


def test_several_subgraphs_are_refused() -> None:
    model = parse(make_heads.small("int8"))
    model.subgraphs.append(model.subgraphs[0])
    with pytest.raises(whatsit.ModelUnsupported, match="it has 2 subgraphs"):
        only_graph(model)


def test_a_constant_of_an_unknown_type_is_refused() -> None:
    model = parse(make_heads.small("fully connected"))
    tensor = only_graph(model).tensors[2]
    tensor.type = Type.INT4
    with pytest.raises(whatsit.ModelUnsupported, match="its constant 'axes' is of type 17"):
        constant(model, tensor)
