"""Two models on the same pictures: counts by hand, statistics against scipy and statsmodels."""

from __future__ import annotations

import json

import numpy as np
import pytest
from make_evaluations import answer, evaluation

import whatsit
from whatsit import Comparison, DatasetError, Evaluation, UsageError
from whatsit.evaluation import Answer


def from_counts(both: int, only_first: int, only_second: int, neither: int) -> Comparison:
    """Pictures of class 0 that the first, the second, both or neither get right."""
    kinds = [(0, 0)] * both + [(0, 1)] * only_first + [(2, 0)] * only_second + [(1, 2)] * neither
    sides = ([answer(f"{n}.png", 0, kind[side]) for n, kind in enumerate(kinds)] for side in (0, 1))
    first, second = sides
    return whatsit.compare(evaluation(first, model="A"), evaluation(second, model="B"))


def test_counts_by_hand() -> None:
    found = from_counts(7, 3, 1, 2)
    assert (found.both, found.only_first, found.only_second, found.neither) == (7, 3, 1, 2)
    assert found.pictures == 13
    assert [(rate.hits, rate.total) for rate in found.top1] == [(10, 13), (8, 13)]
    assert found.difference == pytest.approx(-2 / 13)
    assert [flip.won for flip in found.flips] == [False, False, False, True]
    lost, won = found.flips[0], found.flips[3]
    assert (lost.path, lost.truth, lost.first[0], lost.second[0]) == ("7.png", 0, 0, 1)
    assert (won.path, won.first[0], won.second[0]) == ("10.png", 2, 0)
    assert found.classes_flipped() == [("ant", 3, 1)]


@pytest.mark.parametrize(
    "counts", [(50, 0, 0, 5), (50, 9, 1, 5), (0, 1, 9, 0), (500, 45, 16, 89), (3, 20, 20, 3)]
)
def test_statistics_against_scipy_and_statsmodels(counts: tuple[int, int, int, int]) -> None:
    from scipy.stats import binomtest
    from statsmodels.stats.contingency_tables import mcnemar
    from statsmodels.stats.proportion import proportion_confint

    found = from_counts(*counts)
    both, first, second, neither = counts
    judge = mcnemar([[both, first], [second, neither]], exact=True).pvalue
    assert found.p_value == pytest.approx(judge, abs=1e-12)
    if first + second:
        assert found.p_value == pytest.approx(binomtest(first, first + second).pvalue, abs=1e-12)
    for rate, hits in zip(found.top1, (both + first, both + second), strict=True):
        wilson = proportion_confint(hits, sum(counts), method="wilson")
        assert rate.interval == pytest.approx(wilson, abs=1e-12)
    low, high = found.interval
    assert low <= found.difference <= high


def test_the_interval_covers_as_often_as_it_says() -> None:
    """Of 400 draws from known shares, 95 % of the intervals hold the true difference."""
    chance = np.random.default_rng(4)
    shares = np.array([0.7, 0.1, 0.05, 0.15])
    covered = 0
    for draw in chance.multinomial(200, shares, size=400):
        low, high = whatsit.Comparison(
            evaluation([]), evaluation([]), *map(int, draw), flips=()
        ).interval
        covered += low <= shares[2] - shares[1] <= high
    assert 0.92 <= covered / 400 <= 0.98


# In words.


def test_a_verdict_for_each_side() -> None:
    assert from_counts(500, 45, 16, 89).verdict() == (
        "A is better by 4.5 points (2.1 to 6.9), p = 0.00026: 45 against 16"
    )
    assert from_counts(500, 16, 45, 89).verdict() == (
        "B is better by 4.5 points (2.1 to 6.9), p = 0.00026: 45 against 16"
    )
    assert from_counts(0, 100, 0, 0).verdict().endswith("p < 0.0001: 100 against 0")


def test_a_verdict_that_nobody_can_give() -> None:
    found = from_counts(180, 3, 5, 12)
    assert found.verdict() == "cannot be told apart with 200 pictures: 5 against 3"
    assert not found.significant
    assert from_counts(5, 0, 0, 0).verdict() == "cannot be told apart with 5 pictures: 0 against 0"


def test_models_of_one_name_are_told_apart() -> None:
    rows = [answer("a", 0, 0)]
    one, other = evaluation(rows), evaluation(rows, preprocess="pad(bicubic)")
    assert whatsit.compare(one, other).names == ("made stretch(bilinear)", "made pad(bicubic)")
    assert whatsit.compare(one, one).names == ("made", "made")


def test_json() -> None:
    made = json.loads(json.dumps(from_counts(7, 3, 1, 2).to_json()))
    assert made["models"] == ["A", "B"]
    assert (made["both"], made["only_first"], made["pictures"]) == (7, 3, 13)
    assert made["top1"][0]["hits"] == 10
    assert made["classes"] == [{"name": "ant", "lost": 3, "won": 1}]
    assert made["flips"][3] == {
        "path": "10.png",
        "truth": "ant",
        "won": True,
        "first": {"answer": "cat", "score": 0.9},
        "second": {"answer": "ant", "score": 0.9},
    }
    assert made["verdict"].startswith("cannot be told apart")


# Which pictures.


def test_only_pictures_that_both_answered_count() -> None:
    first = evaluation([answer("a", 0, 0), answer("b", 1, 1), answer("c", 2, 0)])
    second = evaluation([answer("c", 2, 2), answer("a", 0, 1), answer("d", 1, 1)])
    found = whatsit.compare(first, second)
    assert (found.pictures, found.only_first, found.only_second) == (2, 1, 1)
    assert found.notes == ("left out, since only one model answered them: 2 of the pictures",)


def test_models_of_other_classes_are_right_by_their_own() -> None:
    first = evaluation([answer("a", 0, 0), answer("b", 1, 0)])
    second = evaluation(
        [answer("a", 1, 1, classes=4), answer("b", 2, 2, classes=4)],
        names=("background", "ant", "bee", "cat"),
    )
    found = whatsit.compare(first, second)
    assert (found.both, found.only_second) == (1, 1)
    assert found.classes_flipped() == [("bee", 0, 1)]
    assert found.to_json()["flips"][0]["second"]["answer"] == "bee"


def same_pictures(truth: int) -> Evaluation:
    return evaluation([Answer("a.png", truth, ((0, 0.9), (1, 0.1)), {})])


def test_what_cannot_be_compared() -> None:
    with pytest.raises(DatasetError, match="no picture was answered by both"):
        whatsit.compare(evaluation([answer("a", 0, 0)]), evaluation([answer("b", 0, 0)]))
    with pytest.raises(UsageError, match=r"disagree on 'a.png': is it 'ant' or 'bee'\?"):
        whatsit.compare(same_pictures(0), same_pictures(1))
