"""Makes a bundle of a .tflite that others made, or keeps it as it is if nothing is lacking.

What the person says goes first, then the metadata in the file, then what lay beside it, and last
what is published about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .. import _metadata
from .._metadata import Layout, Metadata, TensorInfo
from ..bundle import RECORD_FILE, Bundle
from ..errors import (
    ModelError,
    ModelUnsupported,
    ModelWithoutMetadata,
    UsageError,
)
from ..zoo.published import Hosted
from . import names, probe

_DEFAULT_RULE = "stretch"
_MAX_CLASSES = 200_000  # more is a damaged shape
_LEVELS = 2.0  # of 255: so much a person's mean and std may be off from the input's own


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a model from outside; None where nobody said anything.

    `labels` and the rest above the line are the person's, `imagenet` meaning our own 1000 classes.
    `beside` are labels that lay beside the model, `published` its row of the hosted table.
    """

    labels: bytes | None = None
    labels_from: str = ""
    imagenet: bool = False
    mean: float | None = None
    std: float | None = None
    preprocess: str | None = None
    licence: str = ""
    # ───
    beside: bytes | None = None
    beside_from: str = ""
    beside_also: tuple[str, ...] = ()  # other labels there, of other words: which are right?
    published: Hosted | None = None

    def changes_nothing(self) -> bool:
        """Whether a model that has all it needs is to stay as it is."""
        asked = (self.labels, self.mean, self.std, self.preprocess)
        return all(part is None for part in asked) and not self.imagenet and not self.licence


@dataclass(frozen=True, slots=True)
class Adopted:
    """A bundle that has run once, and what a person should know about how it was made."""

    bundle: Bundle
    notes: tuple[str, ...]


def adopt(graph: bytes, name: str, known: Known, facts: Mapping[str, Any]) -> Adopted:
    """A bundle of `graph`, tried on known pictures; `facts` go into the record of a new one.

    Raises ModelError for what cannot be run, UsageError for what does not fit the model.
    """
    layout = _metadata.read_layout(graph)
    try:
        if layout.metadata is not None and known.changes_nothing():
            kept = _complete(graph, name)
            if kept is not None:
                answers = probe.ask(kept)
                return Adopted(kept, kept.notes + names.check(kept.labels.names, answers))
        return _made(graph, name, layout, known, facts)
    except (ModelError, UsageError) as error:
        about = f"model {name!r}"
        if about in error.message:
            raise
        raise error.about(about) from error


def _complete(graph: bytes, name: str) -> Bundle | None:
    """The bundle as it is, or None if only its labels or its mean and std are at fault."""
    try:
        return Bundle.from_bytes(graph, name)
    except (ModelWithoutMetadata, ModelUnsupported):
        return None


def _made(
    graph: bytes, name: str, layout: Layout, known: Known, facts: Mapping[str, Any]
) -> Adopted:
    about = layout.metadata or Metadata()
    old = _old_record(graph, layout)
    mean, std = _normalisation(layout, about, known)
    rule, rule_notes = _rule(known, old)
    draft = Bundle.create(
        graph,
        name=name,
        labels=[f"class {index}" for index in range(_classes(layout))],
        preprocess=rule,
        mean=mean,
        std=std,
    )
    answers = probe.ask(draft)
    fitted = _labels(graph, name, layout, known, answers)
    notes = fitted.notes + names.check(fitted.labels.names, answers) + rule_notes
    bundle = Bundle.create(
        graph,
        name=name,
        labels=fitted.labels,
        preprocess=rule,
        mean=mean,
        std=std,
        facts={**old, **facts, **({"decisions": list(notes)} if notes else {})},
        description=about.description,
        author=about.author,
        license=known.licence or about.license,
    )
    return Adopted(bundle, notes)


def _old_record(graph: bytes, layout: Layout) -> dict[str, Any]:
    """The record of a bundle of ours that is to be changed; empty for other files."""
    if layout.metadata is None or RECORD_FILE not in _metadata.read_files(graph):
        return {}
    old = Bundle.from_bytes(graph, "")
    # What was measured was measured with the old preprocessing and labels.
    kept = {key: value for key, value in old.record.items() if key != "accuracy"}
    return {**kept, "parents": [{"sha256": old.sha256}]}


