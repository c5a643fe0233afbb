"""Pictures become vectors, vectors become a layer: what is learned, and what is held out."""

from __future__ import annotations

import hashlib
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..bundle import Bundle
from ..datasets import LeftOut
from ..doctor import Seen, seen_of
from ..doctor import groups as alike
from ..embedding import Embeddings, embed
from ..errors import DatasetError
from ..splits import split
from .few import fit_few
from .head import HeadFit, fit_head
from .making import Lesson, Progress, Told
from .pictures import Material, check_counts, without_copies

if TYPE_CHECKING:
    from PIL import Image

_HELD = ", held out"
HELD_OUT = 0.2  # of the pictures, to measure with, where no others are given
# Below it a fifth is no more than two pictures of a class: nothing to measure with.
FEW = 10


def prepared(
    parent: Bundle,
    found: Material,
    held: Material | None,
    *,
    few_shot: bool | None,
    seed: int,
    workers: int | None,
    progress: Progress | None,
    told: Told,
) -> Lesson:
    """The layer for the classes of `found`, and the pictures to measure it with.

    Without a wish for `few_shot` or not, it is so where most classes have few pictures.
    Raises DatasetError where too few pictures can be read.
    """
    told.add(*found.dataset.notes)
    if held is not None:
        told.add(*(note for note in held.dataset.notes if note not in found.dataset.notes))
    start = time.perf_counter()
    seen = _Seen.of(parent, found, held, workers, progress, told)
    embedded = time.perf_counter()
    few = _is_few(seen.found, told) if few_shot is None else few_shot
    groups = seen.groups(workers)
    learned, tested = _parted(seen, groups, few=few, seed=seed)
    check_counts(seen.found.only(learned), seen.left_out)
    lesson, vectors = seen.found.only(learned), seen.vectors[learned]
    own = [groups[row] for row in learned]
    if few:
        fit = fit_few(vectors, lesson.classes, groups=own)
    else:
        fit = fit_head(vectors, lesson.classes, groups=own, seed=seed, workers=workers)
    if held is None:
        asked, asked_vectors = seen.found.only(tested), seen.vectors[tested]
    else:
        asked, asked_vectors = seen.held, seen.held_vectors
    measured_on = _measured_on(found, held, few=few)
    if not asked.classes:
        measured_on = _without_held(fit, measured_on, few=few, told=told)
    return Lesson(
        parent=parent,
        name=_model_name(found),
        learned=lesson,
        vectors=vectors,
        held=asked if len(asked.classes) else None,
        held_vectors=asked_vectors,
        measured_on=measured_on,
        fit=fit,
        split=_split_record(lesson, asked, seed, None if held is None else held.dataset.name),
        left_out=tuple(seen.left_out),
        seconds={"embed": embedded - start, "fit": time.perf_counter() - embedded},
        groups=tuple(own),
    )


class _Seen:
    """The pictures that can be read, with their vectors, and those that are left out."""

    def __init__(
        self,
        found: Material,
        held: Material,
        embeddings: Embeddings,
        left_out: list[LeftOut],
        looks: Mapping[str, Seen],
    ) -> None:
        count = len(found.classes)
        good = [row for row in range(count) if row not in embeddings.failures]
        others = [row for row in range(len(held.classes)) if row + count not in embeddings.failures]
        self.found, self.vectors = found.only(good), embeddings.vectors[:count][good]
        self.held, self.held_vectors = held.only(others), embeddings.vectors[count:][others]
        self.left_out = left_out
        self._looks = looks  # of those that were opened

    @classmethod
    def of(
        cls,
        parent: Bundle,
        found: Material,
        held: Material | None,
        workers: int | None,
        progress: Progress | None,
        told: Told,
    ) -> _Seen:
        """Embeds all pictures in one go. Raises DatasetError if a class has too few good ones."""
        held = held or found.only([])
        paths = [*found.paths, *held.paths]
        step = None if progress is None else (lambda done, n: progress("Reading", done, n))
        looks: dict[str, Seen] = {}

        def show(path: str, image: Image.Image) -> None:
            if (look := seen_of(image)) is not None:
                looks[path] = look

        embeddings = embed(parent, paths, workers=workers, progress=step, show=show)
        if embeddings.problem:
            told.add(f"the embeddings could not be kept: {embeddings.problem}")
        left_out = [
            LeftOut(paths[row], error.message) for row, error in sorted(embeddings.failures.items())
        ]
        seen = cls(found, held, embeddings, left_out, looks)
        check_counts(seen.found, left_out)
        if held.classes and not seen.held.classes:
            raise DatasetError(f"none of the {len(held.classes)} pictures to measure with is one")
        return seen

    def groups(self, workers: int | None) -> list[int]:
        """Equal numbers for pictures that look the same; those to measure with come last."""
        paths = [*self.found.paths, *self.held.paths]
        vectors = np.concatenate([self.vectors, self.held_vectors])
        return alike(paths, vectors=vectors, seen=self._looks, workers=workers)


