"""`serve.export`: the app as a folder, whole or not at all, and nobody's files lost."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from whatsit import UsageError, WhatsitError
from whatsit.serve.export import export
from whatsit.serve.site import HEADERS, Site, SiteFile

OLD = {"index.html": b"old", "app/main.js": b"1", "gone.css": b""}
NEW = {"index.html": b"new", "app/main.js": b"2", "models/m.tflite": bytes(5000)}


def site(files: dict[str, bytes]) -> Site:
    made = {path: SiteFile.of(path, data) for path, data in files.items()}
    facts = {path: {"sha256": f.sha256, "bytes": f.size_bytes} for path, f in made.items()}
    text = json.dumps({"version": "v", "app": "0", "files": facts}).encode()
    return Site("v", {**made, "version.json": SiteFile.of("version.json", text)})


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_every_file_is_written_as_it_is(tmp_path: Path) -> None:
    written = export(site(NEW), tmp_path / "out")
    found = content(tmp_path / "out")
    assert NEW.items() <= found.items()
    assert found.keys() - NEW.keys() == {"version.json", "_headers"}
    assert (written.folder, written.files) == (tmp_path / "out", len(found))
    assert written.size_bytes == sum(map(len, found.values()))
    listed = json.loads(found["version.json"])["files"]
    assert {p: hashlib.sha256(found[p]).hexdigest() for p in listed} == {
        p: row["sha256"] for p, row in listed.items()
    }
    for name, value in HEADERS.items():
        assert f"  {name}: {value}\n" in found["_headers"].decode()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    export(site(NEW), tmp_path / "out")
    assert (tmp_path / "out" / "index.html").read_bytes() == b"new"


def test_an_earlier_export_is_replaced_only_with_force(tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(site(OLD), out)
    before = content(out)
    with pytest.raises(UsageError, match="there is an earlier export") as caught:
        export(site(NEW), out)
    assert caught.value.hint == "--force replaces it"
    assert content(out) == before
    export(site(NEW), out, force=True)
    assert content(out).keys() == {*NEW, "version.json", "_headers"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("name", ["thesis.txt", "app/thesis.txt", ".git/config"])
def test_a_folder_with_anything_else_is_never_replaced(
    tmp_path: Path, name: str, force: bool
) -> None:
    out = tmp_path / "out"
    export(site(OLD), out)
    (out / name).parent.mkdir(exist_ok=True)
    (out / name).write_text("years of work", encoding="utf-8")
    before = content(out)
    with pytest.raises(UsageError, match=f"{name}' in it is of no earlier export"):
        export(site(NEW), out, force=force)
    assert content(out) == before


def test_a_folder_that_claims_nothing_is_not_replaced(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "empty").mkdir(parents=True)
    with pytest.raises(UsageError, match="'empty' in it is of no earlier export"):
        export(site(NEW), out, force=True)


def test_a_file_and_a_missing_parent_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(UsageError, match="it is a file"):
        export(site(NEW), tmp_path / "file", force=True)
    with pytest.raises(UsageError, match="there is no folder"):
        export(site(NEW), tmp_path / "none" / "out")


def test_if_it_fails_what_was_there_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    export(site(OLD), out)
    before = content(out)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WhatsitError, match="No space left on device"):
        export(site(NEW), out, force=True)
    assert content(out) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real", target_is_directory=True)
    export(site(NEW), tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "index.html").read_bytes() == b"new"


def test_the_worker_adds_the_headers_that_the_server_sends() -> None:
    text = (Path(export.__code__.co_filename).parent / "web" / "sw.js").read_text("utf-8")
    joined = text.replace('" +\n    "', "")
    for name, value in HEADERS.items():
        assert f'"{name}": "{value}"' in joined or f'"{name}":\n    "{value}"' in joined