def _classes(layout: Layout) -> int:
    shape = layout.outputs[0].shape if layout.outputs else ()
    classes = shape[-1] if shape and shape[-1] > 0 else 1  # refused when the bundle is made
    if classes > _MAX_CLASSES:
        raise ModelUnsupported(f"its output is {list(shape)}", expected="[1, classes]")
    return classes


def _rule(known: Known, old: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """How pictures are cut and resized, with a note if nobody has said it."""
    published = known.published.preprocess if known.published else None
    rule = known.preprocess or old.get("preprocess") or published
    if rule is not None:
        return str(rule), ()
    return _DEFAULT_RULE, (
        "nothing says how pictures are cropped: the whole picture is stretched to the input, as "
        "MediaPipe does; --preprocess gives another rule",
    )


def _normalisation(layout: Layout, about: Metadata, known: Known) -> tuple[float, float]:
    """The one mean and std of the input."""
    tensor = layout.inputs[0] if layout.inputs else None
    if tensor is not None and tensor.dtype == "uint8":
        return _quantised(tensor, known)
    if known.mean is not None and known.std is not None:
        return known.mean, known.std
    if len(about.mean) == 1 and len(about.std) == 1:
        return about.mean[0], about.std[0]
    published = known.published
    if published is not None and published.mean is not None and published.std is not None:
        return published.mean, published.std
    if len(about.mean) > 1:
        raise ModelUnsupported(
            "its metadata give a mean and std for each colour, which cannot be written again",
            expected="one mean and std",
            hint="keep it as it is: give none of --labels, --preprocess and --license",
        )
    raise ModelWithoutMetadata(
        "nothing says which mean and std it takes",
        expected="--mean and --std, of pixels from 0 to 255",
        hint="from -1 to 1: --mean 127.5 --std 127.5; from 0 to 1: --mean 0 --std 255; "
        "pixels as they are: --mean 0 --std 1",
    )


def _quantised(tensor: TensorInfo, known: Known) -> tuple[float, float]:
    """What a uint8 input does to pixels is written in its scale and zero point: pixels go in as is.

    Raises UsageError if the person's mean and std say something else.
    """
    scale = tensor.scale or 1.0
    own_mean, own_std = float(tensor.zero_point), 1.0 / scale
    if known.mean is None or known.std is None:
        return own_mean, own_std
    off = max(
        abs((level - known.mean) / known.std - (level - own_mean) / own_std) * own_std
        for level in (0, 255)
    )
    if off > _LEVELS:
        raise UsageError(
            f"a mean of {known.mean:g} and a std of {known.std:g}, but its uint8 input takes "
            f"pixels as they are, which is a mean of {own_mean:g} and a std of {own_std:g}",
            expected="values that agree with the input's scale and zero point",
            hint="leave out --mean and --std",
        )
    return known.mean, known.std


def _labels(
    graph: bytes, name: str, layout: Layout, known: Known, answers: probe.Answers
) -> names.Fitted:
    """The first labels that there are, in the order of this file's first lines."""
    classes = _classes(layout)
    if known.labels is not None:
        return names.fit(names.read(known.labels, known.labels_from), classes, answers)
    if known.imagenet:
        return names.fit_imagenet(classes, answers)
    inside = layout.metadata.labels_file if layout.metadata else None
    if inside is not None:
        complete = _complete(graph, name)
        if complete is not None:
            return names.Fitted(complete.labels)
        content = _metadata.read_files(graph).get(inside)
        if content is not None:
            return names.fit(names.read(content, "the model"), classes, answers)
    if known.beside is not None:
        if known.beside_also:
            raise _several_labels(known)
        return names.fit(names.read(known.beside, known.beside_from), classes, answers)
    if known.published is not None:  # all of that table are of ImageNet
        return names.fit_imagenet(classes, answers)
    raise ModelWithoutMetadata(
        f"nothing says what its {classes} classes are",
        expected="--labels FILE, one name a line",
        hint="--labels imagenet stands for the 1000 classes of ImageNet"
        if classes in (probe.IMAGENET, probe.IMAGENET + 1)
        else "",
    )


def _several_labels(known: Known) -> ModelUnsupported:
    others = ", ".join(map(repr, known.beside_also[:10]))
    return ModelUnsupported(
        f"the labels may be those of {known.beside_from}, or of {others}: they differ",
        expected="one file of labels beside the model",
        hint="unpack the right one, and name it: --labels FILE",
    )
