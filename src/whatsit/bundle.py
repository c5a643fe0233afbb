"""A bundle: one .tflite with its labels, its preprocessing and its history inside.

`Bundle.read` takes our own bundles and foreign files with TFLite Metadata. What cannot be run is
refused here, before any of it reaches an inference engine, with the remedy.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from . import _metadata, storage
from ._metadata import Layout, Metadata, TensorInfo
from .errors import (
    ModelDamaged,
    ModelNotFound,
    ModelUnsupported,
    ModelWithoutMetadata,
    UsageError,
)
from .labels import Labels
from .preprocess import Preprocess

RECORD_FILE = "whatsit.json"
LABELS_FILE = "labels.txt"
LICENSE_FILE = "LICENSE.txt"
RECORD_FORMAT = 1
_MAX_SIDE = 4096  # of the input: more is a damaged shape, or no classifier for this package
_MAX_STD = 1e9
_MAX_BYTES = 1 << 30
_FOREIGN_RULE = Preprocess.parse("stretch")
_FOREIGN_NOTE = (
    "the model says nothing about cropping: the whole picture is stretched to its input, "
    "bilinear, as MediaPipe does"
)


@dataclass(frozen=True, slots=True)
class InputSpec:
    """The input tensor (1, height, width, 3). mean and std (one or three) count for float32."""

    dtype: str
    height: int
    width: int
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """The output tensor, C scores; score = (value - zero_point) * scale for uint8."""

    dtype: str
    classes: int
    scale: float = 1.0
    zero_point: int = 0


@dataclass(frozen=True)
class Bundle:
    """A model with all that is needed to run it. `record` is our whatsit.json, empty if foreign."""

    name: str
    data: bytes = field(repr=False)
    input: InputSpec
    output: OutputSpec
    labels: Labels = field(repr=False)
    preprocess: Preprocess
    metadata: Metadata = field(repr=False)
    record: Mapping[str, Any] = field(default_factory=dict, repr=False)
    path: Path | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Bundle:
        """The bundle in a file. Raises ModelNotFound and what `from_bytes` raises."""
        file = Path(path)
        try:
            about = file.stat()
            # A device or a pipe might never end.
            if not stat.S_ISREG(about.st_mode) or about.st_size > _MAX_BYTES:
                raise ModelDamaged(
                    f"the model {os.fspath(path)!r} is no file, or one of more than 1 GiB",
                    expected="a .tflite file",
                )
            data = file.read_bytes()
        except FileNotFoundError as error:
            raise ModelNotFound(
                f"no model file {os.fspath(path)!r}",
                hint="`whatsit models` lists the built-in ones",
            ) from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ModelDamaged(f"cannot read the model {os.fspath(path)!r}: {reason}") from error
        return cls.from_bytes(data, file.name.removesuffix(".tflite"), path=file)

    @classmethod
    def from_bytes(cls, data: bytes, name: str, *, path: Path | None = None) -> Bundle:
        """The bundle in `data`.

        Raises ModelDamaged, ModelUnsupported or ModelWithoutMetadata, with `name` in the message.
        """
        with _named(name):
            return cls._parse(data, name, path)

    @classmethod
    def _parse(cls, data: bytes, name: str, path: Path | None) -> Bundle:
        if not data:
            raise ModelDamaged("the file is empty", expected="a .tflite file")
        layout = _metadata.read_layout(data)
        if layout.metadata is None:
            raise ModelWithoutMetadata(
                "it has no TFLite Metadata, so its labels and preprocessing are unknown",
                hint="`whatsit models get FILE --labels …` adds them: see docs/getting-models.md",
            )
        files = _metadata.read_files(data)
        input_spec, output_spec = _input_spec(layout), _output_spec(layout)
        record = _read_record(files.get(RECORD_FILE))
        labels = _read_labels(record, layout.metadata, files)
        if len(labels) != output_spec.classes:
            raise ModelUnsupported(
                f"it gives {output_spec.classes} scores but names {len(labels)} classes",
                expected="one label for each score",
                hint="the first class of such models is 'background'"
                if (output_spec.classes, len(labels)) == (1001, 1000)
                else "",
            )
        own_rule = record.get("preprocess")
        return cls(
            name=name,
            data=data,
            input=input_spec,
            output=output_spec,
            labels=labels,
            preprocess=_FOREIGN_RULE if own_rule is None else _parse_rule(own_rule),
            metadata=layout.metadata,
            record=record,
            path=path,
            notes=(_FOREIGN_NOTE,) if own_rule is None else (),
        )

    @classmethod
    def create(
        cls,
        graph: bytes,
        *,
        name: str,
        labels: Labels | Sequence[str],
        preprocess: Preprocess | str,
        mean: float,
        std: float,
        facts: Mapping[str, Any] | None = None,
        description: str = "",
        author: str = "",
        license: str = "",
        license_text: str = "",
    ) -> Bundle:
        """A bundle made of a .tflite without metadata (or with other metadata, which is dropped).

        `facts` go into the record as they are: origin, accuracy, parents. `license` is a short
        name such as Apache-2.0, `license_text` the whole of what must go with every copy. The same
        arguments give the same bytes. Raises UsageError and what `from_bytes` raises.
        """
        if not (math.isfinite(mean) and 0 < std < _MAX_STD):
            raise UsageError(
                f"a mean of {mean:g} and a std of {std:g}", expected="numbers, the std above 0"
            )
        if any("\n" in name for name in (labels.names if isinstance(labels, Labels) else labels)):
            raise UsageError("a class name of several lines", expected="one line a class")
        _check_text(name, description, author, license, license_text)
        classes = labels if isinstance(labels, Labels) else Labels.from_lines("\n".join(labels))
        _check_text(*classes.names)
        # In full, since what is left out follows the defaults, and those may change.
        rule = str(Preprocess.parse(str(preprocess)))
        ours = {"format": RECORD_FORMAT, "preprocess": rule}
        # Twice, for the order and for the value: `facts` may be the record of another bundle.
        record = {**ours, **(facts or {}), **ours, "classes": classes.to_json()}
        text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
        _check_text(text)
        metadata = Metadata(
            name=name,
            description=description,
            author=author,
            license=license,
            mean=(mean,),
            std=(std,),
            labels_file=LABELS_FILE,
        )
        files = {
            LABELS_FILE: ("\n".join(classes.names) + "\n").encode(),
            RECORD_FILE: text.encode(),
        }
        if license_text:
            files[LICENSE_FILE] = license_text.encode()
        with _named(name):
            data = _metadata.write(graph, metadata, files)
        return cls.from_bytes(data, name)

    def with_facts(self, facts: Mapping[str, Any]) -> Bundle:
        """The same model with these facts in its record, in place of those of the same names.

        Raises ModelUnsupported for a model with other means for each colour.
        """
        mean, std = self.normalisation()
        about = self.metadata
        licence = _metadata.read_files(self.data).get(LICENSE_FILE, b"")
        return Bundle.create(
            self.data,
            name=self.name,
            labels=self.labels,
            preprocess=self.preprocess,
            mean=mean,
            std=std,
            facts={**self.record, **facts},
            description=about.description,
            author=about.author,
            license=about.license,
            license_text=licence.decode("utf-8", "replace"),
        )

    def normalisation(self) -> tuple[float, float]:
        """The one mean and std; those of a uint8 input are a remark that nobody applies.

        Raises ModelUnsupported where there are three.
        """
        mean, std = self.metadata.mean, self.metadata.std
        alike = len(set(mean)) == len(set(std)) == 1
        if self.input.dtype == "uint8" and not (alike and math.isfinite(mean[0]) and std[0] > 0):
            return 0.0, 1.0
        if not alike:
            raise ModelUnsupported(
                f"model {self.name!r}: it takes the means {list(mean)} and stds {list(std)}",
                expected="one mean and one std",
                hint="convert it again with them folded into its first layer",
            )
        return mean[0], std[0]

    def write(self, path: str | os.PathLike[str]) -> None:
        """Writes the file whole or not at all. Raises WhatsitError where that is not possible."""
        with storage.whole_file(path) as file:
            file.write(self.data)

    @property
    def tap(self) -> None:
        """None: the graph of a file gives nothing but its scores."""
        return None

    @cached_property
    def sha256(self) -> str:
        """Of the whole file, in hexadecimal."""
        import hashlib

        return hashlib.sha256(self.data).hexdigest()


@contextlib.contextmanager
def _named(name: str) -> Iterator[None]:
    """Puts the model's name before the message of what is wrong with it."""
    try:
        yield
    except (ModelDamaged, ModelUnsupported, ModelWithoutMetadata) as error:
        raise error.about(f"model {name!r}") from error


