"""Where a journal and an output are kept: whole files or none, here and behind URLs."""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import full_disk
import pytest

from whatsit import ExtraMissing, UsageError, WhatsitError
from whatsit.batch import job, urls
from whatsit.batch.places import LocalPlace, Place, is_partial, place_of
from whatsit.batch.url_places import UrlPlace

fsspec = pytest.importorskip("fsspec")

from fsspec.implementations.memory import MemoryFileSystem  # noqa: E402

posix = pytest.mark.skipif(os.name == "nt", reason="names and modes of POSIX")
not_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere"
)


class Slow(MemoryFileSystem):  # type: ignore[misc]
    """A file system that shows files while they are being written, as a disk far away does."""

    protocol = "slow"
    store: dict[str, Any] = {}  # noqa: RUF012
    pseudo_dirs = [""]  # noqa: RUF012
    calls: list[tuple[str, str]] = []  # noqa: RUF012
    fails = 0  # so many of the next calls

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(MemoryFileSystem._strip_protocol(path.replace("slow://", "memory://", 1)))

    def pipe_file(self, path: str, value: bytes, **options: Any) -> None:
        self._called("pipe", path)
        super().pipe_file(path, value, **options)

    def put_file(self, lpath: str, rpath: str, **options: Any) -> None:
        self._called("put", rpath)
        super().pipe_file(rpath, Path(lpath).read_bytes())

    def mv(self, path1: str, path2: str, **options: Any) -> None:
        self._called("mv", path2)
        super().mv(path1, path2, **options)

    def _called(self, what: str, path: str) -> None:
        type(self).calls.append((what, path))
        if type(self).fails:
            type(self).fails -= 1
            raise ConnectionError("gone")


@pytest.fixture(autouse=True)
def empty(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(urls, "PAUSES_S", (0.0, 0.0, 0.0))
    fsspec.register_implementation("slow", Slow, clobber=True)
    for kind in (MemoryFileSystem, Slow):
        kind.store.clear()
        kind.pseudo_dirs[:] = [""]
    Slow.calls.clear()
    Slow.fails = 0
    yield
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


KINDS = ("path", "relative", "file", "memory", "slow")


@pytest.fixture(params=KINDS)
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: Any) -> Place:
    """A folder that does not exist yet, in each kind of place."""
    monkeypatch.chdir(tmp_path)
    names = {
        "path": str(tmp_path / "job"),
        "relative": "job",
        "file": (tmp_path / "job").as_uri(),
        "memory": "memory://bucket/job",
        "slow": "slow://host/job",
    }
    return place_of(names[request.param])


def emptied(folder: Place) -> None:
    """Removes the folder and what is in it."""
    for name in folder.names():
        folder.join(name).remove()
    folder.remove_folder()
    assert not folder.exists()


def test_what_a_path_or_a_url_is(tmp_path: Path) -> None:
    assert isinstance(place_of("out.jsonl"), LocalPlace)
    assert isinstance(place_of(r"C:\out.jsonl"), LocalPlace)
    assert isinstance(place_of("C:/out.jsonl"), LocalPlace)
    assert isinstance(place_of("memory://out.jsonl"), UrlPlace)
    local = place_of(f"file://{tmp_path.as_posix()}/out.jsonl")
    assert isinstance(local, LocalPlace)
    assert Path(local.path) == tmp_path / "out.jsonl"


def test_names(tmp_path: Path) -> None:
    out = place_of("memory://bucket/runs/out.jsonl")
    assert out.name == "memory://bucket/runs/out.jsonl"
    assert (
        out.beside("out.jsonl.job").join("part").name == "memory://bucket/runs/out.jsonl.job/part"
    )
    assert place_of("memory://out.jsonl").beside("x").name == "memory://x"
    local = place_of(os.path.join("runs", "out.jsonl"))
    assert local.beside("job").join("part").name == os.path.join("runs", "job", "part")
    assert place_of("out.jsonl").beside("job").name == "job"


def test_a_folder_and_its_files(folder: Place) -> None:
    assert not folder.exists()
    assert not folder.is_folder()
    assert folder.names() == []
    folder.make_folder()
    folder.make_folder()  # it is there
    for name in ("part-000010", "part-000002", "items ü#1.jsonl"):
        folder.join(name).write_whole(name.encode())
    assert folder.exists()
    assert folder.is_folder()
    assert folder.names() == ["items ü#1.jsonl", "part-000002", "part-000010"]
    one = folder.join("part-000002")
    assert one.exists()
    assert not one.is_folder()
    assert one.read() == b"part-000002"
    one.write_whole(b"again")
    assert one.read() == b"again"
    one.write_whole(b"")
    assert one.read() == b""
    one.remove()
    one.remove()  # it is not there
    assert not one.exists()
    assert folder.names() == ["items ü#1.jsonl", "part-000010"]
    emptied(folder)
    folder.remove_folder()  # it is not there
    assert not folder.exists()
    assert folder.names() == []


