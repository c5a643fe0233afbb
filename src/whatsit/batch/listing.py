"""From what a person types to the items of a run: files, folders, lists, tables, URLs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TypeVar

from .. import images, sources
from ..errors import ImageUnreadable, InputError, UsageError
from . import tables, trouble, urls
from .items import Item
from .urls import Behind, Filesystems, Url

T = TypeVar("T")


def items(
    inputs: Sequence[str], *, column: str | None = None, carry: Sequence[str] = ()
) -> Iterator[Item]:
    """The pictures that `inputs` name, in their order, found as they are asked for.

    An input is a file, a folder, a pattern or `@list.txt`, as sources.expand has them, a table
    (.csv, .tsv, .parquet) or an fsspec URL of any of these. `column` says which column of the
    tables has the pictures, `carry` which are carried along.

    An input that names nothing gives an item with the error. Raises UsageError for what no picture
    can come of, such as a table without the column, and ExtraMissing.
    """
    if isinstance(inputs, str):
        raise UsageError("a lone str for many inputs", expected="a list or another sequence")
    listing = _Listing(tables.Wanted(column, tuple(carry)))
    try:
        for text in inputs:
            yield from listing.of(os.fspath(text))
    finally:
        listing.filesystems.close()
    listing.check_wanted()


class _Listing:
    """One listing: what is asked of tables, and whether there were any."""

    def __init__(self, wanted: tables.Wanted) -> None:
        self._wanted = wanted
        self._tables = 0
        self.filesystems = Filesystems()

    def of(self, text: str) -> Iterator[Item]:
        """The items of one input as it was typed."""
        if text == sources.STANDARD_INPUT:
            raise UsageError(
                "a picture on standard input cannot be one of many",
                expected="files, folders, lists, tables or URLs",
                hint="@- takes a list of them from standard input",
            )
        if text.startswith("@") and not os.path.lexists(text):
            yield from self._listed(text[1:])
        elif urls.is_url(text):
            _check(text)
            yield from self._behind(text)
        else:
            yield from self._here(text)

    def check_wanted(self) -> None:
        """Raises UsageError if columns were asked for, and there was no table."""
        names = [*([self._wanted.column] if self._wanted.column else []), *self._wanted.carry]
        if names and not self._tables:
            raise UsageError(
                f"no column {names[0]!r}: no input is a table",
                expected="a .csv, .tsv or .parquet file among the inputs",
            )

    def _here(self, text: str) -> Iterator[Item]:
        for source in sources.expand([text]):
            if source.error is None and tables.is_table(source.path):
                yield from self._table(source.path)
            else:
                yield Item(source.path, source.error)

    def _table(self, table: str) -> Iterator[Item]:
        self._tables += 1
        return tables.items(table, self._wanted, self.filesystems)

    def _listed(self, path: str) -> Iterator[Item]:
        """The inputs in a list file; its lines are never lists themselves."""
        name = f"@{path}"
        found = False
        try:
            with self._opened_list(path) as file:
                for line in _lines(file, path):
                    found = True
                    yield from self._line(line)
        except _ListBroken as broken:
            yield Item(name, broken.error)
            return
        if not found:
            yield Item(name, sources.empty_list(name))

    @contextmanager
    def _opened_list(self, path: str) -> Iterator[IO[bytes]]:
        if path == sources.STANDARD_INPUT:
            yield sys.stdin.buffer
            return
        file: IO[bytes]
        try:
            if urls.is_url(path):
                file = self.filesystems.open(path, seekable=False)
            else:
                file = open(path, "rb")  # noqa: SIM115
        except InputError as error:
            raise _ListBroken(error) from error
        except (OSError, ValueError) as error:
            reason = trouble.reason(error)
            raise _ListBroken(sources.unreadable_list(path, reason)) from error
        with file:
            yield file

    def _line(self, line: str) -> Iterator[Item]:
        """The items of one line: what is wrong with it does not cost the others."""
        if line == sources.STANDARD_INPUT or (line.startswith("@") and not os.path.lexists(line)):
            yield Item(line)  # a file of that name, since a list names nothing else
        elif urls.is_url(line):
            try:
                _check(line)
            except UsageError as error:
                refused = ImageUnreadable(error.message, expected=error.expected, hint=error.hint)
                yield Item(line, refused)
                return
            yield from self._behind(line)
        else:
            yield from self._here(line)

    def _behind(self, text: str) -> Iterator[Item]:
        """The pictures behind a URL: itself, those in a folder, those that match."""
        url = Url.parse(text)
        local = url.local_path()
        if local is not None:
            yield from self._here(local)
        elif url.protocol not in urls.WEB and sources.MAGIC.search(url.path):
            yield from self._matching(url)
        elif tables.is_table(text):
            yield from self._table(text)
        elif url.protocol in urls.WEB or images.is_picture_name(url.path):
            yield Item(text)
        else:
            yield from self._folder_or_file(url)

    def _folder_or_file(self, url: Url) -> Iterator[Item]:
        text = str(url)
        try:
            is_folder = self._asked(url, lambda there: there.fs.isdir(there.path))
        except InputError as error:
            yield Item(text, error)
            return
        if not is_folder:
            yield Item(text)
            return
        found = False
        for item in self._below(url):
            found = True
            yield item
        if not found:
            yield Item(text, sources.no_pictures(text))

    def _below(self, folder: Url) -> Iterator[Item]:
        """Pictures in a folder, then those in its sub-folders, by name; one listing at a time."""
        try:
            entries = self._asked(folder, _entries)
        except InputError as error:
            yield Item(str(folder), error.about("cannot list the folder"))
            return
        urls_of = _Names(folder)
        for name, kind in entries:
            if kind != "directory" and images.is_picture_name(name):
                yield Item(urls_of(name))
        for name, kind in entries:
            if kind == "directory":
                yield from self._below(Url.parse(urls_of(name)))

    def _matching(self, url: Url) -> Iterator[Item]:
        """What matches a pattern, sorted; a file of that very name wins over the pattern."""
        text = str(url)
        try:
            names = self._asked(url, _matches)
        except InputError as error:
            yield Item(text, error)
            return
        fixed = sources.MAGIC.split(url.path, maxsplit=1)[0].rpartition("/")[0]
        urls_of = _Names(url.at(fixed))
        for name in names:
            path = urls_of(name)
            if tables.is_table(path):
                yield from self._table(path)
            else:
                yield Item(path)
        if not names:
            yield Item(text, sources.nothing_matches(text))

    def _asked(self, url: Url, question: Callable[[Behind], T]) -> T:
        """What the file system answers, asked again after connection trouble."""

        def attempt() -> T:
            there = self.filesystems.behind(url)
            answer = question(there)
            there.fs.invalidate_cache()  # else it keeps every listing until the end
            return answer

        return self.filesystems.tried(attempt, str(url))


class _Names:
    """The URLs of names that a file system gives for what is in a folder."""

    def __init__(self, folder: Url) -> None:
        self._folder = folder
        self._start = urls.filesystem_class(folder.protocol)._strip_protocol(folder.step)

    def __call__(self, name: str) -> str:
        start = self._start.rstrip("/")
        if not name.startswith(start):  # under another name than it was asked for
            return str(self._folder.at(name.lstrip("/")))
        below = name[len(start) :].lstrip("/")
        typed = self._folder.path
        return str(self._folder.at(f"{typed.rstrip('/')}/{below}" if typed else below))


class _ListBroken(Exception):
    """A list file that cannot be read, told from what goes wrong with its lines."""

    def __init__(self, error: InputError) -> None:
        super().__init__(error)
        self.error = error


def _lines(file: IO[bytes], path: str) -> Iterator[str]:
    """The lines that hold anything, without their ends."""
    lines = sources.lines(file)
    while True:
        try:
            line = next(lines, None)
        except Exception as error:  # of the system, or as many kinds as there are file systems
            broken = tables.broken(path, error)
            if isinstance(broken, InputError):
                reason = trouble.reason(error)
                raise _ListBroken(sources.unreadable_list(path, reason)) from error
            raise broken from error
        if line is None:
            return
        yield line


def _check(text: str) -> None:
    """Raises UsageError or ExtraMissing for a URL that cannot be listed, whatever is there."""
    url = Url.parse(text)
    if url.protocol in urls.WEB and "*" in url.path:
        raise UsageError(
            f"the pattern {text!r}: what a web server has cannot be listed",
            expected="the URL of one picture",
            hint="write the URLs into a list, one a line, and give it as @urls.txt",
        )
    urls.check(text)


def _entries(there: Behind) -> list[tuple[str, str]]:
    """(name, kind) of what is in a folder, sorted."""
    with there.lock:
        found = there.fs.ls(there.path, detail=True)
    own = there.path.strip("/")  # object stores may list the folder itself
    return sorted((e["name"], e["type"]) for e in found if e["name"].strip("/") != own)


def _matches(there: Behind) -> list[str]:
    with there.lock:
        if there.fs.exists(there.path):
            return [there.path]
        try:
            found = there.fs.glob(there.path, detail=True)
        except FileNotFoundError:
            return []
    return sorted(name for name, about in found.items() if about["type"] != "directory")
