"""Where a model comes from: a word of the command line, the file behind it, the model inside."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from .. import zoo
from ..errors import ModelDamaged, ModelError, ModelNotFound, ModelUnsupported, UsageError
from ..wording import utf8
from . import archives
from .archives import Unpacked

_SUFFIXES = (".tflite", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".tar", ".zip")
_ODD = re.compile(r"[^A-Za-z0-9._+-]+")
_LOOKS_LIKE_A_FILE = (*_SUFFIXES, ".gz", ".pb", ".onnx", ".h5", ".keras")


@dataclass(frozen=True, slots=True)
class Found:
    """What is at a source: an open file, what to call it in a receipt, and its sha256."""

    file: IO[bytes]
    source: str
    sha256: str


def unpacked(found: Found, member: str | None) -> Unpacked:
    """The model in what was found. Raises ModelDamaged, ModelUnsupported or UsageError."""
    head = found.file.read(archives.HEAD_BYTES)
    found.file.seek(0)
    kind = archives.kind_of(head)
    try:
        if kind is None:
            raise ModelDamaged(
                "it is neither a model nor an archive" if head else "it is empty",
                expected="a .tflite, or a .zip or .tar.gz that holds one",
            )
        if kind == "model":
            if member is not None:
                raise UsageError("it is no archive, and has no members", hint="drop --member")
            return Unpacked("", found.file.read())
        return archives.unpack(found.file, kind, member=member)
    except (ModelError, UsageError) as error:
        raise error.about(repr(found.source)) from error


@contextlib.contextmanager
def open_file(path: str, sha256: str | None, max_bytes: int) -> Iterator[Found]:
    """A file of this machine, checked like a download."""
    with regular_file(path, "model file", max_bytes) as file:
        digest = hashlib.sha256()
        while chunk := file.read(1 << 20):
            digest.update(chunk)
        file.seek(0)
        if sha256 is not None and digest.hexdigest() != sha256.lower():
            raise ModelDamaged(
                f"the file {path!r} has the sha256 {digest.hexdigest()}",
                expected=f"sha256 {sha256}",
            )
        yield Found(file, utf8(os.path.basename(path)), digest.hexdigest())


@contextlib.contextmanager
def regular_file(path: str, what: str, max_bytes: int) -> Iterator[IO[bytes]]:
    """A file to read. Raises UsageError for a folder or a pipe, ModelUnsupported if too large."""
    try:
        about = os.stat(path)
        if not stat.S_ISREG(about.st_mode):
            raise UsageError(f"{path!r} is no regular file", expected=f"a {what}")
        if about.st_size > max_bytes:
            raise ModelUnsupported(
                f"the {what} {path!r} is {about.st_size} bytes",
                expected=f"at most {max_bytes} bytes",
                hint="--max-size raises the limit" if what == "model file" else "",
            )
        file = open(path, "rb")  # noqa: SIM115
    except FileNotFoundError as error:
        raise ModelNotFound(f"no {what} {path!r}") from error
    except (OSError, ValueError) as error:
        if isinstance(error, UsageError):  # which is a ValueError too
            raise
        reason = getattr(error, "strerror", None) or error
        raise ModelDamaged(f"cannot read the {what} {path!r}: {reason}") from error
    with file:
        yield file


def check_is_file(text: str) -> None:
    """Raises UsageError for a folder, and with names like it for what is no file and no name."""
    if os.path.isdir(text):
        raise UsageError(f"{text!r} is a folder", expected="a .tflite, .zip or .tar.gz")
    looks_like_one = os.path.dirname(text) or text.lower().endswith(_LOOKS_LIKE_A_FILE)
    if looks_like_one or os.path.lexists(text):
        return
    import difflib

    names = [*zoo.catalogue(), *zoo.hosted()]
    close = difflib.get_close_matches(text.lower(), names, n=3)
    raise UsageError(
        f"no model and no file {text!r}",
        expected="a name of `whatsit models --all`, an https address, or a file",
        hint=f"did you mean {', '.join(close)}?" if close else "",
    )


def name_of(file_name: str) -> str:
    """A name for the model in a file: its own, without the ending and odd characters.

    Raises UsageError if nothing is left of it.
    """
    base = os.path.basename(file_name)
    for suffix in _SUFFIXES:
        if base.lower().endswith(suffix):
            base = base[: -len(suffix)]
            break
    name = _ODD.sub("-", base).strip("-._+")[:100].rstrip(".")
    if not name:
        raise UsageError(
            f"no name for the model can be made of {file_name!r}",
            expected="ASCII letters or digits in it",
            hint="--name NAME gives it one",
        )
    return name