def test_a_long_file_takes_its_place_at_once(folder: Place) -> None:
    folder.make_folder()
    out = folder.join("out.jsonl")
    out.write_whole(b"before")
    with out.whole_file() as file:
        for _ in range(100):
            file.write(b"x" * 10_000)
        assert out.read() == b"before"
        assert [name for name in folder.names() if not is_partial(name)] == ["out.jsonl"]
    assert out.read() == b"x" * 1_000_000
    assert folder.names() == ["out.jsonl"]


@pytest.mark.parametrize("error", [UsageError("no"), KeyboardInterrupt(), OSError("other")])
def test_a_file_that_is_not_finished_leaves_what_was_there(
    folder: Place, error: BaseException
) -> None:
    folder.make_folder()
    out = folder.join("out.jsonl")
    out.write_whole(b"before")
    with contextlib.suppress(BaseException), out.whole_file() as file:
        file.write(b"half")
        raise error
    with pytest.raises(type(error)) as caught, out.whole_file() as file:
        raise error
    assert caught.value is error
    assert out.read() == b"before"
    assert folder.names() == ["out.jsonl"]
    emptied(folder)


def test_what_is_not_there_cannot_be_read(folder: Place) -> None:
    missing = folder.join("none")
    with pytest.raises(WhatsitError) as caught:
        missing.read()
    assert caught.value.message.startswith(f"cannot read {missing.name!r}: ")
    assert caught.value.message.lower().endswith(("no such file", "no such file or directory"))
    assert caught.value.code == "error"


def test_leftovers_of_a_killed_run_go_with_the_job(folder: Place) -> None:
    folder.make_folder()
    for name in ("part-000001.jsonl", ".part-000002.jsonl.0a1b2c3d.partial"):
        folder.join(name).write_whole(b"x")
    job.clear(folder)
    assert folder.names() == []
    folder.remove_folder()
    assert not folder.exists()


def test_a_folder_that_is_not_empty_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "job" / "mine").mkdir(parents=True)
    (tmp_path / "job" / "mine" / "a.txt").write_text("x")
    with pytest.raises(WhatsitError, match="cannot remove"):
        place_of(str(tmp_path / "job")).remove_folder()
    assert (tmp_path / "job" / "mine" / "a.txt").read_text() == "x"


def test_writing_is_tried_before_the_long_work(folder: Place) -> None:
    folder.make_folder()
    out = folder.join("out.jsonl")
    out.check_writable()
    assert folder.names() == []
    out.write_whole(b"before")
    out.check_writable()
    assert out.read() == b"before"
    with pytest.raises(WhatsitError, match="it is a folder"):
        folder.check_writable()
    emptied(folder)


def test_a_folder_that_is_not_there_cannot_be_written_to(tmp_path: Path) -> None:
    out = place_of(str(tmp_path / "none" / "out.jsonl"))
    for attempt in (out.check_writable, lambda: out.write_whole(b"x")):
        with pytest.raises(WhatsitError, match="there is no such folder"):
            attempt()
    assert os.listdir(tmp_path) == []


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "job").write_text("mine")
    folder = place_of(str(tmp_path / "job"))
    assert folder.exists()
    assert not folder.is_folder()
    assert folder.names() == []
    with pytest.raises(WhatsitError, match="cannot make the folder"):
        folder.make_folder()
    with pytest.raises(WhatsitError, match="cannot remove"):
        folder.remove_folder()
    assert (tmp_path / "job").read_text() == "mine"


@posix
@not_root
def test_a_place_that_may_not_be_written_to(tmp_path: Path) -> None:
    folder = place_of(str(tmp_path / "job"))
    folder.make_folder()
    os.chmod(tmp_path / "job", 0o500)
    try:
        with pytest.raises(WhatsitError, match="cannot write"):
            folder.join("x").write_whole(b"x")
        with pytest.raises(WhatsitError, match="cannot write"):
            folder.join("x").check_writable()
    finally:
        os.chmod(tmp_path / "job", 0o700)


