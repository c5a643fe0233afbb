from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import make_models
import make_patients as ill
import numpy as np
import pytest
from conftest import Run
from make_patients import EIGHT_BITS, MODEL
from PIL import Image

from whatsit import Bundle, zoo

Program = Callable[..., Run]
COFFEE = zoo.GOLDEN / "coffee.png"


@pytest.fixture
def swapped(tmp_path: Path) -> Path:
    """What a program answers that swaps red and blue."""
    path = tmp_path / "result.json"
    answer = ill.scores(EIGHT_BITS, ill.pixels(COFFEE)[..., ::-1])
    path.write_text(json.dumps({"path": "coffee.png", "predictions": ill.top(answer, ill.names())}))
    return path


@pytest.fixture
def patient(tmp_path: Path) -> Path:
    """A float model without NormalizationOptions."""
    path = tmp_path / "ill.tflite"
    path.write_bytes(ill.described(ill.graph(MODEL, entry=False), ill.names()))
    return path


def test_a_model_that_is_well(whatsit: Program) -> None:
    run = whatsit("doctor", EIGHT_BITS)
    assert (run.status, run.err) == (0, "")
    assert run.out == f"{EIGHT_BITS}\n\nNothing wrong was found.\n"


def test_a_cause_on_a_terminal_of_80_columns(whatsit: Program, swapped: Path) -> None:
    run = whatsit("doctor", EIGHT_BITS, COFFEE, "--against", swapped)
    assert run.status == 1
    lines = run.out.splitlines()
    assert max(map(len, lines[1:])) <= 80
    assert "serious  Red and blue are swapped (BGR in place of RGB)  channels-swapped" in lines
    assert any("same first  way of the picture" in line for line in lines)
    assert any("0.000" in line and "red and blue" in line for line in lines)
    assert lines[-1] == (
        "They differ, and this is why: red and blue are swapped (BGR in place of RGB)."
    )
    assert "\x1b" not in run.out


def test_json_is_one_object(whatsit: Program, swapped: Path) -> None:
    run = whatsit("doctor", EIGHT_BITS, COFFEE, "--against", swapped, "--json")
    assert run.status == 1
    value = json.loads(run.out)
    assert [finding["code"] for finding in value["findings"]] == ["channels-swapped"]
    assert value["model"] == EIGHT_BITS
    assert value["trials"][0]["codes"] == []
    assert value["output"] is None


def test_what_whatsit_printed_itself_agrees(whatsit: Program, tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    result.write_text(whatsit("classify", "-m", EIGHT_BITS, "--json", zoo.GOLDEN).out)
    run = whatsit("doctor", EIGHT_BITS, "--against", result)
    assert run.status == 0
    assert run.out.endswith("They agree on 6 pictures.\n")


def test_fix_writes_a_file_that_is_well(whatsit: Program, patient: Path, tmp_path: Path) -> None:
    out = tmp_path / "fixed.tflite"
    run = whatsit("doctor", patient, "--fix", "-o", out)
    assert run.status == 0
    assert "no-normalization" in run.out
    assert "the metadata say mean 127.5 and std 127.5" in " ".join(run.out.split())
    assert Bundle.read(out).input.mean == (127.5,)
    assert whatsit("doctor", out).status == 0


def test_nothing_to_fix_writes_nothing(whatsit: Program, tmp_path: Path) -> None:
    out = tmp_path / "fixed.tflite"
    run = whatsit("doctor", EIGHT_BITS, "--fix", "-o", out)
    assert (run.status, out.exists()) == (0, False)
    assert "no file was written" in run.err


def test_a_name_that_is_missing_is_asked_for(whatsit: Program, tmp_path: Path) -> None:
    model, out = tmp_path / "m.tflite", tmp_path / "fixed.tflite"
    labels = [f"c{index}" for index in range(11)]
    body = make_models.floats(2, 2)
    model.write_bytes(ill.described(body, labels, mean=[0], std=[255], rule="stretch"))
    run = whatsit("doctor", model, "--fix", "-o", out)
    assert (run.status, out.exists()) == (1, False)
    assert "nobody can know which name is missing" in run.out
    assert "--labels FILE" in run.out
    assert "no file was written: see what is serious" in run.err


def test_names_that_were_made_up_are_told(whatsit: Program, tmp_path: Path) -> None:
    model, out = tmp_path / "m.tflite", tmp_path / "fixed.tflite"
    model.write_bytes(make_models.floats(2, 2))
    run = whatsit("doctor", model, "--fix", "-o", out, "--json")
    assert "they are called 'class 0' and so on" in run.err
    assert any("'class 0'" in note for note in json.loads(run.out)["notes"])


def test_a_program_s_fault_is_not_mended_in_a_file_of_uint8(
    whatsit: Program, tmp_path: Path
) -> None:
    result, out = tmp_path / "result.json", tmp_path / "fixed.tflite"
    answer = ill.scores(EIGHT_BITS, np.rot90(ill.pixels(COFFEE), -1))
    result.write_text(json.dumps(answer.tolist()))
    run = whatsit("doctor", EIGHT_BITS, COFFEE, "--against", result, "--fix", "-o", out)
    assert (run.status, out.exists()) == (1, False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--fix"], "--fix without -o"),
        (["-o", "x.tflite"], "-o without --fix"),
        (["--fix", "-o", "x.txt"], "'x.txt'"),
        (["--labels", "x.txt"], "--labels without --fix"),
        (["--mean", "1"], "only one of --mean and --std"),
        (["--mean", "1", "--std", "0"], "a std of 0"),
        (["--mean", "nan", "--std", "1"], "a mean of nan"),
        (["--limit", "0"], "a limit of 0"),
        (["--against", "none.json"], "no file 'none.json'"),
        (["-"], "standard input"),
        (["--fix", "-o", "x.tflite", "--labels", "none.txt"], "cannot read the labels"),
    ],
)
def test_wrong_usage(
    whatsit: Program,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    options: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    run = whatsit("doctor", EIGHT_BITS, *options)
    assert (run.status, run.out) == (2, "")
    assert message in run.err.splitlines()[0]
    assert run.err.startswith("error ")


def test_the_output_is_never_replaced_unasked(
    whatsit: Program, patient: Path, tmp_path: Path
) -> None:
    out = tmp_path / "fixed.tflite"
    out.write_bytes(b"mine")
    run = whatsit("doctor", patient, "--fix", "-o", out)
    assert run.status == 2
    assert "is there already" in run.err
    assert out.read_bytes() == b"mine"
    assert whatsit("doctor", patient, "--fix", "-o", out, "--force").status == 0
    before = patient.read_bytes()
    assert whatsit("doctor", patient, "--fix", "-o", patient, "--force").status == 2
    assert patient.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "message"),
    [("", "it is empty"), ("{", "no JSON"), ('{"rose": 0.9, "tulip": 0.1}', "'rose'")],
)
def test_a_result_that_says_nothing(
    whatsit: Program, tmp_path: Path, content: str, message: str
) -> None:
    result = tmp_path / "result.json"
    result.write_text(content)
    run = whatsit("doctor", EIGHT_BITS, COFFEE, "--against", result)
    assert (run.status, run.out) == (2, "")
    assert message in run.err


