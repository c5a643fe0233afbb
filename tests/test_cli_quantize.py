"""`whatsit quantize`: what is printed and written, and every way it can be refused."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import make_networks
import pytest
from conftest import Run
from make_networks import Network
from PIL import Image
from test_graph_quantize import photos
from test_quantizing import folder, labelled

from whatsit import Bundle
from whatsit.graph.read import Op

Whatsit = Callable[..., Run]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder(tmp_path_factory.mktemp("pictures") / "photos", 80)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return labelled(tmp_path_factory.mktemp("data") / "things", 50)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "net-float32.tflite"
    make_networks.bundle(Network(), "net-float32").write(path)
    return path


def files(place: Path) -> list[str]:
    return sorted(file.name for file in place.iterdir())


def test_a_model_is_made_and_what_it_costs_is_shown(
    whatsit: Whatsit, model: Path, many: Path, data: Path
) -> None:
    out = model.with_name("small.tflite")
    run = whatsit("quantize", model, "--calibration", many, "--data", data, "-o", out, "--floor", 9)
    assert (run.status, run.err) == (0, "")
    assert "net-float32 to int8: 0.0" in run.out
    assert "calibrated on 80 pictures" in run.out
    assert "compared on 50 pictures of things, held out\n" in run.out
    assert "Top-1 before 100.0 % (92.9 to 100.0), 50 of 50" in run.out
    assert "Change" in run.out
    assert run.out.rstrip().endswith(str(out))
    assert max(map(len, run.out.splitlines()[:-1])) <= 80
    assert Bundle.read(out).name == "small"
    assert Bundle.read(out).record["accuracy"][0]["data_set"] == "things"


def test_it_is_written_here_under_a_name_of_its_own(
    whatsit: Whatsit, model: Path, many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(model.parent)
    assert whatsit("quantize", model.name, "--calibration", many, "--floor", 20).status == 0
    assert files(model.parent) == ["net-float32.tflite", "net-int8.tflite"]


def test_json_is_one_object(whatsit: Whatsit, model: Path, many: Path) -> None:
    out = model.with_name("a.tflite")
    run = whatsit("quantize", model, "--calibration", many, "-o", out, "--to", "float16", "--json")
    assert run.status == 0
    value = json.loads(run.out)
    assert value["output"] == str(out)
    assert value["to"] == "float16"
    assert value["measured_by"] == "agreement"
    assert value["agreement"]["hits"] == value["agreement"]["total"] == 80
    assert value["accepted"] is True
    assert value["sha256"] == Bundle.read(out).sha256


def test_flips_are_shown_by_name(whatsit: Whatsit, model: Path, data: Path, tmp_path: Path) -> None:
    dark = tmp_path / "dark"
    dark.mkdir()
    for number, picture in enumerate(photos(20)):
        Image.fromarray(picture // 60).save(dark / f"{number}.png")
    out = model.with_name("a.tflite")
    arguments = ("quantize", model, "--calibration", dark, "--data", data, "-o", out)
    run = whatsit(*arguments, "--floor", "0.5")
    assert run.status == 1
    assert "Pictures that flipped" in run.out
    assert re.search(r"^      c\d/\d+\.png$", run.out, re.MULTILINE)  # below the data set
    assert "error     a loses " in run.err
    assert "expected  at most 0.5 points" in run.err
    assert "--force writes it all the same" in run.err
    assert not out.exists()
    run = whatsit(*arguments, "--floor", "0.5", "--json")
    assert run.status == 1
    value = json.loads(run.out)
    assert (value["output"], value["accepted"]) == (None, False)
    assert value["comparison"]["flips"]
    assert whatsit(*arguments, "--floor", "0.5", "--force").status == 0
    assert Bundle.read(out).name == "a"


def test_a_report_is_written(whatsit: Whatsit, model: Path, many: Path) -> None:
    page = model.with_name("report.html")
    out = model.with_name("a.tflite")
    run = whatsit(
        "quantize", model, "--calibration", many, "-o", out, "--floor", 20, "--report", page
    )
    assert run.status == 0
    assert "net-float32" in page.read_text(encoding="utf-8")


def test_what_was_left_out_is_said(whatsit: Whatsit, model: Path, tmp_path: Path) -> None:
    place = folder(tmp_path / "photos", 12)
    (place / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n no more")
    out = model.with_name("a.tflite")
    run = whatsit("quantize", model, "--calibration", place, "-o", out, "--floor", 20)
    assert run.status == 0
    assert "note      left out of the calibration pictures: 1\n" in run.err
    assert "torn.png" in run.err
    assert "both calibrate and compare" in run.err


@pytest.mark.parametrize(
    ("arguments", "status", "error"),
    [
        (["--calibration", "PHOTOS", "--to", "int4"], 2, "no kind 'int4'"),
        (["--calibration", "PHOTOS", "--floor", "-1"], 2, "a floor of -1 points"),
        (["--calibration", "PHOTOS", "--floor", "x"], 2, "'x' is not a valid float"),
        ([], 2, "no calibration pictures"),
        (["--calibration", "nowhere"], 1, "no picture to calibrate with"),
        (["--calibration", "PHOTOS", "--limit", "3"], 2, "which labelled pictures to take"),
        (["--calibration", "PHOTOS", "--data", "nowhere"], 1, "no data set 'nowhere'"),
        (["--calibration", "PHOTOS", "-o", "a.onnx"], 2, "the output 'a.onnx'"),
        (["--calibration", "PHOTOS", "-o", "no/where/a.tflite"], 1, "cannot write 'no/where"),
        (["--calibration", "PHOTOS", "-o", "MODEL", "--force"], 2, "is the model itself"),
        (["--calibration", "PHOTOS", "-o", "there.tflite"], 2, "is there already"),
    ],
)
def test_wrong_usage(
    whatsit: Whatsit,
    model: Path,
    many: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    status: int,
    error: str,
) -> None:
    monkeypatch.chdir(model.parent)
    Path("there.tflite").write_bytes(b"mine")
    before = model.read_bytes()
    names = {"PHOTOS": str(many), "MODEL": model.name}
    run = whatsit("quantize", model.name, *(names.get(word, word) for word in arguments))
    assert (run.status, run.out) == (status, "")
    assert error in run.err
    assert "Traceback" not in run.err
    assert files(model.parent) == ["net-float32.tflite", "there.tflite"]
    assert Path("there.tflite").read_bytes() == b"mine"
    assert model.read_bytes() == before


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: b"", "the file is empty"),
        (lambda: b"no model at all", "no TFLite model"),
        (lambda: make_networks.graph(Network()), "no TFLite Metadata"),
        (
            lambda: make_networks.bundle(Network(between=Op.HARD_SWISH)).data,
            "no int8 rule for its operator HARD_SWISH",
        ),
    ],
    ids=["empty", "text", "bare", "operator"],
)
def test_models_that_cannot_be_quantised(
    whatsit: Whatsit, many: Path, tmp_path: Path, make: Callable[[], bytes], error: str
) -> None:
    model, out = tmp_path / "odd.tflite", tmp_path / "a.tflite"
    model.write_bytes(make())
    run = whatsit("quantize", model, "--calibration", many, "-o", out)
    assert (run.status, run.out) == (1, "")
    assert error in run.err
    assert "odd" in run.err
    assert files(tmp_path) == ["odd.tflite"]


def test_int8_models_are_refused(whatsit: Whatsit, many: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.tflite"
    run = whatsit("quantize", "mobilenet-v2-int8", "--calibration", many, "-o", out)
    assert run.status == 1
    assert "error     model 'mobilenet-v2-int8': it is quantised already" in run.err
    assert "expected  a float32 or float16 model" in run.err


@pytest.mark.skipif(
    sys.platform == "win32" or (hasattr(os, "geteuid") and os.geteuid() == 0),
    reason="needs a folder that cannot be written",
)
def test_a_folder_that_cannot_be_written(
    whatsit: Whatsit, model: Path, many: Path, tmp_path: Path
) -> None:
    place = tmp_path / "locked"
    place.mkdir(mode=0o500)
    run = whatsit("quantize", model, "--calibration", many, "-o", place / "a.tflite")
    assert run.status == 1
    assert "cannot write" in run.err


def test_a_full_disk_leaves_nothing_behind(
    whatsit: Whatsit, model: Path, many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    out = model.with_name("a.tflite")
    monkeypatch.setattr("whatsit.storage.os.fsync", full)
    run = whatsit("quantize", model, "--calibration", many, "-o", out, "--floor", 20)
    assert run.status == 1
    assert "cannot write" in run.err
    assert "No space left" in run.err
    assert files(model.parent) == ["net-float32.tflite"]
