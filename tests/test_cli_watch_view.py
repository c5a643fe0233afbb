"""The live view: what a terminal of 80 columns shows, and that nothing in it jumps."""

from __future__ import annotations

import io
import itertools
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import make_videos
import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from whatsit import Prediction, Result, Verdict, zoo
from whatsit.cli import watch_view
from whatsit.cli.watch_view import Numbers, Rows, View
from whatsit.events import Event, Segment
from whatsit.frames import Frame, SourceInfo
from whatsit.streaming import Moment

COMMAND = [sys.executable, "-m", "whatsit", "watch"]
FILE = SourceInfo("file", "clip.mp4", False, 1280, 720, 30.0, 60_000.0, 0)
CAMERA = SourceInfo("camera", "/dev/video0", True, 640, 480, None, None, 0)


class Clock:
    """A time that passes only when it is told to."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(watch_view, "time", clock)
    return clock


def steady(*scores: float, labels: str = "abcdefgh") -> tuple[Prediction, ...]:
    rows = [Prediction(i, labels[i], score) for i, score in enumerate(scores)]
    return tuple(sorted(rows, key=lambda row: -row.score))


def moment(
    time_ms: float,
    rows: tuple[Prediction, ...] = (),
    *,
    current: Prediction | None = None,
    dropped: int = 0,
    took_ms: float = 10.0,
) -> Moment:
    result = Result(None, "m", Verdict.SURE, rows, {"decode": took_ms - 4, "inference": 4.0})
    frame = cast(Frame, object())  # whose picture is for --save
    return Moment(time_ms, frame, result, rows, current, (), dropped)


def drawn(view: View, width: int = 80) -> list[str]:
    """The lines that stand, as a terminal of this width has them."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    view._console = console
    console.print(view._drawn())
    return cast(io.StringIO, console.file).getvalue().splitlines()


# The lines.


def test_the_lines(clock: Clock) -> None:
    view = View(CAMERA, "mobilenet-v2-int8", 3)
    rows = steady(0.62, 0.11)
    for number in range(40):
        clock.now_s += 0.04
        view.show(moment(number * 40.0, rows, current=rows[0], dropped=1234))
    assert drawn(view) == [
        "/dev/video0  640×480  mobilenet-v2-int8",
        "",
        "   62 %  ████████████▍         a",
        "   11 %  ██▎                   b",
        "",
        "",
        "   0:01.6    25.0 fps         p95  10.0 ms   1,234 dropped",
    ]


def test_the_lines_of_a_file(clock: Clock) -> None:
    view = View(FILE, "m", 1)
    for number in range(31):
        clock.now_s += 0.1
        view.show(moment(number * 1000.0, steady(0.5)))
    assert drawn(view)[-1] == "   0:30.0 of 1:00.0     9.6 × as fast   p95  10.0 ms"


def test_before_the_first_picture() -> None:
    lines = drawn(View(CAMERA, "m", 2))
    assert lines[2:] == ["", "", "", "waiting for the first picture"]


def test_a_source_that_is_silent(clock: Clock) -> None:
    view = View(CAMERA, "m", 1)
    view.show(moment(0.0, steady(0.5)))
    clock.now_s += 1.9
    assert "no picture" not in drawn(view)[-1]
    clock.now_s += 3.0
    assert "no picture for 5 s" in drawn(view)[-1]
    view.show(moment(5000.0, steady(0.5)))
    assert "no picture" not in drawn(view)[-1]


@pytest.mark.parametrize("width", [20, 40, 80, 200])
@pytest.mark.parametrize("label", ["x" * 300, "猫" * 100, "\x1b[31m" * 20, "a\nb" * 50])
def test_no_line_is_longer_than_the_terminal(clock: Clock, width: int, label: str) -> None:
    from rich.cells import cell_len

    info = SourceInfo("file", label, False, 99_999, 99_999, 30.0, 1e9, 0)
    view = View(info, label, 5)
    view.show(moment(9e8, tuple(Prediction(i, label, 0.5) for i in range(5)), dropped=10**9))
    lines = drawn(view, width)
    assert len(lines) == 9
    assert max(map(cell_len, lines)) < min(width, 81)
    assert "\x1b" not in "".join(lines)


