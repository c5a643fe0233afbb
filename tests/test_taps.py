"""Further outputs of a graph, written into the few bytes that name them."""

from __future__ import annotations

import contextlib

import make_models
import pytest
from ai_edge_litert import schema_py_generated as schema

import whatsit
from whatsit import _metadata, _taps
from whatsit._flatbuffer import pack_model
from whatsit._metadata import Metadata, TensorInfo

GRAPH = make_models.pixels(4, 4, scale=1 / 255)


def test_a_tensor_is_read_by_its_index() -> None:
    layout = _metadata.read_layout(GRAPH)
    model = schema.ModelT.InitFromPackedBuf(GRAPH, 0)
    source, target = model.subgraphs[0].inputs[0], model.subgraphs[0].outputs[0]
    assert _taps.tensor_info(GRAPH, source) == layout.inputs[0]
    assert _taps.tensor_info(GRAPH, target) == layout.outputs[0]


def test_several_scales_are_told() -> None:
    model = schema.ModelT.InitFromPackedBuf(GRAPH, 0)
    model.subgraphs[0].tensors[0].quantization.scale = [0.5, 0.25]
    info = _taps.tensor_info(pack_model(model), 0)
    assert (info.scale, info.several_scales) == (0.5, True)
    assert info.steps is None


@pytest.mark.parametrize("scale", [None, 0.0, -1.0, float("nan"), float("inf")])
def test_a_scale_that_is_none(scale: float | None) -> None:
    assert TensorInfo("t", (1, 2), "int8", scale, 3).steps is None
    assert TensorInfo("t", (1, 2), "int8", 0.5, 3).steps == (0.5, 3)


@pytest.mark.parametrize("tail", [b"", b"!"], ids=["as it is", "an odd length"])
def test_a_tap_changes_four_bytes_and_adds_a_list(tail: bytes) -> None:
    about = Metadata(mean=(127.0,), std=(128.0,), labels_file="labels.txt")
    whole = _metadata.write(make_models.forked(), about, {"labels.txt": b"a\nb\n"}) + tail
    data = _taps.tapped(whole, 2)
    assert schema.ModelT.InitFromPackedBuf(data, 0).subgraphs[0].outputs.tolist() == [3, 2]
    assert len(data) % 4 == 0
    assert len(data) - len(whole) < 4 + 3 * 4
    changed = [place for place in range(len(whole)) if whole[place] != data[place]]
    assert changed
    assert changed[-1] - changed[0] < 4


@pytest.mark.parametrize("index", [-1, 8, 1 << 40])
def test_a_tensor_that_is_not_there(index: int) -> None:
    with pytest.raises(whatsit.ModelDamaged, match=f"tensor {index} of the model cannot be read"):
        _taps.tensor_info(make_models.forked(), index)
    with pytest.raises(whatsit.ModelDamaged, match="it is not computed from the picture"):
        _taps.tapped(make_models.forked(), index)


@pytest.mark.parametrize("index", [0, 1, 5, 6, 7], ids=lambda index: f"tensor {index}")
def test_only_what_is_computed_from_the_picture_can_be_tapped(index: int) -> None:
    with pytest.raises(whatsit.ModelDamaged) as caught:
        _taps.tapped(make_models.forked(), index)
    assert caught.value.message == (
        f"tensor {index} of the model cannot be read: it is not computed from the picture"
    )


def test_an_output_is_not_tapped_again() -> None:
    with pytest.raises(whatsit.ModelDamaged, match="it is the graph's output already"):
        _taps.tapped(make_models.forked(), 3)


def test_a_tapped_model_cut_anywhere_is_damaged_or_as_it_was() -> None:
    whole = make_models.forked()
    for length in range(len(whole)):
        for ask in (_taps.tensor_info, _taps.tapped):
            with contextlib.suppress(whatsit.ModelDamaged):
                ask(whole[:length], 2)


def test_operators_that_share_a_list_beyond_measure_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_taps, "_MAX_INDICES", 4)
    with pytest.raises(whatsit.ModelDamaged, match="tables cannot be read"):
        _taps.tapped(make_models.forked(), 2)
