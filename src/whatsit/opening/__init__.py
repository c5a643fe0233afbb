"""Data sets wherever they lie: a folder, a list, an archive of these, or an archive's address.

    from whatsit import opening
    dataset = opening.read("https://example.org/flowers.tgz")

An archive is unpacked into the cache folder "datasets", so that the second time costs nothing and
the paths of pictures in a report lead somewhere. What lies there may be deleted at any time.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from .. import datasets
from ..datasets import Dataset
from ..errors import DatasetError

Progress = Callable[[str, int, int], None]  # (what is done, done, total)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a data set lies now. `archive` is what it came in, as errors call it.

    `name` and `notes` are of the data set, `inside` is the folder that no row may lead out of; all
    three are empty without an archive.
    """

    path: str
    archive: str = ""
    name: str = ""
    inside: Path | None = None
    notes: tuple[str, ...] = field(default=())

    def read(self, path: str | os.PathLike[str] | None = None) -> Dataset:
        """The data set, or the part of it at `path`. Raises DatasetError."""
        if self.inside is None:
            return datasets.read(self.path if path is None else path)
        try:
            dataset = datasets.read(self.path if path is None else path)
        except DatasetError as error:
            raise error.about(repr(self.archive)) from error
        _check_inside(dataset, self.inside, self.archive)
        return replace(
            dataset,
            name=self.name if path is None else dataset.name,
            notes=(*dataset.notes, *self.notes),
        )


def read(source: Dataset | str | os.PathLike[str], *, progress: Progress | None = None) -> Dataset:
    """A Dataset as it is, or the one at a path or an address.

    An address is that of a .zip or .tar.gz, https, and may end in #sha256=HEX, which pins it. What
    was fetched before is not fetched again. `progress(what, done, total)` counts megabytes. Raises
    DatasetError, DownloadFailed, UsageError, WhatsitError where the cache cannot be written.
    """
    return source if isinstance(source, Dataset) else located(source, progress=progress).read()


def located(source: str | os.PathLike[str], *, progress: Progress | None = None) -> Place:
    """The folder or list that a path or an address means, unpacked if need be; raises as `read`."""
    text = os.fspath(source)
    if "://" not in text and not (os.path.isfile(text) and _looks_packed(text)):
        return Place(text)
    from . import archived  # here, since it loads what fetches from the network

    found = archived.fetched(text, progress) if "://" in text else archived.opened(text, progress)
    return Place(os.fspath(_top(found.folder)), found.shown, found.name, found.folder, found.notes)


def _looks_packed(path: str) -> bool:
    """Whether a file begins as an archive does. One that cannot be read is for others to name."""
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return False
    return head.startswith(_STARTS) or head[257:262] == b"ustar"


# As getting.archives knows them, which is too dear to load for a folder.
_HEAD_BYTES = 512
_STARTS = (b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"\xfd7zXZ\0", b"BZh")


def _top(folder: Path) -> Path:
    """Below folders that hold nothing but one folder of folders."""
    while True:
        inside = [entry for entry in folder.iterdir() if entry.name[0] != "."]
        if len(inside) != 1 or not inside[0].is_dir():
            return folder
        below = list(inside[0].iterdir())
        if not any(entry.is_dir() or entry.name in datasets.tables.NAMES for entry in below):
            return folder
        folder = inside[0]


def _check_inside(dataset: Dataset, folder: Path, archive: str) -> None:
    """Raises DatasetError if a list in the archive names pictures that were not in it."""
    inside = os.path.join(os.path.realpath(folder), "")
    for row in dataset.rows:
        if not os.path.realpath(row.path).startswith(inside):
            raise DatasetError(
                f"{archive!r} lists {dataset.place(row)!r}, which is not in it",
                expected="pictures that lie in the archive",
            )
