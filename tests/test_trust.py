"""The arithmetic of trust, each part against another way to come to the same number."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import json
import math
from typing import Any

import numpy as np
import pytest
from make_heads import small
from make_models import Spec, edges
from numpy.typing import NDArray

from whatsit import Bundle, Classifier, Labels, ModelDamaged, UsageError, Verdict
from whatsit.classifier import Seen
from whatsit.measures import auroc, binomial_interval
from whatsit.results import Ancestor
from whatsit.results import verdict as by_margin
from whatsit.trust import RECORD, Judgement, Trust, sets, tempered, tree, trust_of
from whatsit.trust.fitting import LEAST, Answers, calibration, fitted, known_by, temperature
from whatsit.trust.known import (
    Known,
    Prototypes,
    by_scores,
    logarithms,
    nearness_of_others,
    peak,
)
from whatsit.trust.trial import tried

SURE = (0.07, 0.02, 0.91)
UNSURE = (0.31, 0.35, 0.34)
NO_TREE = Labels(("a", "b", "c"))


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return (powers / powers.sum(-1, keepdims=True)).astype(np.float32)


def drawn(
    rng: np.random.Generator, count: int, classes: int = 10, *, sharpness: float = 2.0
) -> Answers:
    """A model that is too sure by the factor `sharpness`: the truth is drawn from the softer."""
    logits = rng.normal(0, 1.5, (count, classes))
    shares = softmax(logits).astype(np.float64)
    shares /= shares.sum(1, keepdims=True)
    truth = np.array([rng.choice(classes, p=row) for row in shares], np.int64)
    return Answers(softmax(logits * sharpness), truth)


# ── temperature ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 2.0, 4.0])
def test_the_temperature_is_where_the_log_loss_is_least(sharpness: float) -> None:
    optimize = pytest.importorskip("scipy.optimize")
    answers = drawn(np.random.default_rng(1), 2000, sharpness=sharpness)
    logits = np.log(answers.scores.astype(np.float64))
    rows = np.arange(len(logits))

    def loss(log_temperature: float) -> float:
        scaled = logits / math.exp(log_temperature)
        scaled -= scaled.max(1, keepdims=True)
        own = scaled[rows, answers.truth] - np.log(np.exp(scaled).sum(1))
        return float(-own.sum()) + log_temperature**2 / 2

    best = optimize.minimize_scalar(loss, bounds=(-3, 3), method="bounded", options={"xatol": 1e-9})
    found = temperature(answers.scores, answers.truth)
    assert found == pytest.approx(math.exp(best.x), rel=1e-3)  # scores below 1e-12 count as that
    assert found == pytest.approx(sharpness, rel=0.1)


def test_a_temperature_makes_scores_mean_what_they_say() -> None:
    answers = drawn(np.random.default_rng(2), 4000, sharpness=3.0)
    divisor = temperature(answers.scores, answers.truth)
    before = calibration(answers.scores, answers.truth).error
    after = calibration(tempered(answers.scores, divisor), answers.truth).error
    assert after < before / 4


def test_a_few_right_answers_do_not_make_a_model_endlessly_sure() -> None:
    scores = np.full((20, 3), 0.2, np.float32)
    scores[:, 0] = 0.6
    assert 0.1 < temperature(scores, np.zeros(20, np.int64)) < 1


def test_scores_that_are_nothing_stay_numbers() -> None:
    """As of a uint8 output, whose small scores are all 0."""
    for row in ([0, 0, 0], [1, 0, 0], [0.5, 0.5, 0]):
        found = tempered(np.array(row, np.float32), 3.0)
        assert np.isfinite(found).all()
        assert found.sum() == pytest.approx(1, abs=1e-6)
        assert (found[:-1] >= found[1:]).all()
    assert tempered(np.array([0.5, 0.5, 0], np.float32), 1.0).tolist() == [0.5, 0.5, 0]


def test_tempered_divides_the_logits() -> None:
    logits = np.random.default_rng(3).normal(0, 3, (5, 30))
    assert tempered(softmax(logits), 1.7) == pytest.approx(softmax(logits / 1.7), abs=1e-6)


# ── sets ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("coverage", [0.3, 0.8, 0.9, 0.95])
def test_sets_hold_the_truth_as_often_as_they_are_asked_to(coverage: float) -> None:
    """Over many draws the mean lies between c and c + 1 / (n + 1); at 0.3 below the accuracy."""
    rng, count, asked, draws = np.random.default_rng(4), 99, 200, 150
    held = []
    for _ in range(draws):
        answers = drawn(rng, count + asked, sharpness=1.3)
        places = sets.places(answers.scores, answers.truth)
        limit = sets.limit(np.sort(places[:count]), coverage)
        held.append((places[count:] <= limit).mean())
    reach = 4 * np.std(held) / math.sqrt(draws)
    assert coverage - reach <= np.mean(held) <= coverage + 1 / (count + 1) + reach
    if coverage == 0.3:
        assert (answers.scores.argmax(1) == answers.truth).mean() > coverage


@pytest.mark.parametrize("ties", [False, True])
def test_the_truth_is_in_the_set_where_its_place_is_below_the_limit(ties: bool) -> None:
    rng = np.random.default_rng(5)
    # Parts of 1024 add up exactly, in any order.
    most = 40 if ties else 400
    scores = rng.integers(0, most, (30, 7)).astype(np.float32) / 1024
    for limit in [-0.3, -0.1, -0.01, 0.0, 0.001, 0.05, 0.2, 0.5, 1.1, math.inf, -math.inf]:
        for row in scores:
            order = np.argsort(-row, kind="stable")
            inside = set(order[: sets.size(row[order], limit)].tolist())
            for truth in range(7):
                (place,) = sets.places(row[np.newaxis], np.array([truth]))
                assert (truth in inside) == (place <= limit)


def test_places_against_a_plain_loop() -> None:
    rng = np.random.default_rng(6)
    answers = drawn(rng, 50, 8)
    for row, truth, place in zip(
        answers.scores, answers.truth, sets.places(answers.scores, answers.truth), strict=True
    ):
        ranked = sorted(range(8), key=lambda i, row=row: (-row[i], i))
        better = ranked[: ranked.index(truth)]
        expected = sum(float(row[i]) + 0.001 for i in better) if better else -float(row[truth])
        assert place == pytest.approx(expected, abs=1e-9)


def test_sets_grow_with_the_coverage() -> None:
    answers = drawn(np.random.default_rng(7), 500)
    places = np.sort(sets.places(answers.scores, answers.truth))
    limits = [sets.limit(places, share) for share in np.linspace(0.01, 0.999, 200)]
    assert limits == sorted(limits)
    ordered = -np.sort(-answers.scores[0])
    sizes = [sets.size(ordered, limit) for limit in limits]
    assert sizes == sorted(sizes)


def test_too_few_pictures_promise_nothing() -> None:
    assert sets.limit(np.array([0.1] * 8), 0.9) == math.inf  # 9 could
    assert sets.limit(np.array([0.1] * 9), 0.9) == 0.1
    assert sets.limit(np.array([]), 0.5) == math.inf
    assert sets.size(np.array([0.5, 0.3, 0.2], np.float32), math.inf) == 3


def test_an_empty_answer_has_an_empty_set() -> None:
    assert sets.size(np.array([], np.float32), 1.0) == 0
    assert sets.size(np.array([1.0], np.float32), 0.0) == 1  # of one class


@pytest.mark.parametrize("count", [5, 40, 41, 100, 1003])
def test_thinning_lowers_no_limit(count: int) -> None:
    values = np.random.default_rng(count).normal(size=count)
    few, every = sets.thinned(values, 40), np.sort(values)
    assert len(few) == min(count, 40)
    assert (np.diff(few) >= 0).all()
    assert set(few) <= set(values)
    for coverage in np.linspace(0.001, 0.999, 300):
        assert sets.limit(few, coverage) >= sets.limit(every, coverage)


# ── known or not ─────────────────────────────────────────────────────────────────────────────


def test_a_peak_does_not_change_with_the_size_of_logits() -> None:
    logits = np.random.default_rng(8).normal(0, 2, (20, 100))
    first = peak(logits)
    assert peak(logits + 7) == pytest.approx(first)
    assert peak(logits / 3) == pytest.approx(first)
    assert by_scores("peak", softmax(logits)) == pytest.approx(first, rel=1e-5)
    assert by_scores("peak", tempered(softmax(logits), 1.9)) == pytest.approx(first, rel=1e-4)


def test_a_peak_against_plain_statistics() -> None:
    import statistics

    row = np.random.default_rng(9).normal(0, 2, 50)
    two = sorted(row)[-2:]
    expected = (statistics.fmean(two) - statistics.fmean(row)) / statistics.pstdev(row)
    assert float(peak(row)) == pytest.approx(expected)
    assert peak(np.stack([row, row])) == pytest.approx([expected] * 2)
    assert float(peak(np.zeros(50))) == 0  # all classes alike: nothing stands out


def test_so_many_known_pictures_are_accepted() -> None:
    rng = np.random.default_rng(10)
    for acceptance in (0.8, 0.95, 0.99):
        shares = []
        for _ in range(400):
            values = rng.normal(size=199)
            limit = Known("score", np.sort(values[:99])).limit(acceptance)
            shares.append((values[99:] >= limit).mean())
        reach = 4 * np.std(shares) / 20
        assert acceptance - reach <= np.mean(shares) <= acceptance + 0.01 + reach
    assert Known("score", np.sort(values[:10])).limit(0.95) == -math.inf  # too few to refuse any
    assert Known("score", np.sort(values[:10])).limit(5e-324) == values[:10].max()


def nearness_by_loop(vectors: Any, classes: Any, count: int, groups: Any) -> list[float]:
    units = [vector / np.linalg.norm(vector) for vector in vectors.astype(np.float64)]
    found = []
    for i, unit in enumerate(units):
        best = -math.inf
        for label in range(count):
            rest = [
                u for j, u in enumerate(units) if classes[j] == label and groups[j] != groups[i]
            ]
            if label == classes[i] and not rest:
                best = math.nan
                break
            total = np.sum(rest, axis=0) if rest else np.zeros(vectors.shape[1])
            length = np.linalg.norm(total)
            best = max(best, float(unit @ total / length) if length else 0.0)
        found.append(best)
    return found


@pytest.mark.parametrize("grouped", [False, True])
def test_nearness_of_others_against_a_plain_loop(grouped: bool) -> None:
    rng = np.random.default_rng(11)
    classes = np.array([0] * 8 + [1] * 7 + [2] * 4 + [3, 5, 5])  # 3 is alone, 4 empty
    vectors = rng.normal(0.5, 1, (len(classes), 6)).astype(np.float32)
    groups = rng.integers(0, 9, len(classes)) if grouped else None
    if groups is not None:
        groups[-2:] = 100  # all of class 5 in one group
        groups[0] = groups[9] = 50  # one group in two classes
        groups[15:19] = groups[2] = 70  # all of class 2, and one of another class
    found = nearness_of_others(vectors, classes, 6, groups)
    each = np.arange(len(classes)) if groups is None else groups
    assert found == pytest.approx(nearness_by_loop(vectors, classes, 6, each), nan_ok=True)
    assert np.isnan(found[19])
    assert np.isnan(found[-1]) == grouped


def test_prototypes_are_class_means() -> None:
    rng = np.random.default_rng(12)
    vectors = rng.random((40, 16)).astype(np.float32)
    classes = np.arange(40) % 4
    made = Prototypes.of(vectors, classes, 5, tensor=3)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    means = np.stack([units[classes == label].mean(0) for label in range(4)])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    assert made.nearness(vectors) == pytest.approx((units @ means.T).max(1), abs=0.01)
    assert not made.rows[4].any()  # a class without pictures
    back = Prototypes.from_json(json.loads(json.dumps(made.to_json())), 5)
    assert (back.rows == made.rows).all()
    assert back.tensor == 3


def test_the_rule_is_the_best_that_there_is() -> None:
    rng = np.random.default_rng(13)
    vectors = rng.random((40, 8)).astype(np.float32)
    few = dataclasses.replace(drawn(rng, 40, 4), truth=np.arange(40) % 4)
    assert known_by(few, 4, None).rule == "score"
    assert known_by(drawn(rng, 40, 20), 20, None).rule == "peak"
    with_vectors = dataclasses.replace(few, vectors=vectors)
    assert known_by(with_vectors, 4, 7).rule == "prototypes"
    lone = dataclasses.replace(with_vectors, truth=np.minimum(few.truth, 2))
    assert known_by(lone, 4, 7).rule == "score"  # nothing is known of the last class


def test_an_embedding_that_is_not_that_of_the_record() -> None:
    rows = np.ones((2, 4), np.int8)
    known = Known("prototypes", np.array([0.5]), Prototypes(rows, 1))
    scores = np.array([0.5, 0.5], np.float32)
    for embedding in (None, np.ones(5, np.float32)):
        with pytest.raises(ModelDamaged, match=r"its embedding has \d values"):
            known.score(scores, embedding)
    assert known.score(scores, np.ones(4, np.float32)) == pytest.approx(1)


def test_auroc_against_sklearn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(14)
    for step in (1.0, 1e-9):  # with ties and without
        one, other = (np.round(rng.normal(m, 1, n) / step) * step for m, n in ((1, 80), (0, 50)))
        truth = [1] * 80 + [0] * 50
        expected = metrics.roc_auc_score(truth, np.concatenate([one, other]))
        assert auroc(one, other) == pytest.approx(expected)


@pytest.mark.parametrize("total", [1, 10, 149, 325, 3000])
@pytest.mark.parametrize("share", [0.8, 0.9, 0.95, 0.99])
def test_the_binomial_interval_against_scipy(total: int, share: float) -> None:
    binom = pytest.importorskip("scipy.stats").binom
    low, high = binomial_interval(total, share)
    assert (low, high) == (binom.ppf(0.025, total, share), binom.ppf(0.975, total, share))


# ── the class tree ───────────────────────────────────────────────────────────────────────────

TREE = Labels(
    names=("terrier", "poodle", "tabby", "rose", "tulip", "oak"),
    parents=("dog", "dog", "cat", "flower", "flower", "plant"),
    tree={
        "dog": ("dog", "animal"),
        "cat": ("cat", "animal"),
        "animal": ("animal", "thing"),
        "flower": ("flower", "plant"),
        "plant": ("plant", "thing"),
        "thing": ("thing", None),
    },
)
BELOW = {
    "terrier": {0},
    "poodle": {1},
    "tabby": {2},
    "rose": {3},
    "tulip": {4},
    "oak": {5},
    "dog": {0, 1},
    "cat": {2},
    "animal": {0, 1, 2},
    "flower": {3, 4},
    "plant": {3, 4, 5},
    "thing": set(range(6)),
}
WAYS = {
    0: ["terrier", "dog", "animal", "thing"],
    1: ["poodle", "dog", "animal", "thing"],
    2: ["tabby", "cat", "animal", "thing"],
    3: ["rose", "flower", "plant", "thing"],
    4: ["tulip", "flower", "plant", "thing"],
    5: ["oak", "plant", "thing"],
}


def random_rows(seed: int, count: int = 60) -> np.ndarray:
    return softmax(np.random.default_rng(seed).normal(0, 2, (count, 6)))


def test_the_deepest_step_against_brute_force() -> None:
    for row in random_rows(15):
        steps = tree.way_up(TREE, row)
        way = WAYS[int(row.argmax())]
        assert [step.id for step in steps] == way
        sums = [sum(float(row[i]) for i in BELOW[node]) for node in way]
        assert [step.score for step in steps] == pytest.approx(sums)
        assert [step.depth for step in steps] == list(range(len(way)))[::-1]
        for limit in (0.2, 0.5, 0.9, 0.99, 2.0):
            found = tree.deepest(steps, limit)
            expected = next((n for n, s in zip(way, sums, strict=True) if s > limit), "thing")
            assert found is not None
            assert found.id == expected


def test_a_limit_from_misled_on_is_right() -> None:
    for row in random_rows(16):
        for truth in range(6):
            steps, worst = tree.way_up(TREE, row), tree.misled(TREE, row, truth)
            for limit in (*np.linspace(0, 1.1, 23), worst, worst - 1e-9):
                step = tree.deepest(steps, float(limit))
                assert step is not None
                assert (truth in BELOW[step.id]) == tree.rights(TREE, [step], truth)[0]
                if limit >= worst:
                    assert truth in BELOW[step.id]


def test_a_higher_limit_gives_a_wider_answer() -> None:
    for row in random_rows(17, 20):
        steps = tree.way_up(TREE, row)
        found = [tree.deepest(steps, limit) for limit in np.linspace(0, 1.2, 50)]
        inside = [BELOW[step.id] for step in found if step is not None]
        assert all(one <= other for one, other in itertools.pairwise(inside))


def forest() -> Labels:
    """Two trees, and a class that is in neither."""
    return Labels(
        names=("terrier", "poodle", "rose", "stone"),
        parents=("dog", "dog", "plant", ""),
        tree={"dog": ("dog", "animal"), "animal": ("animal", None), "plant": ("plant", None)},
    )


def test_a_tree_with_several_roots_has_one_above_them() -> None:
    labels = forest()
    for best, way in enumerate(
        (["terrier", "dog", "animal", ""], ["poodle", "dog", "animal", ""], ["rose", "plant", ""])
    ):
        row = np.full(4, 0.2, np.float32)
        row[best] = 0.4
        steps = tree.way_up(labels, row)
        assert [step.id for step in steps] == way
        assert steps[-1].score == pytest.approx(1)
        for truth in range(4):
            worst = tree.misled(labels, row, truth)
            assert tree.rights(labels, [tree.deepest(steps, worst)], truth) == [True]
    stone = tree.way_up(labels, np.array([0, 0, 0.1, 0.9], np.float32))
    assert [step.id for step in stone] == ["stone", ""]
    assert not tree.tells(labels, stone[-1])
    assert tree.tells(labels, stone[0])


def test_without_a_tree_there_are_no_steps() -> None:
    assert tree.way_up(NO_TREE, np.array(SURE, np.float32)) == []
    assert tree.deepest([], 0.5) is None
    assert tree.misled(NO_TREE, np.array(SURE, np.float32), 0) == 0


# ── the record ───────────────────────────────────────────────────────────────────────────────


def made(labels: Labels = NO_TREE, count: int = 200, *, vectors: bool = False) -> Trust:
    rng = np.random.default_rng(18)
    answers = drawn(rng, count, len(labels), sharpness=1.4)
    if vectors:
        rows = rng.random((count, 5)).astype(np.float32)
        answers = dataclasses.replace(answers, vectors=rows)
    return fitted(answers, labels, data_set="drawn", tensor=4 if vectors else None)


@pytest.mark.parametrize("part", ["places", "misled"])
def test_a_record_with_numbers_cut_off_is_refused(part: str) -> None:
    record = made().to_json()
    with pytest.raises(ValueError, match="numbers of 200 pictures"):
        Trust.from_json(record | {part: record[part][:2]}, 3)


def test_scores_in_coarse_steps_keep_their_temperature() -> None:
    """Most scores of a uint8 output are 0: how far below is not known."""
    rng = np.random.default_rng(3)
    fine = drawn(rng, 300, 3, sharpness=1.4)
    steps = (np.rint(fine.scores * 256) / 256).astype(np.float32)
    coarse = dataclasses.replace(fine, scores=steps, coarse=True)
    assert fitted(coarse, NO_TREE, data_set="", tensor=None).temperature == 1
    assert coarse.only(np.arange(40)).coarse


@pytest.mark.parametrize("vectors", [False, True])
@pytest.mark.parametrize("count", [30, 200, 1500])
def test_the_record_is_read_as_it_was_but_to_the_safe_side(count: int, vectors: bool) -> None:
    trust = made(TREE, count, vectors=vectors)
    back = Trust.from_json(json.loads(json.dumps(trust.to_json())), 6)
    assert back.temperature == trust.temperature
    for share in np.linspace(0.01, 0.999, 99):
        for kept, own in ((back.places, trust.places), (back.misled, trust.misled)):
            limit, before = sets.limit(kept, share), sets.limit(own, share)
            assert limit >= before
            assert limit == pytest.approx(before, abs=2e-6)
        assert back.known.limit(share) <= trust.known.limit(share)
        assert back.known.limit(share) == pytest.approx(trust.known.limit(share), abs=2e-6)
    assert (back.known.rule, back.pictures, back.data_set) == (
        trust.known.rule,
        count,
        "drawn",
    )
    assert (trust.known.rule == "prototypes") == (vectors and count > 30)
    assert len(back.places) <= 1000


REMOVED = object()


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("temperature",), 0),
        (("temperature",), -1.0),
        (("temperature",), math.nan),
        (("temperature",), "warm"),
        (("temperature",), REMOVED),
        (("pictures",), "many"),
        (("pictures",), math.inf),
        (("error",), [0.1]),
        (("error",), 0.1),
        (("error",), [0.1, math.nan]),
        (("error",), [0.1, 7]),
        (("places",), [0.2, 0.1]),
        (("places",), [0.1, math.nan]),
        (("places",), [[0.1, 0.2]]),
        (("places",), "0.1"),
        (("places",), None),
        (("places",), [10**400]),
        (("misled",), [0.1, math.inf]),
        (("misled",), {"a": 1}),
        (("known",), []),
        (("known",), None),
        (("known", "rule"), "guess"),
        (("known", "rule"), ["peak"]),
        (("known", "rule"), "score"),  # with prototypes
        (("known", "scores"), [2, 1]),
        (("known", "prototypes"), REMOVED),
        (("known", "prototypes"), 7),
        (("known", "prototypes", "tensor"), -1),
        (("known", "prototypes", "tensor"), 1.5),
        (("known", "prototypes", "width"), 4),
        (("known", "prototypes", "width"), 0),
        (("known", "prototypes", "rows"), "§§"),
        (("known", "prototypes", "rows"), "AAAA"),
    ],
)
def test_a_damaged_record_is_refused(place: tuple[str, ...], value: Any) -> None:
    record = copy.deepcopy(made(TREE, 100, vectors=True).to_json())
    part = record
    for name in place[:-1]:
        part = part[name]
    if value is REMOVED:
        del part[place[-1]]
    else:
        part[place[-1]] = value
    bundle = dataclasses.replace(colours(TREE.names), record={RECORD: record})
    with pytest.raises(ModelDamaged, match="what it says of its calibration") as caught:
        trust_of(bundle)
    assert "whatsit calibrate" in caught.value.hint


@pytest.mark.parametrize("value", [7, "trust", [1], True, {}])
def test_a_record_that_is_no_object_is_refused(value: Any) -> None:
    with pytest.raises(ModelDamaged):
        trust_of(dataclasses.replace(colours("abc"), record={RECORD: value}))


def test_a_peak_of_one_class_is_refused() -> None:
    record = made().to_json()
    record["known"]["rule"] = "peak"
    with pytest.raises(ValueError, match="a peak of one class"):
        Trust.from_json(record, 1)


def test_a_bundle_without_a_record_is_uncalibrated() -> None:
    assert trust_of(colours("abc")) is None


# ── judging ──────────────────────────────────────────────────────────────────────────────────


def colours(names: Any, record: dict[str, Any] | None = None) -> Bundle:
    """A model of some classes that nobody runs here."""
    made = Bundle.create(
        edges(target=Spec("scores", (1, len(names)), "float32")),
        name="small",
        labels=list(names),
        preprocess="stretch",
        mean=0,
        std=1,
    )
    return dataclasses.replace(made, record=record or {})


@pytest.mark.parametrize(("scores", "expected"), [(SURE, "sure"), (UNSURE, "ambiguous")])
def test_the_two_vectors_without_calibration(scores: tuple[float, ...], expected: str) -> None:
    row = np.array(scores, np.float32)
    assert by_margin(row).value == expected
    with Classifier(colours("abc"), runtime="litert") as classifier:
        result = classifier.answer(Seen(row, {}))
    assert (result.verdict, result.label_set) == (Verdict(expected), None)


@pytest.mark.parametrize(("scores", "expected"), [(SURE, "sure"), (UNSURE, "ambiguous")])
def test_the_two_vectors_with_calibration(scores: tuple[float, ...], expected: str) -> None:
    bundle = colours("abc", {RECORD: made(count=400, vectors=True).to_json()})
    trust = trust_of(bundle)
    assert trust is not None
    row, embedding = np.array(scores, np.float32), np.full(5, 0.5, np.float32)
    calibrated, judgement = trust.at(bundle.labels, 0.8, 0.95).judge(row, embedding)
    with Classifier(colours("abc"), runtime="litert") as classifier:
        result = classifier.answer(Seen(calibrated, {}, None, judgement))
    assert result.verdict is Verdict(expected)
    assert result.label_set is not None
    assert (len(result.label_set) == 1) == (expected == "sure")
    assert result.label_set[0] == "abc"[int(row.argmax())]


def test_judging_against_the_definition() -> None:
    """Every class sorted, places by the function that calibrates."""
    rng = np.random.default_rng(19)
    labels = Labels(tuple(f"c{i}" for i in range(40)))
    answers = drawn(rng, 300, 40, sharpness=1.2)
    trust = fitted(answers, labels, data_set="drawn", tensor=None)
    for coverage in (0.3, 0.8, 0.9, 0.99, 0.999):
        judge = trust.at(labels, coverage, 0.95)
        for row in answers.scores[:40]:
            calibrated, judgement = judge.judge(row, None)
            assert (calibrated == tempered(row[np.newaxis], trust.temperature)[0]).all()
            every = np.arange(40)
            places = sets.places(np.repeat(calibrated[np.newaxis], 40, 0), every)
            assert set(judgement.likely) == set(every[places <= judge.set_limit].tolist())
            inside = calibrated[list(judgement.likely)]
            assert (np.diff(inside) <= 0).all()
            near = float(peak(logarithms(row[np.newaxis]))[0])
            assert judgement.known == (near >= judge.known_limit)


def test_a_judge_names_what_the_likely_ones_have_in_common() -> None:
    answers = drawn(np.random.default_rng(20), 300, 6, sharpness=1.0)
    judge = fitted(answers, TREE, data_set="drawn", tensor=None).at(TREE, 0.9, 0.95)
    judge = dataclasses.replace(judge, set_limit=0.6, tree_limit=0.9)

    def asked(*scores: float) -> tuple[Ancestor | None, Ancestor | None]:
        return judge.in_tree(np.array(scores, np.float32))

    broader, probably = asked(0.5, 0.45, 0.02, 0.01, 0.01, 0.01)
    assert broader == Ancestor("dog", "dog", pytest.approx(0.95))
    assert probably is None  # no class is likelier than not
    broader, probably = asked(0.6, 0.01, 0.35, 0.02, 0.01, 0.01)
    assert (broader.id, probably.id) == ("animal", "terrier")
    broader, probably = asked(0.3, 0.3, 0.05, 0.3, 0.03, 0.02)
    assert (broader, probably.id) == (None, "dog")  # everything is a thing, which says nothing
    assert asked(0.3, 0.05, 0.05, 0.2, 0.2, 0.2) == (None, None)


def test_shares_that_are_none() -> None:
    for share in (0, 1, -0.5, 1.5, math.nan):
        with pytest.raises(UsageError, match="a coverage of"):
            made().at(NO_TREE, share, 0.95)
        with pytest.raises(UsageError, match="an acceptance of"):
            made().at(NO_TREE, 0.9, share)


# ── what a classifier makes of a judgement ───────────────────────────────────────────────────


def answered(likely: tuple[int, ...], *, known: bool = True) -> Any:
    scores = np.array([0.5, 0.3, 0.2], np.float32)
    dog = Ancestor("dog", "dog", 0.9)
    judgement = Judgement(likely, known, dog, None)
    with Classifier(colours("abc"), runtime="litert") as classifier:
        return classifier.answer(Seen(scores, {}, None, judgement))


@pytest.mark.parametrize(
    ("likely", "verdict", "names"),
    [
        ((0,), "sure", ["a"]),
        ((0, 1), "ambiguous", ["a", "b"]),
        ((), "ambiguous", []),  # fewer right answers are asked for than it can give
    ],
)
def test_the_verdict_follows_from_the_set(
    likely: tuple[int, ...], verdict: str, names: list[str]
) -> None:
    result = answered(likely)
    assert result.verdict is Verdict(verdict)
    assert list(result.label_set) == names
    assert result.broader is not None


def masked(*allowed: int, count: int = 6) -> NDArray[np.bool_]:
    return np.isin(np.arange(count), allowed)


def test_a_filter_asks_as_if_the_truth_were_among_what_may_be_answered() -> None:
    judge = made(TREE).at(TREE, 0.9, 0.95)
    scores = np.array([0.4, 0.3, 0.1, 0.1, 0.06, 0.04], np.float32)
    mask = masked(0, 1)
    shown, some = judge.judge(scores, None, mask)
    assert (shown == judge.judge(scores, None)[0]).all()  # no score changes
    apart = np.where(mask, shown / shown[mask].sum(), 0).astype(np.float32)
    size = sets.size(-np.sort(-apart), judge.set_limit)
    assert some.likely == (0, 1)[:size]
    assert judge.judge(scores, None, masked(*range(6)))[1] == judge.judge(scores, None)[1]


def test_where_what_may_be_answered_is_too_unlikely_it_is_unknown() -> None:
    judge = made(TREE).at(TREE, 0.9, 0.95)
    scores = np.array([0.97, 0.01, 0.005, 0.005, 0.005, 0.005], np.float32)
    assert judge.judge(scores, None)[1].likely == (0,)
    found = judge.judge(scores, None, masked(3, 4))[1]
    assert (found.likely, found.known, found.broader) == ((), False, None)


def test_no_class_that_may_not_be_answered_is_ever_in_the_set() -> None:
    trust = made(TREE, 30)  # at 99 % so few pictures promise nothing: every class is in
    found = trust.at(TREE, 0.99, 0.95).judge(np.full(6, 1 / 6, np.float32), None, masked(2, 4))[1]
    assert found.likely == (2, 4)


def test_what_is_not_known_is_unknown_however_small_its_set() -> None:
    result = answered((0,), known=False)
    assert (result.verdict, result.label_set) == (Verdict.UNKNOWN, ("a",))


def test_raw_changes_the_scores_that_are_shown_and_nothing_else(tmp_path: Any) -> None:
    bundle = small("fully connected")
    record = made(Labels(("a", "b")), 100).to_json() | {"temperature": 3.0}
    bundle = bundle.with_facts({RECORD: record})
    rng = np.random.default_rng(21)
    pictures = [np.full((8, 8, 3), rng.integers(0, 256, 3), np.uint8) for _ in range(20)]
    shown, raw, plain = (
        Classifier(each, runtime="litert", raw=is_raw)
        for each, is_raw in ((bundle, False), (bundle, True), (small("fully connected"), False))
    )
    with shown, raw, plain:
        for picture in pictures:
            one, other, own = (each.classify(picture) for each in (shown, raw, plain))
            assert (one.verdict, one.label_set) == (other.verdict, other.label_set)
            assert other.predictions == own.predictions
            assert own.label_set is None
            best, best_raw = one.predictions[0], other.predictions[0]
            assert best.label == best_raw.label
            assert best.score < best_raw.score or best_raw.score == pytest.approx(0.5, abs=1e-3)
            logit = math.log(best_raw.score / (1 - best_raw.score)) / 3
            assert best.score == pytest.approx(1 / (1 + math.exp(-logit)), abs=1e-5)


def test_embeddings_are_there_for_the_rule_that_needs_them(tmp_path: Any) -> None:
    bundle = small("fully connected")
    from whatsit.graph import find_head

    tensor = find_head(bundle).embedding
    trust = dataclasses.replace(
        made(Labels(("a", "b")), 100),
        known=Known(
            "prototypes",
            np.linspace(0.9, 1.0, 99),
            Prototypes(np.array([[127, 0, 0], [0, 127, 0]], np.int8), tensor),
        ),
    )
    with Classifier(bundle.with_facts({RECORD: trust.to_json()}), runtime="litert") as classifier:
        red = classifier.classify(np.full((8, 8, 3), (255, 0, 0), np.uint8))
        blue = classifier.classify(np.full((8, 8, 3), (0, 0, 255), np.uint8))
    assert red.verdict is not Verdict.UNKNOWN
    assert blue.verdict is Verdict.UNKNOWN
    assert red.embedding is None  # nobody asked for it


@pytest.mark.parametrize("tensor", [0, 1, 99_999])
def test_a_record_with_an_embedding_that_is_none(tensor: int) -> None:
    trust = dataclasses.replace(
        made(Labels(("a", "b")), 100),
        known=Known("prototypes", np.array([0.5]), Prototypes(np.ones((2, 3), np.int8), tensor)),
    )
    bundle = small("fully connected").with_facts({RECORD: trust.to_json()})
    with pytest.raises(ModelDamaged), Classifier(bundle, runtime="litert") as classifier:
        classifier.classify(np.zeros((8, 8, 3), np.uint8))


# ── the trial ────────────────────────────────────────────────────────────────────────────────


def test_a_trial_holds_what_it_promises() -> None:
    answers = drawn(np.random.default_rng(22), 1000, 6, sharpness=2.0)
    trial = tried(answers, TREE, tensor=None)
    assert (trial.pictures, trial.splits) == (1000, 10)
    assert trial.after.error < trial.before.error / 2
    assert trial.chance / 2 < trial.after.error < 2 * trial.chance
    for level in trial.levels:
        assert len(level.held) == len(level.right) == 10
        assert {rate.total for rate in level.held} == {500}
        held = sum(rate.hits for rate in level.held) / 5000
        assert held == pytest.approx(level.coverage, abs=0.03)
        low, high = binomial_interval(500, level.coverage)
        assert level.within == sum(low <= rate.hits <= high for rate in level.held)
        assert sum(rate.hits for rate in level.right) / 5000 > level.coverage - 0.03
        assert level.sure.total == round(level.single * 5000)
        assert level.sure.hits <= sum(rate.hits for rate in level.held)
        assert 0 <= level.depth <= level.full_depth <= 3
    sizes = [level.size for level in trial.levels]
    assert sizes == sorted(sizes)
    assert trial.accepted.value == pytest.approx(0.95, abs=0.03)
    assert json.loads(json.dumps(trial.to_json()))["levels"][1]["coverage"] == 0.9


def test_a_trial_is_the_same_for_the_same_seed() -> None:
    answers = drawn(np.random.default_rng(23), 100, 3)
    first, again, other = (tried(answers, NO_TREE, tensor=None, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert first.levels[0].right is None
    assert tried(answers.only(np.arange(LEAST)), NO_TREE, tensor=None).pictures == 20
