"""One run at a time in the folder of a job."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import IO

from ..errors import UsageError, WhatsitError
from ..zoo import locks
from .job import LOCK
from .places import Place
from .urls import is_url


@contextlib.contextmanager
def working_in(folder: Place) -> Iterator[None]:
    """The folder is made, and is ours alone while the block lasts; without any job left, it goes.

    Raises UsageError where another run works in it. Behind a URL nobody can be kept out.
    """
    if is_url(folder.name):
        folder.make_folder()
        yield
        with contextlib.suppress(WhatsitError):  # a host that was believed dead has just written
            folder.remove_folder()
        return
    lock = _locked(folder)
    try:
        folder.make_folder()  # it is there, and from here on also after a loss of power
        yield
    finally:
        _leave(folder.name, lock)


def _leave(folder: str, lock: IO[bytes]) -> None:
    """Gives the folder back, and removes it if there is no job in it any more."""
    path = os.path.join(folder, LOCK)
    with contextlib.suppress(OSError):  # another run has just begun, or somebody has removed it
        with lock:
            if os.listdir(folder) != [LOCK]:
                return
            if os.name == "posix":  # Windows keeps a file that is open
                os.unlink(path)
        if os.name != "posix":
            os.unlink(path)
        os.rmdir(folder)


def _locked(folder: Place) -> IO[bytes]:
    """The folder's lock, ours until it is closed."""
    path = os.path.join(folder.name, LOCK)
    while True:
        try:
            with contextlib.suppress(FileExistsError):
                os.mkdir(folder.name)
            file = open(path, "ab")  # noqa: SIM115
        except FileNotFoundError:
            if os.path.isdir(os.path.dirname(folder.name) or os.curdir):
                continue  # the run before has just removed the folder
            raise WhatsitError(f"the folder of {folder.name!r} is gone") from None
        except OSError as error:
            raise WhatsitError(
                f"cannot write in {folder.name!r}: {error.strerror}",
                hint="is the folder yours, and the disk not full?",
            ) from error
        if not locks.try_lock(file):
            file.close()
            raise UsageError(
                f"another run is writing the same output: {folder.name!r} is in use",
                expected="one run for each output",
                hint="wait for it, or choose another name; or has that file system no locks?",
            )
        with contextlib.suppress(OSError):  # that run may also have removed the file we opened
            if os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
                return file
        file.close()
