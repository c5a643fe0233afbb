"""What archives held, kept by their sha256 in the cache folder "datasets": whole or not at all.

datasets/<sha256>/pictures/…       what was in the archive
datasets/<sha256>/contents.json    how many files, and of how many bytes
datasets/<sha256 of URL>.json      the sha256 of what that address gave
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from .. import images, storage
from ..datasets.folders import is_hidden
from ..datasets.tables import NAMES as TABLES
from ..errors import DatasetError, ModelError, WhatsitError
from ..getting import archives
from ..wording import utf8

_MAX_MEMBERS = 2_000_000
_MAX_UNPACKED_BYTES = 100_000_000_000
_DIGITS = 32  # of a sha256 in names, since some systems have no room for long paths
_PICTURES, _CONTENTS = "pictures", "contents.json"
_PARTIAL = ".partial"
_ABANDONED_S = 86400  # after which what is unfinished was left by a kill
_CHUNK_BYTES = 1 << 20
_LISTED = 3


def known(digest: str) -> Path | None:
    """The folder with the content of the archive of this sha256, if all of it is still there."""
    folder = _folder() / digest[:_DIGITS]
    said = _json(folder / _CONTENTS)
    if said is None or said.get("sha256") != digest:
        return None
    pictures = folder / _PICTURES
    return pictures if _size(pictures) == (said.get("files"), said.get("bytes")) else None


def fetched_before(url: str) -> str | None:
    """The sha256 of what this address gave, if it is known."""
    said = (_json(_about(url)) or {}).get("sha256")
    return said if isinstance(said, str) else None


def remember(url: str, digest: str) -> None:
    """Keeps that this address gave the archive of this sha256. The address itself is not kept."""
    with storage.whole_file(_about(url)) as file:
        file.write(json.dumps({"sha256": digest}).encode())


def unpack(
    file: IO[bytes],
    kind: archives.Kind,
    digest: str,
    shown: str,
    step: Callable[[int, int | None], None] | None,
) -> Path:
    """The folder with the pictures and lists of an archive, written now.

    Raises DatasetError for an archive that cannot be used, WhatsitError where nothing can be kept.
    """
    home = _folder()
    with _writing(shown):
        home.mkdir(parents=True, exist_ok=True)
        _forget_abandoned(home)
        partial = Path(tempfile.mkdtemp(prefix=".", suffix=_PARTIAL, dir=home))
    try:
        files, size_bytes = _write(file, kind, partial / _PICTURES, shown, step)
        with _writing(shown):
            said = {"sha256": digest, "files": files, "bytes": size_bytes}
            (partial / _CONTENTS).write_text(json.dumps(said), encoding="utf-8")
            _put(partial, home / digest[:_DIGITS], digest)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return home / digest[:_DIGITS] / _PICTURES


def _put(partial: Path, target: Path, digest: str) -> None:
    """Moves a whole folder to its place, unless another process was faster."""
    if target.exists() and known(digest) is None:  # damaged: something of it was deleted
        spoiled = target.with_name(f".{partial.name}{_PARTIAL}")
        target.rename(spoiled)
        shutil.rmtree(spoiled, ignore_errors=True)
    try:
        partial.rename(target)
    except OSError:
        if known(digest) is None:
            raise


def _write(
    file: IO[bytes],
    kind: archives.Kind,
    folder: Path,
    shown: str,
    step: Callable[[int, int | None], None] | None,
) -> tuple[int, int]:
    """Writes the members that are pictures or lists: how many, and how many bytes."""
    packed_bytes = file.seek(0, os.SEEK_END)
    files, size_bytes, others = 0, 0, list[str]()
    with _reading(shown):
        members = archives.members(file, kind, most=_MAX_MEMBERS, most_bytes=_MAX_UNPACKED_BYTES)
        for name, _, content in members:
            parts = name.replace("\\", "/").removeprefix("./").split("/")
            if any(part and is_hidden(part) for part in parts):
                continue
            if not _is_wanted(parts[-1]):
                others.append(name)
                continue
            size_bytes += _copy(content, folder.joinpath(*parts), name, shown)
            files += 1
            if step is not None:
                step(min(file.tell(), packed_bytes), packed_bytes)
    if not files:
        raise _nothing(shown, others)
    return files, size_bytes


def _copy(content: IO[bytes], target: Path, name: str, shown: str) -> int:
    try:
        with _writing(shown):
            target.parent.mkdir(parents=True, exist_ok=True)
            out = open(target, "xb", buffering=0)  # noqa: SIM115
    except FileExistsError:
        raise DatasetError(
            f"{shown!r} holds {utf8(name)!r} twice",
            expected="names that differ in more than upper and lower case",
        ) from None
    with out:
        while block := content.read(_CHUNK_BYTES):
            with _writing(shown):
                while block:
                    block = block[out.write(block) :]
        with _writing(shown):
            return out.tell()


def _nothing(shown: str, others: list[str]) -> DatasetError:
    held = ", ".join(repr(utf8(name)) for name in others[:_LISTED])
    more = f" and {len(others) - _LISTED} more" if len(others) > _LISTED else ""
    return DatasetError(
        f"no pictures in {shown!r}" + (f", which holds {held}{more}" if others else ""),
        expected="a folder for each class in it, or a labels.csv with file,label",
        hint="unpack an archive in an archive yourself, and give the folder" if others else "",
    )


@contextlib.contextmanager
def _reading(shown: str) -> Iterator[None]:
    """What may be wrong with an archive, as a DatasetError."""
    try:
        yield
    except ModelError as error:
        raise DatasetError(
            f"{shown!r}: {error.message}",
            expected=error.expected,
            hint="unpack it yourself and give the folder, or get it again",
        ) from error
    except archives.BROKEN as error:
        raise DatasetError(
            f"{shown!r} cannot be unpacked: {error}", hint="it is damaged or cut short"
        ) from error


@contextlib.contextmanager
def _writing(shown: str) -> Iterator[None]:
    try:
        yield
    except FileExistsError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise WhatsitError(
            f"cannot unpack {shown!r} into {os.fspath(_folder())!r}: "
            f"{getattr(error, 'strerror', None) or error}",
            expected="room in the cache folder",
            hint="WHATSIT_CACHE names another folder; or unpack it yourself and give the folder",
        ) from error


def _folder() -> Path:
    return storage.cache_folder("datasets")


def _about(url: str) -> Path:
    digest = hashlib.sha256(url.encode("utf-8", "replace")).hexdigest()
    return _folder() / f"{digest[:_DIGITS]}.json"


def _json(path: Path) -> dict[str, Any] | None:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return said if isinstance(said, dict) else None


def _is_wanted(name: str) -> bool:
    return name[:1] != "." and (images.is_picture_name(name) or name in TABLES)


def _size(folder: Path) -> tuple[int, int]:
    """Files below a folder, and their bytes; not those that a file manager has put there."""
    files, size_bytes = 0, 0
    for parent, _, names in os.walk(folder):
        for name in filter(_is_wanted, names):
            with contextlib.suppress(OSError):
                size_bytes += os.lstat(os.path.join(parent, name)).st_size
                files += 1
    return files, size_bytes


def _forget_abandoned(home: Path) -> None:
    for entry in home.glob(f".*{_PARTIAL}"):
        with contextlib.suppress(OSError):
            if entry.stat().st_mtime < time.time() - _ABANDONED_S:
                shutil.rmtree(entry, ignore_errors=True)
