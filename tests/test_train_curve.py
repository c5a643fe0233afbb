"""The learning curve, against classes whose best possible accuracy is known."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import make_dataset
import numpy as np
import pytest

import whatsit
from whatsit import UsageError
from whatsit.train import add, fit_few, fit_head
from whatsit.train.curve import CurvePoint, LearningCurve, learning_curve

curves = sys.modules["whatsit.train.curve"]  # whatsit.train itself is the function

D, CLASSES = 30, 4
CENTRES = np.random.default_rng(1).normal(0, 0.4, (CLASSES, D))


def cloud(count: int, seed: int, spread: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings of classes that overlap: around each centre by chance, alike on all sides."""
    truth = np.arange(count) % CLASSES
    chance = np.random.default_rng(seed).normal(0, spread, (count, D))
    return (CENTRES[truth] + chance).astype(np.float32), truth


def best_possible(vectors: np.ndarray, truth: np.ndarray) -> float:
    """What nobody can beat but by luck: the nearest of the true centres."""
    distances = ((vectors[:, np.newaxis] - CENTRES) ** 2).sum(axis=2)
    return float((distances.argmin(axis=1) == truth).mean())


def made(count: int, seed: int = 0, *, held: int = 400, spread: float = 1.0) -> LearningCurve:
    vectors, truth = cloud(count, seed, spread)
    fit = fit_head(vectors, truth, strengths=[0.02])
    return learning_curve(vectors, truth, fit, held=cloud(held, 999, spread))


def test_the_curve_rises_towards_what_is_possible() -> None:
    curve = made(160, held=4000)
    assert [point.pictures for point in curve.points] == [20, 40, 80, 160]
    assert [len(point.draws) for point in curve.points] == [4, 4, 3, 1]
    means = [point.accuracy for point in curve.points]
    assert means == sorted(means)
    assert curve.twice is not None
    assert curve.twice.pictures == 320
    assert means[-1] < curve.twice.accuracy < best_possible(*cloud(4000, 999))
    assert (curve.pictures, curve.judged, curve.crossed) == (160, 4000, False)


def test_what_twice_the_pictures_give_lies_in_the_interval() -> None:
    held = cloud(400, 999)
    inside, off, off_without = 0, 0.0, 0.0
    for seed in range(12):
        vectors, truth = cloud(640, seed)
        fit = fit_head(vectors[:320], truth[:320], strengths=[0.02])
        curve = learning_curve(vectors[:320], truth[:320], fit, held=held)
        whole = fit_head(vectors, truth, strengths=[0.02])
        real = (whole.logits(held[0]).argmax(axis=1) == held[1]).mean()
        assert curve.twice is not None
        low, high = curve.twice.interval
        inside += low <= real <= high
        off += curve.twice.accuracy - real
        off_without += curve.points[-1].accuracy - real
    assert inside >= 10
    assert abs(off / 12) < 0.01
    assert off_without / 12 < -0.01  # there was something to foresee


def test_where_nothing_is_left_to_gain() -> None:
    chance = np.random.default_rng(3)

    def line(count: int) -> tuple[np.ndarray, np.ndarray]:
        truth = np.arange(count) % 2
        return (2 * truth + chance.normal(0, 1, count))[:, np.newaxis].astype(np.float32), truth

    vectors, truth = line(2000)
    curve = learning_curve(vectors, truth, fit_head(vectors, truth), held=line(3000))
    assert curve.twice is not None
    low, high = curve.twice.interval
    # Two normal distributions two deviations apart: 84.13 % are on their side.
    assert low - 0.02 < 0.8413 < high + 0.02
    assert high - low < 0.03
    assert "hardly more" in curve.verdict


def test_all_right_already() -> None:
    curve = made(200, spread=0.05)
    assert curve.twice is None
    assert curve.verdict == "all 400 are right already: they cannot show what more would give"


def test_too_few_to_judge_by() -> None:
    curve = made(48, held=9)
    assert curve.twice is None
    assert curve.verdict.startswith("9 pictures to judge by cannot tell")


@pytest.mark.parametrize(("floor", "rise", "power"), [(0.05, 0.2, 0.5), (0.0, 0.3, 0.3)])
def test_an_exact_law_is_followed(floor: float, rise: float, power: float) -> None:
    def right(size: int) -> float:
        return 1 - floor - rise * (size / 1000) ** -power

    off = {125: 0.002, 250: 0.0014, 500: 0.001}
    points = [
        CurvePoint(size, (right(size) - d, right(size), right(size) + d)) for size, d in off.items()
    ]
    found = curves._twice([*points, CurvePoint(1000, (right(1000),))], 2000, 100_000)
    assert found is not None
    assert found.accuracy == pytest.approx(right(2000), abs=0.003)
    assert found.interval[0] < right(2000) < found.interval[1]


def test_parts_hold_every_class_and_never_part_what_looks_the_same() -> None:
    truth = np.array([0] * 80 + [1] * 40 + [2] * 3)
    groups = np.arange(123) // 2 * 2
    for seed in range(5):
        part = curves._drawn(truth, groups, np.arange(123), 1 / 4, seed)
        counts = np.bincount(truth[part], minlength=3)
        assert 18 <= counts[0] <= 22
        assert 8 <= counts[1] <= 12
        assert counts[2] >= 1
        outside = np.setdiff1d(np.arange(123), part)
        assert not set(groups[part]) & set(groups[outside])
    parts = [tuple(curves._drawn(truth, groups, np.arange(123), 1 / 4, seed)) for seed in range(5)]
    assert len(set(parts)) == 5


