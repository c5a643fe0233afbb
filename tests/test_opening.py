"""Data sets in archives and at addresses: unpacked once, kept whole, refused where broken."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import os
import shutil
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import full_disk
import make_dataset
import pytest
import web_server
from conftest import Run
from web_server import Reply, Server

from whatsit import DatasetError, DownloadFailed, UsageError, WhatsitError, datasets, opening
from whatsit.getting import download
from whatsit.opening import unpacked

KINDS = ("dots", "rings")
PARENT = "mobilenet-v2-int8"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pictures of each of two kinds."""
    return make_dataset.write(tmp_path_factory.mktemp("made") / "small", 3, kinds=KINDS)


@pytest.fixture(scope="module")
def tar(folder: Path) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.add(folder, "small")
    return stream.getvalue()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(download, "_PAUSES_S", (0.0, 0.0, 0.0))
    with web_server.running() as running:
        yield running


def made(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def picture(number: int = 0) -> bytes:
    stream = io.BytesIO()
    make_dataset.texture("rings", number).save(stream, "PNG")
    return stream.getvalue()


def contents(dataset: datasets.Dataset) -> set[tuple[str, str]]:
    """Label and bytes of each picture."""
    return {
        (row.label, hashlib.sha256(Path(row.path).read_bytes()).hexdigest()) for row in dataset.rows
    }


def kept(cache: Path) -> list[str]:
    """What lies in the cache folder, files that are not finished too."""
    home = cache / "datasets"
    return sorted(entry.name for entry in home.iterdir()) if home.exists() else []


def refusal(source: Path | str) -> WhatsitError:
    with pytest.raises(WhatsitError) as caught:
        opening.read(source)
    return caught.value


# Archives


@pytest.mark.parametrize(
    ("ending", "pack"),
    [
        (".tar", bytes),
        (".tgz", gzip.compress),
        (".tar.gz", gzip.compress),
        (".tar.xz", lzma.compress),
        (".tar.bz2", bz2.compress),
        (".data", gzip.compress),  # recognised by its content
    ],
)
def test_tars(
    ending: str,
    pack: Callable[[bytes], bytes],
    folder: Path,
    tar: bytes,
    tmp_path: Path,
    own_cache: Path,
) -> None:
    archive = tmp_path / f"flowers{ending}"
    archive.write_bytes(pack(tar))
    dataset = opening.read(archive)
    assert dataset.name == "flowers"
    assert contents(dataset) == contents(datasets.read(folder))
    (digest,) = kept(own_cache)
    assert hashlib.sha256(archive.read_bytes()).hexdigest().startswith(digest)
    assert dataset.root == own_cache / "datasets" / digest / "pictures" / "small"
    assert dataset.notes == (f"unpacked into {str(dataset.root.parent)!r}",)


def test_it_is_unpacked_once(tar: bytes, tmp_path: Path, own_cache: Path) -> None:
    (tmp_path / "a.tar").write_bytes(tar)
    first = opening.read(tmp_path / "a.tar")
    changed = {row.path: os.stat(row.path).st_mtime_ns for row in first.rows}
    shutil.copy(tmp_path / "a.tar", tmp_path / "b.tar")
    second = opening.read(tmp_path / "b.tar")
    assert second.rows == first.rows
    assert (second.name, second.notes) == ("b", ())
    assert {path: os.stat(path).st_mtime_ns for path in changed} == changed
    assert len(kept(own_cache)) == 1


def test_what_was_deleted_is_unpacked_again(tar: bytes, tmp_path: Path, own_cache: Path) -> None:
    (tmp_path / "a.tar").write_bytes(tar)
    first = opening.read(tmp_path / "a.tar")
    Path(first.rows[2].path).unlink()
    (first.root / ".DS_Store").write_bytes(b"not ours")
    assert opening.read(tmp_path / "a.tar").rows == first.rows
    assert Path(first.rows[2].path).is_file()
    (first.root / ".DS_Store").write_bytes(b"not ours")  # which does not count
    assert opening.read(tmp_path / "a.tar").notes == ()
    shutil.rmtree(own_cache / "datasets")
    assert opening.read(tmp_path / "a.tar").rows == first.rows


def test_two_at_the_same_time(tar: bytes, own_cache: Path) -> None:
    """The one that is done later leaves what the other has put there."""
    digest = hashlib.sha256(tar).hexdigest()
    first = unpacked.unpack(io.BytesIO(tar), "tar", digest, "a.tar", None)
    number = first.stat().st_ino
    assert unpacked.unpack(io.BytesIO(tar), "tar", digest, "a.tar", None) == first
    assert first.stat().st_ino == number
    assert kept(own_cache) == [first.parent.name]


def test_progress_is_told(tar: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(tar)
    told: list[tuple[str, int, int]] = []
    opening.read(tmp_path / "a.tar", progress=lambda *step: told.append(step))
    assert {what for what, _, _ in told} == {"Reading the archive, MB", "Unpacking, MB"}
    assert all(0 <= done <= total for _, done, total in told)


def test_folders_lists_and_data_sets_stay_where_they_are(folder: Path, own_cache: Path) -> None:
    dataset = opening.read(folder)
    assert dataset == datasets.read(folder)
    assert opening.read(dataset) is dataset
    assert kept(own_cache) == []


def encrypted(path: Path) -> bytes:
    content = bytearray(made(path, {"a/x.png": picture()}).read_bytes())
    directory = content.rindex(b"PK\x01\x02")
    for place in (6, directory + 8):  # the flags of the file, and of its row in the directory
        (flags,) = struct.unpack_from("<H", content, place)
        struct.pack_into("<H", content, place, flags | 1)
    return bytes(content)


def test_broken_archives(tmp_path: Path, tar: bytes, own_cache: Path) -> None:
    whole = made(tmp_path / "w.zip", {"a/x.png": picture(0), "b/y.png": picture(1)}).read_bytes()
    flipped = bytearray(whole)
    flipped[whole.index(b"IDAT") + 50] ^= 255
    cases = {
        "cut.zip": (whole[: len(whole) // 2], "its table of contents is missing"),
        "flipped.zip": (bytes(flipped), "Bad CRC-32"),
        "cut.tgz": (gzip.compress(tar)[:3000], "cannot be "),
        "cut.tar.xz": (lzma.compress(tar)[:3000], "cannot be "),
        "cut.tar.bz2": (bz2.compress(tar)[:3000], "cannot be "),
        "cut.tar": (tar[:3000], "cannot be "),
        "text.tgz": (gzip.compress(b"no tar" * 99), "cannot be read"),
        "encrypted.zip": (encrypted(tmp_path / "e.zip"), "encrypted"),
        "empty.zip": (made(tmp_path / "none.zip", {}).read_bytes(), "no pictures in"),
        "empty.tar": (bytes(257) + b"ustar\0", "cannot be"),
    }
    for name, (content, reason) in cases.items():
        (tmp_path / name).write_bytes(content)
        error = refusal(tmp_path / name)
        assert isinstance(error, DatasetError), name
        assert name in error.message
        assert reason in error.message, name
        assert error.hint or error.expected, name
    assert kept(own_cache) == []  # nothing half unpacked


@pytest.mark.parametrize("name", ["x.rar", "x.7z", "x.tgz", "zero.zip"])
def test_what_is_no_archive_that_we_know(name: str, tmp_path: Path) -> None:
    starts = {"x.rar": b"Rar!\x1a\x07\0", "x.7z": b"7z\xbc\xaf\x27\x1c", "x.tgz": b"not packed"}
    (tmp_path / name).write_bytes(starts.get(name, b""))
    error = refusal(tmp_path / name)
    assert ".zip" in error.expected
    assert error.hint == "unpack any other archive first"


def test_an_archive_of_other_things(tmp_path: Path) -> None:
    files = {f"docs/{number}.txt": b"words" for number in range(5)}
    error = refusal(made(tmp_path / "docs.zip", files))
    assert "which holds 'docs/0.txt', 'docs/1.txt', 'docs/2.txt' and 2 more" in error.message
    assert "labels.csv" in error.expected


def test_an_archive_of_pictures_without_labels(tmp_path: Path) -> None:
    error = refusal(made(tmp_path / "lone.zip", {"x.png": picture(), "y.png": picture(1)}))
    assert "lone.zip" in error.message
    assert "have no labels" in error.message


def test_one_picture_far_down(tmp_path: Path) -> None:
    (row,) = opening.read(made(tmp_path / "deep.zip", {"a/b/c/d/e/x.png": picture()})).rows
    assert row.label == "e"


@pytest.mark.parametrize("name", ["../x.png", "/x.png", "a/../../x.png", "C:\\x.png", "a/C:/x.png"])
def test_names_that_lead_out_of_the_folder(name: str, tmp_path: Path, own_cache: Path) -> None:
    error = refusal(made(tmp_path / "evil.zip", {"a/y.png": picture(), name: b"harm"}))
    assert "leads out of its folder" in error.message
    assert "unpack it yourself" in error.hint
    assert kept(own_cache) == []


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "twice.zip", "w") as archive:
        archive.writestr("a/x.png", picture(0))
        archive.writestr("a/x.png", picture(1))
    assert "holds 'a/x.png' twice" in refusal(tmp_path / "twice.zip").message


def test_a_list_of_files_elsewhere(tmp_path: Path) -> None:
    table = f"file,label\nx.png,a\n{tmp_path / 'secret.png'},b\n".encode()
    error = refusal(made(tmp_path / "evil.zip", {"x.png": picture(), "labels.csv": table}))
    assert "which is not in it" in error.message


@full_disk.needs_limits
def test_a_full_disk(tmp_path: Path, own_cache: Path) -> None:
    archive = made(tmp_path / "a.zip", {"a/x.png": os.urandom(50_000)})
    with full_disk.largest_file(20_000):
        error = refusal(archive)
    assert type(error) is WhatsitError
    assert "cannot unpack" in error.message
    assert "File too large" in error.message
    assert "WHATSIT_CACHE" in error.hint
    assert kept(own_cache) == []


def test_a_cache_folder_that_cannot_be(
    tmp_path: Path, tar: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.tar").write_bytes(tar)
    (tmp_path / "file").write_bytes(b"in the way")
    monkeypatch.setenv("WHATSIT_CACHE", str(tmp_path / "file"))
    assert "WHATSIT_CACHE" in refusal(tmp_path / "a.tar").hint


def test_what_a_kill_left_is_forgotten(tar: bytes, tmp_path: Path, own_cache: Path) -> None:
    (tmp_path / "a.tar").write_bytes(tar)
    for name, age_s in (("old", 100_000), ("new", 10)):
        left = own_cache / "datasets" / f".{name}.partial"
        (left / "pictures").mkdir(parents=True)
        now = left.stat().st_mtime
        os.utime(left, (now - age_s, now - age_s))
    opening.read(tmp_path / "a.tar")
    assert kept(own_cache)[0] == ".new.partial"
    assert len(kept(own_cache)) == 2


# Addresses


def test_an_address_is_fetched_once(
    server: Server, folder: Path, tar: bytes, own_cache: Path
) -> None:
    url = server.put("/sets/flowers.tgz?secret=1", gzip.compress(tar))
    told: list[str] = []
    first = opening.read(url, progress=lambda what, *_: told.append(what))
    assert first.name == "flowers"
    assert contents(first) == contents(datasets.read(folder))
    assert "Fetching, MB" in told
    assert "Unpacking, MB" in told
    second = opening.read(url)
    assert len(server.asked) == 1
    assert second.rows == first.rows
    (note,) = second.notes
    assert note.startswith("fetched on 20")
    assert str(first.root.parent) in note
    assert not list((own_cache / "downloads").iterdir())  # the archive itself is not kept
    assert all("secret" not in file.read_text() for file in own_cache.rglob("*.json"))


def test_what_was_deleted_is_fetched_again(server: Server, tar: bytes) -> None:
    url = server.put("/flowers.tar", tar)
    first = opening.read(url)
    shutil.rmtree(first.root.parent)
    assert opening.read(url).rows == first.rows
    assert len(server.asked) == 2


def test_an_interrupted_download_goes_on(server: Server, tar: bytes) -> None:
    tag = {"ETag": '"one"'}
    cut = Reply(tar, headers=tag, cut_after=20_000)
    url = server.put("/flowers.tar", cut, cut, cut, cut, Reply(tar, headers=tag))
    assert "cut off" in refusal(url).message
    assert len(opening.read(url)) == 6
    assert server.ranges()[-1] is not None


def test_a_pinned_address(server: Server, tar: bytes) -> None:
    digest = hashlib.sha256(tar).hexdigest()
    url = server.put("/flowers.tar", tar)
    assert "not the one that was asked for" in refusal(f"{url}#sha256={'0' * 64}").message
    asked = len(server.asked)
    assert len(opening.read(f"{url}#sha256={digest.upper()}")) == 6
    assert len(server.asked) == asked + 1
    # Known by its content, wherever it came from.
    assert len(opening.read(f"https://example.org/other.tar#sha256={digest}")) == 6


@pytest.mark.parametrize(
    ("address", "reason", "hint"),
    [
        ("http://example.org/a.zip", "plain http", "#sha256=HEX"),
        ("ftp://example.org/a.zip", "ftp is not a way to fetch", ""),
        ("https://example.org/a.zip#sha256=12", "at the end of the address", ""),
        ("https://example.org/a.zip#part", "at the end of the address", ""),
    ],
)
def test_addresses_that_are_refused(address: str, reason: str, hint: str) -> None:
    error = refusal(address)
    assert isinstance(error, UsageError)
    assert reason in error.message
    assert hint in error.hint


def test_what_an_address_may_give_instead(server: Server, own_cache: Path) -> None:
    cases = {
        "/page.zip": (b"<!doctype html><p>Log in", DownloadFailed, "not a data set"),
        "/model.zip": (b"....TFL3", DatasetError, "is a model"),
        "/text.zip": (b"words", DatasetError, "is no archive"),
        "/nothing.zip": (b"", DatasetError, "is empty"),
    }
    for path, (body, kind, reason) in cases.items():
        error = refusal(server.put(path, body))
        assert isinstance(error, kind)
        assert reason in error.message
        assert ".zip" in error.expected
    assert "there is nothing at" in refusal(f"{server.address}/gone.zip").message
    assert kept(own_cache) == []


def test_a_file_that_is_too_large(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whatsit.opening.archived._MAX_PACKED_BYTES", 1000)
    error = refusal(server.put("/large.zip", os.urandom(2000)))
    assert "larger than 1000 bytes" in error.message
    assert "give the folder" in error.hint


# The commands, which all take the same


@pytest.fixture
def packed(folder: Path, tmp_path: Path) -> Path:
    """The pictures, in folders with names of ImageNet's classes."""
    files = {}
    for kind, name in zip(KINDS, ("tabby", "espresso"), strict=True):
        for file in sorted((folder / kind).iterdir()):
            files[f"set/{name}/{file.name}"] = file.read_bytes()
    return made(tmp_path / "packed.zip", files)


@pytest.mark.parametrize("where", ["file", "address"])
def test_every_command_takes_an_archive(
    where: str, whatsit: Callable[..., Run], packed: Path, server: Server, tmp_path: Path
) -> None:
    source = str(packed) if where == "file" else server.put("/packed.zip", packed.read_bytes())
    names = {f"{kind}/{n}.png": n for n in (50, 51) for kind in ("tabby", "espresso")}
    shades = {name: picture(n + 10 * ("t" in name)) for name, n in names.items()}
    other = made(tmp_path / "other.zip", shades)
    commands = [
        ["evaluate", PARENT, source],
        ["compare", PARENT, "efficientnet-lite0-int8", source],
        ["choose", PARENT, "--data", source, "--limit", "2"],
        ["dataset", "check", source, "--no-labels"],
        ["train", source, "-m", PARENT, "-o", tmp_path / "new.tflite"],
        ["train", other, "-m", PARENT, "-o", tmp_path / "two.tflite", "--validation", source],
    ]
    for command in commands:
        run = whatsit(*command)
        assert "error" not in run.err, run.err
        assert run.out, command
    assert len(server.asked) == (where == "address")


def test_an_archive_is_not_replaced_by_a_report(whatsit: Callable[..., Run], packed: Path) -> None:
    before = packed.read_bytes()
    page = packed.rename(packed.with_suffix(".html"))
    run = whatsit("evaluate", PARENT, page, "--report", page)
    assert run.status == 2
    assert "would replace a file that the run reads" in run.err
    assert page.read_bytes() == before


def test_parts_in_an_archive(whatsit: Callable[..., Run], tmp_path: Path) -> None:
    files = {
        f"flowers/{part}/{kind}/{number}.png": picture(number + 10 * len(kind))
        for part in ("train", "val")
        for kind in ("aa", "b")
        for number in range(2)
    }
    archive = made(tmp_path / "flowers.zip", files)
    run = whatsit("dataset", "check", archive, "--no-labels")
    assert run.status == 1
    assert "flowers" in run.out
    assert "in train, val" in run.out
    assert "4 pictures in more than one part" in run.out
    run = whatsit("train", archive, "-o", tmp_path / "x.tflite")
    assert run.status == 1
    assert "--validation" in run.err
    assert not (tmp_path / "x.tflite").exists()
