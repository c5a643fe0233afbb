"""From the labels of a data set to the classes of a model. What could mean two is never guessed."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..errors import DatasetError, UsageError
from ..labels import Labels
from .base import LISTED, Dataset, listed, quoted

LABELS_BY = ("auto", "name", "index", "synset")

_IMAGENET_CLASSES = 1000
_SAME_NAMES = 0.95  # of the names must agree; a few are spelt differently in every list
_CLOSE = 0.8  # one letter of five may be another: less, and a tulip is like a tup
_NUMBERED = re.compile(r" \(\d+\)$")  # what Labels.from_lines adds to a name that occurs twice
SPLITS = frozenset({"train", "training", "val", "valid", "validation", "test"})


@dataclass(frozen=True, slots=True)
class Matched:
    """For each row the class index of the model, or None where the model lacks the label.

    `notes` say in words what was not as plain as it looks. `offset` is what was added to the
    indices of the data set; None where its labels are no indices.
    """

    indices: tuple[int | None, ...]
    notes: tuple[str, ...] = ()
    offset: int | None = None

    @property
    def known(self) -> list[int]:
        """Positions of the rows whose class the model has."""
        return [place for place, index in enumerate(self.indices) if index is not None]


def truths(
    dataset: Dataset,
    labels: Labels,
    *,
    labels_by: str = "auto",
    label_offset: int | None = None,
    skip_unknown: bool = False,
    imagenet: Labels | None = None,
    to_leave_out: str = "--skip-unknown leaves them out",
) -> Matched:
    """Which class of the model each row has.

    `label_offset` is added to every index (default: 1 if the model puts `background` before the
    classes and the data set does not, else 0). `imagenet` are the classes of ImageNet with their
    WordNet ids, for models that have these classes but carry no ids. `to_leave_out` is what a
    person can do about labels that the model lacks. Raises DatasetError for these, unless
    `skip_unknown`, and for ambiguous ones; UsageError.
    """
    if labels_by not in LABELS_BY:
        raise UsageError(f"labels by {labels_by!r}", expected=f"one of {', '.join(LABELS_BY)}")
    whole = dataset.whole or dataset
    kind = _kind(whole, labels) if labels_by == "auto" else labels_by
    if label_offset is not None and kind != "index":
        raise UsageError(
            f"a label offset for labels by {kind}", expected="a data set whose labels are indices"
        )
    counts = Counter(row.label for row in dataset.rows)
    notes: list[str] = []
    if kind == "index":
        if label_offset is None:
            label_offset = _offset(whole, labels, notes)
        found, unknown = _by_index(counts, labels, label_offset)
    elif kind == "synset":
        found, unknown = _by_synset(counts, labels, imagenet, notes)
    else:
        found, unknown = _by_name(counts, labels, "" if skip_unknown else to_leave_out)
    if unknown and not (skip_unknown and found):
        raise _unmatched(counts, unknown, labels, kind, to_leave_out)
    if unknown:
        left_out = sum(counts[label] for label in unknown)
        notes.append(
            f"left out, since the model lacks their labels: {left_out} of {len(dataset)} pictures "
            f"({listed(sorted(unknown))})"
        )
    indices = tuple(found.get(row.label) for row in dataset.rows)
    return Matched(indices, tuple(notes), label_offset if kind == "index" else None)


def _kind(dataset: Dataset, labels: Labels) -> str:
    """What the labels are. Digits that are also names of classes would be either."""
    if dataset.labels_by != "index" or dataset.declared:
        return dataset.labels_by
    names = {name: index for index, name in enumerate(labels.names)}
    both = sorted({row.label for row in dataset.rows} & names.keys())
    if any(names[label] != int(label) for label in both):
        raise DatasetError(
            f"the labels {listed(both)} are names of classes and could be indices too",
            expected="--labels-by name or --labels-by index",
        )
    return "index"


def _offset(whole: Dataset, labels: Labels, notes: list[str]) -> int:
    """1 if the model counts `background` as its first class and the data set does not, else 0."""
    largest = max(_numbers(row.label for row in whole.rows).values(), default=0)
    if not _has_background(labels) or largest >= len(labels) - 1:
        return 0
    notes.append(
        "the model's class 0 is 'background', so class 0 of the data set is the model's class 1, "
        "and so on; if not: `whatsit evaluate --label-offset 0`"
    )
    return 1


def _by_index(
    counts: Mapping[str, int], labels: Labels, offset: int
) -> tuple[dict[str, int], dict[str, str]]:
    found = {n: i + offset for n, i in _numbers(counts).items() if 0 <= i + offset < len(labels)}
    least, most = max(0, -offset), len(labels) - 1 - offset
    unknown = {label: f"an index from {least} to {most}" for label in counts if label not in found}
    return found, unknown


def _numbers(labels: Iterable[str]) -> dict[str, int]:
    """Those of `labels` that are numbers."""
    return {text: int(text) for text in set(labels) if text.isdecimal() and len(text) < 10}


def _by_synset(
    counts: Mapping[str, int], labels: Labels, imagenet: Labels | None, notes: list[str]
) -> tuple[dict[str, int], dict[str, str]]:
    # A model without a record of ours may have the ids as names.
    places = {synset: index for index, synset in enumerate(labels.synsets or labels.names)}
    if not labels.synsets and not counts.keys() & places.keys():
        places = {}
    if not places and imagenet is not None:
        first = _imagenet_from(labels, imagenet)
        if first is not None:
            places = {synset: index + first for index, synset in enumerate(imagenet.synsets)}
            notes.append(
                "the model carries no WordNet ids; by their names its classes are ImageNet's, "
                "in the usual order"
            )
    if not places:
        raise DatasetError(
            "the labels are WordNet ids, and the model carries none",
            expected="a model with WordNet ids, or labels by name or index",
        )
    found = {label: places[label] for label in counts if label in places}
    return found, {label: "" for label in counts if label not in found}


def _by_name(
    counts: Mapping[str, int], labels: Labels, to_leave_out: str
) -> tuple[dict[str, int], dict[str, str]]:
    """Refuses an ambiguous label, unless there is nothing `to_leave_out`."""
    names = _Names(labels)
    found: dict[str, int] = {}
    unknown: dict[str, str] = {}
    for label in counts:
        classes = names.find(label)
        if len(classes) > 1 and to_leave_out:
            meant = " or ".join(f"{quoted(labels.names[i])} (class {i})" for i in classes[:LISTED])
            raise DatasetError(
                f"the label {quoted(label)} could be {meant}",
                expected="a label that names one class",
                hint=f"write it as the model does; {to_leave_out}",
            )
        if len(classes) == 1:
            found[label] = classes[0]
        else:
            unknown[label] = names.resembling(label)
    return found, unknown


class _Names:
    """The classes of a model by what people may call them."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._exact = {name: index for index, name in enumerate(labels.names)}
        self._plain = _grouped((_plain(name), i) for i, name in enumerate(labels.names))
        self._lemmas = _grouped(
            (_plain(lemma), i) for i in range(len(labels)) for lemma in _lemmas(labels, i)
        )

    def find(self, label: str) -> list[int]:
        """The classes: by display name, else without regard to case, else by any lemma."""
        if label in self._exact:
            return [self._exact[label]]
        text = _plain(label)
        return self._plain.get(text) or self._lemmas.get(text, [])

    def resembling(self, label: str) -> str:
        """Up to two names like `label`, or nothing."""
        known = {**self._lemmas, **self._plain}
        close = difflib.get_close_matches(_plain(label), known, n=2, cutoff=_CLOSE)
        names = dict.fromkeys(self._labels.names[i] for match in close for i in known[match])
        return " or ".join(map(quoted, names))


