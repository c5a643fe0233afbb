"""A file or folder behind an fsspec URL, where a run keeps its journal and its output."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from typing import IO, Any, TypeVar

from .. import storage
from ..errors import InputError
from . import places
from .urls import Filesystems, Url

T = TypeVar("T")

# A file appears there only once it is whole; elsewhere it is written beside and moved.
_WHOLE_AT_ONCE = frozenset("abfs abfss adl az gcs gs hf memory oci oss s3 s3a tos".split())


class UrlPlace:
    """A file or folder behind an fsspec URL."""

    def __init__(self, url: Url, filesystems: Filesystems) -> None:
        self._url = url
        self._filesystems = filesystems

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return places.place_of, (self.name,)  # in another process with connections of its own

    @property
    def name(self) -> str:
        return str(self._url)

    def join(self, name: str) -> UrlPlace:
        return self._at(f"{self._url.path.rstrip('/')}/{name}")

    def beside(self, name: str) -> UrlPlace:
        folder, slash, _ = self._url.path.rstrip("/").rpartition("/")
        return self._at(f"{folder}{slash}{name}")

    def exists(self) -> bool:
        return self._asked("read", lambda fs, path: bool(fs.exists(path)))

    def is_folder(self) -> bool:
        return self._asked("read", lambda fs, path: bool(fs.isdir(path)))

    def names(self) -> list[str]:
        return sorted(self._asked("list", _names))

    def read(self) -> bytes:
        return self._asked("read", lambda fs, path: bytes(fs.cat_file(path)))

    def write_whole(self, content: bytes) -> None:
        self._put(lambda fs, path: fs.pipe_file(path, content))

    @contextlib.contextmanager
    def whole_file(self) -> Iterator[IO[bytes]]:
        # On this disk first: what is sent piece by piece would be there in part after a failure.
        with tempfile.TemporaryDirectory(prefix="whatsit-") as folder:
            path = os.path.join(folder, "whole")
            with storage.whole_file(path) as file:
                yield file
            self._put(lambda fs, there: fs.put_file(path, there))

    def check_writable(self) -> None:
        if self.is_folder():
            raise places.failed("write", self.name, IsADirectoryError("it is a folder"))
        probe = self.beside(f".{secrets.token_hex(4)}{places.PARTIAL}")
        probe.write_whole(b"whatsit")
        probe.remove()

    def make_folder(self) -> None:
        if self._url.protocol in _WHOLE_AT_ONCE:
            return  # where there are no folders, to ask for one may make a bucket
        self._asked("make the folder", lambda fs, path: fs.makedirs(path, exist_ok=True))

    def remove(self) -> None:
        def ask(fs: Any, path: str) -> None:
            with contextlib.suppress(FileNotFoundError):
                fs.rm_file(path)

        self._asked("remove", ask)

    def remove_folder(self) -> None:
        def ask(fs: Any, path: str) -> None:
            if self._url.protocol not in _WHOLE_AT_ONCE and fs.isdir(path):
                fs.rmdir(path)

        self._asked("remove", ask)

    def _at(self, path: str) -> UrlPlace:
        return UrlPlace(self._url.at(path), self._filesystems)

    def _put(self, put: Callable[[Any, str], object]) -> None:
        """Sends a file so that it is whole when it appears."""

        def ask(fs: Any, path: str) -> None:
            if self._url.protocol in _WHOLE_AT_ONCE:
                put(fs, path)
                return
            folder, slash, name = path.rpartition("/")
            partial = f"{folder}{slash}.{name}.{secrets.token_hex(4)}{places.PARTIAL}"
            try:
                put(fs, partial)
                fs.mv(partial, path)
            except BaseException:
                with contextlib.suppress(Exception):
                    fs.rm_file(partial)
                raise

        self._asked("write", ask)

    def _asked(self, verb: str, question: Callable[[Any, str], T]) -> T:
        """What the file system answers, asked again after connection trouble."""

        def attempt() -> T:
            there = self._filesystems.behind(self._url)
            with there.lock:
                there.fs.invalidate_cache()  # other processes write here, too
                return question(there.fs, there.path)

        try:
            return self._filesystems.tried(attempt, self.name)
        except InputError as error:  # which is about pictures
            cause = error.__cause__
            reason = cause if isinstance(cause, Exception) else error
            raise places.failed(verb, self.name, reason) from error


def _names(fs: Any, path: str) -> list[str]:
    """Of what is in a folder; nothing if there is none."""
    try:
        found = [name.strip("/") for name in fs.ls(path, detail=False)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    own = path.strip("/")  # object stores may list the folder itself
    return [name.rpartition("/")[2] for name in found if name != own]
