"""Flatbuffers in place: tables read without unpacking, models unpacked and packed, tables built.

A .tflite is a flatbuffer (tables of tensorflow/lite/schema/schema.fbs, file identifier TFL3).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import flatbuffers

MODEL_IDENTIFIER = b"TFL3"
_MAX_TABLES = 1 << 16  # in one list: the largest graphs have some thousand tensors


class Node:
    """One flatbuffer table, read in place; fields by their number in the schema.

    struct checks that a position lies inside the file; lengths of lists are checked here.
    """

    def __init__(self, data: bytes, position: int) -> None:
        self._data, self._position = data, position
        self._vtable = position - self._unpack("i", position)

    @classmethod
    def root(cls, data: bytes) -> Node:
        return cls(data, struct.unpack_from("<I", data)[0])

    def with_numbers(self, field: int, code: str, numbers: Sequence[int]) -> bytes:
        """A copy of the whole buffer with other `numbers` in a list that this table has.

        They stand behind everything else, on 4 bytes, so no other position changes.
        """
        position, data = self._field(field), self._data
        if position == 0:
            raise ValueError(f"no field {field}")
        self._unpack("I", position)  # a slice would not miss what lies outside
        padding = b"\0" * (-len(data) % 4)
        offset = struct.pack("<I", len(data) + len(padding) - position)
        content = struct.pack(f"<I{len(numbers)}{code}", len(numbers), *numbers)
        return b"".join((data[:position], offset, data[position + 4 :], padding, content))

    def number(self, field: int, code: str, default: int = 0) -> int:
        position = self._field(field)
        return default if position == 0 else self._unpack(code, position)

    def text(self, field: int) -> str:
        return self.bytes(field).decode("utf-8", "replace")

    def bytes(self, field: int) -> bytes:
        start, length = self._list(field, 1)
        return self._data[start : start + length]

    def numbers(self, field: int, code: str) -> tuple[Any, ...]:
        start, length = self._list(field, struct.calcsize(code))
        return struct.unpack_from(f"<{length}{code}", self._data, start)

    def node(self, field: int) -> Node | None:
        position = self._field(field)
        return None if position == 0 else Node(self._data, self._follow(position))

    def nodes(self, field: int) -> list[Node]:
        start, length = self._list(field, 4)
        if length > _MAX_TABLES:
            raise ValueError(f"a list of {length} tables")
        return [Node(self._data, self._follow(start + 4 * i)) for i in range(length)]

    def _unpack(self, code: str, position: int) -> int:
        if position < 0:  # struct would count from the end
            raise ValueError(f"position {position}")
        return int(struct.unpack_from(f"<{code}", self._data, position)[0])

    def _follow(self, position: int) -> int:
        return position + self._unpack("I", position)

    def _field(self, field: int) -> int:
        """The position of a field's value, or 0 if the table does not have it."""
        slot = 4 + 2 * field
        if slot >= self._unpack("H", self._vtable):
            return 0
        offset = self._unpack("H", self._vtable + slot)
        return self._position + offset if offset else 0

    def _list(self, field: int, item_bytes: int) -> tuple[int, int]:
        """Where the items of a list begin, and how many there are."""
        position = self._field(field)
        if position == 0:
            return 0, 0
        start = self._follow(position)
        length = self._unpack("I", start)
        if start + 4 + length * item_bytes > len(self._data):
            raise ValueError(f"a list of {length} reaches beyond the end of the file")
        return start + 4, length


def read_model(data: bytes) -> Any:
    """The schema's ModelT of a file; weights kept behind its tables are moved into them."""
    from ai_edge_litert import schema_py_generated as schema  # slow to import, so only here

    model = schema.ModelT.InitFromPackedBuf(data, 0)
    for buffer in model.buffers:
        if buffer.offset > 1:  # 0 and 1 mean: the data stand inside
            if buffer.offset + buffer.size > len(data):
                raise ValueError("weights beyond the end of the file")
            buffer.data = data[buffer.offset : buffer.offset + buffer.size]
            buffer.offset = buffer.size = 0
    return model


def pack_model(model: Any) -> bytes:
    """A schema ModelT as a flatbuffer whose weights lie on 16 bytes.

    The generated Python ignores the schema's force_align, on which kernels on Arm may rely.
    """
    import flatbuffers

    plain = model.buffers
    model.buffers = [_AlignedBuffer(buffer.data) for buffer in plain]
    size = sum(0 if buffer.data is None else len(buffer.data) for buffer in model.buffers)
    builder = flatbuffers.Builder(size + (1 << 20))
    try:
        builder.Finish(model.Pack(builder), file_identifier=MODEL_IDENTIFIER)
    finally:
        model.buffers = plain
    return bytes(builder.Output())


class _AlignedBuffer:
    """Stands in for the schema's BufferT while a model is packed."""

    def __init__(self, data: Any) -> None:
        self.data = None if data is None or len(data) == 0 else bytes(data)

    def Pack(self, builder: flatbuffers.Builder) -> int:  # noqa: N802 — the generated code calls it
        vector = None if self.data is None else _bytes_vector(builder, self.data)
        builder.StartObject(3)
        if vector is not None:
            builder.PrependUOffsetTRelativeSlot(0, vector, 0)
        return int(builder.EndObject())


def _bytes_vector(builder: flatbuffers.Builder, data: bytes) -> int:
    builder.StartVector(1, len(data), 16)
    builder.head = builder.head - len(data)
    builder.Bytes[builder.head : builder.head + len(data)] = data
    return int(builder.EndVector())


def pack_table(
    builder: flatbuffers.Builder,
    fields: int,
    offsets: Mapping[int, int],
    small: Mapping[int, int] | None = None,
) -> int:
    """A table of `fields` fields: offsets to strings, lists and tables, and one-byte numbers."""
    builder.StartObject(fields)
    for field, offset in offsets.items():
        builder.PrependUOffsetTRelativeSlot(field, offset, 0)
    for field, value in (small or {}).items():
        builder.PrependInt8Slot(field, value, 0)
    return int(builder.EndObject())


def pack_string(builder: flatbuffers.Builder, text: str) -> int:
    return int(builder.CreateString(text))


def pack_list(builder: flatbuffers.Builder, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def pack_floats(builder: flatbuffers.Builder, values: Sequence[float]) -> int:
    builder.StartVector(4, len(values), 4)
    for value in reversed(values):
        builder.PrependFloat32(value)
    return int(builder.EndVector())