def test_a_photo_with_nothing_to_compare(whatsit: Program) -> None:
    run = whatsit("doctor", EIGHT_BITS, COFFEE)
    assert (run.status, run.out) == (0, f"{EIGHT_BITS}\n\nNothing wrong was found.\n")
    assert "no picture was looked at" in run.err


def test_a_photo_that_is_none(whatsit: Program, tmp_path: Path, swapped: Path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture")
    for photo in (bad, tmp_path / "gone.jpg"):
        run = whatsit("doctor", EIGHT_BITS, photo, "--against", swapped)
        assert (run.status, run.out) == (1, "")
        assert photo.name in run.err
        assert "Traceback" not in run.err


def test_a_model_that_is_none(whatsit: Program, tmp_path: Path) -> None:
    bad = tmp_path / "bad.tflite"
    bad.write_bytes(b"no model")
    run = whatsit("doctor", bad)
    assert (run.status, run.out) == (1, "")
    assert "no TFLite model" in run.err
    assert whatsit("doctor", tmp_path / "gone.tflite").status == 1
    assert whatsit("doctor", "no-such-model").status == 2


def test_labels_of_one_s_own(whatsit: Program, tmp_path: Path) -> None:
    model, labels, out = (tmp_path / name for name in ("m.tflite", "l.txt", "o.tflite"))
    model.write_bytes(make_models.floats(2, 2))
    labels.write_text("".join(f"name {i}\n" for i in range(12)))
    options = ("--fix", "-o", out, "--labels", labels, "--mean", "0", "--std", "255")
    run = whatsit("doctor", model, *options)
    assert run.status == 0
    assert Bundle.read(out).labels.names[3] == "name 3"
    labels.write_text("one\ntwo\n")
    out.unlink()
    run = whatsit("doctor", model, *options)
    assert (run.status, out.exists()) == (2, False)
    assert "2 labels for 12 scores" in run.err


def test_labelled_pictures(whatsit: Program, tmp_path: Path) -> None:
    for name, photo in (("espresso", "coffee.png"), ("Egyptian cat", "cat.png")):
        (tmp_path / name).mkdir()
        Image.open(zoo.GOLDEN / photo).convert("RGB").save(tmp_path / name / "a.png")
    run = whatsit("doctor", EIGHT_BITS, "--data", tmp_path)
    assert run.status == 0
    assert "2 labelled pictures" in run.out
    assert "as the model does it" in run.out
    assert max(map(len, run.out.splitlines())) <= 80
    assert whatsit("doctor", EIGHT_BITS, "--data", tmp_path / "none").status == 1
