"""The page of a training: its numbers, what there is little of, and foreign text."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from make_evaluations import answer, evaluation
from make_reports import (
    Page,
    some_addition,
    some_curve,
    some_evaluation,
    some_finetuning,
    some_history,
    some_training,
)
from test_report import HOSTILE

from whatsit import report
from whatsit.report import learning, pictures, text
from whatsit.train import LeftOut


def shown(training: Any) -> Page:
    return Page(report.training_page(training))


def words(page: Page) -> str:
    return " ".join(page.text.replace("\xa0", " ").split())


def test_it_carries_its_numbers() -> None:
    e = some_evaluation(60)
    training = some_training(e, curve=some_curve())
    made = shown(training)
    said = words(made)
    assert training.accuracy is not None
    hits, total = training.accuracy.hits, training.accuracy.total
    assert f"Right on {hits} of {total} pictures (animals/val)." in said
    low, high = (f"{100 * bound:.1f}" for bound in training.accuracy.interval)
    assert f"{low} to {high} %, {hits} of {total}" in said
    assert "195 pictures" in said
    assert "in 5.75 s, measuring included" in said
    assert "a note on animals" in said
    rows = made.table("Class", "Taught with")
    assert {row[0]: int(row[1]) for row in rows} == training.pictures
    by_name = {score.name: score for score in e.per_class()}
    assert all(int(row[3]) == by_name[row[0]].correct for row in rows)
    assert [row[0] for row in made.table("Stage")] == ["decode", "preprocess", "inference", "total"]
    assert training.bundle.sha256 in said
    assert "strength0.05" in said.replace(" ", "")
    assert "seed7" in said.replace(" ", "")
    assert "d" * 64 in said


def test_the_learning_curve() -> None:
    made = shown(some_training(some_evaluation(), curve=some_curve()))
    rows = made.table("Learned from")
    assert [[cell.replace("\xa0", " ") for cell in row] for row in rows] == [
        ["25", "65.0 %", "4", "60.0 % to 70.0 %"],
        ["50", "75.0 %", "4", "74.0 % to 76.0 %"],
        ["100", "81.0 %", "3", "80.0 % to 82.0 %"],
        ["200", "84.0 %", "1", "–"],
        ["400", "86.2 %", "expected", "84.5 % to 88.5 %"],
    ]
    said = words(made)
    assert "Twice the pictures (400) would give about 86.2 % (between 84.5 and 88.5)" in said
    assert "Collect more pictures: the learning curve still rises." in said
    (label,) = {svg["aria-label"] for svg in made.all("svg") if "by pictures" in svg["aria-label"]}
    assert "Expected of 400" in label


def test_a_curve_that_tells_nothing_promises_nothing() -> None:
    made = shown(some_training(some_evaluation(), curve=some_curve(sure=False)))
    assert "With twice the pictures" not in made.text
    assert len(made.table("Learned from")) == 4
    assert "120 pictures to judge by cannot tell" in words(made)
    assert "Collect more" not in made.text
    crossed = shown(some_training(curve=some_curve(crossed=True)))
    assert "by cross-validation on 120 pictures" in words(crossed)
    none = shown(some_training(curve=replace(some_curve(), points=(), twice=None)))
    assert "Too few pictures of a class" in words(none)
    assert none.all("svg") == []


@pytest.mark.parametrize(
    ("interval", "advice"),
    [((0.845, 0.885), "still rises."), ((0.83, 0.89), "still seems to rise, which is not sure.")],
)
def test_advice_is_as_sure_as_the_curve(interval: tuple[float, float], advice: str) -> None:
    curve = some_curve()
    assert curve.twice is not None
    curve = replace(curve, twice=replace(curve.twice, interval=interval))
    assert f"the learning curve {advice}" in words(shown(some_training(curve=curve)))
    flat = replace(curve, twice=replace(curve.twice, accuracy=0.841))
    assert "would hardly help" in words(shown(some_training(curve=flat)))


def test_every_flip_is_there_and_pictures_stay_few() -> None:
    e = some_evaluation(600)
    made = shown(some_training(e, flips=30))
    assert "30 answers of 600 differ" in words(made)
    assert words(made).count("float: ant stored: bee") == 15
    assert len(made.table("Picture", "True class")) == 15
    assert len(made.all("img")) <= pictures.MOST
    many = shown(some_training(e, flips=500))
    assert len(many.table("Picture", "True class")) == 185
    assert "300 more are not on this page" in words(many)
    one = shown(some_training(e, flips=1))
    assert "1 answer of 600 differs." in words(one)
    none = shown(some_training(e, flips=0))
    assert "Every answer is the same." in words(none)


def test_what_was_left_out_without_where_it_lay() -> None:
    made = shown(some_training(some_evaluation()))
    assert made.table("File", "Why") == [
        ["ant/bad.jpg", "'ant/bad.jpg' is none"],
        ["bee/copy.jpg", "it looks like another"],
    ]
    assert "/pictures" not in made.html
    alone = replace(some_training(), left_out=(LeftOut("/secret/place/ant/x.jpg", "broken"),))
    assert shown(alone).table("File", "Why") == [["ant/x.jpg", "broken"]]
    e = replace(evaluation([answer("cat/a.png", 0, 1)]), root="/held/val")
    copied = LeftOut("/secret/a/b.jpg", "it looks like '/held/val/cat/a.png'")
    html = report.training_page(replace(some_training(e), left_out=(copied,)))
    assert "it looks like &#39;cat/a.png&#39;" in html
    assert "/held" not in html
    told = replace(some_training(), notes=("unpacked into '/home/me/.cache/whatsit/set'",))
    assert "unpacked into 'set'" in words(shown(told))
    many = replace(alone, left_out=alone.left_out * 500)
    assert "500 pictures, of which 200 are listed" in words(shown(many))


def test_a_finetuning_shows_its_epochs() -> None:
    made = shown(some_finetuning())
    rows = made.table("Epoch")
    assert len(rows) == 12
    assert rows[1] == ["2", "1.00", "0.55", "90.0 %"]
    assert "finetune: all layers" in words(made)
    assert "--method finetune" not in made.text
    assert "history" not in words(made).lower()
    stopped = shown(replace(some_finetuning(), finished=False))
    assert "interrupted: this is the best model so far" in words(stopped)


@pytest.mark.parametrize(
    "history",
    [
        [],
        [{}],
        [{"epoch": 1, "loss": float("nan")}],
        [{"epoch": 1, "loss": 0.5}],
        [{"validation_accuracy": 1.0}, {"validation_accuracy": None}],
        some_history(1),
        some_history(400),
    ],
)
def test_histories_of_all_lengths(history: list[dict[str, Any]]) -> None:
    recipe = {"method": "finetune", "history": history}
    made = shown(replace(some_finetuning(), recipe=recipe))
    assert made.wrong == []
    drawn = any("The training" in (svg["aria-label"] or "") for svg in made.all("svg"))
    assert drawn == bool(learning.history_plot(history))


def test_an_addition_claims_no_accuracy() -> None:
    made = shown(some_addition())
    said = words(made)
    assert "Not measured (an estimate)." in said
    assert "Estimate of Top-1" in said
    assert "90.0 %" in said
    assert "it may flatter" in said
    assert "Measure it: --validation" in said
    assert "Right on" not in said
    assert made.table("Class", "Taught with")[0] == ["ant", "30"]


def test_few_pictures_have_an_accuracy_but_no_mistakes() -> None:
    said = words(shown(some_training()))
    assert "Right on 25 of 30 pictures" in said
    assert "Surest mistakes" not in said
    assert "The machine" not in said


def test_classes_are_called_weak_only_if_chance_does_not_explain_it() -> None:
    right = [answer(f"{i}", i % 2, i % 2) for i in range(100)]
    weak = [answer(f"c{i}", 2, 0) for i in range(20)]
    assert "Begin with the weakest: cat." in words(shown(some_training(evaluation(right + weak))))
    some = [answer(f"{i}", i % 2, (i + (i % 10 < 2)) % 2) for i in range(100)]
    luck = [answer("c", 2, 0), answer("d", 2, 2)]
    assert "weakest:" not in words(shown(some_training(evaluation(some + luck))))


def test_a_thousand_classes() -> None:
    names = [f"class {i}" for i in range(1500)]
    many = replace(some_training(), pictures=dict.fromkeys(names, 3))
    html = report.training_page(many)
    assert len(Page(html).table("Class", "Taught with")) == 1000
    assert "1,500 classes, of which 1,000 are listed" in words(Page(html))
    assert len(html) < 500_000


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.6, "0.60 s"), (83.4, "83.4 s"), (1500, "25 min"), (9000, "2.5 h")],
)
def test_times_are_in_units_of_people(seconds: float, said: str) -> None:
    made = shown(replace(some_training(), seconds={"train": seconds}))
    assert f"in {said}, measuring included" in words(made)


@pytest.mark.parametrize("foreign", HOSTILE)
def test_foreign_text_does_no_harm(foreign: str) -> None:
    e = evaluation(
        [answer(f"/set/{foreign}/{i}", i % 2, 1, classes=2) for i in range(40)],
        names=(foreign, "other"),
        model=foreign,
    )
    for training in (
        some_training(e, name=foreign, curve=some_curve()),
        replace(some_finetuning(e, name=foreign), recipe={foreign: foreign, "a": {foreign: 1}}),
        replace(some_addition(), accuracy_on=foreign, pictures={foreign: 1}),
    ):
        html = report.training_page(training)
        html.encode()
        made = Page(html)
        assert made.wrong == []
        assert not {"script", "x"} & {tag for tag, _ in made.tags}
        assert not any(name.startswith("on") for _, a in made.tags for name in a)
        assert "49" not in html[html.index("</style>") : html.index("</title>")]
        assert not any(c in html for c in "\u202e\u2066\x00\x1b")


def test_numbers_that_are_none() -> None:
    assert (text.number(None), text.number(0.5)) == ("–", "0.50")
