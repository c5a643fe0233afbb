"""Embeddings that were computed before, on the disk, by the content of the picture.

Each run appends to a file of its own and reads those of all earlier runs of the same key. So no run
writes where another does, and what a kill cut short, or the disk has spoilt, is computed again.
"""

from __future__ import annotations

import contextlib
import secrets
import zlib
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from . import storage

Floats = NDArray[np.float32]

DIGEST_BYTES = 32  # of SHA-256
_MOST_BYTES = 512 << 20  # of all keys together: some 100,000 pictures of a small model


class VectorCache:
    """The embeddings (width,) of pictures by the SHA-256 of their files. Close it.

    `key` names all that decides an embedding besides the file. `problem` says why nothing can be
    kept, if so.
    """

    def __init__(self, key: str, width: int) -> None:
        self._folder = storage.cache_folder("embeddings")
        self._key = key
        self._record = np.dtype(
            [("digest", "u1", DIGEST_BYTES), ("vector", "<f4", width), ("check", "<u4")]
        )
        self._path = self._folder / f"{key}.{secrets.token_hex(4)}.vectors"
        self._file: IO[bytes] | None = None
        self._known = self._read()
        self.problem = ""

    def get(self, digest: bytes) -> Floats | None:
        """The embedding of the picture whose file has that SHA-256, if it was kept."""
        return self._known.get(digest)

    def add(self, digest: bytes, vector: Floats) -> None:
        """Keeps one embedding, from the end of this run at the latest."""
        if self.problem or digest in self._known:
            return
        self._known[digest] = vector
        content = digest + vector.astype("<f4").tobytes()
        try:
            if self._file is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._make_room()
                self._file = open(self._path, "xb")  # noqa: SIM115
            self._file.write(content + zlib.crc32(content).to_bytes(4, "little"))
        except OSError as error:
            self.problem = str(error.strerror or error)

    def close(self) -> None:
        """Writes what is held back."""
        if self._file is not None:
            try:
                self._file.close()
            except OSError as error:  # a full disk: what fits has been written
                self.problem = str(error.strerror or error)
            self._file = None

    def _read(self) -> dict[bytes, Floats]:
        known: dict[bytes, Floats] = {}
        for path in sorted(self._folder.glob(f"{self._key}.*.vectors")):
            with contextlib.suppress(OSError):  # another run has just made room
                known.update(self._records(path.read_bytes()))
        return known

    def _records(self, content: bytes) -> dict[bytes, Floats]:
        """The records of a file, without spoilt ones and without half a record at its end."""
        count = len(content) // self._record.itemsize
        rows = np.frombuffer(content, self._record, count)
        size = self._record.itemsize
        found = {}
        for place, row in enumerate(rows):
            start = place * size
            if zlib.crc32(content[start : start + size - 4]) == row["check"]:
                found[row["digest"].tobytes()] = row["vector"].astype(np.float32)
        return found

    def _make_room(self) -> None:
        """Removes the files that were written longest ago, if all of them are too much."""
        files: list[tuple[float, int, Path]] = []
        for path in self._folder.glob("*.vectors"):
            with contextlib.suppress(OSError):
                about = path.stat()
                files.append((about.st_mtime, about.st_size, path))
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= _MOST_BYTES:
                return
            with contextlib.suppress(OSError):  # on Windows, while another run reads it
                path.unlink()
                total -= size
