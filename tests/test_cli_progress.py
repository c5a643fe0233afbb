"""What is seen on standard error while something is done; in a real terminal: test_cli_output."""

from __future__ import annotations

import sys

import pytest

from whatsit.cli import progress


def test_nothing_is_written_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.bar("a") as advance:
        advance(1, 2)
    with progress.line() as say:
        say("a")
    assert capsys.readouterr() == ("", "")


def test_a_bar_begins_with_the_first_step(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress.bar("[a]\x1b") as advance:
        assert capsys.readouterr().err == ""
        advance(3, 9, "1 [failed]")
    err = capsys.readouterr().err
    assert "[a]\\x1b" in err
    assert "3/9" in err
    assert "1 [failed]" in err


def test_a_bar_of_bytes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress.bar("model.zip", "bytes") as advance:
        advance(1_000_000, 4_000_000)
    assert "1.0/4.0 MB" in capsys.readouterr().err


def test_a_line_stands_and_goes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress.line() as say:
        say("one\n" + "x" * 200)
        say("two")
    first, second, gone, rest = capsys.readouterr().err.split("\r")[1:]
    assert first.startswith("one\\nxxx")
    assert (second.strip(), gone.strip(), rest) == ("two", "", "")
    assert {len(line) for line in (first, second, gone)} == {79}
