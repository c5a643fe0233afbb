"""The layout of a .tflite: what is written is what is read, here and by others."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable, Iterable

import flatbuffers
import make_models
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

import whatsit
from whatsit import _metadata, zoo
from whatsit._metadata import Metadata, TensorInfo

GRAPH = make_models.pixels(4, 4, scale=1 / 255)
METADATA = Metadata(
    name="tiny",
    description="pixels as scores, ½ of them",
    version="3",
    author="nobody",
    license="Apache-2.0",
    mean=(127.0,),
    std=(128.0,),
    labels_file="labels.txt",
)
FILES = {"labels.txt": b"a\nb\n", "whatsit.json": b'{"format": 1}', "empty": b""}


def written() -> bytes:
    return _metadata.write(GRAPH, METADATA, FILES)


def run(data: bytes, level: int = 51) -> np.ndarray:
    """The output of a model for a picture of one grey, by LiteRT itself."""
    interpreter = Interpreter(model_content=data)
    interpreter.allocate_tensors()
    tensor = interpreter.get_input_details()[0]
    interpreter.set_tensor(tensor["index"], np.full(tensor["shape"], level, tensor["dtype"]))
    interpreter.invoke()
    scores: np.ndarray = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    return scores


def with_weights_outside(data: bytes) -> bytes:
    """The model in `data` with every constant behind the flatbuffer, as the quantizer writes it."""
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    contents = [b"" if b.data is None else bytes(b.data) for b in model.buffers]
    start = 1 << 16  # beyond the tables, whatever their size
    tail = bytearray()
    for buffer, content in zip(model.buffers, contents, strict=True):
        if content:
            tail += bytes(-len(tail) % 16)
            buffer.data, buffer.offset, buffer.size = None, start + len(tail), len(content)
            tail += content
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output()).ljust(start, b"\0") + bytes(tail)


def test_reads_the_edges_of_a_graph() -> None:
    layout = _metadata.read_layout(GRAPH)
    assert layout.subgraphs == 1
    assert layout.inputs == (TensorInfo("image", (1, 4, 4, 3), "uint8", pytest.approx(1 / 255), 0),)
    assert layout.outputs == (TensorInfo("scores", (1, 48), "float32", None, 0),)
    assert layout.metadata is None


def test_reads_back_the_metadata_that_it_wrote() -> None:
    assert _metadata.read_layout(written()).metadata == METADATA


def test_reads_back_the_files_that_it_wrote() -> None:
    assert _metadata.read_files(written()) == FILES


def test_a_graph_without_files_has_none() -> None:
    assert _metadata.read_files(GRAPH) == {}


def test_zipfile_finds_stored_entries_without_a_date() -> None:
    with zipfile.ZipFile(io.BytesIO(written())) as archive:
        assert archive.testzip() is None
        rows = [(e.filename, e.compress_type, e.date_time) for e in archive.infolist()]
    assert rows == [(name, zipfile.ZIP_STORED, (1980, 1, 1, 0, 0, 0)) for name in FILES]


def test_metadata_is_a_flatbuffer_of_its_own_identifier() -> None:
    model = schema.ModelT.InitFromPackedBuf(written(), 0)
    assert [entry.name for entry in model.metadata] == [b"TFLITE_METADATA"]
    assert bytes(model.buffers[model.metadata[0].buffer].data[4:8]) == b"M001"


def test_same_arguments_give_the_same_bytes() -> None:
    assert written() == written()


def test_writing_again_changes_nothing() -> None:
    assert _metadata.write(written(), METADATA, FILES) == written()


def test_writing_replaces_metadata_and_files() -> None:
    other = Metadata(name="other", mean=(0.0,), std=(1.0,))
    data = _metadata.write(written(), other, {"only": b"this"})
    assert _metadata.read_layout(data).metadata == other
    assert _metadata.read_files(data) == {"only": b"this"}
    assert len(schema.ModelT.InitFromPackedBuf(data, 0).metadata) == 1


def test_the_graph_still_runs() -> None:
    np.testing.assert_array_equal(run(written()), run(GRAPH))


@pytest.mark.parametrize("name", zoo.catalogue())
def test_buffers_of_built_in_models_lie_on_16_bytes(name: str) -> None:
    assert_aligned(zoo.catalogue()[name].path.read_bytes())


def test_buffers_lie_on_16_bytes() -> None:
    assert_aligned(written())


def assert_aligned(data: bytes) -> None:
    model = schema.Model.GetRootAsModel(data, 0)
    positions = []
    for index in range(model.BuffersLength()):
        buffer = model.Buffers(index)
        if buffer.DataLength():
            positions.append(buffer._tab.Vector(buffer._tab.Offset(4)))
    assert positions
    assert all(position % 16 == 0 for position in positions)


def test_weights_outside_the_tables_are_taken_inside() -> None:
    outside = with_weights_outside(GRAPH)
    np.testing.assert_array_equal(run(outside), run(GRAPH))  # LiteRT reads them there
    data = _metadata.write(outside, METADATA, FILES)
    np.testing.assert_array_equal(run(data), run(GRAPH))
    assert all(b.offset == b.size == 0 for b in schema.ModelT.InitFromPackedBuf(data, 0).buffers)
    assert data == written()


def test_weights_beyond_the_end_are_refused() -> None:
    with pytest.raises(whatsit.ModelDamaged, match="damaged or cut short"):
        _metadata.write(with_weights_outside(GRAPH)[:-4], METADATA, FILES)


@pytest.mark.parametrize("data", [b"", b"TFL3", b"GIF89a" * 9, b"\0" * 99], ids=len)
def test_what_is_no_model_is_refused(data: bytes) -> None:
    with pytest.raises(whatsit.ModelDamaged) as caught:
        _metadata.read_layout(data)
    assert caught.value.message == "the file is no TFLite model"
    assert caught.value.expected == "a .tflite file"


@pytest.mark.parametrize(
    "position", [0, 0xFFFFFFFF, 0x7FFFFFFF, 5], ids=["zero", "last", "beyond", "odd"]
)
def test_a_root_outside_the_file_is_refused(position: int) -> None:
    with pytest.raises(whatsit.ModelDamaged, match="the model's tables cannot be read"):
        _metadata.read_layout(struct.pack("<I", position) + GRAPH[4:])


@pytest.mark.parametrize("kept", [8, 64, 0.5, 0.9, 0.99])
def test_a_file_cut_short_is_refused(kept: float) -> None:
    data = written()
    cut = data[: int(kept if kept > 1 else kept * len(data))]
    with pytest.raises(whatsit.ModelDamaged):
        whatsit.Bundle.from_bytes(cut, "cut")


def test_a_bomb_among_the_files_is_refused() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("labels.txt", bytes(17 << 20))
    with pytest.raises(whatsit.ModelDamaged, match="too large"):
        _metadata.read_files(GRAPH + stream.getvalue())


def test_a_damaged_entry_is_refused() -> None:
    data = written().replace(b"a\nb\n", b"a\nc\n")
    with pytest.raises(whatsit.ModelDamaged, match="Bad CRC-32"):
        _metadata.read_files(data)


def test_an_entry_without_a_name_is_refused() -> None:
    names = {"empty": b""}
    data = bytearray(_metadata.write(GRAPH, METADATA, names))
    directory = data.rindex(b"PK\x01\x02")
    data[directory + 28 : directory + 30] = bytes(2)  # how long its name is
    with pytest.raises(whatsit.ModelDamaged, match="cannot be read"):
        _metadata.read_files(bytes(data))


def test_a_directory_of_several_disks_is_refused() -> None:
    # What zipfile reads before it looks at any entry: it raises while it asks whether this is one.
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, 0, 2)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0, 0, 0, 0, 0)
    with pytest.raises(whatsit.ModelDamaged, match="cannot be read"):
        _metadata.read_files(GRAPH + locator + end)


def test_a_shape_of_a_million_sides_is_refused() -> None:
    model = schema.ModelT.InitFromPackedBuf(GRAPH, 0)
    model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]].shape = np.ones(1 << 20, np.int32)
    builder = flatbuffers.Builder(1 << 23)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    with pytest.raises(whatsit.ModelDamaged, match="tables cannot be read"):
        _metadata.read_layout(bytes(builder.Output()))


def read(data: bytes) -> None:
    whatsit.Bundle.from_bytes(data, "damaged")


def rewrite(data: bytes) -> None:
    _metadata.write(data, METADATA, FILES)


def damaged(data: bytes, seed: int, end: int) -> bytes:
    """One to eight bytes before `end` changed, or the file cut short."""
    rng = np.random.default_rng(seed)
    if seed % 10 == 0:
        return data[: rng.integers(len(data))]
    copy = bytearray(data)
    for position in rng.integers(0, end, rng.integers(1, 9)):
        copy[position] = rng.choice([0, 1, 127, 128, 255])
    return bytes(copy)


def tables_end(data: bytes) -> int:
    """Where the first large buffer begins: tables stand before it."""
    model = schema.Model.GetRootAsModel(data, 0)
    buffers = (model.Buffers(index) for index in range(model.BuffersLength()))
    return min(b._tab.Vector(b._tab.Offset(4)) for b in buffers if b.DataLength() > 4096)


@pytest.mark.parametrize("use", [read, rewrite])
def test_a_damaged_small_model_ends_in_our_errors_only(use: Callable[[bytes], None]) -> None:
    data = make_models.bundle(GRAPH, 48)
    assert refused(use, [damaged(data, seed, len(data)) for seed in range(300)]) > 100


def test_a_real_model_with_damaged_tables_ends_in_our_errors_only() -> None:
    data = zoo.catalogue()[zoo.DEFAULT].path.read_bytes()
    end = tables_end(data)
    assert refused(read, (damaged(data, seed, end) for seed in range(100))) > 0


def refused(use: Callable[[bytes], None], files: Iterable[bytes]) -> int:
    """How many of `files` are refused; any error but ours goes through."""
    count = 0
    for data in files:
        try:
            use(data)
        except whatsit.ModelError:
            count += 1
    return count
