from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Run
from make_evaluations import answer, evaluation

from whatsit import Ancestor, ImageNotFound, Prediction, Result, Verdict, zoo
from whatsit.cli import output

COMMAND = [sys.executable, "-m", "whatsit"]
ANSWER = Result(
    "cat.jpg",
    "m",
    Verdict.SURE,
    (Prediction(281, "tabby", 0.75), Prediction(285, "lynx", 0.05)),
    label_set=("tabby",),
)


class Terminal(io.TextIOWrapper):
    """Standard output that says it is a terminal."""

    def __init__(self, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding)

    def isatty(self) -> bool:
        return True

    def text(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode(self.encoding)  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def _colours_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)


def shown(result: Result, encoding: str = "utf-8") -> str:
    """What a terminal gets to show for `result`."""
    terminal = Terminal(encoding)
    with contextlib.redirect_stdout(terminal):
        output.text_writer()(result)
    return terminal.text()


def plain(text: str) -> str:
    """Without the codes that set colours."""
    return re.sub(r"\x1b\[\d*m", "", text)


# On a terminal.


def test_colours_and_bars() -> None:
    text = shown(ANSWER)
    assert "\x1b[32msure\x1b[0m" in text
    assert "\x1b[1mtabby\x1b[0m" in text
    assert plain(text) == (
        "cat.jpg  sure\n"
        "   75.0 %  ███████████████       tabby\n"
        "    5.0 %  █                     lynx\n"
    )


def test_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in shown(ANSWER)
    assert "███" in shown(ANSWER)


def test_a_terminal_without_block_characters() -> None:
    assert "75.0 %  ###############       tabby" in plain(shown(ANSWER, "latin-1"))


def test_an_answer_without_predictions() -> None:
    text = plain(shown(Result("cat.jpg", "m", Verdict.AMBIGUOUS)))
    assert text == "cat.jpg  ambiguous (uncalibrated)\n  no class scores high enough\n"


DOG, TERRIER = Ancestor("n1", "dog", 0.97), Ancestor("n2", "terrier", 0.6)


