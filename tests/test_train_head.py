"""The two heads, against scikit-learn's and numpy's own ways to the same."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from whatsit import ExtraMissing, UsageError
from whatsit.train import few, fit_few, fit_head, memory
from whatsit.train.head import Scaling
from whatsit.train.memory import Memory

D = 40


def cloud(count: int, classes: int = 3, *, seed: int = 0, spread: float = 1.0):
    """Embeddings around one centre for each class."""
    chance = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(0, 1, (classes, D))
    truth = np.arange(count) % classes
    vectors = centres[truth] + chance.normal(0, spread, (count, D))
    return (3 + vectors * np.geomspace(0.1, 3, D)).astype(np.float32), truth


def accuracy(fit, vectors, truth) -> float:
    return float((fit.logits(vectors).argmax(axis=1) == truth).mean())


def test_logistic_is_scikit_learns() -> None:
    from sklearn.linear_model import LogisticRegression

    vectors, truth = cloud(120)
    fit = fit_head(vectors, truth, strengths=[0.1])
    scaling = Scaling.of(vectors)
    judge = LogisticRegression(C=0.1, tol=1e-8, max_iter=5000)
    judge.fit((vectors - scaling.mean) / scaling.spread, truth)
    fresh, _ = cloud(50, seed=1)
    expected = judge.predict_proba((fresh - scaling.mean) / scaling.spread)
    logits = fit.logits(fresh)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert shares == pytest.approx(expected, abs=2e-3)


def test_the_strength_is_the_one_with_the_least_loss() -> None:
    vectors, truth = cloud(200, spread=2.5)
    fit = fit_head(vectors, truth)
    assert fit.score is not None
    assert fit.score.loss == min(score.loss for score in fit.scores)
    assert fit.judged == 200
    assert accuracy(fit, *cloud(300, seed=5, spread=2.5)) == pytest.approx(
        fit.score.accuracy, abs=0.1
    )


@pytest.mark.parametrize("fitter", [fit_head, fit_few])
def test_two_classes(fitter) -> None:
    vectors, truth = cloud(60, classes=2)
    fit = fitter(vectors, truth)
    assert fit.weights.shape == (2, D)
    assert accuracy(fit, *cloud(100, classes=2, seed=3)) > 0.95


@pytest.mark.parametrize("fitter", [fit_head, fit_few])
def test_the_same_twice(fitter) -> None:
    vectors, truth = cloud(90)
    first, second = fitter(vectors, truth), fitter(vectors, truth)
    assert first.weights.tobytes() == second.weights.tobytes()
    assert first.bias.tobytes() == second.bias.tobytes()


def test_the_number_of_workers_changes_nothing() -> None:
    vectors, truth = cloud(90)
    one, many = fit_head(vectors, truth, workers=1), fit_head(vectors, truth, workers=4)
    assert one.weights.tobytes() == many.weights.tobytes()


def test_copies_do_not_flatter_the_score_where_they_are_groups() -> None:
    """Each picture five times, labels by chance: only a head that sees copies is right."""
    chance = np.random.default_rng(0)
    vectors = np.repeat(chance.normal(size=(40, D)), 5, axis=0).astype(np.float32)
    truth = np.repeat(np.arange(40) % 2, 5)
    groups = np.repeat(np.arange(40), 5).tolist()
    fooled = fit_head(vectors, truth).score
    honest = fit_head(vectors, truth, groups=groups).score
    assert fooled is not None
    assert honest is not None
    assert fooled.accuracy > 0.9
    assert honest.accuracy < 0.75


def test_a_constant_value_is_no_trouble() -> None:
    vectors, truth = cloud(60)
    vectors[:, 0] = 7
    assert np.isfinite(fit_head(vectors, truth).weights).all()


@pytest.mark.parametrize("strength", [0.1, 1.0])
@pytest.mark.parametrize("count", [30, 90])
def test_leaving_one_out_is_what_it_says(strength: float, count: int) -> None:
    """Against fitting anew without each picture, by numpy's own solver."""
    vectors, truth = cloud(count)
    centred = (vectors - vectors.mean(axis=0)).astype(np.float64)
    solver = few._solver(centred, truth, 3)
    found = solver.without_itself(strength)
    held_back = strength * (solver.values**2).mean()
    targets = np.eye(3)[truth]
    for row in (0, 7, count - 1):
        rest = np.arange(count) != row
        mean, level = vectors[rest].mean(axis=0, dtype=np.float64), targets[rest].mean(axis=0)
        known = vectors[rest] - mean
        rows = np.linalg.solve(
            known.T @ known + held_back * np.eye(D), known.T @ (targets[rest] - level)
        )
        expected = (vectors[row] - mean) @ rows + level - targets.mean(axis=0)
        assert found[row] == pytest.approx(expected, abs=1e-4)


