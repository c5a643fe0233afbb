"""From what a person types to the pictures meant: files, folders, globs, lists, standard input."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO

from . import images
from .errors import ImageNotFound, ImageUnreadable, InputError

STANDARD_INPUT = "-"
MAGIC = re.compile(r"[*?[]")


@dataclass(frozen=True, slots=True)
class Source:
    """One picture to classify, or the error that stands in its place."""

    path: str
    error: InputError | None = None

    def picture(self) -> str | IO[bytes]:
        """What images.open_image takes. Raises the error, if there is one."""
        if self.error is not None:
            raise self.error
        return sys.stdin.buffer if self.path == STANDARD_INPUT else self.path


def expand(inputs: Iterable[str]) -> Iterator[Source]:
    """The pictures that `inputs` name, in their order, found as they are asked for.

    A file is itself; a folder all pictures below it, sorted; `-` the bytes on standard input;
    `@list.txt` the inputs in that file, one a line (`@-`: on standard input); a pattern with
    * ? or [ ] that is no file's name the files that match it, ** any depth.
    """
    for text in inputs:
        if text.startswith("@") and not os.path.lexists(text):
            yield from _listed(text[1:])
        else:
            yield from _expand_one(text)


def _expand_one(text: str) -> Iterator[Source]:
    if text == STANDARD_INPUT:
        yield Source(text)
    elif os.path.isdir(text):
        yield from _below(text)
    elif MAGIC.search(text) and "\0" not in text and not os.path.lexists(text):
        yield from _matching(text)
    else:
        yield Source(text)


def _below(folder: str) -> Iterator[Source]:
    """Pictures in a folder and its sub-folders, by name; links to folders are not followed."""
    found = False
    failures: list[OSError] = []
    for parent, folders, files in os.walk(folder, onerror=failures.append):
        folders.sort()
        for name in sorted(files):
            if images.is_picture_name(name):
                found = True
                yield Source(os.path.join(parent, name))
    for failure in failures:
        yield Source(
            failure.filename or folder,
            ImageUnreadable(
                f"cannot list the folder {failure.filename!r}: {failure.strerror}",
                hint="change its permissions or run as its owner",
            ),
        )
    if not found and not failures:
        yield Source(folder, no_pictures(folder))


def _matching(pattern: str) -> Iterator[Source]:
    import glob

    found = False
    for path in sorted(glob.iglob(pattern, recursive=True)):
        if os.path.isdir(path):
            continue
        found = True
        yield Source(path)
    if not found:
        yield Source(pattern, nothing_matches(pattern))


def _listed(path: str) -> Iterator[Source]:
    """The inputs in a list file; its lines are never lists themselves."""
    name = f"@{path}"
    try:
        if path == STANDARD_INPUT:
            yield from _lines(sys.stdin.buffer, name)
        else:
            with open(path, "rb") as file:
                yield from _lines(file, name)
    except (OSError, ValueError) as error:
        yield Source(name, unreadable_list(path, getattr(error, "strerror", None) or error))


def _lines(file: IO[bytes], name: str) -> Iterator[Source]:
    found = False
    for text in lines(file):
        found = True
        yield from _expand_one(text)
    if not found:
        yield Source(name, empty_list(name))


def lines(file: Iterable[bytes]) -> Iterator[str]:
    """The lines of a list that hold anything, without their ends."""
    for number, line in enumerate(file):
        if number == 0:
            line = line.removeprefix(b"\xef\xbb\xbf")  # a byte order mark, from Windows editors
        text = os.fsdecode(line.rstrip(b"\r\n"))
        if text.strip():
            yield text


def no_pictures(folder: str) -> ImageNotFound:
    """The error of a folder with nothing to classify."""
    return ImageNotFound(
        f"no pictures in the folder {folder!r}",
        expected="files with an ending such as .jpg, .png or .webp",
    )


def nothing_matches(pattern: str) -> ImageNotFound:
    """The error of a pattern that no file has."""
    return ImageNotFound(f"nothing matches {pattern!r}")


def empty_list(name: str) -> ImageNotFound:
    """The error of a list without lines; `name` has its @."""
    return ImageNotFound(f"the list {name!r} is empty", expected="one path a line")


def unreadable_list(path: str, reason: object) -> ImageUnreadable:
    """The error of a list that is not there, or breaks off."""
    return ImageUnreadable(
        f"cannot read the list {path!r}: {reason}", expected="a file with one path a line"
    )
