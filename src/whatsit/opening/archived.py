"""The archives that people give: fetched, recognised, and unpacked only if they are new here."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ..errors import DatasetError, UsageError
from ..getting import archives, download, web
from ..getting.failures import Goods
from . import unpacked

if TYPE_CHECKING:
    from . import Progress

# A data set of a million pictures is larger than any model.
_MAX_PACKED_BYTES = 20_000_000_000
_MB = 1_000_000
_KINDS = "a .zip, or a .tar as it is or packed as .gz, .xz or .bz2"
_PIN = "#sha256="
_HEX = re.compile(r"[0-9a-fA-F]{64}")
_SUFFIXES = (".tar.gz", ".tar.xz", ".tar.bz2", ".tgz", ".txz", ".tbz2", ".tbz", ".tar", ".zip")
_GOODS = Goods(
    name="a data set",
    expected="a .zip or .tar.gz of labelled pictures",
    by_hand="give the file",
    pinned=f"{_PIN}HEX at the end of the address",
    larger="unpack a larger one yourself, and give the folder",
)


@dataclass(frozen=True, slots=True)
class Found:
    """The folder with what an archive holds. `shown` is the archive as errors name it."""

    folder: Path
    name: str
    shown: str
    notes: tuple[str, ...] = ()


def opened(path: str, progress: Progress | None) -> Found:
    """What a file of this machine holds. Raises DatasetError, WhatsitError."""
    name = _stem(os.path.basename(path))
    try:
        with open(path, "rb") as file:
            digest = _sha256(file, progress)
            folder = unpacked.known(digest)
            if folder is not None:
                return Found(folder, name, path)
            folder = _unpack(file, digest, path, progress)
    except OSError as error:
        raise DatasetError(f"cannot read {path!r}: {error.strerror or error}") from error
    return Found(folder, name, path, (f"unpacked into {os.fspath(folder)!r}",))


def fetched(address: str, progress: Progress | None) -> Found:
    """What the archive at an address holds. Raises DownloadFailed, DatasetError, UsageError."""
    url, pinned = _pin(address)
    web.check_first(url, pinned=pinned is not None, how_to_pin=_GOODS.pinned)
    shown = web.shown(url)
    name = _stem(web.file_name(url)) or web.host_of(url)
    digest = pinned or unpacked.fetched_before(url)
    folder = None if digest is None else unpacked.known(digest)
    if digest is not None and folder is not None:
        when = time.strftime("%Y-%m-%d", time.localtime(folder.stat().st_mtime))
        note = f"fetched on {when}, and not again; if that is too old, delete {os.fspath(folder)!r}"
        return Found(folder, name, shown, (note,))
    with download.fetched(
        url,
        sha256=pinned,
        max_bytes=_MAX_PACKED_BYTES,
        progress=_in_mb("Fetching", progress),
        goods=_GOODS,
    ) as loaded:
        folder = unpacked.known(loaded.sha256) or _unpack(
            loaded.file, loaded.sha256, shown, progress
        )
    unpacked.remember(url, loaded.sha256)
    return Found(folder, name, shown, (f"unpacked into {os.fspath(folder)!r}",))


def _unpack(file: IO[bytes], digest: str, shown: str, progress: Progress | None) -> Path:
    file.seek(0)
    head = file.read(archives.HEAD_BYTES)
    kind = archives.kind_of(head)
    if kind is None or kind == "model":
        what = "a model" if kind else "no archive" if head else "empty"
        raise DatasetError(f"{shown!r} is {what}", expected=_KINDS)
    return unpacked.unpack(file, kind, digest, shown, _in_mb("Unpacking", progress))


def _pin(address: str) -> tuple[str, str | None]:
    """The address, and the sha256 behind it if there is one. Raises UsageError for any other."""
    url, hash_sign, fragment = address.partition("#")
    if not hash_sign:
        return url, None
    digest = fragment.removeprefix(_PIN[1:])
    if _HEX.fullmatch(digest) is None:
        raise UsageError(
            f"{'#' + fragment!r} at the end of the address",
            expected=f"nothing, or {_PIN} and 64 hexadecimal digits",
        )
    return url, digest.lower()


def _sha256(file: IO[bytes], progress: Progress | None) -> str:
    size_bytes, step = os.fstat(file.fileno()).st_size, _in_mb("Reading the archive", progress)
    digest = hashlib.sha256()
    while chunk := file.read(1 << 20):
        digest.update(chunk)
        if step is not None:
            step(file.tell(), size_bytes)
    return digest.hexdigest()


def _in_mb(what: str, progress: Progress | None) -> Callable[[int, int | None], None] | None:
    """Tells bytes as megabytes; of an unknown number all that came."""
    if progress is None:
        return None

    def step(done_bytes: int, total_bytes: int | None) -> None:
        total = max(done_bytes if total_bytes is None else total_bytes, _MB)
        progress(f"{what}, MB", done_bytes // _MB, total // _MB)

    return step


def _stem(name: str) -> str:
    """The name of an archive without its ending."""
    for suffix in _SUFFIXES:
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return os.path.splitext(name)[0]
