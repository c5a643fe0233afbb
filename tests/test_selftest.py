"""The golden pictures pass, and a fault that nobody would see in one answer does not."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from typing import Any

import make_models
import numpy as np
import pytest
from PIL import Image

import whatsit
from whatsit import Bundle, Classifier, Preprocess, UsageError, engines, preprocess, selftest, zoo
from whatsit.runtimes import RUNTIMES
from whatsit.runtimes.base import Array
from whatsit.runtimes.litert import LiteRTRuntime
from whatsit.zoo import golden_answers


@pytest.mark.parametrize("name", zoo.catalogue())
def test_every_built_in_model_gives_the_recorded_answers(name: str) -> None:
    with whatsit.load(name, raw=True) as model:
        checks = list(selftest.replay(model))
    assert len(checks) >= 5
    assert [check.picture for check in checks if not check.passed] == []


def test_every_built_in_model_has_recorded_answers_to_every_picture() -> None:
    pictures = {file.name for file in zoo.GOLDEN.iterdir() if file.suffix in (".jpg", ".png")}
    recorded = golden_answers.recorded()
    assert recorded.keys() == zoo.catalogue().keys()
    for answers in recorded.values():
        assert answers.keys() == pictures
        assert all(len(best) == 5 for best in answers.values())


def test_recorded_answers_name_what_is_in_the_pictures() -> None:
    labels = zoo.open_builtin(zoo.DEFAULT).labels
    best = {picture: rows[0][0] for picture, rows in golden_answers.recorded()[zoo.DEFAULT].items()}
    assert best["cat.png"] in labels.find("n02121808")  # domestic cat
    assert labels.names[best["coffee.png"]] in ("espresso", "cup", "coffee mug")
    assert labels.names[best["rocket.jpg"]] in ("missile", "projectile", "space shuttle")


def test_a_check_as_json_has_what_was_expected_and_what_came() -> None:
    with whatsit.load(raw=True) as model:
        row = json.loads(json.dumps(next(selftest.replay(model)).to_json()))
    assert list(row) == ["model", "picture", "passed", "expected", "difference", "predictions"]
    assert row["passed"] is True
    assert len(row["expected"]) == len(row["predictions"]) == 5


def foreign(name: str = "mine") -> Bundle:
    graph = make_models.pixels(8, 8, scale=1 / 255)
    return Bundle.from_bytes(make_models.bundle(graph, 192), name)


@pytest.mark.parametrize("runtime", [None, "litert", "auto"])
def test_a_model_without_recorded_answers_is_refused(runtime: str | None) -> None:
    with Classifier(foreign(), runtime=runtime) as model, pytest.raises(UsageError) as caught:
        next(selftest.replay(model))
    assert caught.value.message == "no recorded answers for the model 'mine'"
    assert zoo.DEFAULT in caught.value.expected
    assert caught.value.hint.endswith("--runtime openvino")


def test_a_built_in_model_is_known_by_its_bytes_not_by_its_name() -> None:
    renamed = dataclasses.replace(zoo.open_builtin(zoo.DEFAULT), name="mine")
    assert failures(Classifier(renamed, raw=True)) == 0
    with (
        Classifier(foreign(zoo.DEFAULT), raw=True) as model,
        pytest.raises(UsageError, match="no recorded answers"),
    ):
        next(selftest.replay(model))


def test_another_engine_is_held_to_litert(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RUNTIMES, "mine", f"{LiteRTRuntime.__module__}:LiteRTRuntime")
    with Classifier(foreign(), runtime="mine") as model:
        assert [check.difference for check in selftest.replay(model)] == [0.0] * 6
    with Classifier(foreign(), runtime="fake") as model:
        assert failures(model) == 6


def failures(model: Classifier) -> int:
    return sum(not check.passed for check in selftest.replay(model))


@pytest.mark.parametrize(
    ("scores", "difference", "passed"),
    [
        ({0: 0.1, 1: 0.5, 2: 0.4}, 0.0, True),
        ({0: 0.1, 1: 0.46, 2: 0.44}, 0.04, True),
        ({0: 0.1, 1: 0.44, 2: 0.4}, 0.06, False),
        ({0: 0.9, 1: 0.5, 2: 0.4}, 0.0, False),  # a class that was not expected at all is best
        ({0: 0.1, 1: 0.43, 2: 0.45}, 0.07, False),
        ({0: 0.1, 1: 0.5, 2: math.nan}, 0.0, False),
        ({0: math.nan, 1: math.nan, 2: math.nan}, math.nan, False),
    ],
)
def test_what_agrees(scores: dict[int, float], difference: float, passed: bool) -> None:
    found = golden_answers.judge(scores, [(1, 0.5), (2, 0.4)])
    assert found == (pytest.approx(difference, nan_ok=True), passed)


def test_another_filter_fails() -> None:
    with whatsit.load(preprocess="stretch(box)", raw=True) as model:
        assert failures(model) > 0


def test_red_and_blue_swapped_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    run: Callable[..., Array] = preprocess.run

    def swapped(rule: Preprocess, image: Image.Image, *rest: Any, **options: Any) -> Array:
        return run(rule, image, *rest, **options)[..., ::-1].copy()

    monkeypatch.setattr(preprocess, "run", swapped)
    with whatsit.load(raw=True) as model:
        assert failures(model) > 0


def test_classes_shifted_by_one_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    run = LiteRTRuntime.run
    monkeypatch.setattr(LiteRTRuntime, "run", lambda *given: np.roll(run(*given), 1, axis=1))
    with whatsit.load(raw=True) as model:
        assert failures(model) >= 5


def test_scores_that_are_not_sharp_enough_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    run = LiteRTRuntime.run
    monkeypatch.setattr(LiteRTRuntime, "run", lambda *given: run(*given) * 0.9)
    with whatsit.load(raw=True) as model:
        assert failures(model) > 0


def test_only_the_first_class_must_agree_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another processor rounds differently: a hundredth is no fault."""
    run = LiteRTRuntime.run
    monkeypatch.setattr(LiteRTRuntime, "run", lambda *given: run(*given) * 0.99)
    bundle: Bundle = zoo.open_builtin(zoo.DEFAULT)
    with Classifier(bundle, raw=True) as model:
        assert failures(model) == 0


def test_tied_classes_may_come_in_any_order(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"cat.png": [(285, 0.3653), (282, 0.3653)]}
    swapped = {"cat.png": [(282, 0.3653), (285, 0.3653)]}
    with whatsit.load(raw=True) as model:
        for recorded in (answers, swapped):
            monkeypatch.setattr(engines, "right_answers", lambda _, recorded=recorded: recorded)
            assert failures(model) == 0
