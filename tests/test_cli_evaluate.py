from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ESPRESSO, Run

from whatsit import Evaluation, engines, zoo
from whatsit.cli.evaluate import going_on
from whatsit.datasets import read

Program = Callable[..., Run]
MODEL = "mobilenet-v2-int8"


@pytest.fixture
def pictures(tmp_path: Path, cat: Path, coffee: Path) -> Path:
    """Four pictures in folders by name: two right, a cat among the coffee, a bad file."""
    folder = tmp_path / "set"
    for name, source in (
        ("tiger cat/cat.png", cat),
        ("espresso/coffee.png", coffee),
        ("espresso/cat.png", cat),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, folder / name)
    (folder / "espresso" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut short")
    return folder


def good(folder: Path) -> Path:
    (folder / "espresso" / "broken.jpg").unlink()
    return folder


def test_text(whatsit: Program, pictures: Path) -> None:
    run = whatsit("evaluate", MODEL, pictures)
    lines = run.out.splitlines()
    assert run.status == 1  # one picture failed
    assert run.err == ""
    assert lines[:3] == [f"{MODEL} on set", "3 pictures of 2 classes, a folder for each class", ""]
    assert re.fullmatch(r"Top-1 +\d+\.\d % \(\d+\.\d to \d+\.\d\), \d of 3", lines[3])
    assert lines[4].startswith("Top-5 ")
    assert re.fullmatch(
        r"Calibration +\d+\.\d % off: the answers claim \d+\.\d %, \d+\.\d % are right", lines[5]
    )
    assert "Surest mistakes" in lines
    assert "\n         espresso/cat.png\n" in run.out
    assert lines[-2] == "Failed: 1, not counted above"
    assert "broken.jpg" in lines[-1]
    assert max(len(line) for line in lines if str(pictures) not in line) <= 80


def test_exit_status_of_a_run_without_failures(whatsit: Program, pictures: Path) -> None:
    run = whatsit("evaluate", MODEL, good(pictures))
    assert (run.status, run.err) == (0, "")
    assert "Failed" not in run.out


def test_json(whatsit: Program, pictures: Path) -> None:
    run = whatsit("evaluate", MODEL, pictures, "--json", "-k", "3", "-k", "1", "-k", "3")
    value = json.loads(run.out)
    assert (run.status, run.err) == (1, "")
    assert run.out.count("\n") == 1
    assert run.out.isascii()
    assert list(value["accuracy"]) == ["top1", "top3"]
    assert value["pictures"] == 3
    assert [c["pictures"] for c in value["classes"] if c["index"] == ESPRESSO] == [2]
    assert value["mistakes"][0]["truth"] in ("espresso", "tiger cat")
    assert value["failures"][0]["error"]["code"] == "image-unreadable"


def test_all_pictures_bad(whatsit: Program, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(
        "file,label\n" + "".join(f"gone{i}.jpg,espresso\n" for i in range(12))
    )
    run = whatsit("evaluate", MODEL, tmp_path)
    assert run.status == 1
    assert "0 pictures of 0 classes, labels.csv" in run.out
    assert "Failed: 12, not counted above" in run.out
    assert "… and 2 more" in run.out
    assert json.loads(whatsit("evaluate", MODEL, tmp_path, "--json").out)["pictures"] == 0


def test_names_that_could_steer_a_terminal(whatsit: Program, tmp_path: Path, cat: Path) -> None:
    if os.name != "posix":
        pytest.skip("no such file names")
    folder = tmp_path / "\x1b[31mset\n"
    for name in ("espresso/\x1b[2J.png", "espresso/[bold]\udcff.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(cat, folder / name)
    (folder / "espresso" / "\x07.png").touch()
    run = whatsit("evaluate", MODEL, folder)
    assert not set("\x1b\x07") & set(run.out + run.err)
    assert "[bold]" in run.out
    assert whatsit("evaluate", MODEL, folder, "--json").status == 1


def test_notes_go_to_standard_error(whatsit: Program, pictures: Path) -> None:
    (pictures / "unicorn").mkdir()
    shutil.copy(zoo.GOLDEN / "cat.png", pictures / "unicorn")
    run = whatsit("evaluate", MODEL, good(pictures))
    assert (run.status, run.out) == (1, "")
    assert run.err.splitlines()[0] == (
        "error     1 of 3 labels name no class of the model: 'unicorn'"
    )
    run = whatsit("evaluate", MODEL, pictures, "--skip-unknown")
    assert run.status == 0
    assert run.err == (
        "note      left out, since the model lacks their labels: 1 of 4 pictures ('unicorn')\n"
    )


def test_a_limit_and_a_seed(whatsit: Program, pictures: Path) -> None:
    run = whatsit("evaluate", MODEL, good(pictures), "--limit", "2", "--seed", "5")
    assert "\n2 pictures of " in run.out


def test_a_rule_an_engine_and_threads(whatsit: Program, pictures: Path) -> None:
    options = ("--preprocess", "stretch", "--runtime", "isolated", "--threads", "2")
    run = whatsit("evaluate", MODEL, good(pictures), *options, "--workers", "1", "--json")
    value = json.loads(run.out)
    assert (value["preprocess"], value["runtime"]) == ("stretch(legacy-bilinear)", "isolated")
    assert (value["threads"], value["workers"]) == (2, 1)


def test_saved_answers(whatsit: Program, pictures: Path, tmp_path: Path) -> None:
    run = whatsit("evaluate", MODEL, pictures, "--save", tmp_path / "a.json", "--json")
    assert Evaluation.read(tmp_path / "a.json").to_json() | {"pictures_per_s": 0} == json.loads(
        run.out
    ) | {"pictures_per_s": 0}


def test_what_is_saved_survives_a_reader_that_has_gone(pictures: Path, tmp_path: Path) -> None:
    """As in `whatsit evaluate … --save a.json | head -1`."""
    command = [sys.executable, "-m", "whatsit", "evaluate", MODEL, str(pictures)]
    process = subprocess.Popen(
        [*command, "--save", str(tmp_path / "a.json")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    process.wait()
    assert len(Evaluation.read(tmp_path / "a.json").answers) == 3


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["{set}", "--save", "{set}"], 1, "cannot write '{set}'"),
        (["{set}", "--save", "{set}/gone/a.json"], 1, "cannot write '{set}/gone/a.json'"),
        (["{set}", "--report", "{set}/a.txt"], 2, "a report '{set}/a.txt'"),
        (["{set}/gone"], 1, "no data set '{set}/gone'"),
        (["{set}", "--labels-by", "colour"], 2, "labels by 'colour'"),
        (["{set}", "--labels-by", "index"], 1, "2 of 2 labels name no class of the model"),
        (["{set}", "--label-offset", "1"], 2, "a label offset for labels by name"),
        (["{set}", "-k", "0"], 2, "Top-0 of 1000 classes"),
        (["{set}", "-k", "1001"], 2, "Top-1001 of 1000 classes"),
        (["{set}", "-k", "x"], 2, "invalid value for '-k'"),
        (["{set}", "--limit", "0"], 2, "a limit of 0 pictures"),
        (["{set}", "--workers", "0"], 2, "0 workers"),
        (["{set}", "--threads", "0"], 2, "0 threads"),
        (["{set}", "--runtime", "fake"], 2, "no runtime 'fake'"),
        (["{set}", "--preprocess", "squash"], 2, "'squash'"),
        ([], 2, "missing argument 'DATASET'"),
        (["{set}", "more"], 2, "got unexpected extra argument"),
    ],
)
def test_wrong_usage(
    whatsit: Program, pictures: Path, arguments: list[str], status: int, message: str
) -> None:
    filled = [text.replace("{set}", str(pictures)) for text in arguments]
    run = whatsit("evaluate", MODEL, *filled)
    assert (run.status, run.out) == (status, "")
    assert message.replace("{set}", str(pictures)) in run.err.splitlines()[0]
    assert run.err.startswith("error     ")
    assert len(run.err.splitlines()) <= 3


def test_an_unknown_model(whatsit: Program, pictures: Path) -> None:
    run = whatsit("evaluate", "mobilenet-v9", pictures)
    assert (run.status, run.out) == (2, "")
    assert "'mobilenet-v9'" in run.err


def test_a_report(whatsit: Program, pictures: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    run = whatsit("evaluate", MODEL, pictures, "--report", tmp_path / "page.html")
    assert (run.status, run.err) == (1, "")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert MODEL in page
    assert "espresso" in page


def test_an_interrupted_run_says_what_was_done_before(
    whatsit: Program, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib import import_module

    module = import_module("whatsit._journal")
    with monkeypatch.context() as patched:
        patched.setattr(module.Journal, "discard", module.Journal.close)  # as if killed at the end
        whatsit("evaluate", MODEL, pictures)
    run = whatsit("evaluate", MODEL, pictures)
    assert run.err == "note      3 of 4 were done before\n"
    assert "pictures a second" not in run.out
    assert whatsit("evaluate", MODEL, pictures).err == ""
    with monkeypatch.context() as patched:
        patched.setattr(module.Journal, "discard", module.Journal.close)
        whatsit("evaluate", MODEL, pictures)
    assert whatsit("evaluate", MODEL, pictures, "--no-resume").err == ""


def test_the_bar_is_for_terminals(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with going_on("a model") as advance:
        advance(1, 9)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with going_on("[a] model\x1b") as advance:
        advance(1, 9)
    assert "[a] model\\x1b" in capsys.readouterr().err


def test_an_interrupted_person_is_told_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with pytest.raises(KeyboardInterrupt), going_on("a model"):
        raise KeyboardInterrupt
    assert "note      interrupted: the same command goes on" in capsys.readouterr().err


def test_the_data_set_is_read_before_the_model_is(whatsit: Program, tmp_path: Path) -> None:
    run = whatsit("evaluate", tmp_path / "gone.tflite", tmp_path)
    assert "is empty" in run.err


def test_a_relative_data_set(
    whatsit: Program, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pictures)
    assert read(".").name == "set"
    assert whatsit("evaluate", MODEL, ".").out.startswith(f"{MODEL} on set\n")


def test_the_engine_that_auto_takes_is_named(
    whatsit: Program, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pick = engines.Pick("isolated", (), "isolated: for a reason")
    monkeypatch.setattr(engines, "pick", lambda bundle, *, threads: pick)
    run = whatsit("evaluate", MODEL, good(pictures), "--runtime", "auto")
    assert run.err == "note      isolated: for a reason\n"
    assert "thread each, run by isolated\n" in run.out or "threads each, run by isolated" in run.out


def test_failures_name_the_picture_below_the_root(whatsit: Program, pictures: Path) -> None:
    run = whatsit("evaluate", MODEL, pictures)
    assert str(pictures) not in run.out
    assert "\n  'espresso/broken.jpg' " in run.out


@pytest.mark.parametrize("by", [-1, 1])
def test_indices_that_are_one_off_are_noticed(
    whatsit: Program, tmp_path: Path, coffee: Path, by: int
) -> None:
    rows = []
    for number in range(4):
        shutil.copy(coffee, tmp_path / f"{number}.png")
        rows.append(f"{number}.png,{ESPRESSO - by}\n")
    (tmp_path / "labels.csv").write_text("file,class_index\n" + "".join(rows))
    run = whatsit("evaluate", MODEL, tmp_path)
    assert "Top-1 is 0.0 %, and would be 100.0 % if every index were one" in run.err
    assert f"`whatsit evaluate --label-offset {by}`" in run.err
    run = whatsit("evaluate", MODEL, tmp_path, "--label-offset", by)
    assert (run.status, run.err) == (0, "")
    assert "Top-1        100.0 %" in run.out


@pytest.mark.parametrize("command", ["evaluate", "compare", "classify"])
def test_help_for_want_of_arguments_is_no_result(whatsit: Program, command: str) -> None:
    run = whatsit(command)
    assert (run.status, run.out) == (2, "")
    assert run.err.startswith(f"Usage: whatsit {command} ")


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_an_interrupt_while_modules_are_imported_leaves_no_traceback(cat: Path) -> None:
    code = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # ignored in the background
        "class Interrupting:\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'numpy':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        f"sys.argv = ['whatsit', {str(cat)!r}]\n"
        "from whatsit.cli import main\n"
        "main()\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (-signal.SIGINT, "", "")


def test_importing_the_program_leaves_interrupts_alone() -> None:
    code = (
        "import signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import whatsit.cli\n"
        "assert signal.getsignal(signal.SIGINT) is signal.default_int_handler"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
