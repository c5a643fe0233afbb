from __future__ import annotations

import contextlib
import csv
import io
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import CATS, ESPRESSO, Run
from PIL import Image

from whatsit import zoo
from whatsit.cli import COMMANDS

Program = Callable[..., Run]
COMMAND = [sys.executable, "-m", "whatsit"]


def rows(out: str) -> list[dict]:
    return [json.loads(line) for line in out.splitlines()]


def without_timings(out: str) -> str:
    return re.sub(r', "timings_ms": \{[^}]*\}', "", out)


# JSON.


def test_json_is_the_contract(whatsit: Program, cat: Path) -> None:
    run = whatsit("--json", "--top", "2", cat)
    [row] = rows(run.out)
    assert (run.status, run.err) == (0, "")
    assert list(row) == [
        *("path", "model", "verdict", "set", "broader", "probably", "predictions", "timings_ms")
    ]
    assert (row["path"], row["model"]) == (str(cat), zoo.DEFAULT)
    assert row["verdict"] in ("sure", "ambiguous")
    assert [list(p) for p in row["predictions"]] == [["index", "label", "score"]] * 2
    assert list(row["timings_ms"]) == ["decode", "preprocess", "inference"]
    assert row["predictions"][0]["index"] in CATS
    assert 1 >= row["predictions"][0]["score"] >= row["predictions"][1]["score"] >= 0
    assert run.out == json.dumps(row) + "\n"  # the spaces of the contract, and nothing else


def test_raw_changes_the_scores_and_nothing_else(whatsit: Program, cat: Path) -> None:
    [calibrated], [raw] = (rows(whatsit("--json", *more, cat).out) for more in ([], ["--raw"]))
    assert raw["predictions"] != calibrated["predictions"]
    assert [p["index"] for p in raw["predictions"]] == [
        p["index"] for p in calibrated["predictions"]
    ]
    for key in ("verdict", "set", "broader", "probably"):
        assert raw[key] == calibrated[key]


def test_the_set_grows_with_the_coverage(whatsit: Program, cat: Path) -> None:
    sets = [
        rows(whatsit("--json", "--coverage", coverage, cat).out)[0]["set"]
        for coverage in (0.5, 0.8, 0.9, 0.95, 0.99)
    ]
    assert sets[0] == []  # the surer half of the pictures is enough, and this is not among them
    assert all(larger[: len(smaller)] == smaller for smaller, larger in itertools.pairwise(sets))
    assert len(sets[0]) < len(sets[2]) < len(sets[4])


def test_classes_in_doubt_have_a_name_in_common(whatsit: Program, cat: Path) -> None:
    [row] = rows(whatsit("--json", cat).out)
    assert row["verdict"] == "ambiguous"
    assert {row["broader"]["label"], row["broader"]["id"]} == {"domestic cat", "n02121808"}
    assert row["broader"]["score"] > 0.9
    assert row["broader"]["score"] >= max(p["score"] for p in row["predictions"])
    assert whatsit(cat).out.splitlines()[0] == f"{cat}  ambiguous: domestic cat"


def test_where_no_likely_class_may_be_answered_it_is_unknown(whatsit: Program, cat: Path) -> None:
    [row] = rows(whatsit("--json", "--allow", "n02084071", cat).out)  # a dog
    assert (row["verdict"], row["set"], row["broader"]) == ("unknown", [], None)
    [row] = rows(whatsit("--json", "--allow", "n02121808", cat).out)  # a domestic cat
    assert row["verdict"] in ("sure", "ambiguous")


def test_what_shows_no_class_is_unknown(whatsit: Program, tmp_path: Path) -> None:
    noise = tmp_path / "noise.png"
    values = np.random.default_rng(0).integers(0, 256, (224, 224, 3), np.uint8)
    Image.fromarray(values).save(noise)
    [row] = rows(whatsit("--json", noise).out)
    assert row["verdict"] == "unknown"
    # All are accepted where one in a million known pictures may be refused: there are only 650.
    [row] = rows(whatsit("--json", "--acceptance", "0.999999", noise).out)
    assert row["verdict"] == "ambiguous"


