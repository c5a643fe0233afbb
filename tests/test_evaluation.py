"""The numbers of an evaluation, against other programs and by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from make_evaluations import answer, evaluation

from whatsit import DatasetError, Evaluation, Labels, UsageError
from whatsit.calibration import Calibration
from whatsit.evaluation import Answer, Failure

ANT, BEE, CAT = 0, 1, 2


def by_hand() -> Evaluation:
    """Ten pictures: four ants, four bees, two cats, nobody ever answers cat."""
    rows = [(ANT, ANT)] * 3 + [(ANT, BEE)] + [(BEE, BEE)] * 2 + [(BEE, ANT)] * 2 + [(CAT, BEE)] * 2
    return evaluation(
        [
            answer(f"{number}.png", truth, best, 0.5 + number / 100, ms=1 + number)
            for number, (truth, best) in enumerate(rows)
        ],
        failures=[Failure("bad.png", {"code": "c", "message": "m", "hint": ""})],
    )


def test_top_k_by_hand() -> None:
    made = by_hand()
    assert (made.top(1).hits, made.top(1).total) == (5, 10)
    assert made.top(2).hits == 8  # all ants and bees; both cats are third
    assert made.top(3).hits == made.top(5).hits == 10


def test_top_k_beyond_what_was_kept() -> None:
    names = [f"c{i}" for i in range(100)]
    kept = [Answer("a", 0, tuple((i, 0.1) for i in range(5)), {})]
    assert evaluation(kept, names=names).top(5).hits == 1
    for k in (0, 6, 100):
        with pytest.raises(UsageError, match=f"Top-{k} where 5 were kept"):
            evaluation(kept, names=names).top(k)


def test_the_interval_is_wilsons_of_statsmodels() -> None:
    from statsmodels.stats.proportion import proportion_confint

    rate = by_hand().top(1)
    assert rate.interval == pytest.approx(proportion_confint(5, 10, method="wilson"), abs=1e-12)


def test_precision_and_recall_by_hand() -> None:
    ant, bee, cat = by_hand().per_class()
    assert (ant.name, ant.pictures, ant.correct, ant.answered) == ("ant", 4, 3, 5)
    assert (bee.pictures, bee.correct, bee.answered) == (4, 2, 5)
    assert (cat.pictures, cat.correct, cat.answered) == (2, 0, 0)
    assert (ant.precision.value, ant.recall.value) == (3 / 5, 3 / 4)
    assert (bee.precision.value, bee.recall.value) == (2 / 5, 2 / 4)
    assert cat.recall.interval[0] == 0


def test_precision_and_recall_against_numpy() -> None:
    chance = np.random.default_rng(1)
    truth, best = chance.integers(0, 7, 500), chance.integers(0, 8, 500)
    pairs = zip(truth, best, strict=True)
    rows = [answer(str(i), t, b, classes=8) for i, (t, b) in enumerate(pairs)]
    matrix = np.zeros((8, 8), int)
    np.add.at(matrix, (truth, best), 1)
    scores = evaluation(rows, names=[f"c{i}" for i in range(8)]).per_class()
    assert [s.index for s in scores] == list(range(8))
    assert [s.correct for s in scores] == list(np.diag(matrix))
    assert [s.pictures for s in scores] == list(matrix.sum(axis=1))
    assert [s.answered for s in scores] == list(matrix.sum(axis=0))


def test_confusions_most_frequent_first() -> None:
    pairs = by_hand().confusions()
    assert [(p.truth, p.answer, p.count) for p in pairs] == [
        (BEE, ANT, 2),
        (CAT, BEE, 2),
        (ANT, BEE, 1),
    ]
    assert pairs[0].paths == ("6.png", "7.png")


def test_the_surest_mistake_comes_first() -> None:
    assert [a.path for a in by_hand().mistakes()] == ["9.png", "8.png", "7.png", "6.png", "3.png"]


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_calibration_against_three_lines_of_numpy(bins: int) -> None:
    chance = np.random.default_rng(2)
    scores = chance.random(2000)
    right = chance.random(2000) < scores**2
    ece = 0.0
    for low in np.arange(bins) / bins:
        inside = (scores > low) & (scores <= low + 1 / bins)
        ece += abs(right[inside].sum() - scores[inside].sum()) / 2000
    found = Calibration.of(list(scores), list(right), bins=bins)
    assert found.error == pytest.approx(ece, abs=1e-12)
    assert (found.confidence, found.accuracy.value) == pytest.approx((scores.mean(), right.mean()))
    assert sum(row.count for row in found.bins) == 2000
    assert [row.low for row in found.bins] == pytest.approx(np.arange(bins) / bins)


def test_calibration_at_the_edges() -> None:
    found = Calibration.of([0.0, 1.0, 1.0], [False, True, False])
    assert [row.count for row in found.bins] == [1, *[0] * 13, 2]
    assert found.error == pytest.approx(2 / 3 * 0.5)
    assert Calibration.of([], []).error == 0


def test_speed_by_stage_and_in_total() -> None:
    speed = by_hand().speed()
    assert list(speed) == ["decode", "preprocess", "inference", "total"]
    assert speed["decode"].median == 5.5
    assert (speed["total"].median, speed["total"].count) == (22.0, 10)
    assert by_hand().pictures_per_s == 5.5  # 11 in two seconds: the bad one took its time too
    assert evaluation([], wall_s=None).pictures_per_s is None


def test_nothing_answered() -> None:
    made = evaluation([])
    assert made.top(1).interval == (0.0, 1.0)
    assert (made.per_class(), made.confusions(), made.mistakes(), made.speed()) == ([], [], [], {})
    assert made.to_json()["accuracy"]["top5"]["total"] == 0


def test_json_has_all_of_it() -> None:
    made = json.loads(json.dumps(by_hand().to_json()))
    assert (made["model"], made["dataset"], made["pictures"]) == ("made", "set", 10)
    assert made["accuracy"]["top1"]["hits"] == 5
    assert made["classes"][2] == {
        "index": 2,
        "name": "cat",
        "pictures": 2,
        "correct": 0,
        "answered": 0,
        "precision": None,
        "recall": 0.0,
    }
    assert made["confusions"][0] == {"truth": "bee", "answer": "ant", "count": 2}
    assert made["mistakes"][0] == {
        "path": "9.png",
        "truth": "cat",
        "answer": "bee",
        "score": 0.59,
    }
    assert made["failures"] == [
        {"path": "bad.png", "error": {"code": "c", "message": "m", "hint": ""}}
    ]
    assert sum(row["accuracy"]["total"] for row in made["calibration"]["bins"]) == 10
    assert made["speed_ms"]["total"]["count"] == 10


# Saved and read again.


def test_what_is_saved_is_read(tmp_path: Path) -> None:
    made = by_hand()
    made.save(tmp_path / "a.json")
    found = Evaluation.read(tmp_path / "a.json")
    assert found == made
    assert found.to_json() == made.to_json()


def test_names_that_are_no_utf8_survive(tmp_path: Path) -> None:
    made = evaluation([answer("caf\udce9 😀.png", 0, 0)], names=("a", "é", "c"))
    made.save(tmp_path / "a.json")
    assert Evaluation.read(tmp_path / "a.json") == made


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"format": "whatsit-evaluation-0"}',
        b'{"format": "whatsit-evaluation-1"}',
    ],
)
def test_a_file_that_is_no_evaluation(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(DatasetError) as caught:
        Evaluation.read(path)
    assert repr(str(path)) in caught.value.message


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("answers", [["a", 0, [], [1, 1, 1], 9]]),
        ("answers", [["a", 3, [[0, 0.5]], [1, 1, 1], 9]]),
        ("answers", [["a", 0, [[-1, 0.5]], [1, 1, 1], 9]]),
        ("answers", [["a", 0, [[0, 0.5]], [1, 1], 9]]),
        ("answers", [["a", 0, [[0, "x"]], [1, 1, 1], 9]]),
        ("answers", [["a", 0, [[0, math.nan]], [1, 1, 1], 9]]),
        ("answers", [["a", 0, [[0, -7]], [1, 1, 1], 9]]),
        ("answers", [["a", 0, [[0, 1.5]], [1, 1, 1], 9]]),
        ("answers", [["a", 0, [[0, 0.5]], [1, -1, 1], 9]]),
        ("answers", [["a", 0, [[0, 0.5]], [1, math.inf, 1], 9]]),
        ("answers", [["a", 0.5, [[0, 0.5]], [1, 1, 1], 9]]),
        ("answers", [["a", 0, [[0.5, 0.5]], [1, 1, 1], 9]]),
        ("answers", [["a", 0, [[0, 0.5]], [1, 1, 1], "x"]]),
        ("answers", [["a"]]),
        ("answers", 7),
        ("failures", [{"path": "a", "error": {}}]),
        ("failures", [3]),
        ("labels", {}),
        ("machine", 3),
        ("wall_s", "soon"),
        ("ks", None),
    ],
)
def test_a_saved_file_that_was_changed(tmp_path: Path, key: str, value: object) -> None:
    path = tmp_path / "a.json"
    by_hand().save(path)
    changed = json.loads(path.read_text()) | {key: value}
    path.write_text(json.dumps(changed))
    with pytest.raises(DatasetError, match="is no saved evaluation"):
        Evaluation.read(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"kind": "whatsit-benchmark"}, "it is JSON of something else"),
        ([], "it is JSON of something else"),
        ({"format": None}, "its format is None, not 'whatsit-evaluation-2'"),
        ({"answers": [["a"]]}, "its contents are not those of an evaluation"),
        ({"answers": None}, "its contents are not those of an evaluation"),
        ({"model": ...}, "it lacks 'model'"),
    ],
)
def test_what_is_wrong_is_said_in_plain_words(
    tmp_path: Path, content: dict[str, object] | list[object], reason: str
) -> None:
    path = tmp_path / "a.json"
    by_hand().save(path)
    changed = json.loads(path.read_text())
    if isinstance(content, list) or "kind" in content:
        changed = content
    else:
        changed = {key: content.get(key, value) for key, value in changed.items()}
        changed = {key: value for key, value in changed.items() if value is not ...}
    path.write_text(json.dumps(changed))
    with pytest.raises(DatasetError) as caught:
        Evaluation.read(path)
    assert caught.value.message == f"{str(path)!r} is no saved evaluation: {reason}"


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"cannot read the evaluation .*No such file"):
        Evaluation.read(tmp_path / "gone.json")


def test_labels_of_the_model_are_kept(tmp_path: Path) -> None:
    made = evaluation([answer("a", 0, 0)])
    labels = Labels(("ant", "bee", "cat"), ("n00000001", "n00000002", "n00000003"))
    object.__setattr__(made, "labels", labels)
    made.save(tmp_path / "a.json")
    assert Evaluation.read(tmp_path / "a.json").labels == labels