@posix
def test_a_link_stays_a_link_and_a_pipe_a_pipe(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    os.symlink(tmp_path / "real" / "out", tmp_path / "link")
    place_of(str(tmp_path / "link")).write_whole(b"x")
    assert os.path.islink(tmp_path / "link")
    assert (tmp_path / "real" / "out").read_bytes() == b"x"
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(WhatsitError, match="no regular file"):
        place_of(str(tmp_path / "pipe")).write_whole(b"x")


@full_disk.needs_limits
def test_a_full_disk(tmp_path: Path) -> None:
    out = place_of(str(tmp_path / "out"))
    out.write_whole(b"before")
    with full_disk.largest_file(1000), pytest.raises(WhatsitError, match="cannot write"):
        out.write_whole(b"x" * 100_000)
    assert out.read() == b"before"
    assert os.listdir(tmp_path) == ["out"]


@posix
def test_names_are_on_the_disk_as_well_as_what_they_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    original = os.fsync

    def fsync(descriptor: int) -> None:
        if os.path.isdir("/proc/self/fd"):
            synced.append(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))
        original(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    place_of(str(tmp_path / "out")).write_whole(b"x")
    if sys.platform == "linux":
        assert len(synced) == 2
        assert synced[0].endswith(".partial")  # first the file, then the folder
        assert synced[1] == tmp_path.name


def test_a_store_of_objects_is_written_to_directly_and_others_beside() -> None:
    place_of("memory://b/out").write_whole(b"x")
    assert list(MemoryFileSystem.store) == ["/b/out"]
    out = place_of("slow://h/out")
    out.write_whole(b"x")
    with out.whole_file() as file:
        file.write(b"yy")
    kinds = [what for what, _ in Slow.calls]
    assert kinds == ["pipe", "mv", "put", "mv"]
    for what, path in Slow.calls:
        assert path.endswith(".partial") == (what != "mv")
    assert list(Slow.store) == ["/h/out"]
    assert out.read() == b"yy"


def test_writing_behind_a_url_is_tried_again() -> None:
    out = place_of("slow://h/out")
    Slow.fails = 3
    out.write_whole(b"x")
    assert out.read() == b"x"
    Slow.fails = 4
    with pytest.raises(WhatsitError) as caught:
        out.write_whole(b"y")
    assert caught.value.message == "cannot write 'slow://h/out': gone"
    assert out.read() == b"x"
    assert list(Slow.store) == ["/h/out"]


@pytest.mark.parametrize(
    "url",
    [
        "https://host/out.jsonl",
        "zip://out.jsonl::memory://a.zip",
        "simplecache::memory://out.jsonl",
        "github://a:b@c/out.jsonl",
    ],
)
def test_where_nothing_can_be_written(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        place_of(url)
    assert caught.value.message == f"cannot write to {url!r}"
    assert "s3://" in caught.value.expected


def test_an_unknown_protocol_and_a_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="no protocol 'foo'"):
        place_of("foo://bucket/out.jsonl")
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(ExtraMissing) as caught:
        place_of("s3://bucket/out.jsonl")
    assert caught.value.hint == "pip install s3fs"
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(ExtraMissing) as caught:
        place_of("memory://bucket/out.jsonl")
    assert caught.value.hint == "pip install 'whatsit[batch]'"


@pytest.mark.parametrize("name", ["out.jsonl", "memory://bucket/out.jsonl"])
def test_a_place_goes_to_other_processes(name: str) -> None:
    place = place_of(name)
    place.exists()
    back = pickle.loads(pickle.dumps(place))
    assert back.name == place.name
    assert type(back) is type(place)


@posix
def test_a_kill_leaves_the_whole_file_or_the_one_before(tmp_path: Path) -> None:
    """The process is killed in the middle of writing, many times over."""
    code = (
        "import sys; from whatsit.batch.places import place_of\n"
        "out = place_of(sys.argv[1]); print('go', flush=True)\n"
        "i = 0\n"
        "while True: i = (i + 1) % 10; out.write_whole(b'%d' % i * 300_000)"
    )
    out = tmp_path / "job" / "part"
    place_of(str(out.parent)).make_folder()
    for _ in range(5):
        process = subprocess.Popen([sys.executable, "-c", code, out], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.03)
        process.kill()
        process.wait()
        process.stdout.close()
        if out.exists():
            data = out.read_bytes()
            assert len(data) == 300_000
            assert len(set(data)) == 1
        names = place_of(str(out.parent)).names()
        assert {name for name in names if not is_partial(name)} <= {"part"}
    emptied(place_of(str(out.parent)))
    assert not out.parent.exists()