@pytest.mark.parametrize("option", ["--coverage", "--acceptance"])
@pytest.mark.parametrize("value", ["0", "1", "90", "-0.1", "nan"])
def test_shares_that_are_none(whatsit: Program, cat: Path, option: str, value: str) -> None:
    run = whatsit(option, value, cat)
    assert (run.status, run.out) == (2, "")
    assert run.err.splitlines() == [
        f"error     {'an' if option == '--acceptance' else 'a'} {option[2:]} of {float(value)!r}",
        "expected  a share between 0 and 1, such as 0.9",
    ]


def test_a_model_that_was_never_calibrated_says_so(
    whatsit: Program, cat: Path, tmp_path: Path
) -> None:
    bundle = zoo.open_builtin(zoo.DEFAULT)
    plain = bundle.with_facts({"trust": None})
    plain.write(tmp_path / "plain.tflite")
    run = whatsit("-m", tmp_path / "plain.tflite", cat)
    assert run.out.splitlines()[0] == f"{cat}  ambiguous (uncalibrated)"
    [row] = rows(whatsit("--json", "-m", tmp_path / "plain.tflite", cat).out)
    assert (row["set"], row["broader"]) == (None, None)
    [raw] = rows(whatsit("--json", "--raw", cat).out)
    assert row["predictions"] == raw["predictions"]


def test_json_does_not_depend_on_the_number_of_workers(
    whatsit: Program, cat: Path, coffee: Path
) -> None:
    inputs = [cat, "gone.jpg", coffee, zoo.GOLDEN, cat, "*.none"]
    one, two, three = (whatsit("--json", "--workers", n, *inputs) for n in (1, 2, 3))
    assert without_timings(one.out) == without_timings(two.out) == without_timings(three.out)
    assert one.status == two.status == three.status == 1
    pictures = len([*zoo.GOLDEN.glob("*.png"), *zoo.GOLDEN.glob("*.jpg")])
    assert len(rows(one.out)) == pictures + 5
    assert [row["path"] for row in rows(one.out)[:3]] == [str(cat), "gone.jpg", str(coffee)]


def test_json_is_ascii_and_gives_the_name_back(whatsit: Program, cat: Path, tmp_path: Path) -> None:
    path = shutil.copy(cat, tmp_path / "chat été 😀.png")
    run = whatsit("--json", path)
    assert run.out.isascii()
    assert rows(run.out)[0]["path"] == str(path)


# CSV.


def test_csv(whatsit: Program, cat: Path) -> None:
    run = whatsit("--csv", "--top", "2", cat, "gone, really.jpg")
    header, first, second, failed = csv.reader(io.StringIO(run.out))
    assert run.status == 1
    assert header == ["path", "rank", "index", "label", "score", "verdict", "error"]
    assert first[:2] == [str(cat), "1"]
    assert int(first[2]) in CATS
    assert float(first[4]) >= float(second[4])
    assert second[:2] == [str(cat), "2"]
    assert failed == ["gone, really.jpg", "", "", "", "", "", "image-not-found"]
    assert run.err.startswith("error     no file 'gone, really.jpg'\n")


def test_csv_of_a_picture_without_predictions(whatsit: Program, cat: Path) -> None:
    _, row = csv.reader(io.StringIO(whatsit("--csv", "--threshold", "1", cat).out))
    assert row[:5] == [str(cat), "", "", "", ""]
    assert row[6] == ""


# Text.


def test_text_when_piped_is_plain(whatsit: Program, coffee: Path) -> None:
    run = whatsit("--top", "2", coffee)
    first, second, third = run.out.splitlines()
    assert (run.status, run.err) == (0, "")
    assert re.fullmatch(re.escape(str(coffee)) + "  (sure|ambiguous)", first)
    assert re.fullmatch(r"  [ \d]\d\d?\.\d %  espresso", second)
    assert re.fullmatch(r"  +\d+\.\d %  [\w ]+", third)