def _unmatched(
    counts: Mapping[str, int],
    unknown: Mapping[str, str],
    labels: Labels,
    kind: str,
    to_leave_out: str,
) -> DatasetError:
    """The error that names up to five labels, with what they may have meant."""
    many = f"{len(unknown)} of {len(counts)} labels name no class of the model"
    message = (
        f"{many}: {listed(sorted(unknown))}"
        if len(counts) > 1
        else f"no class {listed(sorted(unknown))}"
    )
    if kind == "index":
        expected = next(iter(unknown.values()))
        most = int(expected.rpartition(" ")[2])
        hint = to_leave_out
        if set(_numbers(unknown).values()) == {most + 1}:
            hint = f"--label-offset -1 if the data set counts from 1; {hint}"
    elif set(map(str.casefold, counts)) <= SPLITS:
        expected, hint = "a folder for each class", "these look like parts: give one of them"
    else:
        expected = "WordNet ids of the model" if kind == "synset" else "names of its classes"
        meant = [f"{quoted(label)}: {text}" for label, text in unknown.items() if text][:LISTED]
        hint = f"did you mean {'; '.join(meant)}? " if meant else ""
        hint += to_leave_out if len(unknown) < len(counts) else ""
    return DatasetError(message, expected=expected, hint=hint.strip())


def _has_background(labels: Labels) -> bool:
    return len(labels) == _IMAGENET_CLASSES + 1 and labels.names[0].casefold() == "background"


def _imagenet_from(labels: Labels, imagenet: Labels) -> int | None:
    """The model's first ImageNet class if its classes are ImageNet's in the same order, by name."""
    first = int(_has_background(labels))
    if len(labels) - first != len(imagenet):
        return None
    same = sum(
        bool(set(map(_plain, _lemmas(labels, i + first))) & set(map(_plain, _lemmas(imagenet, i))))
        for i in range(len(imagenet))
    )
    return first if same >= _SAME_NAMES * len(imagenet) else None


def _lemmas(labels: Labels, index: int) -> tuple[str, ...]:
    """All names of a class; a model without WordNet may list them in one, with commas between."""
    if labels.lemmas:
        return labels.lemmas[index]
    return tuple(_NUMBERED.sub("", labels.names[index]).split(", "))


def _plain(name: str) -> str:
    """Without regard to case and to how folders write spaces."""
    return " ".join(name.replace("_", " ").casefold().split())


def _grouped(pairs: Iterable[tuple[str, int]]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = {}
    for name, index in pairs:
        classes = groups.setdefault(name, [])
        if index not in classes:
            classes.append(index)
    return groups
