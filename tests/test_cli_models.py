"""`whatsit models` and `whatsit models show`."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Run

from whatsit import zoo

Program = Callable[..., Run]


def objects(run: Run) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run.out.splitlines()]


def test_the_list_has_all_that_one_chooses_by(whatsit: Program) -> None:
    run = whatsit("models", "--json")
    rows = objects(run)
    assert run.status == 0
    assert [row["name"] for row in rows] == list(zoo.catalogue())
    assert [row["name"] for row in rows if row["default"]] == [zoo.DEFAULT]
    for row in rows:
        low, high = row["top1_interval"]
        assert Path(row["path"]).stat().st_size == row["size_bytes"]
        assert low < row["top1"] < high
        assert row["classes"] == 1000
        assert row["data_set"]
        assert row["licence"]


def test_the_table_fits_80_columns(whatsit: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = whatsit("models").out.splitlines()
    table = lines[: len(zoo.catalogue()) + 1]
    assert all(len(line) <= 80 for line in table)
    for line, entry in zip(table[1:], zoo.catalogue().values(), strict=True):
        assert line.split()[0] == entry.name
        assert line.split()[-1] == entry.licence
    assert str(zoo.GOLDEN.parent) in "".join(lines)


def test_the_interval_is_that_of_the_counts(whatsit: Program) -> None:
    """The same as in the docs: of figures rounded once already, 81.147 would become 81.2."""
    from scipy.stats import binomtest

    lines = whatsit("models").out.splitlines()
    for line, entry in zip(lines[1:], zoo.catalogue().values(), strict=False):
        row = entry.accuracy[0]
        hits = round(row["top1"] * row["pictures"] / 100)
        low, high = binomtest(hits, row["pictures"]).proportion_ci(method="wilson")
        share = 100 * hits / row["pictures"]
        assert f"{share:.1f} ({100 * low:.1f}–{100 * high:.1f})" in line


@pytest.mark.parametrize("name", zoo.catalogue())
def test_show_tells_origin_and_accuracy(name: str, whatsit: Program) -> None:
    (facts,) = objects(whatsit("models", "show", name, "--json"))
    assert facts["sha256"] == zoo.catalogue()[name].sha256
    assert facts["origin"]["package"]
    assert {row["data_set"] for row in facts["accuracy"]} >= {"imagenet-val-sample"}
    assert [len(parent["sha256"]) for parent in facts["parents"]] == [64, 64]


def test_show_for_people(whatsit: Program) -> None:
    run = whatsit("models", "show", zoo.DEFAULT, "--labels")
    assert run.status == 0
    assert "licence       Apache-2.0" in run.out
    assert "    967  n07920052  espresso" in run.out


@pytest.mark.parametrize(
    ("model", "status", "message"),
    [
        ("no-such-model", 2, "no built-in model 'no-such-model'"),
        ("no-such.tflite", 1, "no model file 'no-such.tflite'"),
    ],
)
def test_show_of_nothing(model: str, status: int, message: str, whatsit: Program) -> None:
    run = whatsit("models", "show", model)
    assert run.status == status
    assert message in run.err


def test_json_may_be_asked_for_before_show(whatsit: Program) -> None:
    before = whatsit("models", "--json", "show", zoo.DEFAULT)
    assert objects(before) == objects(whatsit("models", "show", zoo.DEFAULT, "--json"))


def test_selftest_goes_on_after_a_damaged_model(
    whatsit: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = zoo.catalogue()
    damaged = dataclasses.replace(entries[zoo.DEFAULT], sha256="0" * 64)
    two = {zoo.DEFAULT: damaged, "mobilenet-v2-int8": entries["mobilenet-v2-int8"]}
    monkeypatch.setattr(zoo, "catalogue", lambda: two)
    run = whatsit("selftest")
    assert run.status == 1
    assert run.out.endswith("6 passed, 1 failed\n")
    assert "is not the file that was shipped" in run.err