def test_there_are_always_as_many_lines(clock: Clock) -> None:
    view = View(FILE, "m", 4)
    counts = {len(drawn(view))}
    for scores in ((), (0.9,), (0.9, 0.05), (0.4, 0.3, 0.2, 0.1, 0.05), (0.001,) * 5):
        view.show(moment(0.0, steady(*scores)))
        counts.add(len(drawn(view)))
    assert counts == {8}


def test_the_class_that_is_named_stands_out() -> None:
    view = View(FILE, "m", 2)
    rows = steady(0.6, 0.4)
    view.show(moment(0.0, rows, current=rows[1]))
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system="standard")
    console.print(view._drawn())
    text = cast(io.StringIO, console.file).getvalue().splitlines()
    assert "\x1b[1;32m   40 %" in text[3]
    assert "\x1b" not in text[2]


def test_a_loss_is_no_picture(clock: Clock) -> None:
    view = View(CAMERA, "m", 1)
    seen = moment(0.0, steady(0.5), current=steady(0.5)[0])
    view.show(seen)
    clock.now_s += 9.0
    view.show(replace(seen, current=None))
    assert "no picture for 9 s" in drawn(view)[-1]
    assert view._numbers.frames == 1


def test_events_stay_above_and_the_last_numbers_below() -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
    segment = Segment(1200.0, 4800.0, 281, "tabby", None, 0.5, 0.9, 2000.0)
    with View(FILE, "m", 2, console) as view:
        view.show(moment(4800.0, steady(0.5)))
        view.event(Event("start", 1500.0, segment, 0.62))
        view.event(Event("end", 4800.0, segment, 0.1))
    text = re.sub(r"\x1b\[[0-9?]*[A-Za-z]|\r", "\n", cast(io.StringIO, console.file).getvalue())
    lines = [line for line in text.splitlines() if line.strip()]
    assert "   0:01.2  start  tabby  62 %" in lines
    assert "   0:04.8  end    tabby  50 % over 3.6 s" in lines
    assert lines[-1].startswith("   0:04.8 of 1:00.0")


@pytest.mark.parametrize("terminal", [True, False])
def test_notes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], terminal: bool
) -> None:
    """With the view, where both are on one terminal; else where notes go."""
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
    with View(CAMERA, "m", 1, console) as view:
        monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
        view.note("lost; " * 30)
        view.show(moment(0.0, steady(0.5)))
        shown = cast(io.StringIO, console.file).getvalue()
    assert shown.count("lost;") == (30 if terminal else 0)
    assert capsys.readouterr().err.count("lost;") == (0 if terminal else 30)
    if terminal:
        text = re.sub(r"\x1b\[[0-9?]*[A-Za-z]|\r", "\n", shown)
        assert max(len(line) for line in text.splitlines()) <= 80


# What does not jump.


def test_a_row_stays_where_it_is_for_as_long_as_it_can() -> None:
    rows = Rows(3)
    rows.take(steady(0.40, 0.39, 0.05))
    for first, second in ((0.39, 0.40), (0.395, 0.40), (0.38, 0.41), (0.40, 0.39)):
        rows.take(steady(first, second, 0.05))
        assert [row.label for row in rows.shown] == ["a", "b", "c"]
    rows.take(steady(0.36, 0.43, 0.05))
    assert [row.label for row in rows.shown] == ["b", "a", "c"]
    rows.take(steady(0.40, 0.39, 0.05))
    assert [row.label for row in rows.shown] == ["b", "a", "c"]


def test_rows_are_near_their_order_whatever_comes() -> None:
    rows, random = Rows(5), np.random.default_rng(0)
    for _ in range(300):
        now = steady(*random.dirichlet(np.ones(8)))[:5]
        rows.take(now)
        scores = [row.score for row in rows.shown]
        likely = {row.label for row in now if row.score >= 0.01}
        assert {row.label for row in rows.shown} == likely
        assert all(b <= a + 0.03 for a, b in itertools.pairwise(scores))


