"""`choose`: what is measured, what is left out and why. The latencies are made up, once real."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import make_models
import pytest
from conftest import Run

from whatsit import (
    Bundle,
    Classifier,
    DatasetError,
    ModelDamaged,
    ModelError,
    UsageError,
    benchmark,
    zoo,
)
from whatsit.benchmark import Benchmark, Failed, Measurement, Setting
from whatsit.choose import Choice, Limits, choose
from whatsit.classifier import open_bundle
from whatsit.measures import Spread

MS = {"efficientnet-lite0-int8": 4.0, "efficientnet-lite2-int8": 7.0, "mobilenet-v2-int8": 3.0}


@pytest.fixture
def made_up_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of the one part that takes seconds and gives other numbers every time."""

    def latencies(models: Iterable[str], **_: Any) -> Benchmark:
        rows, failures = [], []
        for name in models:
            setting = Setting(name, "litert", 2)
            if "failing" in name:
                error = {"code": "model-damaged", "message": "it fails", "hint": ""}
                failures.append(Failed(setting, error))
                continue
            ms = MS.get(name, 5.0)
            spread = Spread(ms, ms * 0.9, ms * 1.1, ms * 1.2, 100)
            size = len(open_bundle(name).data)
            rows.append(
                Measurement(
                    setting, "", size, 1.0, 1.0, {"total": spread}, 0.0, 1, None, "golden", 0.0
                )
            )
        return Benchmark(
            {"cpu": "a CPU"}, "", "made-up pictures", tuple(rows), (), (), tuple(failures)
        )

    monkeypatch.setattr(benchmark, "latencies", latencies)


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    """The golden pictures as a data set, labelled by what the default model says of them."""
    folder = tmp_path / "golden"
    shutil.copytree(zoo.GOLDEN, folder, ignore=shutil.ignore_patterns("*.json"))
    answers = json.loads((zoo.GOLDEN / "expected.json").read_text("utf-8"))[zoo.DEFAULT]
    lines = ["file,class_index", *(f"{name},{best[0][0]}" for name, best in answers.items())]
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def write_tiny(path: Path) -> None:
    path.write_bytes(make_models.bundle(make_models.pixels(), 16 * 16 * 3))


def row_of(choice: Choice, name: str) -> Any:
    return next(c for c in choice.candidates if c.name == name)


def test_really_measured(golden: Path) -> None:
    choice = choose(["efficientnet-lite0-int8", "mobilenet-v2-int8"], dataset=golden)
    assert row_of(choice, "efficientnet-lite0-int8").top1.hits == 6
    assert row_of(choice, "efficientnet-lite0-int8").top1_source == (
        "measured here on 6 pictures of golden"
    )
    assert all(0.1 < c.latency.median < 5000 for c in choice.candidates)
    assert choice.recommended in ("efficientnet-lite0-int8", "mobilenet-v2-int8")
    assert row_of(choice, choice.recommended).on_front
    assert choice.pictures == 6
    assert str(choice.machine["cpu"]) in choice.timing


@pytest.mark.usefixtures("made_up_times")
def test_without_data_the_bundles_accuracy_counts() -> None:
    choice = choose()
    assert {c.name for c in choice.candidates} == set(zoo.catalogue())
    recorded = zoo.catalogue()["mobilenet-v2-int8"].accuracy[0]
    rate = row_of(choice, "mobilenet-v2-int8").top1
    assert 100 * rate.value == pytest.approx(recorded["top1"], abs=0.01)
    assert rate.total == recorded["pictures"]
    assert row_of(choice, "mobilenet-v2-int8").top1_source.startswith("as recorded in the bundles")
    assert choice.dataset is None


@pytest.mark.usefixtures("made_up_times")
def test_the_evaluations_are_kept_for_the_report(golden: Path) -> None:
    choice = choose(["efficientnet-lite0-int8"], dataset=golden)
    evaluation = row_of(choice, "efficientnet-lite0-int8").evaluation
    assert evaluation.dataset == "golden"
    assert len(evaluation.answers) == 6