def test_nothing_above_the_threshold(whatsit: Program, cat: Path) -> None:
    run = whatsit("--threshold", "1", cat)
    assert run.status == 0
    assert run.out.splitlines()[1] == "  no class scores high enough"


def test_errors_are_at_most_three_lines_on_standard_error(whatsit: Program, cat: Path) -> None:
    run = whatsit("gone.jpg", cat)
    assert run.status == 1
    assert run.err == (
        "error     no file 'gone.jpg'\nhint      check the spelling and the folder\n"
    )
    assert run.out.startswith(str(cat))


# Inputs.


def test_standard_input(
    whatsit: Program, cat: Path, coffee: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(coffee.read_bytes())))
    first, second = rows(whatsit("--json", cat, "-").out)
    assert first["path"] == str(cat)
    assert second["path"] == "-"
    assert second["predictions"][0]["index"] == ESPRESSO


def test_standard_input_has_a_name_in_text(
    whatsit: Program, coffee: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(coffee.read_bytes())))
    assert whatsit("-").out.startswith("standard input  ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["cat.png", "--json"],
        ["--json", "cat.png"],
        ["classify", "--json", "cat.png"],
        ["classify", "cat.png", "--json"],
        ["-k", "5", "--json", "cat.png"],
        ["--json", "--", "cat.png"],
        ["--json", "."],
        ["--json", "*.png"],
        ["--json", "@list.txt"],
    ],
)
def test_ways_to_name_one_picture(
    arguments: list[str],
    whatsit: Program,
    cat: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copy(cat, tmp_path)
    (tmp_path / "list.txt").write_text("cat.png\n")
    monkeypatch.chdir(tmp_path)
    run = whatsit(*arguments)
    [row] = rows(run.out)
    assert run.status == 0
    assert os.path.basename(row["path"]) == "cat.png"
    assert row["predictions"][0]["index"] in CATS


# Options.


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--allow", "967"], [ESPRESSO]),
        (["--allow", "espresso"], [ESPRESSO]),
        (["--allow", "n07920052"], [ESPRESSO]),
        (["--allow", "282", "--allow", "281", "--threshold", "0.01"], []),
        (["--region", "0.1,0.1,0.9,0.9", "-k", "1"], [ESPRESSO]),
        (["--rotate", "360", "-k", "1"], [ESPRESSO]),
        (["--preprocess", "stretch", "-k", "1"], [ESPRESSO]),
        (["--threads", "1", "-k", "1"], [ESPRESSO]),
        (["--model", zoo.DEFAULT, "-k", "1"], [ESPRESSO]),
        (["--model", str(zoo.GOLDEN.parent / f"{zoo.DEFAULT}.tflite"), "-k", "1"], [ESPRESSO]),
    ],
)
def test_options(arguments: list[str], expected: list[int], whatsit: Program, coffee: Path) -> None:
    [row] = rows(whatsit("--json", *arguments, coffee).out)
    assert [p["index"] for p in row["predictions"]] == expected


