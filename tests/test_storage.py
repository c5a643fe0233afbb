"""Files written whole or not at all, and where they are kept."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from full_disk import largest_file, needs_limits

from whatsit import WhatsitError, storage

Act = Callable[[Any], None]


def written(path: str | Path) -> None:
    with storage.whole_file(path) as file:
        file.write(b"new")


def test_the_file_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    with storage.whole_file(target) as file:
        file.write(b"half")
        assert not target.exists()
        file.write(b" and half")
    assert target.read_bytes() == b"half and half"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_a_failure_keeps_what_was_there_and_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    target.write_bytes(b"older")
    with pytest.raises(ZeroDivisionError), storage.whole_file(target) as file:  # noqa: PT012
        file.write(b"newer")
        raise ZeroDivisionError
    assert target.read_bytes() == b"older"
    assert os.listdir(tmp_path) == ["a.bin"]


@pytest.mark.skipif(os.name == "nt", reason="no such permissions")
def test_the_file_has_the_permissions_of_any_other(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"")
    with storage.whole_file(tmp_path / "a"):
        pass
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "other")}
    assert len(modes) == 1


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(WhatsitError) as caught, storage.whole_file(tmp_path / "none" / "a"):
        pytest.fail("must not come here")
    assert caught.value.message == (
        f"cannot write {str(tmp_path / 'none' / 'a')!r}: there is no such folder"
    )


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "a.bin", tmp_path / "link"
    link.symlink_to(target)
    for content in (b"new", b"newer"):  # the first time it leads to nothing
        storage.check_writable(link)
        with storage.whole_file(link) as file:
            file.write(content)
        assert link.is_symlink()
        assert target.read_bytes() == content
    assert os.listdir(tmp_path / "there") == ["a.bin"]


@pytest.mark.parametrize("act", [storage.check_writable, written])
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no such files")
def test_what_is_no_regular_file_is_left_alone(act: Act, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for path in (tmp_path / "pipe", tmp_path / "link", Path("/dev/null")):
        with pytest.raises(WhatsitError) as caught:
            act(path)
        assert caught.value.message == f"cannot write {str(path)!r}: it is no regular file"
        assert "a file in a folder" in caught.value.expected
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    assert sorted(os.listdir(tmp_path)) == ["link", "pipe"]


@pytest.mark.parametrize("act", [storage.check_writable, written])
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (".", "it is a folder"),
        ("", "it is a folder"),
        ("none/a", "there is no such folder"),
        ("file/a", "Not a directory"),
        ("x" * 300, "File name too long"),
        ("x" * 250, "File name too long"),  # with what is put behind it meanwhile
        ("a\0b", "embedded null"),
        ("circle", "symbolic links"),
        pytest.param(
            "/proc/whatsit",  # its permissions let root write, and yet nobody can
            "No such file",
            marks=pytest.mark.skipif(not sys.platform.startswith("linux"), reason="no /proc"),
        ),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="says it in other words")
def test_where_nothing_can_be_written(
    act: Act, name: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(WhatsitError) as caught:
        act(name)
    assert caught.value.message.startswith(f"cannot write {name!r}: ")
    assert reason in caught.value.message
    assert sorted(os.listdir(tmp_path)) == ["circle", "file"]


def test_where_something_can_be_written_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"older")
    storage.check_writable(tmp_path / "old")
    storage.check_writable(str(tmp_path / "new"))
    assert os.listdir(tmp_path) == ["old"]
    assert (tmp_path / "old").read_bytes() == b"older"


def test_a_failure_of_the_caller_is_not_put_down_to_the_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), storage.whole_file(tmp_path / "a"):
        (tmp_path / "no-such").read_bytes()
    assert os.listdir(tmp_path) == []


@needs_limits
@pytest.mark.parametrize("size_bytes", [2_000, 2_000_000])  # held back to the end, or not
def test_a_full_disk_is_said(size_bytes: int, tmp_path: Path) -> None:
    with (
        largest_file(1_000),
        pytest.raises(WhatsitError) as caught,
        storage.whole_file(tmp_path / "a") as file,
    ):
        file.write(bytes(size_bytes))
    assert caught.value.message == f"cannot write {str(tmp_path / 'a')!r}: File too large"
    assert os.listdir(tmp_path) == []


def test_caches_go_where_the_person_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WHATSIT_CACHE", str(tmp_path))
    assert storage.cache_folder("models") == tmp_path / "models"


@pytest.mark.parametrize(
    ("platform", "variable", "expected"),
    [
        ("linux", "XDG_CACHE_HOME", "chosen/whatsit/models"),
        ("linux", None, "home/.cache/whatsit/models"),
        ("darwin", None, "home/Library/Caches/whatsit/models"),
        ("win32", "LOCALAPPDATA", "chosen/whatsit/models"),
        ("win32", None, "home/AppData/Local/whatsit/models"),
    ],
)
def test_else_they_go_where_the_platform_says(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    platform: str,
    variable: str | None,
    expected: str,
) -> None:
    for name in ("WHATSIT_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    if variable:
        monkeypatch.setenv(variable, str(tmp_path / "chosen"))
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    assert storage.cache_folder("models") == tmp_path / expected
