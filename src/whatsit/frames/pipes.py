"""Bytes that come through a pipe, read so that the wait for them can be ended."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable
from typing import IO

_WAIT_S = 0.1


class Pipe:
    """A file descriptor as the file object that libav reads from; closes it if it is its own."""

    def __init__(self, descriptor: int, *, own: bool, stopped: Callable[[], bool]) -> None:
        self.size_bytes = 0
        self._descriptor = descriptor
        self._own = own
        self._stopped = stopped

    def read(self, size: int) -> bytes:
        """What has come, at most `size` bytes; b"" at the end, or once it is stopped."""
        while not self._stopped():
            if not _has_come(self._descriptor):
                continue
            try:
                part = os.read(self._descriptor, size)
            except BlockingIOError:
                continue
            self.size_bytes += len(part)
            return part
        return b""

    def close(self) -> None:
        if self._own:
            os.close(self._descriptor)
            self._own = False


class Given:
    """A file object of the caller's that cannot seek; gives what has come, without a full buffer.

    It stays the caller's: nothing here closes it.
    """

    def __init__(self, file: IO[bytes], stopped: Callable[[], bool]) -> None:
        self.size_bytes = 0
        self._read = getattr(file, "read1", file.read)
        self._stopped = stopped

    def read(self, size: int) -> bytes:
        part: bytes = b"" if self._stopped() else self._read(size)
        self.size_bytes += len(part)
        return part


def open_named(path: str) -> int:
    """The descriptor of a named pipe, whether or not anything writes into it yet."""
    return os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))


def _has_come(descriptor: int) -> bool:
    if sys.platform == "win32":
        return True  # select is for sockets there; the read itself waits
    ready, _, _ = select.select([descriptor], [], [], _WAIT_S)
    return bool(ready)
