"""Labels that are probably wrong, and pictures unlike all others, by their embeddings.

Every picture is judged by a linear head that was fitted without it and without its near
duplicates: wrong labels are too few and too different from each other for it to learn them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .neighbours import Floats, Places, nearest, unit

LEAST_PICTURES = 5  # of a class that can be judged: with fewer, the others say nothing of one
_FOLDS = 5
# Of the ridge, as a share of the mean variance. From 0.3 to 3 it makes little difference.
_RIDGE = 1.0
_NEIGHBOURS = 10
_MOST_AGREE = 0.6  # of the neighbours: then a picture that the head gives another class is named
_UNLIKE = 5.0  # deviations, by the median: farther from its neighbours than nearly all


@dataclass(frozen=True, slots=True)
class Suspect:
    """A picture by its position, the class it has, the one it looks like, and what says so.

    `suspicion` is the head's score of the other class less that of its own, from about -1 to 1;
    `agree` of `neighbours` alike pictures have the other class. `probable`: both say so.
    """

    place: int
    label: int
    other: int
    suspicion: float
    agree: int
    neighbours: int

    @property
    def probable(self) -> bool:
        """Whether the label is called wrong, and not only ranked."""
        if not self.neighbours:  # all near it are its copies: nobody vouches for the other class
            return False
        return self.suspicion > 0 and self.agree >= _MOST_AGREE * self.neighbours


def suspects(vectors: Floats, labels: Sequence[int], groups: Sequence[int]) -> list[Suspect]:
    """All pictures that can be judged, the most suspicious first.

    `vectors` (N, D) with rows of NaN for pictures that could not be read. Pictures of one of the
    `groups` look the same and do not vouch for each other. Needs two classes of LEAST_PICTURES.
    """
    classes, numbers, alone = np.asarray(labels), np.asarray(groups), _finite(vectors)
    known, counts = np.unique(classes[alone], return_counts=True)
    judged = set(known[counts >= LEAST_PICTURES].tolist())
    places = np.flatnonzero([ok and c in judged for ok, c in zip(alone, classes, strict=True)])
    if len(judged) < 2:
        return []
    rows = unit(vectors[places])
    names, own = np.unique(classes[places], return_inverse=True)
    scores = _held_out(rows, own, len(names), numbers[places])
    near, _ = nearest([rows], rows, _NEIGHBOURS)
    found = [
        _suspect(i, int(place), scores[i], near[i], own, names, numbers[places])
        for i, place in enumerate(places)
    ]
    return sorted(found, key=lambda each: (-each.suspicion, each.place))


def _suspect(
    row: int,
    place: int,
    scores: NDArray[np.float64],
    near: Places,
    own: NDArray[np.int64],
    names: NDArray[np.int64],
    groups: NDArray[np.int64],
) -> Suspect:
    label = own[row]
    others = np.where(np.arange(len(names)) == label, -np.inf, scores)
    other = int(others.argmax())
    asked = [n for n in near if groups[n] != groups[row]]
    return Suspect(
        place=place,
        label=int(names[label]),
        other=int(names[other]),
        suspicion=float(others[other] - scores[label]),
        agree=sum(own[n] == other for n in asked),
        neighbours=len(asked),
    )


def _held_out(
    rows: Floats, own: NDArray[np.int64], classes: int, groups: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(N, classes): scores by a ridge regression on the classes that did not see the row's fold.

    The sums over all rows are made once; a fold is taken away from them.
    """
    inputs = rows.astype(np.float64)
    inputs -= inputs.mean(0)
    # Every class weighs the same, or the largest would be everybody's second choice.
    weights = (len(own) / classes / np.bincount(own, minlength=classes))[own][:, None]
    targets = np.eye(classes)[own]
    folds = _folds(own, groups)
    products, sums = inputs.T @ (weights * inputs), inputs.T @ (weights * targets)
    ridge = _RIDGE * np.trace(products) / len(products) * np.eye(len(products))
    scores = np.zeros((len(rows), classes))
    for fold in range(_FOLDS):
        out = folds == fold
        kept = products - inputs[out].T @ (weights[out] * inputs[out])
        aims = sums - inputs[out].T @ (weights[out] * targets[out])
        scores[out] = inputs[out] @ np.linalg.solve(kept + ridge, aims)
    return scores


def _folds(own: NDArray[np.int64], groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """The fold of each row: whole groups, the classes spread evenly, the same each time."""
    _, first, member = np.unique(groups, return_index=True, return_inverse=True)
    order = np.lexsort((np.random.default_rng(0).random(len(first)), own[first]))
    fold_of_group = np.empty(len(first), np.int64)
    fold_of_group[order] = np.arange(len(first)) % _FOLDS
    return fold_of_group[member]


def unlike(vectors: Floats) -> list[tuple[int, float]]:
    """Pictures unlike all others, farthest first: (position, mean cosine of the five nearest)."""
    places = np.flatnonzero(_finite(vectors))
    if len(places) < 4 * _NEIGHBOURS:
        return []
    rows = unit(vectors[places])
    _, scores = nearest([rows], rows, _NEIGHBOURS // 2)
    closeness = scores.mean(1)
    middle = float(np.median(closeness))
    spread = float(np.median(np.abs(closeness - middle))) * 1.4826  # as a standard deviation
    if spread == 0:  # most are copies of each other: any other picture would be far
        return []
    far = np.flatnonzero(closeness < middle - _UNLIKE * spread)
    return sorted(((int(places[i]), float(closeness[i])) for i in far), key=lambda each: each[1])


def _finite(vectors: Floats) -> NDArray[np.bool_]:
    """(N,): which rows are embeddings, and not the NaN of a picture that could not be read."""
    finite: NDArray[np.bool_] = np.isfinite(vectors.sum(1))
    return finite
