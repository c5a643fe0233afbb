"""The two heads, against the ways of scikit-learn, scipy and numpy to the same."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from whatsit import ExtraMissing, UsageError
from whatsit.splits import folds
from whatsit.train import addition, few, fit_few, fit_head, head, memory
from whatsit.train.descent import lowest
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


def shares(logits):
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("strength", [0.001, 0.1, 1.0])
def test_logistic_is_scikit_learns(
    classes: int, strength: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sklearn.linear_model import LogisticRegression

    vectors, truth = cloud(120, classes, spread=2)
    quick = fit_head(vectors, truth, strengths=[strength])
    monkeypatch.setattr(head, "_FINE", 1e-8)
    exact = fit_head(vectors, truth, strengths=[strength])
    scaling = Scaling.of(vectors)
    # Of two classes scikit-learn holds back one row, the difference of ours, which counts half.
    judge = LogisticRegression(C=strength * (1 + (classes == 2)), tol=1e-9, max_iter=5000)
    judge.fit((vectors - scaling.mean) / scaling.spread, truth)
    fresh, _ = cloud(50, classes, seed=1, spread=2)
    expected = judge.predict_proba((fresh - scaling.mean) / scaling.spread)
    assert shares(quick.logits(fresh)) == pytest.approx(expected, abs=1e-3)
    assert shares(exact.logits(fresh)) == pytest.approx(expected, abs=5e-6)


def test_the_scores_are_those_of_scikit_learn() -> None:
    """Loss and share right in cross-validation, on folds of which some lack a class."""
    from sklearn.linear_model import LogisticRegression

    vectors, truth = cloud(61, spread=2)
    truth[truth == 2] = 0
    truth[7] = 2  # its only picture
    strengths = [0.01, 0.1]
    fit = fit_head(vectors, truth, strengths=strengths)
    assert fit.judged == 60
    losses, right = np.zeros((2, 60)), np.zeros((2, 60))
    done = 0
    for part in folds([str(index) for index in truth], None, count=5, seed=0):
        rows = [row for row in part if row != 7]
        rest = np.setdiff1d(np.arange(61), part)
        scaling = Scaling.of(vectors[rest])
        known, asked = scaling(vectors[rest]), scaling(vectors[rows])
        for place, strength in enumerate(strengths):
            present = len(np.unique(truth[rest]))
            judge = LogisticRegression(C=strength * (1 + (present == 2)), tol=1e-9, max_iter=5000)
            given = judge.fit(known.astype(np.float64), truth[rest]).predict_proba(asked)
            here = slice(done, done + len(rows))
            losses[place, here] = -np.log(given[np.arange(len(rows)), truth[rows]])
            right[place, here] = given.argmax(axis=1) == truth[rows]
        done += len(rows)
    assert [score.loss for score in fit.scores] == pytest.approx(losses.mean(axis=1), abs=5e-3)
    assert [score.accuracy for score in fit.scores] == pytest.approx(right.mean(axis=1), abs=0.02)


def bowl(chance, width: int):
    """A convex function that is steep in some directions and flat in others, with its gradient."""
    rows, aims = chance.normal(size=(80, width)) * np.geomspace(1, 30, width), chance.random(80)

    def loss(point):
        logits = rows @ point
        slopes = 1 / (1 + np.exp(-logits)) - aims
        value = np.logaddexp(0, logits).sum() - aims @ logits + point @ point / 2
        return float(value), rows.T @ slopes + point

    return loss


@pytest.mark.parametrize("width", [1, 5, 60])
def test_the_lowest_point_is_scipys(width: int) -> None:
    from scipy.optimize import minimize

    loss = bowl(np.random.default_rng(width), width)
    found = lowest(loss, np.full(width, 0.5), stop=1e-6, most_steps=2000)
    assert np.abs(loss(found)[1]).max() <= 1e-6
    options = {"gtol": 1e-9, "ftol": 1e-15, "maxiter": 5000, "maxfun": 50_000}
    judge = minimize(loss, np.zeros(width), jac=True, method="L-BFGS-B", options=options)
    assert found == pytest.approx(judge.x, abs=1e-5)
    assert loss(found)[0] == pytest.approx(judge.fun, rel=1e-12)


def test_the_row_of_an_added_class_is_scipys() -> None:
    from scipy.optimize import minimize

    chance = np.random.default_rng(0)
    places, new = chance.normal(size=(90, 20)), np.arange(90) >= 60
    task = addition._Task(places + new[:, None], chance.normal(size=90), new, 1 + chance.random(90))
    row, bias = addition._row(task)
    scale = task.places.std()

    def loss(values):
        logits = task.places / scale @ values[:-1] + values[-1] - task.others
        losses = task.weights * (np.logaddexp(0, logits) - new * logits)
        return losses.sum() + values[:-1] @ values[:-1] / (2 * addition.STRENGTH)

    judge = minimize(loss, np.zeros(21), method="BFGS", options={"gtol": 1e-3})
    assert row == pytest.approx(judge.x[:-1] / scale, abs=1e-4)
    assert bias == pytest.approx(judge.x[-1] - addition.CAUTION, abs=1e-4)


def test_the_search_ends_where_rounding_hides_the_way_down() -> None:
    loss = bowl(np.random.default_rng(3), 20)

    def rounded(point):
        value, gradient = loss(point.astype(np.float32).astype(np.float64))
        return float(np.float32(value)), gradient

    found = lowest(rounded, np.zeros(20), stop=0.0, most_steps=100_000)
    exact = lowest(loss, np.zeros(20), stop=1e-8, most_steps=2000)
    assert found == pytest.approx(exact, abs=1e-2)


def test_the_search_begins_at_the_lowest_point() -> None:
    start = np.zeros(3)
    assert lowest(lambda point: (0.0, point), start, stop=1e-6, most_steps=9) is start


def test_no_more_steps_than_allowed() -> None:
    asked = []

    def loss(point):
        asked.append(point)
        return float(point @ point), 2 * point

    lowest(loss, np.full(4, 100.0), stop=1e-6, most_steps=1)
    assert len(asked) == 2


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
def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, fitter) -> None:
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
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