def test_the_same_arguments_give_the_same_curve() -> None:
    vectors, truth = cloud(96, 0)
    fit, held = fit_head(vectors, truth), cloud(50, 9)
    one = learning_curve(vectors, truth, fit, held=held, workers=1)
    assert learning_curve(vectors, truth, fit, held=held, workers=4) == one
    assert learning_curve(vectors, truth, fit, held=held, seed=1).points != one.points


@pytest.mark.parametrize("fitter", [fit_head, fit_few])
def test_without_held_out_pictures_it_is_cross_validated(fitter: Callable) -> None:
    vectors, truth = cloud(120, 0)
    curve = learning_curve(vectors, truth, fitter(vectors, truth))
    assert (curve.judged, curve.crossed) == (120, True)
    assert [point.pictures for point in curve.points] == [12, 24, 48, 96]
    fresh = cloud(2000, 5)
    real = (fitter(vectors, truth).logits(fresh[0]).argmax(axis=1) == fresh[1]).mean()
    assert curve.points[-1].accuracy == pytest.approx(real, abs=0.1)
    assert curve.twice is None or curve.twice.pictures == 240


def test_many_pictures_are_judged_in_some_of_the_folds() -> None:
    vectors, truth = cloud(1000, 0)
    curve = learning_curve(vectors, truth, fit_few(vectors, truth))
    assert 300 <= curve.judged <= 500


def test_two_pictures_a_class_have_no_parts() -> None:
    vectors, truth = cloud(8, 0)
    curve = learning_curve(vectors, truth, fit_few(vectors, truth))
    assert curve.twice is None
    assert "too few pictures of a class" in curve.verdict


def test_one_picture_over_and_over() -> None:
    vectors, truth = cloud(16, 0)
    curve = learning_curve(vectors, truth, fit_few(vectors, truth), groups=truth.tolist())
    assert curve.twice is None
    assert "too few pictures of a class" in curve.verdict


def test_a_class_of_one_picture_is_in_every_part() -> None:
    vectors, truth = cloud(121, 0)
    truth = np.where(np.arange(121) == 120, CLASSES, truth)
    fit = fit_head(vectors, truth)
    assert len(learning_curve(vectors, truth, fit, held=cloud(40, 3)).points) == 4
    assert len(learning_curve(vectors, truth, fit).points) == 4


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        ({"held": (np.zeros((3, 7), np.float32), [0, 1, 0])}, "held-out vectors"),
        ({"held": (np.zeros((3, D), np.float32), [0, 1])}, "held-out vectors"),
        ({"held": (np.zeros((0, D), np.float32), [])}, "no held-out pictures"),
        ({"groups": [1, 2]}, "2 groups for 40 rows"),
        ({"classes": [0] * 40}, "the classes"),
        ({"classes": [0, 2] * 20}, "the classes"),
        ({"classes": [0, 1]}, "vectors"),
    ],
)
def test_what_is_no_question(harm: dict, message: str) -> None:
    vectors, truth = cloud(40, 0)
    fit = fit_head(vectors, truth)
    arguments = {"classes": truth, "held": cloud(8, 1), **harm}
    with pytest.raises(UsageError, match=message) as caught:
        learning_curve(vectors, arguments.pop("classes"), fit, **arguments)
    assert caught.value.expected


def test_json_has_every_number() -> None:
    curve = made(160)
    value = curve.to_json()
    assert value["points"][0]["pictures"] == 20
    assert len(value["points"][0]["draws"]) == 4
    assert value["twice"]["pictures"] == 320
    assert value["verdict"] == curve.verdict
    low, high = value["twice"]["interval"]
    assert f"(between {100 * low:.1f} and {100 * high:.1f})" in curve.verdict
    assert replace(curve, twice=None).to_json()["twice"] is None


# Through the front door


@pytest.fixture(scope="module")
def textures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset.write(tmp_path_factory.mktemp("made") / "textures", 12)


def test_only_by_wish_and_the_model_is_the_same(textures: Path) -> None:
    plain = whatsit.train(textures, parent="mobilenet-v2-int8")
    assert plain.curve is None
    assert "curve" not in plain.seconds
    report = whatsit.train(textures, parent="mobilenet-v2-int8", curve=True)
    assert report.bundle.data == plain.bundle.data
    assert report.curve is not None
    assert report.curve.pictures == sum(report.pictures.values())
    assert report.float_accuracy is not None
    assert report.curve.points[-1].accuracy == report.float_accuracy.value
    assert report.seconds["curve"] > 0
    assert report.to_json()["curve"] == report.curve.to_json()


def test_few_and_added(textures: Path) -> None:
    report = whatsit.train(textures, parent="mobilenet-v2-int8", few_shot=True, curve=True)
    assert report.curve is not None
    assert report.curve.crossed
    assert add("more", textures / "rings", to=report.bundle).curve is None
