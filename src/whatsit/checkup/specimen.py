"""A .tflite as it lies on the examination table: read leniently, whatever is wrong with it.

`Bundle.read` refuses what cannot be run. The doctor must look at just such files, so this reads
what can be read and keeps what a Bundle would have complained of.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import _metadata
from .._flatbuffer import MODEL_IDENTIFIER, pack_model, read_model
from .._metadata import Layout, Metadata, TensorInfo
from ..bundle import RECORD_FILE, Bundle
from ..classifier import open_bundle
from ..errors import ModelDamaged, ModelError, ModelNotFound, UsageError, WhatsitError
from ..preprocess import Preprocess
from ..zoo import catalogue, installed, is_builtin
from .remarks import Remarks, remarks_of

_MAX_BYTES = 1 << 30


@dataclass(frozen=True)
class Specimen:
    """A model file and what could be read of it. `labels` are the raw lines of its labels file.

    `bundle` is None where `refusal` says why it cannot be run as it is.
    """

    name: str
    path: Path | None
    data: bytes = field(repr=False)
    layout: Layout
    remarks: Remarks | None
    files: Mapping[str, bytes] = field(repr=False)
    files_problem: str
    compressed: bool
    metadata_problem: str
    labels: tuple[str, ...] = field(repr=False)
    record: Mapping[str, Any] = field(repr=False)
    rule: Preprocess
    bundle: Bundle | None
    refusal: WhatsitError | None

    @property
    def input(self) -> TensorInfo | None:
        """The one that takes the picture."""
        return self.layout.inputs[0] if self.layout.inputs else None

    @property
    def output(self) -> TensorInfo | None:
        """The first one, which an engine reads."""
        return self.layout.outputs[0] if self.layout.outputs else None

    @property
    def metadata(self) -> Metadata:
        """What the metadata say; nothing where there are none."""
        return self.layout.metadata or Metadata()

    @property
    def height_width(self) -> tuple[int, int] | None:
        """Of the picture that goes in, or None where the input is none."""
        shape = self.input.shape if self.input else ()
        if len(shape) != 4 or shape[0] not in (1, -1):
            return None
        height, width = (shape[2], shape[3]) if self.channels_first else (shape[1], shape[2])
        channels = shape[1] if self.channels_first else shape[3]
        return (height, width) if channels == 3 and 0 < min(height, width) <= 4096 else None

    @property
    def channels_first(self) -> bool:
        """Whether the input is [1, 3, height, width]."""
        shape = self.input.shape if self.input else ()
        return len(shape) == 4 and shape[1] == 3 and shape[3] != 3

    @property
    def classes(self) -> int:
        """How many scores the first output gives; 0 where it is no list of scores."""
        shape = self.output.shape if self.output else ()
        flat = len(shape) in (2, 4) and all(side in (1, -1) for side in shape[:-1])
        return shape[-1] if flat and shape[-1] > 0 else 0

    @property
    def builtin(self) -> bool:
        """Whether it is a model that this package ships, which may run in this process."""
        return self.bundle is not None and is_builtin(self.bundle)


def read(model: str | os.PathLike[str]) -> Specimen:
    """The file of a model, or of a name. Raises ModelNotFound, and ModelDamaged for no .tflite."""
    name = os.fspath(model)
    if isinstance(model, str) and not _is_file_name(name):
        bundle = open_bundle(name)
        return examine(bundle.data, bundle.name, bundle.path)
    path = Path(name)
    return examine(_bytes_of(path), path.name.removesuffix(".tflite"), path)


def _is_file_name(name: str) -> bool:
    return name.endswith(".tflite") or bool(os.path.dirname(name)) or os.path.isfile(name)


def _bytes_of(path: Path) -> bytes:
    shown = os.fspath(path)
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode) or about.st_size > _MAX_BYTES:
            raise ModelDamaged(
                f"the model {shown!r} is no file, or one of more than 1 GiB",
                expected="a .tflite file",
            )
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ModelNotFound(
            f"no model file {shown!r}", hint="`whatsit models` lists the built-in ones"
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelDamaged(f"cannot read the model {shown!r}: {reason}") from error


def examine(data: bytes, name: str, path: Path | None = None) -> Specimen:
    """The model in `data`. Raises ModelDamaged for what is no .tflite at all."""
    layout, metadata_problem = _layout(data, name)
    remarks = None
    if layout.metadata is not None:
        with contextlib.suppress(ModelDamaged):  # of tables that only the doctor looks at
            remarks = remarks_of(data)
    files, compressed, files_problem = _files(data)
    bundle, refusal = None, None
    try:
        bundle = Bundle.from_bytes(data, name, path=path)
    except ModelError as error:
        refusal = error
    record = _record(files)
    return Specimen(
        name=name,
        path=path,
        data=data,
        layout=layout,
        remarks=remarks,
        files=files,
        files_problem=files_problem,
        compressed=compressed,
        metadata_problem=metadata_problem,
        labels=_labels(layout.metadata, files),
        record=record,
        rule=bundle.preprocess if bundle else _rule(record),
        bundle=bundle,
        refusal=refusal,
    )


def _layout(data: bytes, name: str) -> tuple[Layout, str]:
    """The layout, and what is wrong with the metadata where they alone are damaged."""
    if not data:
        raise ModelDamaged(f"model {name!r}: the file is empty", expected="a .tflite file")
    try:
        return _metadata.read_layout(data), ""
    except ModelDamaged as error:
        try:
            model = read_model(data)
            model.metadata = None
            return _metadata.read_layout(pack_model(model)), "its metadata cannot be read"
        # The generated code checks nothing: of damaged tables it raises nearly anything.
        except Exception:
            raise error.about(f"model {name!r}") from error


def _files(data: bytes) -> tuple[dict[str, bytes], bool, str]:
    """The files appended to a model, whether any is compressed, and why they cannot be read."""
    try:
        return *_metadata.appended_files(data), ""
    except ModelDamaged as error:
        return {}, False, error.message


def _labels(metadata: Metadata | None, files: Mapping[str, bytes]) -> tuple[str, ...]:
    """The lines of the labels file, as they are but for white space."""
    content = files.get(metadata.labels_file or "") if metadata else None
    if content is None:  # not named in the metadata, or there are none: what else looks like it?
        texts = [name for name in files if name.endswith(".txt") and "label" in name.casefold()]
        content = files[texts[0]] if len(texts) == 1 else b""
    text = content.decode("utf-8-sig", "replace").replace("\r\n", "\n").removesuffix("\n")
    return tuple(line.strip() for line in text.split("\n")) if text else ()


def _record(files: Mapping[str, bytes]) -> dict[str, Any]:
    import json

    try:
        record = json.loads(files.get(RECORD_FILE, b"{}"))
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _rule(record: Mapping[str, Any]) -> Preprocess:
    try:
        return Preprocess.parse(str(record.get("preprocess", "stretch")))
    except UsageError:
        return Preprocess.parse("stretch")


def is_model(name: str) -> bool:
    """Whether what a person names is a model, and not a file of answers."""
    if name.endswith(".tflite"):
        return True
    if os.path.isfile(name):
        with contextlib.suppress(OSError), open(name, "rb") as file:
            return file.read(8)[4:] == MODEL_IDENTIFIER
        return False
    return not os.path.dirname(name) and (name in catalogue() or name in installed())
