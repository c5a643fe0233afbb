"""`choose`: what is measured, what is left out and why. The latencies are made up, once real."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import make_models
import pytest
from conftest import Run

from whatsit import DatasetError, ModelError, UsageError, benchmark, zoo
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


def row(choice: Choice, name: str) -> Any:
    return next(c for c in choice.candidates if c.name == name)


def test_really_measured(golden: Path) -> None:
    choice = choose(["efficientnet-lite0-int8", "mobilenet-v2-int8"], dataset=golden)
    assert row(choice, "efficientnet-lite0-int8").top1.hits == 6
    assert row(choice, "efficientnet-lite0-int8").top1_source == (
        "measured here on 6 pictures of golden"
    )
    assert all(0.1 < c.latency.median < 5000 for c in choice.candidates)
    assert choice.recommended in ("efficientnet-lite0-int8", "mobilenet-v2-int8")
    assert row(choice, choice.recommended).on_front
    assert choice.pictures == 6
    assert str(choice.machine["cpu"]) in choice.timing


@pytest.mark.usefixtures("made_up_times")
def test_without_data_the_bundles_accuracy_counts() -> None:
    choice = choose()
    assert {c.name for c in choice.candidates} == set(zoo.catalogue())
    recorded = zoo.catalogue()["mobilenet-v2-int8"].accuracy[0]
    rate = row(choice, "mobilenet-v2-int8").top1
    assert 100 * rate.value == pytest.approx(recorded["top1"], abs=0.01)
    assert rate.total == recorded["pictures"]
    assert row(choice, "mobilenet-v2-int8").top1_source.startswith("as recorded in the bundles")
    assert choice.dataset is None


@pytest.mark.usefixtures("made_up_times")
def test_the_evaluations_are_kept_for_the_report(golden: Path) -> None:
    choice = choose(["efficientnet-lite0-int8"], dataset=golden)
    evaluation = row(choice, "efficientnet-lite0-int8").evaluation
    assert evaluation.dataset == "golden"
    assert len(evaluation.answers) == 6


@pytest.mark.usefixtures("made_up_times")
def test_a_model_of_other_classes_is_left_out_and_named(golden: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.tflite"
    write_tiny(other)
    choice = choose(["mobilenet-v2-int8", str(other)], dataset=golden)
    assert [c.name for c in choice.candidates] == ["mobilenet-v2-int8"]
    assert choice.warnings[0].startswith(f"{other} is left out: ")


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
    assert row(choice, str(other)).top1 is None
    assert choice.recommended == zoo.DEFAULT


@pytest.mark.usefixtures("made_up_times")
def test_a_model_that_fails_is_named(tmp_path: Path) -> None:
    failing = tmp_path / "failing.tflite"
    write_tiny(failing)
    choice = choose([zoo.DEFAULT, str(failing)])
    assert choice.warnings == (f"{failing} is left out: it fails",)
    with pytest.raises(ModelError, match="it fails"):
        choose([str(failing)])


@pytest.mark.usefixtures("made_up_times")
def test_a_damaged_picture_is_said_and_not_fatal(golden: Path) -> None:
    (golden / "cat.png").write_bytes(b"no picture")
    choice = choose(["mobilenet-v2-int8"], dataset=golden)
    assert choice.pictures == 5
    assert choice.warnings == (
        "1 pictures of golden could not be read: `whatsit evaluate` lists them",
    )


def test_a_named_model_that_is_not_there_is_an_error(tmp_path: Path) -> None:
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
    assert max(map(len, lines)) <= 80
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