def check_enough(found: Material) -> None:
    """Raises DatasetError where most classes have too few pictures to train all layers."""
    usual = statistics.median(found.counts().values())
    if usual < FEW:
        raise DatasetError(
            f"most classes have {usual:g} pictures or fewer",
            expected=f"{FEW} or more of most classes to train all layers, better 100",
            hint="--method head makes more of few pictures",
        )


def check_held(lesson: Lesson) -> None:
    """Raises DatasetError where all layers could not be measured, or not enough is left to learn.

    A head may be measured by cross-validation; to train all layers several times takes too long.
    """
    if lesson.held is None:
        raise DatasetError(
            "too many pictures look the same to hold any out: nothing can be measured",
            expected="classes of pictures that differ",
            hint="measure on others with --validation",
        )
    usual = statistics.median(lesson.learned.counts().values())
    if usual < (1 - HELD_OUT) * FEW:
        raise DatasetError(
            f"{usual:g} pictures of most classes can be learned from ({len(lesson.left_out)} left "
            "out)",
            expected=f"{FEW} or more of most classes to train all layers, better 100",
            hint="--method head makes more of few pictures",
        )


def _is_few(found: Material, told: Told) -> bool:
    usual = statistics.median(found.counts().values())
    if usual >= FEW:
        return False
    told.add(
        f"most classes have fewer than {FEW} pictures: all are learned from, in closed form, and "
        "each in turn is left out to measure (as with --few-shot)"
    )
    return True


def _parted(
    seen: _Seen, groups: Sequence[int], *, few: bool, seed: int
) -> tuple[list[int], list[int]]:
    """Rows of `seen.found` to learn from and to measure with; a copy of the latter is neither."""
    count = len(seen.found.classes)
    if seen.held.classes:
        paths = [*seen.found.paths, *seen.held.paths]
        kept, copies = without_copies(paths, groups, count)
        seen.left_out += copies
        return kept, []
    if few:
        return list(range(count)), []
    labels = [seen.found.names[index] for index in seen.found.classes]
    parts = split(labels, groups, fractions=(1 - HELD_OUT, 0.0, HELD_OUT), seed=seed)
    return list(parts.train), list(parts.test)


def _measured_on(found: Material, held: Material | None, *, few: bool) -> str:
    if held is not None:
        return held.dataset.name
    return (
        f"{found.dataset.name}, each picture left out in turn"
        if few
        else f"{found.dataset.name}{_HELD}"
    )


def _without_held(fit: HeadFit, measured_on: str, *, few: bool, told: Told) -> str:
    """What the score of the fit is of. Raises DatasetError where it has none."""
    if fit.score is None:
        raise DatasetError(
            "all pictures of each class look the same: nothing can be measured",
            expected="classes of pictures that differ",
            hint="add other pictures, or measure on others with --validation",
        )
    if few:
        return measured_on
    told.add(
        "too many pictures look the same to hold any out: the accuracy is that of "
        "cross-validation on the pictures that were learned from"
    )
    return f"{measured_on.removesuffix(_HELD)}, cross-validation of the pictures learned from"


def _split_record(
    learned: Material, held: Material, seed: int, held_name: str | None
) -> dict[str, Any]:
    """What the bundle says of the parts, from which anybody can see whether theirs are the same."""
    return {
        "seed": seed,
        "data_set": learned.dataset.name,
        "held_out_of": held_name or learned.dataset.name,
        "train": {"pictures": len(learned.classes), "sha256": _list_sha256(learned)},
        "test": {"pictures": len(held.classes), "sha256": _list_sha256(held)},
    }


def _list_sha256(part: Material) -> str:
    """Of the paths below the data set's folder, with / between parts, and the class of each."""
    lines = sorted(f"{part.dataset.place(row)}\0{row.label}\n" for row in part.dataset.rows)
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _model_name(found: Material) -> str:
    """The data set's, without the name of a part: flowers/train is flowers."""
    return found.dataset.name.split("/")[0] or "taught"
