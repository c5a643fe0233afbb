"""Files written whole or not at all, and where they are kept."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from whatsit import WhatsitError, storage


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
    assert str(tmp_path / "none" / "a") in caught.value.message
    assert "No such file" in caught.value.message


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