def test_a_head_held_back_wholly_is_the_means() -> None:
    vectors, truth = cloud(30)
    fit = fit_few(vectors, truth, strengths=[few.STRENGTHS[-1]])
    means = np.stack([vectors[truth == c].mean(axis=0) for c in range(3)]) - vectors.mean(axis=0)
    assert fit.rule == "means"
    for row, mean in zip(fit.weights, means, strict=True):
        cosine = row @ mean / np.linalg.norm(row) / np.linalg.norm(mean)
        assert cosine == pytest.approx(1, abs=1e-3)


def test_pictures_that_are_plainly_apart_do_not_make_logits_without_bounds() -> None:
    vectors, truth = cloud(30, spread=0.01)
    logits = fit_few(vectors, truth).logits(vectors)
    assert logits.max() - logits.min() < 60


def test_few_pictures_are_judged_honestly() -> None:
    vectors, truth = cloud(15, spread=2)
    fit = fit_few(vectors, truth)
    assert fit.score is not None
    assert accuracy(fit, *cloud(300, seed=8, spread=2)) == pytest.approx(
        fit.score.accuracy, abs=0.25
    )


@pytest.mark.parametrize("fitter", [fit_head, fit_few])
@pytest.mark.parametrize(
    ("truth", "named"),
    [([0] * 6, "classes"), ([0, 1, 3, 0, 1, 3], "classes"), ([0, 1], "vectors")],
)
def test_bad_classes(fitter, truth: list[int], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        fitter(cloud(6)[0], truth)


@pytest.mark.parametrize("fitter", [fit_head, fit_few])
def test_bad_vectors(fitter) -> None:
    vectors, truth = cloud(12)
    vectors[3, 3] = np.nan
    with pytest.raises(UsageError, match="vectors"):
        fitter(vectors, truth)


@pytest.mark.parametrize("fitter", [fit_head, fit_few])
def test_without_scikit_learn(monkeypatch: pytest.MonkeyPatch, fitter) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    with pytest.raises(ExtraMissing) as caught:
        fitter(*cloud(12))
    assert "whatsit[train]" in caught.value.hint


def test_memory_is_nearly_what_it_remembers() -> None:
    vectors, truth = cloud(300)
    memory = Memory.of(vectors, truth)
    assert memory.vectors() == pytest.approx(vectors, abs=0.3)
    again = Memory.from_json(memory.to_json())
    assert np.array_equal(again.vectors(), memory.vectors())
    assert memory.pictures == (100, 100, 100)


def test_the_directions_of_many_pictures_are_nearly_the_best() -> None:
    """The oracle: numpy's singular values, of which no other directions can hold more."""
    chance = np.random.default_rng(1)
    vectors = chance.normal(size=(900, 800)) * np.geomspace(3, 0.1, 800)
    centred = vectors - vectors.mean(axis=0)
    rows = memory._principal(centred, 100)
    assert rows @ rows.T == pytest.approx(np.eye(100), abs=1e-6)
    best = float((np.linalg.svd(centred, compute_uv=False)[:100] ** 2).sum())
    assert float(((centred @ rows.T) ** 2).sum()) > 0.98 * best
    assert np.array_equal(rows, memory._principal(centred, 100))


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[Memory.__module__], "MOST_PICTURES", 50)
    memory = Memory.of(*cloud(300))
    assert np.bincount(memory.classes).tolist() == [17, 17, 17]
    assert memory.pictures == (100, 100, 100)
    assert np.bincount(memory.with_class(cloud(80)[0]).classes)[3] in range(8, 14)


def test_copies_are_left_out_together() -> None:
    """The oracle: the same ridge regression, solved anew without the group."""
    chance = np.random.default_rng(5)
    vectors, truth = chance.normal(size=(12, 4)), np.arange(12) % 2
    solver = few._solver(vectors - vectors.mean(axis=0), truth, 2)
    rows = np.array([0, 2, 5])
    given = solver.without_itself(0.3, [rows])[rows]
    penalty = 0.3 * float((solver.values**2).mean())
    centred, targets = vectors - vectors.mean(axis=0), solver.targets
    rest = np.setdiff1d(np.arange(12), rows)
    known, mean = centred[rest] - centred[rest].mean(axis=0), targets[rest].mean(axis=0)
    square = known.T @ known + penalty * np.eye(4)
    weights = np.linalg.solve(square, known.T @ (targets[rest] - mean))
    expected = (centred[rows] - centred[rest].mean(axis=0)) @ weights + mean
    assert np.allclose(given, expected, atol=1e-4)
