"""The pictures that a benchmark classifies: a few, evenly taken from those given, all readable."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import images, zoo
from ..errors import ImageNotFound, InputError, UsageError
from ..sources import STANDARD_INPUT, Source
from ..wording import counted

# A turn goes through all of them, so that every setting and every round has the same ones, and
# must not take long, or the machine has changed before the next turn.
MOST = 24


@dataclass(frozen=True, slots=True)
class Pictures:
    """What is classified, in words, and a hash of its bytes; `errors` are of those left out."""

    paths: tuple[str, ...]
    description: str
    sha256: str
    errors: tuple[InputError, ...] = ()


def choose_pictures(sources: Iterable[Source] | None = None) -> Pictures:
    """At most MOST of `sources`, evenly spread; the golden pictures without any.

    Raises UsageError for standard input, which can be read but once, and the first picture's error
    if none can be read.
    """
    if sources is None:
        paths = [str(path) for path in sorted(zoo.GOLDEN.iterdir()) if path.suffix != ".json"]
        return Pictures(tuple(paths), f"the {len(paths)} golden pictures", _hash(paths))
    found = list(sources)
    if any(source.path == STANDARD_INPUT for source in found):
        raise UsageError(
            "pictures on standard input can be read only once",
            expected="files or folders, since every setting classifies them again",
        )
    readable, errors = _readable(_spread(found))
    if not readable:
        raise errors[0] if errors else ImageNotFound("no pictures", expected="at least one")
    many = counted(len(readable), "picture")
    description = f"{len(readable)} of {len(found)} pictures" if len(found) > MOST else many
    return Pictures(tuple(readable), description, _hash(readable), tuple(errors))


def _spread(sources: Sequence[Source]) -> list[Source]:
    """Evenly spread, since folders are often sorted by class."""
    count = min(MOST, len(sources))
    return [sources[i * len(sources) // count] for i in range(count)]


def _readable(sources: Sequence[Source]) -> tuple[list[str], list[InputError]]:
    paths: list[str] = []
    errors: list[InputError] = []
    for source in sources:
        try:
            images.open_image(source.picture())
        except InputError as error:
            errors.append(error)
        else:
            paths.append(source.path)
    return paths, errors


def _hash(paths: Iterable[str]) -> str:
    """Of the bytes of all: two runs with the same hash classified the same pictures."""
    every = hashlib.sha256()
    for path in paths:
        every.update(hashlib.sha256(Path(path).read_bytes()).digest())
    return every.hexdigest()