def test_deny(whatsit: Program, coffee: Path) -> None:
    [row] = rows(whatsit("--json", "--deny", "espresso", coffee).out)
    assert ESPRESSO not in [p["index"] for p in row["predictions"]]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--top", "0"], "the top 0 classes"),
        (["--top", "x"], "invalid value for '-k' / '--top': 'x' is not a valid integer"),
        (["--threshold", "2"], "a threshold of 2.0"),
        (["--threshold", "nan"], "a threshold of nan"),
        (["--rotate", "45"], "cannot rotate by 45 degrees"),
        (["--region", "1,2"], "'1,2' is not a region"),
        (["--region", "1,1,0,0"], "(1.0, 1.0, 0.0, 0.0) is not a region"),
        (["--preprocess", "zoom"], "'zoom' is not a preprocessing rule"),
        (["--allow", "nonsense"], "no class 'nonsense'"),
        (["--deny", "nonsense"], "no class 'nonsense'"),
        (["--model", "nonsense"], "no built-in model 'nonsense'"),
        (["--threads", "0"], "0 threads"),
        (["--workers", "0"], "0 workers"),
        (["--json=yes"], "option '--json' does not take a value"),
        (["--xyz"], "no such option '--xyz'"),
        (["--json", "--csv"], "both --json and --csv"),
    ],
)
def test_wrong_usage(arguments: list[str], error: str, whatsit: Program, cat: Path) -> None:
    run = whatsit(*arguments, cat)
    lines = run.err.splitlines()
    assert (run.status, run.out) == (2, "")
    assert lines[0] == f"error     {error}"
    assert [line[:10].strip() for line in lines] in (
        ["error", "expected"],
        ["error", "expected", "hint"],
    )


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (
            ["--jsn", "a.jpg"],
            "error     no such option '--jsn'\n"
            "expected  whatsit classify [OPTIONS] PICTURE...\n"
            "hint      did you mean --json or --csv?\n",
        ),
        (
            ["--json"],
            "error     missing argument 'PICTURE...'\n"
            "expected  whatsit classify [OPTIONS] PICTURE...\n"
            "hint      `whatsit classify --help` says more\n",
        ),
        (
            ["a.jpg", "--top"],
            "error     option '--top' requires an argument\n"
            "expected  whatsit COMMAND [OPTIONS]\n"
            "hint      `whatsit COMMAND --help` says more\n",
        ),
        (
            ["modles"],
            "error     no file and no command 'modles'\n"
            f"expected  a picture or one of {', '.join(COMMANDS)}\n"
            "hint      did you mean `whatsit models`?\n",
        ),
        (
            ["--model", "gone.tflite", "a.jpg"],
            "error     no model file 'gone.tflite'\n"
            "hint      `whatsit models` lists the built-in ones\n",
        ),
    ],
)
def test_what_a_person_reads(arguments: list[str], error: str, whatsit: Program) -> None:
    assert whatsit(*arguments).err == error


def test_a_file_that_is_called_nearly_like_a_command(
    whatsit: Program, cat: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(cat, tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    assert whatsit("model").status == 0


@pytest.mark.parametrize("arguments", [[], ["classify"]])
def test_no_arguments_show_the_help(arguments: list[str], whatsit: Program) -> None:
    run = whatsit(*arguments)
    assert (run.status, run.out) == (2, "")
    assert run.err.startswith("Usage: whatsit")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--help"], "Commands:"),
        (["-h"], "Commands:"),
        (["classify", "-h"], "--threshold"),
        (["a.jpg", "--help"], "--threshold"),
        (["--version"], "whatsit"),
    ],
)
def test_help_and_version(arguments: list[str], text: str, whatsit: Program) -> None:
    run = whatsit(*arguments)
    assert (run.status, run.err) == (0, "")
    assert text in run.out


# The process.


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX")
@pytest.mark.parametrize("style", [[], ["--json"], ["--csv"]])
def test_a_reader_that_goes_away_is_no_error(style: list[str], cat: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, *style, *[str(cat)] * 20], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX")
def test_results_come_at_once_and_ctrl_c_ends_without_a_traceback(cat: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "--json", "--workers", "1", "@-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(os.fsencode(f"{cat}\n{cat}\n"))
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["path"] == str(cat)
        # While it waits for more of the list. Python may lose a signal that comes as it tidies up,
        # so the key is pressed again, as a person would.
        for _ in range(5):
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
                break
        assert process.stderr.read().strip() == b""
    assert process.returncode == 130


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX")
@pytest.mark.parametrize(("closed", "status"), [("<", 0), (">", 0), ("2>", 0)])
def test_closed_streams(closed: str, status: int, cat: Path) -> None:
    line = f'exec "$0" -m whatsit --json "$1" {closed}&-'
    done = subprocess.run(["sh", "-c", line, sys.executable, str(cat)], capture_output=True)
    assert (done.returncode, done.stderr) == (status, b"")
