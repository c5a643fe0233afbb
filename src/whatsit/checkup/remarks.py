"""What TFLite Metadata say that only readers other than ours mind: versions, kinds, numbers."""

from __future__ import annotations

from dataclasses import dataclass

from .._flatbuffer import Node
from .._metadata import reading

_METADATA_NAME = "TFLITE_METADATA"
_IMAGE_PROPERTIES = 2  # enum values of metadata_schema.fbs
_NORMALIZATION_OPTIONS = 1


@dataclass(frozen=True, slots=True)
class Remarks:
    """What TFLite Metadata say beyond `_metadata.Metadata`. `colour` is None where they are silent.

    `content` is the kind of the input's properties (2 an image), `units` how many
    NormalizationOptions there are, `outputs` how many outputs are described.
    """

    parser_version: str = ""
    content: int | None = None
    colour: int | None = None
    units: int = 0
    outputs: int = 0


def remarks_of(data: bytes) -> Remarks:
    """The remarks of a model that has metadata. Raises ModelDamaged."""
    with reading():
        return _remarks(data)


def _remarks(data: bytes) -> Remarks:
    model = Node.root(data)
    buffers = model.nodes(4)
    content = b""
    for entry in model.nodes(6):
        if entry.text(0) == _METADATA_NAME:
            buffer = buffers[entry.number(1, "I")]
            offset, size = (buffer.number(place, "Q") for place in (1, 2))
            content = data[offset : offset + size] if offset > 1 else buffer.bytes(0)
    root = Node.root(content)
    subgraphs = root.nodes(3)
    sources = subgraphs[0].nodes(2) if subgraphs else []
    targets = subgraphs[0].nodes(3) if subgraphs else []
    source = sources[0] if sources else None
    about = source.node(3) if source else None
    properties = about.node(1) if about else None
    kind = about.number(0, "B") if about else None
    units = [unit.number(0, "B") for unit in (source.nodes(4) if source else [])]
    is_image = kind == _IMAGE_PROPERTIES and properties is not None
    return Remarks(
        parser_version=root.text(7),
        content=kind,
        colour=properties.number(0, "b") if is_image and properties else None,
        units=units.count(_NORMALIZATION_OPTIONS),
        outputs=len(targets),
    )
