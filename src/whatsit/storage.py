"""Where whatsit keeps what it fetched or has not finished, and how a file is written whole."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

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

    A reader never sees half of it; if the block fails, what was there before stays. Raises
    WhatsitError where nothing can be written.
    """
    target = Path(path)
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
    try:
        with open(partial, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, target)
    except OSError as error:
        raise _cannot_write(target, error) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def _cannot_write(path: Path, error: OSError) -> WhatsitError:
    return WhatsitError(
        f"cannot write {os.fspath(path)!r}: {error.strerror or error}",
        hint="is the folder there, yours, and the disk not full?",
    )


def _platform_caches() -> Path:
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    if sys.platform == "darwin":
        return home / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
