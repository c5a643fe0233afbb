"""Locks on open files, which the system lifts when their process ends, however it ends."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

_FAR = 1 << 40  # Windows locks bytes, and lets nobody else read them: one that no file has

if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes], wait: bool) -> None:
        place = file.tell()
        file.seek(_FAR)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        finally:
            file.seek(place)

else:
    import fcntl

    def _lock(file: IO[bytes], wait: bool) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))


def try_lock(file: IO[bytes]) -> bool:
    """Locks `file` if nobody else has, and says whether it did; closing the file unlocks it."""
    try:
        _lock(file, wait=False)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Waits until no other process is in a block on the same `path`, which is made if missing."""
    with open(os.fspath(path), "ab") as file:
        _lock(file, wait=True)
        yield
