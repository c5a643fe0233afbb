"""A download that is not finished: its bytes, and what tells whether the rest still fits them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from .. import storage
from ..errors import DownloadFailed, WhatsitError
from ..zoo import locks

_MAX_AGE_S = 30 * 86400  # of what was never resumed


@dataclass(frozen=True)
class Partial:
    """A file that grows. `path` is None for one that nobody will resume."""

    file: IO[bytes]
    path: Path | None

    def size(self) -> int:
        """Bytes that are there."""
        return os.fstat(self.file.fileno()).st_size

    def validator(self) -> str | None:
        """What the server called the file whose first part is here."""
        if self.path is None:
            return None
        try:
            return str(json.loads(_about(self.path).read_text(encoding="utf-8"))["validator"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def begin(self, validator: str | None) -> None:
        """Empties the file, for the one that the server calls `validator`."""
        with _disk_errors():
            self.file.truncate(0)  # before its description changes: a kill leaves no wrong pair
            if self.path is None:
                return
            if validator is None:
                _about(self.path).unlink(missing_ok=True)
                return
            with storage.whole_file(_about(self.path)) as file:
                file.write(json.dumps({"validator": validator}).encode())

    def digest(self, length: int) -> Any:
        """A sha256 that has taken in the first `length` bytes, all that are kept."""
        digest = hashlib.sha256()
        with _disk_errors():
            self.file.truncate(length)
            self.file.seek(0)
            while chunk := self.file.read(1 << 20):
                digest.update(chunk)
        return digest

    def append(self, chunk: bytes) -> None:
        """Writes at the end, straight to the system: a kill loses at most this chunk."""
        with _disk_errors():
            while chunk:
                chunk = chunk[self.file.write(chunk) :]

    def discard(self) -> None:
        """Forgets what is there. The open file can still be read."""
        if self.path is None:
            return
        with contextlib.suppress(OSError):
            if os.path.samestat(os.stat(self.path), os.fstat(self.file.fileno())):
                _about(self.path).unlink(missing_ok=True)
                self.path.unlink()


@contextlib.contextmanager
def open_partial(url: str) -> Iterator[Partial]:
    """The unfinished download of `url`, or an empty one.

    If another process is at it, both fetch for themselves, and the second keeps nothing.
    """
    folder = storage.cache_folder("downloads")
    path = folder / f"{hashlib.sha256(url.encode('utf-8', 'replace')).hexdigest()[:32]}.partial"
    with _disk_errors():
        folder.mkdir(parents=True, exist_ok=True)
        _forget_old(folder)
        file = open(path, "a+b", buffering=0)  # noqa: SIM115
    with file:
        if locks.try_lock(file):
            partial = Partial(file, path)
            try:
                yield partial
            finally:
                if partial.size() == 0:
                    partial.discard()
            return
    with _disk_errors():
        private = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115
    with private:
        yield Partial(private, None)


def _about(path: Path) -> Path:
    return path.with_suffix(".json")


def _forget_old(folder: Path) -> None:
    for file in folder.iterdir():
        with contextlib.suppress(OSError):
            if file.stat().st_mtime < time.time() - _MAX_AGE_S:
                file.unlink()


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except (OSError, WhatsitError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DownloadFailed(
            f"cannot keep the download in {str(storage.cache_folder('downloads'))!r}: {reason}",
            hint="is the disk full? WHATSIT_CACHE names another folder",
        ) from error