@pytest.mark.parametrize(
    ("broader", "probably", "words"),
    [
        (DOG, TERRIER, "ambiguous: dog, probably terrier"),
        (DOG, None, "ambiguous: dog"),
        (None, TERRIER, "ambiguous: probably terrier"),
        (None, None, "ambiguous"),
    ],
)
@pytest.mark.parametrize("print_one", [output._print_plain, output._print_terminal])
def test_what_can_be_said_instead_of_one_class(
    broader: Ancestor | None,
    probably: Ancestor | None,
    words: str,
    print_one: output.Writer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    result = Result(
        "a.jpg", "m", Verdict.AMBIGUOUS, label_set=("x", "y"), broader=broader, probably=probably
    )
    print_one(result)
    assert plain(capsys.readouterr().out).splitlines()[0] == f"a.jpg  {words}"


@pytest.mark.parametrize(
    ("score", "expected"),
    [(0.0, ""), (0.001, ""), (0.01, "▎"), (0.5, "█" * 10), (0.999, "█" * 20), (1.0, "█" * 20)],
)
def test_bar(score: float, expected: str) -> None:
    assert output.bar(score) == expected.ljust(20)


# Errors.


def test_error_lines_and_their_colours() -> None:
    terminal = Terminal()
    with contextlib.redirect_stderr(terminal):
        output.print_error(ImageNotFound("gone", expected="there", hint="look"))
    assert plain(terminal.text()) == "error     gone\nexpected  there\nhint      look\n"
    assert terminal.text().startswith("\x1b[31m\x1b[1merror")


def test_remarks_are_wrapped_on_a_terminal_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "several words " * 12 + "/a/" + "very-long-" * 12 + "path and an end"
    for say in (output.print_note, output.print_warning):
        say(text)
        assert capsys.readouterr().err.count("\n") == 1
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    for say in (output.print_note, output.print_warning):
        say(text)
        lines = capsys.readouterr().err.splitlines()
        assert " ".join(line[10:] for line in lines) == text
        assert all(len(line) <= 80 for line in lines if "/a/" not in line)
        assert all(line.startswith(" " * 10) for line in lines[1:])


def test_errors_when_piped_are_plain(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_error(ImageNotFound("no\x1b[31m\nname"))
    assert capsys.readouterr().err == "error     no\\x1b[31m\\nname\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("café 😀 猫", "café 😀 猫"),
        ("a\tb\nc", r"a\tb\nc"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\udcff", r"\xff"),
        ("\u202egpj.exe", r"\u202egpj.exe"),  # turns the direction of writing
    ],
)
def test_printable(text: str, expected: str) -> None:
    assert output.printable(text) == expected


# Progress.


def on_a_terminal(*arguments: str, stdout: Path | None = None) -> tuple[int, str]:
    """Exit status, and what the terminal showed, of a run whose streams are one."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    environment = {k: v for k, v in os.environ.items() if k != "NO_COLOR"} | {"TERM": "xterm"}
    with open(stdout or os.devnull, "wb") as file, open(ours, "rb", buffering=0) as screen:
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdout=file if stdout else theirs,
            stderr=theirs,
            env=environment,
        )
        os.close(theirs)
        seen = bytearray()
        try:
            while part := screen.read(65536):
                seen += part
        except OSError:  # Linux: the other side is closed
            pass
        return process.wait(), seen.decode()


@pytest.mark.parametrize("style", ["--json", "--csv"])
def test_progress_leaves_the_results_alone(style: str, cat: Path, tmp_path: Path) -> None:
    file = tmp_path / "results"
    inputs = [str(cat)] * 4 + ["gone.jpg"] + [str(cat)] * 4
    status, seen = on_a_terminal(style, "-k", "1", *inputs, stdout=file)
    lines = file.read_text().splitlines()
    assert status == 1
    assert "9/9" in seen
    assert "1 failed" in seen
    if style == "--json":
        assert [json.loads(line)["path"] for line in lines] == inputs
    else:
        assert [line.split(",")[0] for line in lines] == ["path", *inputs]
        assert "\r\x1b[2K\x1b[1;31merror" in seen  # on a line of its own, above the bar


def test_few_pictures_need_no_progress(cat: Path, tmp_path: Path) -> None:
    assert on_a_terminal("--json", str(cat), stdout=tmp_path / "results") == (0, "")


def test_no_progress_among_results_on_the_terminal(cat: Path) -> None:
    status, seen = on_a_terminal("-k", "1", *[str(cat)] * 9)
    assert status == 0
    assert len(seen.splitlines()) == 18
    assert "9/9" not in seen


def test_no_progress_when_all_is_piped(whatsit: Callable[..., Run], cat: Path) -> None:
    assert whatsit("--json", *[cat] * 9).err == ""


# Where it cannot be written, or nobody reads it.

DEFAULT = zoo.DEFAULT
CAT = str(zoo.GOLDEN / "cat.png")
PRINTING = [
    [CAT],
    ["--json", CAT],
    ["--csv", CAT],
    ["models"],
    ["models", "--all"],
    ["models", "--json"],
    ["models", "show", DEFAULT],
    ["models", "verify", DEFAULT],
    ["models", "path", DEFAULT],
    ["selftest", "-m", DEFAULT],
    ["evaluate", "mobilenet-v2-int8", "{set}"],
    ["evaluate", "mobilenet-v2-int8", "{set}", "--json"],
    ["compare", "{saved}", "{saved}"],
    ["benchmark", "mobilenet-v2-int8", *"--threads 1 --rounds 1 --seconds 0.01".split()],
    ["choose", "mobilenet-v2-int8"],
    ["dataset", "check", "{two}", "--no-labels"],
    ["train", "{two}", "-m", "mobilenet-v2-int8", "-o", "{made}", "--force"],
]


@pytest.fixture
def printing(tmp_path: Path) -> Callable[[list[str]], list[str]]:
    """The command with the pictures and the saved evaluation that it names."""
    picture = tmp_path / "set" / "tabby" / "cat.png"
    picture.parent.mkdir(parents=True)
    shutil.copy(CAT, picture)
    saved = tmp_path / "saved.json"
    evaluation([answer("a.png", 0, 0)]).save(saved)
    for label, name in (
        ("a", "cat.png"),
        ("a", "flower.jpg"),
        ("b", "coffee.png"),
        ("b", "rocket.jpg"),
    ):
        (tmp_path / "two" / label).mkdir(parents=True, exist_ok=True)
        shutil.copy(zoo.GOLDEN / name, tmp_path / "two" / label)
    places = {
        "{set}": str(tmp_path / "set"),
        "{two}": str(tmp_path / "two"),
        "{made}": str(tmp_path / "made.tflite"),
        "{saved}": str(saved),
    }
    return lambda arguments: [*COMMAND, *(places.get(text, text) for text in arguments)]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux")
@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_a_full_disk_is_said(
    arguments: list[str], printing: Callable[[list[str]], list[str]]
) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            printing(arguments), stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    lines = [line for line in done.stderr.splitlines() if line[:4] not in ("note", "warn")]
    assert (done.returncode, lines) == (
        1,
        [
            "error     cannot write the results: No space left on device",
            "hint      is the disk full?",
        ],
    )


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_a_reader_that_has_gone_is_no_error(
    arguments: list[str], printing: Callable[[list[str]], list[str]]
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            printing(arguments), stdout=writer, stderr=subprocess.PIPE, text=True, check=False
        )
    finally:
        os.close(writer)
    lines = [line for line in done.stderr.splitlines() if line[:4] not in ("note", "warn")]
    assert (done.returncode, lines) == (0, [])
