"""`whatsit choose --device`: the times of another device, from a file that may be anything."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Run

from whatsit import UsageError, zoo
from whatsit.choose import choose
from whatsit.device import read

MS = {"efficientnet-lite0-int8": 24.0, "mobilenet-v2-int8": 12.0}
PHONE = "Pixel 7, Chrome 156"


def spread(ms: float) -> dict[str, float]:
    return {
        "median": ms,
        "low": ms * 0.9,
        "high": ms * 1.1,
        "p95": ms * 1.3,
        "mean": ms,
        "min": ms * 0.8,
        "max": ms * 2,
    }


def row(name: str, ms: float) -> dict[str, Any]:
    entry = zoo.catalogue()[name]
    return {
        "name": name,
        "sha256": entry.sha256,
        "bytes": entry.size_bytes,
        "input": [224, 224],
        "preprocess": "crop(0.875, bicubic)",
        "accuracy": [],
        "engine": {"build": "threaded", "threads": 4},
        "runs": 50,
        "stages": {stage: spread(ms) for stage in ("preprocess", "inference", "post", "total")},
    }


def value() -> dict[str, Any]:
    return {
        "format": "whatsit-device",
        "version": 1,
        "app": "0.5.0",
        "measured": "2026-11-23T08:20:00.000Z",
        "device": {"name": PHONE, "user_agent": "Mozilla/5.0", "cores": 8, "memory_gb": None},
        "picture": "rocket.jpg",
        "warmup": 10,
        "models": [row(name, ms) for name, ms in MS.items()],
        "failed": [],
    }


@pytest.fixture
def phone(tmp_path: Path) -> Path:
    path = tmp_path / "phone.json"
    path.write_text(json.dumps(value()), encoding="utf-8")
    return path


def written(tmp_path: Path, content: Any) -> Path:
    path = tmp_path / "other.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_the_times_are_those_of_the_device(phone: Path) -> None:
    choice = choose(list(MS), device=phone)
    assert {c.name: c.latency.median for c in choice.candidates} == MS
    assert {c.runtime for c in choice.candidates} == {"threaded, 4 threads"}
    assert choice.device == PHONE
    assert choice.machine["user_agent"] == "Mozilla/5.0"
    assert PHONE in choice.timing
    assert "not of this machine" in choice.timing
    recorded = zoo.catalogue()["mobilenet-v2-int8"].accuracy[0]
    (mobile,) = (c for c in choice.candidates if c.name == "mobilenet-v2-int8")
    assert 100 * mobile.top1.value == pytest.approx(recorded["top1"], abs=0.01)


def test_installed_models_that_were_not_measured_there_are_noted(
    whatsit: Callable[..., Run], phone: Path
) -> None:
    run = whatsit("choose", "--device", phone)
    assert run.status == 0
    others = ", ".join(name for name in zoo.catalogue() if name not in MS)
    assert " ".join(run.err.split()) == (
        f"note not compared, since not measured on {PHONE}: {others}"
    )
    assert PHONE in run.out
    asked = whatsit("choose", "--device", phone, "--json")
    assert {row["model"] for row in json.loads(asked.out)["candidates"]} == set(MS)


def test_a_model_that_was_asked_for_and_not_measured_there_is_an_error(
    whatsit: Callable[..., Run], phone: Path
) -> None:
    run = whatsit("choose", *MS, "efficientnet-lite1-int8", "--device", phone)
    assert run.status == 1
    assert f"error     efficientnet-lite1-int8: not measured on {PHONE}\n" in run.err
    assert "hint      measure it with the app on that device" in run.err
    assert PHONE in run.out  # the others are compared all the same


def test_the_limits_count_for_the_device(whatsit: Callable[..., Run], phone: Path) -> None:
    run = whatsit("choose", *MS, "--device", phone, "--max-latency", "20ms", "--json")
    made = json.loads(run.out)
    assert made["recommended"] == "mobilenet-v2-int8"
    assert made["device"] == PHONE
    assert run.err == ""


def test_another_file_of_the_same_name_does_not_count(tmp_path: Path) -> None:
    changed = value()
    changed["models"][0]["sha256"] = "0" * 64
    choice = choose(list(MS), device=written(tmp_path, changed))
    (missing,) = choice.left_out
    assert missing.name == "efficientnet-lite0-int8"
    assert missing.error.message == f"another file of this name was measured on {PHONE}"


def test_a_model_measured_there_alone_is_told(whatsit: Callable[..., Run], tmp_path: Path) -> None:
    more = value()
    more["models"].append({**row("mobilenet-v2-int8", 9.0), "name": "my-birds"})
    run = whatsit("choose", *MS, "--device", written(tmp_path, more))
    assert "measured there and not compared here: my-birds" in run.err


def test_if_none_was_measured_there_it_is_an_error(
    whatsit: Callable[..., Run], tmp_path: Path
) -> None:
    run = whatsit("choose", "--device", written(tmp_path, {**value(), "models": []}))
    assert run.status == 1
    assert run.out == ""
    assert f"no installed model was measured on {PHONE}\n" in run.err
    assert "hint      measure some with the app on that device, and export that" in run.err


def test_accuracy_is_measured_here_with_data(phone: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    answers = json.loads((zoo.GOLDEN / "expected.json").read_text("utf-8"))[zoo.DEFAULT]
    (data / "cat.png").write_bytes((zoo.GOLDEN / "cat.png").read_bytes())
    (data / "labels.csv").write_text(
        f"file,class_index\ncat.png,{answers['cat.png'][0][0]}\n", encoding="utf-8"
    )
    choice = choose([zoo.DEFAULT], dataset=data, device=phone)
    assert choice.candidates[0].top1_source == "measured here on 1 pictures of data"
    assert choice.candidates[0].latency.median == MS[zoo.DEFAULT]


def test_the_report_says_whose_times_these_are(
    whatsit: Callable[..., Run], phone: Path, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    page = tmp_path / "r.html"
    assert whatsit("choose", *MS, "--device", phone, "--report", page).status == 0
    text = page.read_text(encoding="utf-8")
    assert f"latency measured on {PHONE}, not on this machine" in text
    assert "Mozilla/5.0" in text


def test_threads_and_a_device_exclude_each_other(whatsit: Callable[..., Run], phone: Path) -> None:
    run = whatsit("choose", "--device", phone, "--threads", "2")
    assert run.status == 2
    assert "2 threads, and the times of another device" in run.err


def test_the_report_may_not_replace_the_file(whatsit: Callable[..., Run], phone: Path) -> None:
    pytest.importorskip("matplotlib")
    before = phone.read_bytes()
    run = whatsit("choose", "--device", phone, "--report", phone)
    assert run.status == 2
    assert phone.read_bytes() == before


def changed(key: str, to: Any) -> dict[str, Any]:
    """The file with one value replaced; the key is dotted."""
    content = copy.deepcopy(value())
    place: Any = content
    *path, last = key.split(".")
    for part in path:
        place = place[int(part)] if isinstance(place, list) else place[part]
    place[last] = to
    return content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is damaged, or no JSON"),
        (b"\xff\xd8\xff\xe0 a photo", "it is damaged, or no JSON"),
        (b'{"format": "whatsit-dev', "it is damaged, or no JSON"),
        (b"[" * 100_000, "it is damaged, or no JSON"),
        (b"[1, 2]", "it holds no times of a device"),
        (b'{"measurements": []}', "it holds no times of a device"),
    ],
)
def test_a_foreign_file_is_one_clear_error(
    whatsit: Callable[..., Run], tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(content)
    run = whatsit("choose", "--device", path)
    assert (run.status, run.out) == (2, "")
    assert run.err == (
        f"error     {str(path)!r} cannot be used: {message}\n"
        "expected  the JSON file that the app exports in its view Measure\n"
    )


@pytest.mark.parametrize(
    ("key", "to"),
    [
        ("device", "a phone"),
        ("device.name", ""),
        ("models", {}),
        ("models", [7]),
        ("models.0.name", None),
        ("models.0.bytes", -1),
        ("models.0.bytes", True),
        ("models.0.runs", 0),
        ("models.0.engine", None),
        ("models.0.engine.threads", "4"),
        ("models.0.stages", {}),
        ("models.0.stages.total.median", -3),
        ("models.0.stages.total.median", float("nan")),
        ("models.0.stages.total.p95", "fast"),
        ("models.0.stages.total.low", float("inf")),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, key: str, to: Any) -> None:
    with pytest.raises(UsageError, match="it is damaged"):
        read(written(tmp_path, changed(key, to)))


def test_another_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is of version 2") as caught:
        read(written(tmp_path, {**value(), "version": 2}))
    assert caught.value.hint == "a newer whatsit may read it"


def test_a_file_that_is_not_there(whatsit: Callable[..., Run], tmp_path: Path) -> None:
    run = whatsit("choose", "--device", tmp_path / "none.json")
    assert run.status == 2
    assert "No such file" in run.err


def test_an_endless_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    path.write_bytes(b" " * 10_000_001)
    with pytest.raises(UsageError, match="larger than 10"):
        read(path)


def test_older_browsers_leave_the_middle_half_out(tmp_path: Path) -> None:
    content = value()
    del content["models"][0]["stages"]["total"]["low"]
    del content["models"][0]["stages"]["total"]["high"]
    total = read(written(tmp_path, content)).models["efficientnet-lite0-int8"].total
    assert total.low == total.high == total.median
