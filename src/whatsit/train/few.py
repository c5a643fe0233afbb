"""A classification layer from a few pictures of each class, in closed form.

Ridge regression of the classes on the embeddings. The more it is held back, the nearer each row
comes to the mean of its class, which is what an imprinted head is. What each picture would be given
by a head that never saw it follows without fitting again, and chooses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from .head import (
    MOST_KEPT,
    Classes,
    Floats,
    HeadFit,
    Outcome,
    Score,
    checked_classes,
    one_thread,
)

# Shares of the mean eigenvalue. With the last, no direction counts more than another: the means.
STRENGTHS = (0.03, 0.1, 0.3, 1.0, 3.0, 10_000.0)
_SHARPNESS = np.geomspace(0.1, 100, 46)  # factors of the logits to choose from
_MOST_RANGE = 40.0  # of the logits: beyond it 8 bits are too coarse, and nobody is surer
_MOST_SCORES = 400_000  # more pictures times classes place that factor no better
_LEAST_SHARE = 1e-6  # of the largest eigenvalue: smaller ones are rounding

_Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Solver:
    """Centred vectors (N, D) as left (N, R) @ diag(values) @ right (R, D), and targets (N, C)."""

    left: _Array
    values: _Array
    right: _Array
    targets: _Array

    def shares(self, strength: float) -> _Array:
        """How much of each direction is kept, (R,)."""
        squares = self.values**2
        share: _Array = squares / (squares + strength * squares.mean())
        return share

    def weights(self, strength: float) -> _Array:
        """The rows (C, D), for centred vectors."""
        kept = self.shares(strength) / self.values
        rows: _Array = ((self.left.T @ self.targets) * kept[:, np.newaxis]).T @ self.right
        return rows

    def without_itself(self, strength: float, alike: Sequence[Classes] = ()) -> _Array:
        """What each picture is given by a head of all others, (N, C).

        Those whose rows are together in one of `alike` are left out together.

        From how much it weighs in its own answer: D. M. Allen, Technometrics 16 (1974), 125-127.
        """
        shares = self.shares(strength)
        fitted = (self.left * shares) @ (self.left.T @ self.targets)
        # Its part in the mean, which is taken off before, is one of N.
        own = ((self.left**2) @ shares + 1 / len(self.left))[:, np.newaxis]
        rest: _Array = (fitted - own * self.targets) / np.maximum(1 - own, _LEAST_SHARE)
        for rows in alike:
            left, targets = self.left[rows], self.targets[rows]
            kept = np.eye(len(rows)) - (left * shares) @ left.T - 1 / len(self.left)
            kept += _LEAST_SHARE * np.eye(len(rows))
            rest[rows] = targets - np.linalg.solve(kept, targets - fitted[rows])
        return rest


def fit_few(
    vectors: Floats,
    classes: Sequence[int] | Classes,
    *,
    groups: Sequence[int] | None = None,
    strengths: Sequence[float] = STRENGTHS,
) -> HeadFit:
    """The closed-form head of embeddings (N, D) whose classes are 0 … C-1.

    How strongly it is held back is chosen by leaving out one picture at a time, with all of its
    group, and so is how sure its answers are. A class of one group only cannot be judged; where
    that is all of them, the groups do not count for the choice, and there are no `scores`. The
    same arguments give the same head. Raises ExtraMissing without threadpoolctl, UsageError for
    fewer than two classes.
    """
    truth = np.asarray(classes, np.int64)
    count = checked_classes(vectors, truth)
    mean = vectors.mean(axis=0, dtype=np.float64)
    alike, known = _left_out_together(truth, groups)
    judgeable = bool(known.any())
    if not judgeable:
        alike, known = [], np.ones(len(truth), bool)
    with one_thread():
        solver = _solver(vectors - mean, truth, count)
        judged = [_judged(solver, truth, each, alike, known) for each in sorted(strengths)]
        score, sharpness = min(judged, key=lambda pair: (pair[0].loss, -pair[0].strength))
        weights = solver.weights(score.strength) * sharpness
        outcome = None
        if judgeable:
            rows = np.flatnonzero(known)
            rows = rows[:: 1 + len(rows) // MOST_KEPT]
            given = solver.without_itself(score.strength, alike)[rows] * sharpness
            outcome = Outcome(rows, truth[rows], given.astype(np.float32))
    return HeadFit(
        weights=weights.astype(np.float32),
        bias=(-weights @ mean).astype(np.float32),
        rule="means" if score.strength == STRENGTHS[-1] else "ridge",
        strength=score.strength,
        scores=tuple(score for score, _ in judged) if judgeable else (),
        judged=int(known.sum()) if judgeable else 0,
        outcome=outcome,
    )


def _left_out_together(
    truth: Classes, groups: Sequence[int] | None
) -> tuple[list[Classes], NDArray[np.bool_]]:
    """The rows of each group of several, and for each row whether its class has another group."""
    own = np.arange(len(truth)) if groups is None else np.asarray(groups, np.int64)
    if own.shape != truth.shape:
        raise UsageError(f"{len(own)} groups for {len(truth)} rows", expected="one for each")
    together = [np.flatnonzero(own == group) for group in np.unique(own[_repeated(own)])]
    pairs = np.unique(np.column_stack([truth, own]), axis=0)
    return together, np.bincount(pairs[:, 0])[truth] > 1


def _repeated(groups: Classes) -> NDArray[np.bool_]:
    _, places, counts = np.unique(groups, return_inverse=True, return_counts=True)
    found: NDArray[np.bool_] = counts[places] > 1
    return found


def _solver(centred: _Array, truth: Classes, count: int) -> _Solver:
    """By the eigenvectors of the smaller of the two square matrices, which is far less work."""
    pictures, width = centred.shape
    wide = width >= pictures
    squares, vectors = np.linalg.eigh(centred @ centred.T if wide else centred.T @ centred)
    real = squares > _LEAST_SHARE * max(float(squares[-1]), 1e-12)
    values, vectors = np.sqrt(squares[real]), vectors[:, real]
    left = vectors if wide else centred @ vectors / values
    right = (centred.T @ vectors / values).T if wide else vectors.T
    targets = np.eye(count)[truth]
    return _Solver(left, values, right, targets - targets.mean(axis=0))


def _judged(
    solver: _Solver,
    truth: Classes,
    strength: float,
    alike: Sequence[Classes],
    known: NDArray[np.bool_],
) -> tuple[Score, float]:
    """How a strength does on each picture left out, and the factor of its logits that is best."""
    scores, truth = solver.without_itself(strength, alike)[known], truth[known]
    right = float((scores.argmax(axis=1) == truth).mean())
    spread = max(float(scores.std()), 1e-12)
    step = 1 + scores.size // _MOST_SCORES
    reach = float(scores.max() - scores.min()) / spread
    factors = _SHARPNESS[_SHARPNESS * reach <= _MOST_RANGE]
    factors = factors if len(factors) else _SHARPNESS[:1]
    losses = [_loss(scores[::step] * (factor / spread), truth[::step]) for factor in factors]
    best = int(np.argmin(losses))
    return Score(strength, losses[best], right), float(factors[best]) / spread


def _loss(logits: _Array, truth: Classes) -> float:
    """The mean log loss of a softmax."""
    logits = logits - logits.max(axis=1, keepdims=True)
    norms = np.log(np.exp(logits).sum(axis=1))
    return float((norms - logits[np.arange(len(truth)), truth]).mean())
