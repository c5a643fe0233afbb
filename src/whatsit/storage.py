"""Where whatsit keeps what it fetched or has not finished, and how a file is written whole."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from .errors import WhatsitError


def cache_folder(part: str) -> Path:
    """The folder for `part` ("models", "evaluations" …), which need not exist yet.

    WHATSIT_CACHE names the parent; else it is the platform's: XDG_CACHE_HOME or ~/.cache on Linux,
    ~/Library/Caches on macOS, %LOCALAPPDATA% on Windows.
    """
    chosen = os.environ.get("WHATSIT_CACHE")
    return (Path(chosen) if chosen else _platform_caches() / "whatsit") / part


@contextlib.contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A file to write, which takes its place at `path` only once all of it is on the disk.

    A reader never sees half of it; if the block fails, what was there before stays. A link stays
    a link: the file that it leads to is written. Raises WhatsitError where nothing can be written.
    """
    target = _target(path)
    partial = _partial(target)
    try:
        with io.BufferedWriter(_opened(partial, path)) as file:
            yield file
            file.flush()
            with _translated(path):
                os.fsync(file.fileno())
        with _translated(path):
            os.replace(partial, target)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raises the WhatsitError that `whole_file` would raise after long work, as far as it shows.

    It tries, since permissions alone do not say whether one may, and leaves nothing.
    """
    partial = _partial(_target(path))
    with _opened(partial, path):
        pass
    with _translated(path):
        partial.unlink()


class _File(io.FileIO):
    """A new file whose writing fails with our error, so that it is told from others of a block."""

    path: str | os.PathLike[str]  # as errors have it

    def write(self, data: Any) -> int:
        with _translated(self.path):
            return super().write(data)


def _opened(partial: Path, path: str | os.PathLike[str]) -> _File:
    with _translated(path):
        file = _File(partial, "xb")
    file.path = path
    return file


def _target(path: str | os.PathLike[str]) -> Path:
    """The file that `path` leads to. Raises WhatsitError unless a regular file is or can be there.

    To take the place of a pipe or a device would harm whoever uses it.
    """
    with _translated(path):
        target = Path(os.path.realpath(path))
        if target.is_dir():
            raise _cannot_write(path, "it is a folder")
        try:
            mode = os.stat(path).st_mode
        except FileNotFoundError:
            if not target.parent.is_dir():
                raise _cannot_write(path, "there is no such folder") from None
            return target
        if not stat.S_ISREG(mode):
            raise _cannot_write(path, "it is no regular file")
        return target


def _partial(target: Path) -> Path:
    return target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")


@contextlib.contextmanager
def _translated(path: str | os.PathLike[str]) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise _cannot_write(path, getattr(error, "strerror", None) or error) from error


def _cannot_write(path: str | os.PathLike[str], reason: object) -> WhatsitError:
    return WhatsitError(
        f"cannot write {os.fspath(path)!r}: {reason}",
        expected="a file in a folder that is there and can be written to",
        hint="is the folder yours, and the disk not full?",
    )


def _platform_caches() -> Path:
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    if sys.platform == "darwin":
        return home / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
