"""Where a run keeps its journal and its output: a folder here, or one behind a URL."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import IO, Protocol

from .. import storage
from ..errors import UsageError, WhatsitError
from . import trouble, urls
from .urls import Filesystems, Url

PARTIAL = ".partial"  # how storage names what is not yet whole
_READ_ONLY = frozenset("data git github http https libarchive reference tar zip".split())


class Place(Protocol):
    """A file or a folder, which need not exist. Its methods raise WhatsitError where they fail."""

    @property
    def name(self) -> str:
        """The path or URL, as errors and reports have it."""

    def join(self, name: str) -> Place:
        """The file or folder of that name in this folder."""

    def beside(self, name: str) -> Place:
        """The file or folder of that name in the folder that this is in."""

    def exists(self) -> bool:
        """Whether there is a file or a folder."""

    def is_folder(self) -> bool:
        """Whether this is a folder."""

    def names(self) -> list[str]:
        """What is in this folder, sorted, also what is half written; [] if there is no folder."""

    def read(self) -> bytes:
        """All of the file."""

    def write_whole(self, content: bytes) -> None:
        """Makes this file hold `content`, at once; it survives a loss of power from here on."""

    def whole_file(self) -> AbstractContextManager[IO[bytes]]:
        """A file to write, which takes its place once all of it is written, and only then."""

    def check_writable(self) -> None:
        """Raises now the WhatsitError that writing would raise later, as far as it shows."""

    def make_folder(self) -> None:
        """Makes this folder, unless it is there."""

    def remove(self) -> None:
        """Removes the file, if there is one."""

    def remove_folder(self) -> None:
        """Removes this folder, if there is one. Raises WhatsitError unless it is empty."""


def place_of(path: str) -> Place:
    """The place that a path or an fsspec URL names.

    Raises UsageError for a URL where nothing can be written, ExtraMissing.
    """
    if not urls.is_url(path):
        return LocalPlace(path)
    url = Url.parse(path)
    local = url.local_path()
    if local is not None:
        return LocalPlace(local)
    if url.before or url.after or url.protocol in _READ_ONLY:
        raise UsageError(
            f"cannot write to {path!r}",
            expected="a path, or a URL of one step that can be written to, such as s3://…",
        )
    urls.check(path)
    from .url_places import UrlPlace

    return UrlPlace(url, Filesystems())


class LocalPlace:
    """A file or folder on this machine."""

    def __init__(self, path: str) -> None:
        self.path = path

    @property
    def name(self) -> str:
        return self.path

    def join(self, name: str) -> LocalPlace:
        return LocalPlace(os.path.join(self.path, name))

    def beside(self, name: str) -> LocalPlace:
        return LocalPlace(os.path.join(os.path.dirname(self.path), name))

    def exists(self) -> bool:
        return os.path.lexists(self.path)

    def is_folder(self) -> bool:
        return os.path.isdir(self.path)

    def names(self) -> list[str]:
        with _translated("list", self.path):
            try:
                return sorted(os.listdir(self.path))
            except (FileNotFoundError, NotADirectoryError):
                return []

    def read(self) -> bytes:
        with _translated("read", self.path), open(self.path, "rb") as file:
            return file.read()

    def write_whole(self, content: bytes) -> None:
        with self.whole_file() as file:
            file.write(content)

    @contextlib.contextmanager
    def whole_file(self) -> Iterator[IO[bytes]]:
        with storage.whole_file(self.path) as file:
            yield file
        _keep_names(os.path.dirname(os.path.realpath(self.path)))

    def check_writable(self) -> None:
        storage.check_writable(self.path)

    def make_folder(self) -> None:
        with _translated("make the folder", self.path):
            os.makedirs(self.path, exist_ok=True)
        _keep_names(os.path.dirname(os.path.realpath(self.path)))

    def remove(self) -> None:
        with _translated("remove", self.path), contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)

    def remove_folder(self) -> None:
        with _translated("remove", self.path), contextlib.suppress(FileNotFoundError):
            os.rmdir(self.path)


def is_partial(name: str) -> bool:
    return name.startswith(".") and name.endswith(PARTIAL)


def _keep_names(folder: str) -> None:
    """Makes the names in a folder survive a loss of power, where the system can."""
    if not hasattr(os, "O_DIRECTORY"):  # Windows
        return
    with contextlib.suppress(OSError):  # some file systems cannot
        descriptor = os.open(folder or ".", os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def _translated(verb: str, name: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise failed(verb, name, error) from error


def failed(verb: str, name: str, error: Exception) -> WhatsitError:
    return WhatsitError(
        f"cannot {verb} {name!r}: {trouble.reason(error)}",
        hint="is the place there, may it be written to, and is there room?",
    )
