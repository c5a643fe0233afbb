"""Answers that are less exact and more often right: a dog, where it may be this terrier or that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..labels import Labels
from ..results import Ancestor

Floats = NDArray[np.float32]
PROBABLY = 0.5  # what is likelier than not is worth a "probably"
EVERYTHING = ""  # the id above all roots, where a tree has several
_MOST = 0.75  # of the classes: to name what more of them are says nothing


@dataclass(frozen=True, slots=True)
class Step:
    """A class or one of its ancestors: how likely it is, and how far below the root."""

    id: str
    score: float
    depth: int


def way_up(labels: Labels, scores: Floats) -> list[Step]:
    """From the best class of `scores` (C,) to the root, with the scores of all classes below each.

    The last one is right whatever the class. Empty for a model without a tree.
    """
    if not labels.parents:
        return []
    best = int(np.argmax(scores))
    above = _above(labels, best)
    steps = [Step(_leaf(labels, best), float(scores[best]), len(above))]
    for depth, node in zip(range(len(above) - 1, -1, -1), above, strict=True):
        inside = scores if node == EVERYTHING else scores[labels.below[node]]
        steps.append(Step(node, float(inside.sum(dtype=np.float64)), depth))
    return steps


def rights(labels: Labels, steps: list[Step], truth: int) -> list[bool]:
    """Whether each step is the class `truth` or one of its ancestors."""
    own = {_leaf(labels, truth), *_above(labels, truth)}
    return [step.id in own for step in steps]


def misled(labels: Labels, scores: Floats, truth: int) -> float:
    """The highest score of a wrong step: only a limit from there on up would have avoided it."""
    steps = way_up(labels, scores)
    fits = rights(labels, steps, truth)
    return max(
        (step.score for step, right in zip(steps, fits, strict=True) if not right), default=0
    )


def deepest(steps: list[Step], limit: float) -> Step | None:
    """The first step above `limit`; the root, which is always right, where none is."""
    return next((step for step in steps if step.score > limit), steps[-1] if steps else None)


def tells(labels: Labels, step: Step) -> bool:
    """Whether it says something: "a thing" is right, and does not."""
    below = labels.below.get(step.id, ())
    return step.id != EVERYTHING and len(below) <= _MOST * len(labels)


def named(labels: Labels, step: Step) -> Ancestor:
    """A step as people read it."""
    if step.id in labels.tree:
        return Ancestor(step.id, labels.tree[step.id][0], step.score)
    index = labels.synsets.index(step.id) if step.id in labels.synsets else None
    return Ancestor(step.id, step.id if index is None else labels.names[index], step.score)


def _above(labels: Labels, index: int) -> list[str]:
    """The ancestors of a class, up to one that it shares with all others."""
    chain = [node for node in labels.ancestors(index) if node]
    if not chain or len(labels.below[chain[-1]]) < len(labels):
        chain.append(EVERYTHING)
    return chain


def _leaf(labels: Labels, index: int) -> str:
    return labels.synset(index) or labels.names[index]
