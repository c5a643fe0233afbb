"""What the app makes of a model with weights of 16 bits: the same model, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from js import Js, JsError
from numpy.typing import NDArray
from PIL import Image

from whatsit import zoo
from whatsit._flatbuffer import pack_model, read_model
from whatsit.graph.read import Op, Type, constant, only_graph, op_code
from whatsit.graph.write import GraphWriter

HALVES = [name for name in zoo.catalogue() if name.endswith("float16")]
# NaN is left out: which one it becomes is nobody's business.
ALL = np.arange(1 << 16, dtype=np.uint16).view(np.float16)[
    ~np.isnan(np.arange(1 << 16, dtype=np.uint16).view(np.float16))
]


@pytest.fixture(scope="module")
def js() -> Js:
    return Js()


def converted(js: Js, data: bytes) -> bytes:
    return js("core/float32.js", "withFloat32", {"name": "net", "bytes": data}).tobytes()


def scores(data: bytes, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    engine = Interpreter(model_content=data, num_threads=1)
    engine.allocate_tensors()
    engine.set_tensor(engine.get_input_details()[0]["index"], picture[np.newaxis])
    engine.invoke()
    return engine.get_tensor(engine.get_output_details()[0]["index"])


@pytest.mark.parametrize("name", HALVES)
def test_its_scores_stay_the_same(js: Js, name: str) -> None:
    data = zoo.open_builtin(name).data
    assert js("core/taps.js", "hasFloat16", data)
    with Image.open(zoo.GOLDEN / "cat.png") as image:
        picture = np.asarray(image.convert("RGB").resize((224, 224)))
    made = converted(js, data)
    assert np.array_equal(scores(made, picture), scores(data, picture))


@pytest.mark.parametrize("name", HALVES)
def test_only_the_weights_are_others(js: Js, name: str) -> None:
    data = zoo.open_builtin(name).data
    before, after = read_model(data), read_model(converted(js, data))
    old, new = only_graph(before), only_graph(after)
    assert len(new.tensors) == len(old.tensors)  # of which taps know the indices
    real = [op for op in old.operators if old.tensors[op.inputs[0]].type != Type.FLOAT16]
    assert [op_code(after, op) for op in new.operators] == [op_code(before, op) for op in real]
    halved = [op for op in old.operators if old.tensors[op.inputs[0]].type == Type.FLOAT16]
    for operator in halved:
        stored = constant(before, old.tensors[operator.inputs[0]])
        assert stored is not None
        made = constant(after, new.tensors[operator.outputs[0]])
        assert np.array_equal(made, stored.astype(np.float32))
        assert constant(after, new.tensors[operator.inputs[0]]) is None  # it takes no room


def halved(values: NDArray[np.float16], *, also_given: bool = False) -> bytes:
    """A graph that adds these numbers to its input."""
    writer = GraphWriter("halves")
    count = len(values)
    picture = writer.tensor("in", (count,), Type.FLOAT32)
    stored = writer.constant("stored", values)
    real = writer.tensor("real", (count,), Type.FLOAT32)
    writer.operator(Op.DEQUANTIZE, 3, [stored], [real], schema.DequantizeOptionsT())
    total = writer.tensor("out", (count,), Type.FLOAT32)
    writer.operator(Op.ADD, 1, [picture, real], [total], schema.AddOptionsT())
    if also_given:
        again = writer.tensor("again", (count,), Type.FLOAT32)
        computed = writer.tensor("computed", (count,), Type.FLOAT16)
        writer.operator(Op.CAST, 1, [picture], [computed], schema.CastOptionsT())
        writer.operator(Op.DEQUANTIZE, 3, [computed], [again], schema.DequantizeOptionsT())
    return writer.finish([picture], [total])


def test_every_number_of_sixteen_bits_is_what_it_was(js: Js) -> None:
    model = read_model(converted(js, halved(ALL)))
    (adding,) = only_graph(model).operators
    made = constant(model, only_graph(model).tensors[adding.inputs[1]])
    assert made is not None
    assert made.tobytes() == ALL.astype(np.float32).tobytes()  # -0 too


def test_what_is_computed_is_left_alone(js: Js) -> None:
    model = read_model(converted(js, halved(ALL[:8], also_given=True)))
    codes = [op_code(model, operator) for operator in only_graph(model).operators]
    assert codes == [Op.ADD, Op.CAST, Op.DEQUANTIZE]


def test_a_graph_that_cannot_be_changed_is_run_as_it_is(js: Js) -> None:
    model = read_model(halved(ALL[:8]))
    model.subgraphs.append(model.subgraphs[0])
    data = pack_model(model)
    assert converted(js, data) == data


def test_a_damaged_one_is_refused(js: Js) -> None:
    model = read_model(halved(ALL[:8]))
    only_graph(model).tensors[1].shape = np.array([9], np.int32)
    with pytest.raises(JsError, match="9") as caught:
        converted(js, pack_model(model))
    assert caught.value.code == "model-damaged"


def test_models_of_whole_numbers_are_not_touched(js: Js) -> None:
    assert not js("core/taps.js", "hasFloat16", zoo.open_builtin(zoo.DEFAULT).data)
