"""What is wrong with a file as it lies there: whatever MediaPipe, the Task Library or we refuse.

Sources: mediapipe/tasks/cc/vision/utils/image_tensor_specs.cc, components/processors/
image_preprocessing_graph.cc, metadata/metadata_extractor.cc, and tensorflow_lite_support's own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from .._metadata import TensorInfo
from ..wording import counted, shown
from .class_names import ADDED, of_names
from .edges import of_edges
from .specimen import Specimen
from .values import Finding, Severity

_PARSER_VERSION = (1, 5, 0)  # of today's readers
_RGB, _IMAGE = 1, 2  # enum values of metadata_schema.fbs
_MOST_FED, _LEAST_FED = 300.0, 0.1  # what goes into a network, in size

_SERIOUS, _WARNING, _NOTE = Severity.SERIOUS, Severity.WARNING, Severity.NOTE


def findings(specimen: Specimen) -> Iterator[Finding]:
    """Everything that can be seen without running the model."""
    yield from of_edges(specimen)
    yield from _metadata(specimen)
    yield from _normalization(specimen)
    yield from of_names(specimen)


def _metadata(specimen: Specimen) -> Iterator[Finding]:
    if specimen.metadata_problem:
        yield Finding(
            "metadata-damaged",
            _SERIOUS,
            "The TFLite Metadata cannot be read",
            (specimen.metadata_problem,),
            "`--fix` drops them and writes new ones.",
            mended=True,
        )
    elif specimen.layout.metadata is None:
        yield Finding(
            "no-metadata",
            _SERIOUS,
            "No TFLite Metadata",
            ("nobody can know the names of its classes, nor what its input takes",),
            f"{ADDED}; tell the names of the classes with --labels FILE.",
            mended=True,
        )
    if specimen.compressed:
        yield Finding(
            "files-compressed",
            _SERIOUS,
            "The files inside are compressed",
            ("MediaPipe: expected uncompressed zip archive (error 202)",),
            "`--fix` stores them.",
            mended=True,
        )
    if specimen.files_problem:
        yield Finding(
            "files-damaged",
            _SERIOUS,
            "The files inside cannot be read",
            (specimen.files_problem,),
            "Download or copy the model again.",
        )
    yield from _remarks(specimen)


def _remarks(specimen: Specimen) -> Iterator[Finding]:
    remarks = specimen.remarks
    if remarks is None:
        return
    version = tuple(int(part) for part in remarks.parser_version.split(".") if part.isdecimal())
    if version > _PARSER_VERSION:
        yield Finding(
            "parser-version",
            _SERIOUS,
            "The metadata ask for a reader that does not exist",
            (f"min_parser_version is {shown(remarks.parser_version, 20)}; 1.0.0 suffices",),
            "`--fix` writes 1.0.0.",
            mended=True,
        )
    if remarks.content is not None and remarks.content != _IMAGE:
        yield _not_rgb(f"its content is of kind {remarks.content}, and not an image (2)")
    elif remarks.colour not in (None, _RGB):
        names = {0: "UNKNOWN, which is what a writer leaves that says nothing", 2: "GRAYSCALE"}
        yield _not_rgb(f"color_space is {names.get(remarks.colour or 0, remarks.colour)}")
    if remarks.units > 1:
        yield Finding(
            "several-normalizations",
            _SERIOUS,
            f"{remarks.units} NormalizationOptions for one input",
            ("MediaPipe takes at most one (error 204)",),
            "`--fix` keeps the first.",
            mended=True,
        )
    outputs = len(specimen.layout.outputs)
    if remarks.outputs not in (0, outputs) and outputs == 1:
        yield Finding(
            "output-metadata",
            _SERIOUS,
            f"The metadata describe {counted(remarks.outputs, 'output')}, and there is one",
            ("MediaPipe: mismatch between the number of output tensors and their metadata",),
            "`--fix` describes the one.",
            mended=True,
        )


def _not_rgb(evidence: str) -> Finding:
    return Finding(
        "not-rgb",
        _SERIOUS,
        "The metadata do not say that the input is RGB",
        (evidence, "MediaPipe: only RGB color space is supported for now"),
        "`--fix` writes RGB.",
        mended=True,
    )


def _normalization(specimen: Specimen) -> Iterator[Finding]:
    tensor = specimen.input
    mean, std = specimen.metadata.mean, specimen.metadata.std
    if tensor is None or tensor.dtype not in ("float32", "uint8"):
        return
    if not mean and not std:
        if tensor.dtype == "float32":
            yield Finding(
                "no-normalization",
                _SERIOUS,
                "NormalizationOptions are missing",
                (
                    "the input is float32, and nothing says which mean and std it takes",
                    "MediaPipe: input tensor has type float32: it requires specifying "
                    "NormalizationOptions metadata to preprocess input images (error 208)",
                ),
                f"{ADDED}; --mean and --std say which, of pixels from 0 to 255.",
                mended=True,
            )
        return
    if len(mean) != len(std) or len(mean) not in (1, 3) or not _usable(mean, std):
        yield Finding(
            "mean-std",
            _SERIOUS,
            "Mean and std cannot be applied",
            (
                f"mean {_listed(mean)}, std {_listed(std)}",
                "one or three of each are expected, and no std of 0",
            ),
            "`--fix` writes those that the input was made for, or --mean and --std.",
            mended=True,
        )
    elif tensor.dtype == "uint8":
        yield from _beside_the_point(tensor, mean, std)
    else:
        yield from _of_floats(mean, std)


def _usable(mean: tuple[float, ...], std: tuple[float, ...]) -> bool:
    return all(map(math.isfinite, (*mean, *std))) and all(0 < abs(s) < 1e9 for s in std)


def _of_floats(mean: tuple[float, ...], std: tuple[float, ...]) -> Iterator[Finding]:
    if len(mean) == 3 and (len(set(mean)) > 1 or len(set(std)) > 1):
        yield Finding(
            "per-channel",
            _SERIOUS,
            "Another mean or std for each colour",
            (
                f"mean {_listed(mean)}, std {_listed(std)}",
                "MediaPipe: per-channel image normalization is not available",
            ),
            "`--fix` puts the rest into the graph, and one mean and std into the metadata.",
            mended=True,
        )
    fed = [(level - m) / s for level in (0, 255) for m, s in zip(mean, std, strict=True)]
    largest = max(map(abs, fed))
    if _LEAST_FED <= largest <= _MOST_FED:
        return
    evidence = f"mean {_listed(mean)}, std {_listed(std)}: pixels go in from {min(fed):.3g} to "
    in_ones = max(map(abs, mean)) <= 1 and max(map(abs, std)) <= 1
    yield Finding(
        "mean-std",
        _SERIOUS,
        "Mean and std are for pixels from 0 to 1"
        if in_ones
        else "Mean and std make no sense for pixels from 0 to 255",
        (f"{evidence}{max(fed):.3g}",),
        "Metadata count pixels from 0 to 255: "
        + (
            f"mean {_listed([255 * m for m in mean])}, std {_listed([255 * s for s in std])}."
            if in_ones
            else "`--fix` writes those that the model was made for, or --mean and --std."
        ),
        mended=True,
    )


def _beside_the_point(
    tensor: TensorInfo, mean: tuple[float, ...], std: tuple[float, ...]
) -> Iterator[Finding]:
    """A uint8 input takes pixels as they are; its scale and zero point say what they stand for."""
    if not tensor.scale:
        return
    own_mean, own_std = float(tensor.zero_point), 1 / tensor.scale
    off = max(
        abs((level - m) / s - (level - own_mean) / own_std) * own_std
        for level in (0.0, 255.0)
        for m, s in zip(mean, std, strict=True)
    )
    trivial = set(mean) == {0.0} and set(std) <= {1.0, 255.0}
    if off > 3 and not trivial:
        yield Finding(
            "mean-std-unused",
            _NOTE,
            "Mean and std say something else than the uint8 input",
            (
                f"mean {_listed(mean)}, std {_listed(std)}, but scale and zero point stand for "
                f"{own_mean:g} and {own_std:g}",
            ),
            "They have no effect: a uint8 input takes pixels as they are.",
        )


def _listed(values: tuple[float, ...] | list[float]) -> str:
    return ", ".join(f"{value:g}" for value in values) or "none"