def _input_spec(layout: Layout) -> InputSpec:
    if layout.subgraphs != 1 or len(layout.inputs) != 1:
        raise ModelUnsupported(
            f"it has {len(layout.inputs)} inputs and {layout.subgraphs} subgraphs",
            expected="one picture in, in one subgraph",
        )
    tensor = layout.inputs[0]
    shape = tensor.shape
    if len(shape) == 4 and shape[1] == 3 and shape[3] != 3:
        raise ModelUnsupported(
            f"its input is {list(shape)}, channels first (NCHW)",
            expected="[1, height, width, 3]",
            hint="convert it again with channels last",
        )
    if len(shape) != 4 or shape[0] != 1 or shape[3] != 3 or not _sides_fit(shape):
        raise ModelUnsupported(f"its input is {list(shape)}", expected="[1, height, width, 3]")
    _check_edge(tensor, "input")
    assert layout.metadata is not None
    if tensor.dtype == "uint8":
        return InputSpec("uint8", shape[1], shape[2])
    return InputSpec("float32", shape[1], shape[2], *_normalization(layout.metadata))


def _sides_fit(shape: tuple[int, ...]) -> bool:
    return 0 < shape[1] <= _MAX_SIDE and 0 < shape[2] <= _MAX_SIDE


def _normalization(metadata: Metadata) -> tuple[tuple[float, ...], tuple[float, ...]]:
    mean, std = metadata.mean, metadata.std
    if not mean:
        raise ModelWithoutMetadata(
            "it takes float32 but does not say which mean and std to apply",
            expected="NormalizationOptions in its metadata",
            hint="`whatsit models get FILE --labels …` adds them: see docs/getting-models.md",
        )
    usable = all(map(math.isfinite, mean)) and all(0 < abs(s) < _MAX_STD for s in std)
    if len(mean) not in (1, 3) or len(mean) != len(std) or not usable:
        raise ModelUnsupported(
            f"its mean {list(mean)} and std {list(std)} cannot be applied",
            expected="one or three of each, no std of 0",
        )
    return mean, std


