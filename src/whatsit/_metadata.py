"""The layout of a .tflite file and of its TFLite Metadata: read in place, written anew.

A .tflite is a flatbuffer (tables of tensorflow/lite/schema/schema.fbs, file identifier TFL3).
Metadata is a second flatbuffer (metadata_schema.fbs, identifier M001) inside one of its buffers,
under the name TFLITE_METADATA; the files that it names are appended to the whole as a ZIP archive
whose entries are stored, not compressed. Field numbers below are those of the two schemas.

Reading touches only the few fields that are needed and takes well under a millisecond. Whatever
a damaged file makes of it ends in ModelDamaged.
"""

from __future__ import annotations

import contextlib
import functools
import io
import math
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ._flatbuffer import (
    MODEL_IDENTIFIER,
    Node,
    pack_floats,
    pack_list,
    pack_model,
    pack_string,
    pack_table,
    read_model,
)
from .errors import ModelDamaged

if TYPE_CHECKING:
    import flatbuffers

TENSOR_TYPES = {
    0: "float32",
    1: "float16",
    2: "int32",
    3: "uint8",
    4: "int64",
    7: "int16",
    9: "int8",
}
GET_IT_AGAIN = "download or copy it again"
_METADATA_NAME = "TFLITE_METADATA"
_METADATA_IDENTIFIER = b"M001"
_MAX_FILES_BYTES = 16 << 20  # a bomb is refused before it is unpacked
_MOST_SIDES = 64  # of a shape: many tensors of a hostile file may share one list of a million
_MIN_PARSER_VERSION = "1.0.0"

# enum values of metadata_schema.fbs
_RGB = 1
_IMAGE_PROPERTIES = 2
_NORMALIZATION_OPTIONS = 1
_TENSOR_AXIS_LABELS = 2


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """A tensor as the graph declares it. scale is None for an unquantised tensor.

    `several_scales` says that it has one for each slice, of which `scale` is the first.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float | None
    zero_point: int
    several_scales: bool = False

    @property
    def steps(self) -> tuple[float, int] | None:
        """The scale and zero point of all its values; None where there is no one such pair."""
        if self.scale is None or self.several_scales or not 0 < self.scale < math.inf:
            return None
        return self.scale, self.zero_point


@dataclass(frozen=True, slots=True)
class Metadata:
    """What TFLite Metadata says of a classifier. mean and std are empty where it is silent."""

    name: str = ""
    description: str = ""
    version: str = ""
    author: str = ""
    license: str = ""
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    labels_file: str | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """The outside of a model: its edges and what is known about them."""

    subgraphs: int
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    metadata: Metadata | None


def read_layout(data: bytes) -> Layout:
    """Edges and metadata of the model in `data`. Raises ModelDamaged."""
    if data[4:8] != MODEL_IDENTIFIER:
        raise ModelDamaged("the file is no TFLite model", expected="a .tflite file")
    with reading():
        return _layout(data)


@contextlib.contextmanager
def reading() -> Iterator[None]:
    """Turns what reading a damaged flatbuffer raises into ModelDamaged."""
    try:
        yield
    # Positions outside the file, lengths beyond it, text that is no UTF-8, indices of tensors and
    # buffers that are not there.
    except (struct.error, IndexError, ValueError, TypeError, OverflowError) as error:
        raise _broken_tables() from error


def tensor_of(node: Node) -> TensorInfo:
    """What a table of the schema's type Tensor declares."""
    quantization = node.node(4)
    scales = quantization.numbers(2, "f") if quantization else ()
    zero_points = quantization.numbers(3, "q") if quantization else ()
    shape = node.numbers(0, "i")
    if len(shape) > _MOST_SIDES:
        raise ValueError(f"a tensor of {len(shape)} dimensions")
    code = node.number(1, "b")
    return TensorInfo(
        name=node.text(3),
        shape=shape,
        dtype=TENSOR_TYPES.get(code, f"type {code}"),
        scale=scales[0] if scales else None,
        zero_point=zero_points[0] if zero_points else 0,
        several_scales=len(scales) > 1,
    )


def read_files(data: bytes) -> dict[str, bytes]:
    """The files appended to a model; empty if there are none. Raises ModelDamaged."""
    files, compressed = appended_files(data)
    if compressed:
        raise ModelDamaged(
            "the files inside the model are compressed",
            expected="stored entries, which alone MediaPipe reads",
        )
    return files


