"""Gives the bytes of items, wherever they are."""

from __future__ import annotations

from .. import images
from ..errors import ImageUnreadable
from .items import Item, TableRow
from .row_groups import RowGroups
from .urls import Filesystems, Url, beside, is_url


class Opener:
    """Gives the bytes of items. Safe to use from several threads; a context manager.

    It keeps connections, archives and the row groups that are being read, so one serves a run.
    """

    def __init__(self) -> None:
        self._filesystems = Filesystems()
        self._groups = RowGroups(self._filesystems)

    def read(self, item: Item) -> bytes:
        """All bytes of the picture; whether it is one is found out by decoding them.

        Raises an InputError, that of a local path as images.open_image words it, and ExtraMissing
        where the package for a URL is not installed.
        """
        if item.error is not None:
            raise item.error
        if item.table is not None:
            return self._cell(item.path, item.table)
        return self._read(item.path)

    def close(self) -> None:
        """Closes what is open; who waits for a server to recover waits no longer."""
        self._groups.close()
        self._filesystems.close()

    def __enter__(self) -> Opener:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self, path: str) -> bytes:
        if is_url(path):
            local = Url.parse(path).local_path()
            if local is None:
                return self._filesystems.read(path)
            path = local
        with images.open_file(path) as file:
            return images.read_stream(file, path)

    def _cell(self, name: str, row: TableRow) -> bytes:
        """The bytes in a cell of a table, or in the file that a cell without bytes names."""
        content, path = self._groups.cell(name, row)
        if content is not None:
            return content
        if path:
            return self._read(beside(row.file, path))
        raise ImageUnreadable(
            f"{name!r} has no picture: its cell in the column {row.column!r} is null"
        )