def _output_spec(layout: Layout) -> OutputSpec:
    if len(layout.outputs) != 1:
        raise ModelUnsupported(
            f"it has {len(layout.outputs)} outputs", expected="one score for each class"
        )
    tensor = layout.outputs[0]
    shape = tensor.shape
    if not (len(shape) in (2, 4) and all(side == 1 for side in shape[:-1]) and shape[-1] > 0):
        raise ModelUnsupported(f"its output is {list(shape)}", expected="[1, classes]")
    _check_edge(tensor, "output")
    if tensor.dtype == "float32":
        return OutputSpec("float32", shape[-1])
    if tensor.scale is None or not 0 < tensor.scale < 1e9:
        raise ModelUnsupported("its uint8 output has no scale", expected="a quantised output")
    return OutputSpec("uint8", shape[-1], tensor.scale, tensor.zero_point)


def _check_edge(tensor: TensorInfo, edge: str) -> None:
    if tensor.dtype not in ("uint8", "float32"):
        raise ModelUnsupported(
            f"its {edge} is {tensor.dtype}",
            expected="uint8 or float32, as MediaPipe and LiteRT.js ask for",
            hint="quantise it again with uint8 edges; the weights may stay int8",
        )


def _read_record(content: bytes | None) -> dict[str, Any]:
    if content is None:
        return {}
    try:
        record = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ModelDamaged(f"its {RECORD_FILE} cannot be read: {error}") from error
    if b"\\ud" in content.lower():  # half a pair of these escapes is no character
        try:
            _check_text(json.dumps(record, ensure_ascii=False))
        except UsageError as error:
            raise ModelDamaged(f"its {RECORD_FILE} cannot be read: {error}") from error
    if not isinstance(record, dict) or record.get("format") != RECORD_FORMAT:
        raise ModelUnsupported(
            f"its {RECORD_FILE} is of another format",
            expected=f"format {RECORD_FORMAT}",
            hint="a newer whatsit may read it: pip install -U whatsit",
        )
    return record


def _check_text(*texts: str) -> None:
    """Raises UsageError for what cannot be written: a file name's bytes that are no UTF-8."""
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            part = text[max(0, error.start - 20) : error.end + 20]
            raise UsageError(f"{part!r} is no text", expected="characters of Unicode") from error


def _read_labels(
    record: Mapping[str, Any], metadata: Metadata, files: Mapping[str, bytes]
) -> Labels:
    """The classes of our record if there is one, else those of the labels file alone.

    Other programs read the labels file, so the two must not differ.
    """
    plain = _labels_file(metadata, files)
    if "classes" not in record:
        return plain
    if not isinstance(record["classes"], dict):
        raise ModelUnsupported(f"its {RECORD_FILE} lists no classes", expected="an object")
    labels = Labels.from_json(record["classes"])
    if labels.names != plain.names:
        raise ModelUnsupported(
            f"its {metadata.labels_file!r} and its {RECORD_FILE} name different classes",
            expected="the same names in the same order",
            hint="make the bundle again with whatsit.Bundle.create(…)",
        )
    return labels


def _labels_file(metadata: Metadata, files: Mapping[str, bytes]) -> Labels:
    if metadata.labels_file is None:
        raise ModelWithoutMetadata("its metadata name no labels", expected="a file of class names")
    content = files.get(metadata.labels_file)
    if content is None:
        raise ModelDamaged(
            f"its labels {metadata.labels_file!r} are not in the file",
            hint="the file is damaged or cut short",
        )
    try:
        return Labels.from_lines(content.decode("utf-8-sig").replace("\r\n", "\n"))
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1  # without the mark that BOM is
        raise ModelDamaged(f"its labels are no UTF-8: see line {line}") from error


def _parse_rule(rule: object) -> Preprocess:
    try:
        return Preprocess.parse(str(rule))
    except UsageError as error:
        raise ModelUnsupported(error.message, expected=error.expected, hint=error.hint) from error