def appended_files(data: bytes) -> tuple[dict[str, bytes], bool]:
    """The files appended to a model, and whether any is compressed. Raises ModelDamaged."""
    import zipfile
    import zlib

    stream = io.BytesIO(data)
    try:
        if not zipfile.is_zipfile(stream):
            return {}, False
        with zipfile.ZipFile(stream) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if sum(entry.file_size for entry in entries) > _MAX_FILES_BYTES:
                raise ModelDamaged("the files inside the model are too large", expected="16 MiB")
            packed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
            return {entry.filename: archive.read(entry) for entry in entries}, packed
    # Damaged (the first six, and ValueError), encrypted (RuntimeError) or compressed in a way
    # that this Python lacks (NotImplementedError).
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        struct.error,
        IndexError,
        ValueError,
        RuntimeError,
        NotImplementedError,
    ) as error:
        # What zipfile itself says is of the file; the others speak of Python.
        reason = error if isinstance(error, zipfile.BadZipFile) else "it is damaged or cut short"
        raise ModelDamaged(
            f"the files inside the model cannot be read: {reason}", hint=GET_IT_AGAIN
        ) from error


def write(data: bytes, metadata: Metadata, files: Mapping[str, bytes]) -> bytes:
    """The model in `data` with `metadata` and `files` in place of any that it had.

    The same arguments give the same bytes. Weights that the file keeps outside its tables
    (Buffer.offset, as ai-edge-quantizer writes them) are taken inside first. Raises ModelDamaged.
    """
    read_layout(data)
    try:
        model = read_model(data)
        _metadata_buffer(model).data = _pack_metadata(metadata, files)
        return _append_files(pack_model(model), files)
    # The generated code checks nothing: of damaged tables it raises nearly anything.
    except Exception as error:
        raise _broken_tables() from error


def _broken_tables() -> ModelDamaged:
    return ModelDamaged(
        "the model's tables cannot be read: the file is damaged or cut short", hint=GET_IT_AGAIN
    )


def _metadata_buffer(model: Any) -> Any:
    """The buffer for TFLITE_METADATA: the one that `model` (a ModelT) has, or a new one."""
    from ai_edge_litert import schema_py_generated as schema

    model.metadata = model.metadata or []
    for entry in model.metadata:
        if entry.name == _METADATA_NAME.encode():
            return model.buffers[entry.buffer]
    entry = schema.MetadataT()
    entry.name, entry.buffer = _METADATA_NAME, len(model.buffers)
    model.metadata.append(entry)
    model.buffers.append(schema.BufferT())
    return model.buffers[-1]


# ── reading ──────────────────────────────────────────────────────────────────────────────────


def _layout(data: bytes) -> Layout:
    model = Node.root(data)
    subgraphs, buffers = model.nodes(2), model.nodes(4)
    if not subgraphs:
        raise ValueError("no subgraph")
    tensors = subgraphs[0].nodes(0)
    # One value for a tensor that is named often: a small file may name a large one a million times.
    named = functools.cache(lambda index: tensor_of(tensors[index]))
    inputs, outputs = (
        tuple(named(i) for i in subgraphs[0].numbers(field, "i")) for field in (1, 2)
    )
    metadata = None
    for entry in model.nodes(6):
        if entry.text(0) == _METADATA_NAME:
            buffer = buffers[entry.number(1, "I")]
            metadata = _metadata(_buffer_data(buffer, data))
    return Layout(len(subgraphs), inputs, outputs, metadata)


def _buffer_data(buffer: Node, data: bytes) -> bytes:
    offset, size = (buffer.number(field, "Q") for field in (1, 2))
    return data[offset : offset + size] if offset > 1 else buffer.bytes(0)


def _metadata(data: bytes) -> Metadata:
    if data[4:8] != _METADATA_IDENTIFIER:
        raise ValueError("TFLITE_METADATA holds no metadata")
    root = Node.root(data)
    subgraph = _first(root.nodes(3))
    source = _first(subgraph.nodes(2)) if subgraph else None
    target = _first(subgraph.nodes(3)) if subgraph else None
    mean, std = _normalization(source)
    return Metadata(
        name=root.text(0),
        description=root.text(1),
        version=root.text(2),
        author=root.text(4),
        license=root.text(5),
        mean=mean,
        std=std,
        labels_file=_labels_file(target),
    )


