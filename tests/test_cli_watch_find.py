"""`whatsit watch --find`: an index, searched in a person's words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Run

from whatsit import Index, Segment, Smoothing, zoo

Program = Callable[..., Run]
BEAGLE, TABBY, MUG = 162, 281, 504
LABELS = zoo.open_model("efficientnet-lite0-int8").labels


def save(path: Path, *shown: tuple[int, float, float], source: str = "walk.mp4") -> Path:
    """An index with these classes, each from and to a time in ms."""
    index = Index.of(
        [
            Segment(start, end, i, LABELS.names[i], LABELS.synset(i), 0.58, 0.9, start)
            for i, start, end in shown
        ],
        LABELS,
        source=source,
        model="some-model",
        model_sha256="ab" * 32,
        duration_ms=4e6,
        frames=1800,
        every_ms=None,
        smoothing=Smoothing(),
    )
    index.save(path)
    return path


@pytest.fixture
def walk(tmp_path: Path) -> Path:
    return save(
        tmp_path / "walk.json",
        (TABBY, 20_000, 24_000),
        (BEAGLE, 1200, 4800),
        (BEAGLE, 3_600_000, 3_601_000),
        (MUG, 2000, 2500),
    )


def test_a_wider_term_finds_what_the_model_calls_otherwise(whatsit: Program, walk: Path) -> None:
    run = whatsit("watch", "--find", "Dog", walk)
    assert (run.status, run.err) == (0, "")
    assert run.out.splitlines() == [
        "walk.mp4",
        "   0:01.2 – 0:04.8    beagle  58 % over 3.6 s",
        "1:00:00.0 – 1:00:01.0 beagle  58 % over 1.0 s",
    ]


def test_objects(whatsit: Program, walk: Path) -> None:
    run = whatsit("watch", walk, "--find", "coffee mug", "--json")
    assert (run.status, run.err) == (0, "")
    assert json.loads(run.out) == {
        "source": "walk.mp4",
        "start_ms": 2000,
        "end_ms": 2500,
        "index": MUG,
        "label": "coffee mug",
        "synset": "n03063599",
        "mean_score": 0.58,
        "peak_score": 0.9,
        "peak_ms": 2000,
    }


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_what_is_not_there_is_said(whatsit: Program, walk: Path, options: list[str]) -> None:
    run = whatsit("watch", "--find", "horse", walk, *options)
    assert (run.status, run.out) == (0, "")
    assert run.err == (
        "note      nothing in 'walk.mp4' is called 'horse'; it shows beagle, tabby, coffee mug\n"
    )


def test_more_than_can_be_listed(whatsit: Program, tmp_path: Path) -> None:
    path = save(tmp_path / "i.json", *((i, 0, 1000) for i in range(4)))
    assert whatsit("watch", "--find", "horse", path).err.endswith(", and 1 other class\n")
    path = save(tmp_path / "i.json", *((i, 0, 1000) for i in range(5)))
    assert whatsit("watch", "--find", "horse", path).err.endswith(", and 2 other classes\n")


def test_an_index_of_nothing(whatsit: Program, tmp_path: Path) -> None:
    run = whatsit("watch", "--find", "dog", save(tmp_path / "i.json"))
    assert run == Run(0, "", "note      no class was seen in 'walk.mp4' long enough\n")


def test_a_name_from_the_file_cannot_steer_the_terminal(whatsit: Program, tmp_path: Path) -> None:
    path = save(tmp_path / "i.json", (BEAGLE, 0, 1000), source="\x1b[2J.mp4")
    assert "\\x1b" in whatsit("watch", "--find", "dog", path).out
    assert "\\x1b" in whatsit("watch", "--find", "horse", path).err


@pytest.mark.parametrize(
    ("options", "message", "expected"),
    [
        (["--find", " "], "--find ' '", "such as dog"),
        (["--find", "dog", "--every", "1s"], "--every with --find", "--find TEXT INDEX"),
        (["--find", "dog", "--threads", "1"], "--threads with --find", "--find TEXT INDEX"),
        (["--find", "dog", "--allow", "dog"], "--allow with --find", "--find TEXT INDEX"),
        (["--find", "dog", "--mirror"], "--mirror with --find", "--find TEXT INDEX"),
    ],
)
def test_wrong_usage(
    whatsit: Program, walk: Path, options: list[str], message: str, expected: str
) -> None:
    run = whatsit("watch", walk, *options)
    first, second, *_ = run.err.splitlines()
    assert (run.status, run.out, first) == (2, "", f"error     {message}")
    assert expected in second


def test_what_is_no_index(whatsit: Program, tmp_path: Path) -> None:
    video = tmp_path / "walk.mp4"
    video.write_bytes(b"\0\0\0\x20ftypisom")
    run = whatsit("watch", "--find", "dog", video)
    assert run.status == 2
    assert f"{str(video)!r}: this is no index of a video" in run.err
    assert "expected  a file of `whatsit watch --index`" in run.err
    run = whatsit("watch", "--find", "dog", tmp_path / "none.json")
    assert run.status == 1
    assert "cannot read the index" in run.err