@pytest.mark.usefixtures("made_up_times")
def test_a_model_of_other_classes_is_left_out_and_named(golden: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.tflite"
    write_tiny(other)
    choice = choose(["mobilenet-v2-int8", str(other)], dataset=golden)
    assert [c.name for c in choice.candidates] == ["mobilenet-v2-int8"]
    assert [missing.name for missing in choice.left_out] == [str(other)]
    assert choice.left_out[0].error.code == "dataset-unusable"


@pytest.mark.usefixtures("made_up_times")
def test_data_that_no_model_knows_is_an_error(golden: Path, tmp_path: Path) -> None:
    for name in ("apples", "pears"):
        (tmp_path / "fruit" / f"{name} of mine").mkdir(parents=True)
        shutil.copy(golden / "cat.png", tmp_path / "fruit" / f"{name} of mine" / "1.png")
    with pytest.raises(DatasetError):
        choose(["mobilenet-v2-int8"], dataset=tmp_path / "fruit")


@pytest.mark.usefixtures("made_up_times")
def test_a_model_without_a_record_is_of_unknown_accuracy(tmp_path: Path) -> None:
    other = tmp_path / "other.tflite"
    write_tiny(other)
    choice = choose([zoo.DEFAULT, str(other)])
    assert row_of(choice, str(other)).top1 is None
    assert choice.recommended == zoo.DEFAULT


@pytest.mark.usefixtures("made_up_times")
def test_a_model_that_fails_is_named(tmp_path: Path) -> None:
    failing = tmp_path / "failing.tflite"
    write_tiny(failing)
    choice = choose([zoo.DEFAULT, str(failing)])
    (missing,) = choice.left_out
    assert (missing.name, missing.error.message) == (str(failing), "it fails")
    with pytest.raises(ModelError, match="it fails"):
        choose([str(failing)])


@pytest.mark.usefixtures("made_up_times")
def test_a_damaged_picture_is_said_and_not_fatal(golden: Path) -> None:
    (golden / "cat.png").write_bytes(b"no picture")
    choice = choose(["mobilenet-v2-int8"], dataset=golden)
    assert choice.pictures == 5
    assert choice.warnings == ("1 picture could not be read: `whatsit evaluate` says why",)


@pytest.mark.usefixtures("made_up_times")
@pytest.mark.parametrize(
    "row",
    [
        "no object",
        {"data_set": "imagenet-val-sample", "top1": 90},
        {"data_set": "imagenet-val-sample", "pictures": "many", "top1": 90},
        {"data_set": "imagenet-val-sample", "pictures": 0, "top1": 90},
        {"data_set": "imagenet-val-sample", "pictures": 650, "top1": 500},
        {"data_set": "imagenet-val-sample", "pictures": 650, "top1": "best"},
        {"data_set": ["no", "name"], "pictures": 650, "top1": 90},
        {"data_set": "another one", "pictures": 650, "top1": 90},
    ],
)
def test_what_a_file_says_of_its_accuracy_is_not_believed_blindly(tmp_path: Path, row: Any) -> None:
    boasting = tmp_path / "boasting.tflite"
    labels = [f"c{i}" for i in range(768)]
    Bundle.create(
        make_models.pixels(),
        name="boasting",
        labels=labels,
        preprocess="stretch",
        mean=0,
        std=1,
        facts={"accuracy": [row]},
    ).write(boasting)
    choice = choose([zoo.DEFAULT, str(boasting)])
    assert row_of(choice, str(boasting)).top1 is None
    assert choice.recommended == zoo.DEFAULT


@pytest.mark.usefixtures("made_up_times")
def test_one_model_that_fails_does_not_cost_the_others(
    golden: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusing(Classifier):
        def __init__(self, bundle: Bundle, **options: Any) -> None:
            if bundle.name == "efficientnet-lite2-int8":
                raise ModelDamaged("this engine cannot run it")
            super().__init__(bundle, **options)

    monkeypatch.setattr(sys.modules["whatsit.choose"], "Classifier", Refusing)
    choice = choose(dataset=golden)
    (missing,) = choice.left_out
    assert (missing.name, missing.error.message) == (
        "efficientnet-lite2-int8",
        "this engine cannot run it",
    )
    assert len(choice.candidates) == len(zoo.catalogue()) - 1
    with pytest.raises(ModelDamaged):
        choose(["efficientnet-lite2-int8"], dataset=golden)


def test_a_limit_without_data_is_refused(whatsit: Callable[..., Run]) -> None:
    run = whatsit("choose", "--limit", "5")
    assert run.status == 2
    assert "a limit of 5 pictures" in run.err


@pytest.mark.usefixtures("made_up_times")
def test_the_report_is_there_even_if_nobody_reads_the_rest(
    whatsit: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")

    def gone(choice: Choice) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("whatsit.cli.choose._print", gone)
    monkeypatch.setattr("whatsit.cli._stop_quietly", lambda: None)
    assert whatsit("choose", zoo.DEFAULT, "--report", tmp_path / "r.html").status == 0
    assert "efficientnet-lite0-int8" in (tmp_path / "r.html").read_text(encoding="utf-8")


@pytest.mark.usefixtures("made_up_times")
def test_a_named_model_that_is_damaged_is_an_error_among_results(
    whatsit: Callable[..., Run], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"no model")
    run = whatsit("choose", zoo.DEFAULT, broken)
    assert run.status == 1
    assert run.err.startswith(f"error     {broken}: ")
    assert "Take efficientnet-lite0-int8." in run.out
    value = json.loads(whatsit("choose", zoo.DEFAULT, broken, "--json").out)
    assert value["left_out"][0]["error"]["code"] == "model-damaged"


def test_where_no_model_is_left_its_error_is_raised(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model file"):
        choose([str(tmp_path / "none.tflite")])
    with pytest.raises(UsageError, match="no model to choose from"):
        choose([])


@pytest.mark.usefixtures("made_up_times")
def test_limits_are_those_of_choice() -> None:
    assert choose(limits=Limits(max_latency_ms=3.5)).recommended == "mobilenet-v2-int8"


@pytest.mark.usefixtures("made_up_times")
def test_the_command_prints_the_front_and_the_reasons(whatsit: Callable[..., Run]) -> None:
    run = whatsit("choose", "--max-latency", "6.5ms", "--max-size", "6MB", "--min-top1", "75")
    assert (run.status, run.err) == (0, "")
    lines = run.out.splitlines()
    assert max(map(len, lines[:7])) <= 80
    assert any(line.startswith("→  efficientnet-lite0-int8") for line in lines)
    assert any(line.startswith("×  efficientnet-lite2-int8") for line in lines)
    assert any(line.startswith("•  mobilenet-v2-int8") for line in lines)
    assert "Take efficientnet-lite0-int8." in lines


@pytest.mark.usefixtures("made_up_times")
def test_where_nothing_fits_the_status_is_1(whatsit: Callable[..., Run]) -> None:
    run = whatsit("choose", "--max-size", "1 MB", zoo.DEFAULT)
    assert run.status == 1
    assert "- no model keeps the limits" in run.out
    assert "- --max-size 5.4MB would let in efficientnet-lite0-int8" in run.out


@pytest.mark.usefixtures("made_up_times")
def test_json_is_one_object(whatsit: Callable[..., Run]) -> None:
    run = whatsit("choose", "--json", "--max-latency", "0.005s")
    value = json.loads(run.out)
    assert value["recommended"] == "efficientnet-lite0-int8"
    assert value["limits"]["max_latency_ms"] == 5


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--max-latency", "33MB", "a time such as 33ms"),
        ("--max-latency", "0ms", "a time such as 33ms"),
        ("--max-latency", "fast", "a time such as 33ms"),
        ("--max-latency", "1.2.3ms", "a time such as 33ms"),
        ("--max-size", "5", "a size such as 5MB"),
        ("--max-size", "-5MB", "a size such as 5MB"),
        ("--max-size", "5ms", "a size such as 5MB"),
        ("--min-top1", "good", "a percentage such as 70"),
        ("--min-top1", "0.7", "a percentage above 1, up to 100"),
        ("--min-top1", "170", "a percentage above 1, up to 100"),
    ],
)
def test_limits_that_cannot_be_read_are_refused(
    whatsit: Callable[..., Run], option: str, value: str, expected: str
) -> None:
    run = whatsit("choose", option, value)
    assert run.status == 2
    assert f"error     {option} {value!r}\nexpected  {expected}\n" in run.err
    assert run.out == ""


def test_a_share_for_a_percentage_gets_a_hint(whatsit: Callable[..., Run]) -> None:
    assert "hint      70 for 70 %\n" in whatsit("choose", "--min-top1", "0.7").err


def test_a_data_set_that_is_not_there(whatsit: Callable[..., Run], tmp_path: Path) -> None:
    run = whatsit("choose", "--data", tmp_path / "none")
    assert run.status == 1
    assert str(tmp_path / "none") in run.err