def test_what_is_hardly_likely_has_no_row() -> None:
    rows = Rows(3)
    rows.take(steady(0.5, 0.009, 0.0))
    assert [row.label for row in rows.shown] == ["a"]


def test_numbers_change_once_a_second_at_most(clock: Clock) -> None:
    numbers, seen = Numbers(CAMERA), set()
    for number in range(100):
        clock.now_s += 0.033 if number % 2 else 0.05
        numbers.take(moment(number * 40.0, took_ms=5.0 + number % 7))
        seen.add(numbers.text()[9:])
    assert len(seen) <= 5


def test_p95() -> None:
    numbers = Numbers(CAMERA)
    for took_ms in range(1, 101):
        numbers.take(moment(took_ms * 40.0, took_ms=float(took_ms)))
    assert numbers._p95_ms() == pytest.approx(np.quantile(np.arange(1, 101), 0.95))


# In a real terminal.


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    with Image.open(zoo.GOLDEN / "coffee.png") as file:
        coffee = np.asarray(file.convert("RGB").resize((128, 96)))
    make_videos.write(path, [coffee] * 20, rate=10)
    return path


def on_a_terminal(*arguments: object, separate: bool = False) -> tuple[int, str]:
    """Exit status, and what a terminal of 80 columns gets; of standard error only if asked."""
    pty = pytest.importorskip("pty")
    fcntl, termios = pytest.importorskip("fcntl"), pytest.importorskip("termios")
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, b"\x18\0\x50\0\0\0\0\0")  # 24 lines, 80 columns
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    environment.pop("NO_COLOR", None)
    child = subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdin=theirs,
        stdout=subprocess.PIPE if separate else theirs,
        stderr=theirs,
        env=environment,
    )
    os.close(theirs)
    seen = b"".join(read_all(ours))
    child.communicate()
    os.close(ours)
    return child.returncode, seen.decode()


def read_all(descriptor: int) -> Iterator[bytes]:
    try:
        while part := os.read(descriptor, 1 << 16):
            yield part
    except OSError:  # EIO: the other side is closed
        return


def test_a_terminal(clip: Path) -> None:
    status, seen = on_a_terminal(clip, "-m", "mobilenet-v2-int8")
    assert status == 0
    assert "\x1b[?25l" in seen  # the cursor is hidden meanwhile
    assert seen.rindex("\x1b[?25h") > seen.rindex("\x1b[?25l")
    assert f"{clip.name}" in seen
    assert "start  espresso" in seen
    assert "end    espresso" in seen
    last = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen).splitlines()[-1]
    assert re.fullmatch(r"   0:01\.9 of 0:02\.0 +\d+\.\d × as fast +p95 +\d+\.\d ms", last)


def test_a_terminal_and_an_index(clip: Path, tmp_path: Path) -> None:
    status, seen = on_a_terminal(clip, "--index", tmp_path / "i.json")
    assert status == 0
    assert "start  espresso" not in seen  # the table says it
    assert re.search(r"espresso +2\.0 s +0:00\.0 – 0:02\.0", seen)


def test_objects_on_a_terminal_come_without_a_view(clip: Path) -> None:
    status, seen = on_a_terminal(clip, "--json")
    assert status == 0
    assert seen.startswith('{"event": "start"')
    assert "\x1b" not in seen


def test_how_far_it_is_where_events_go_elsewhere(clip: Path) -> None:
    status, seen = on_a_terminal(clip, separate=True)
    assert status == 0
    assert "2/2" in seen
    assert "start" not in seen


def test_errors_come_after_the_view(tmp_path: Path) -> None:
    (tmp_path / "no.mp4").write_text("no video")
    status, seen = on_a_terminal(tmp_path / "no.mp4")
    assert status == 1
    assert "is not a video of a known kind" in seen.replace("\r\n", " ")
    assert "\x1b[?25l" not in seen


def test_a_folder_on_a_terminal(tmp_path: Path) -> None:
    status, seen = on_a_terminal(tmp_path, "--for", "0.1s")
    assert status == 0
    assert "Ctrl-C ends it" in seen.replace("\r\n          ", " ")