def _first(nodes: list[Node]) -> Node | None:
    return nodes[0] if nodes else None


def _normalization(tensor: Node | None) -> tuple[tuple[float, ...], tuple[float, ...]]:
    for unit in tensor.nodes(4) if tensor else []:
        options = unit.node(1)
        if unit.number(0, "B") == _NORMALIZATION_OPTIONS and options:
            return options.numbers(0, "f"), options.numbers(1, "f")
    return (), ()


def _labels_file(tensor: Node | None) -> str | None:
    """The file of class names; of several, the one without a locale, which keys the classes."""
    files = [
        (file.text(3) != "", file.text(0))
        for file in (tensor.nodes(6) if tensor else [])
        if file.number(2, "b") == _TENSOR_AXIS_LABELS
    ]
    return min(files)[1] if files else None


# ── writing ──────────────────────────────────────────────────────────────────────────────────


def _pack_metadata(metadata: Metadata, files: Iterable[str]) -> bytes:
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    source = _pack_input(builder, metadata)
    target = _pack_output(builder, metadata)
    subgraph = pack_table(
        builder,
        9,
        {
            0: pack_string(builder, "image classifier"),
            2: pack_list(builder, [source]),
            3: pack_list(builder, [target]),
        },
    )
    # The labels belong to the output; every other file belongs to the model as a whole.
    others = [_pack_file(builder, name, 0) for name in files if name != metadata.labels_file]
    root = pack_table(
        builder,
        8,
        {
            0: pack_string(builder, metadata.name),
            1: pack_string(builder, metadata.description),
            2: pack_string(builder, metadata.version),
            3: pack_list(builder, [subgraph]),
            4: pack_string(builder, metadata.author),
            5: pack_string(builder, metadata.license),
            6: pack_list(builder, others),
            7: pack_string(builder, _MIN_PARSER_VERSION),
        },
    )
    builder.Finish(root, file_identifier=_METADATA_IDENTIFIER)
    return bytes(builder.Output())


def _pack_input(builder: flatbuffers.Builder, metadata: Metadata) -> int:
    properties = pack_table(builder, 2, {}, {0: _RGB})
    content = pack_table(builder, 2, {1: properties}, {0: _IMAGE_PROPERTIES})
    options = pack_table(
        builder, 2, {0: pack_floats(builder, metadata.mean), 1: pack_floats(builder, metadata.std)}
    )
    unit = pack_table(builder, 2, {1: options}, {0: _NORMALIZATION_OPTIONS})
    stats = pack_table(
        builder, 2, {0: pack_floats(builder, [255.0]), 1: pack_floats(builder, [0.0])}
    )
    return pack_table(
        builder,
        7,
        {
            0: pack_string(builder, "image"),
            1: pack_string(builder, "RGB picture, upright"),
            3: content,
            4: pack_list(builder, [unit]),
            5: stats,
        },
    )


def _pack_output(builder: flatbuffers.Builder, metadata: Metadata) -> int:
    labels = (
        [_pack_file(builder, metadata.labels_file, _TENSOR_AXIS_LABELS)]
        if metadata.labels_file
        else []
    )
    stats = pack_table(builder, 2, {0: pack_floats(builder, [1.0]), 1: pack_floats(builder, [0.0])})
    return pack_table(
        builder,
        7,
        {
            0: pack_string(builder, "probability"),
            1: pack_string(builder, "one probability a class"),
            5: stats,
            6: pack_list(builder, labels),
        },
    )


def _pack_file(builder: flatbuffers.Builder, name: str, kind: int) -> int:
    return pack_table(builder, 5, {0: pack_string(builder, name)}, {2: kind})


def _append_files(model: bytes, files: Mapping[str, bytes]) -> bytes:
    """`model` with a ZIP archive of stored entries behind it, their dates the oldest ZIP knows."""
    import zipfile

    stream = io.BytesIO(model)
    # Appending counts positions from the start of the whole file, as unzip programs expect.
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # else the bytes would tell Windows from the rest
            archive.writestr(entry, content)
    return stream.getvalue()
