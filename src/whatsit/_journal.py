"""What an evaluation has answered so far, so that a run killed anywhere goes on where it was.

Each run appends to a file of its own, a line an answer, and reads those of earlier runs of the same
thing. So no run writes where another does, and a line cut short by a kill harms nobody.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from . import storage
from .evaluation import STAGES, Ranked, parse_answer
from .zoo import locks

_KEPT_S = 30 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Entry:
    """The answer to one row: the best classes as (index, score), and the times of the stages."""

    ranked: Ranked
    timings_ms: Mapping[str, float]


class Journal:
    """The answers to `rows` pictures by the run that `key` names. Close it, or discard it.

    `problem` says why nothing can be written, if so: the run can go on, but not be resumed.
    """

    def __init__(self, key: str, *, rows: int, classes: int) -> None:
        self._folder = storage.cache_folder("evaluations")
        self._key = key
        self._rows = rows
        self._classes = classes
        self._read_bytes: dict[Path, int] = {}  # of each earlier run's file
        self._path = self._folder / f"{key}.{secrets.token_hex(4)}.jsonl"
        self._file: IO[bytes] | None = None
        self.problem = ""

    def earlier(self) -> dict[int, Entry]:
        """row → answer, of earlier runs that were interrupted."""
        self._sweep()
        found: dict[int, Entry] = {}
        for path in self._earlier_files():
            with contextlib.suppress(OSError):  # another run has just finished and removed it
                content = path.read_bytes()
                self._read_bytes[path] = len(content)
                # What follows the last line end was cut short.
                for line in content.split(b"\n")[:-1]:
                    found.update(self._parsed(line))
        return found

    def forget(self) -> None:
        """Removes what earlier runs have left, but not what a run of now is writing."""
        for path in self._earlier_files():
            with contextlib.suppress(OSError), open(path, "rb") as file:
                if locks.try_lock(file):
                    path.unlink()

    def add(self, row: int, entry: Entry) -> None:
        """Keeps one answer; it survives the end of this process from here on."""
        if self.problem:
            return
        value = [row, entry.ranked, [entry.timings_ms[stage] for stage in STAGES]]
        try:
            if self._file is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._file = open(self._path, "xb")  # noqa: SIM115
                locks.try_lock(self._file)  # for `forget`; where it cannot be had, without
            self._file.write(json.dumps(value).encode() + b"\n")
            self._file.flush()
        except OSError as error:
            self.problem = str(error.strerror or error)

    def close(self) -> None:
        """Closes the file and leaves it for the next run."""
        if self._file is not None:
            with contextlib.suppress(OSError):  # a full disk: what fits has been written
                self._file.close()
            self._file = None

    def discard(self) -> None:
        """Removes this run's file, and those it has read unless they have grown since."""
        self.close()
        self._read_bytes.setdefault(self._path, -1)
        for path, size in self._read_bytes.items():
            with contextlib.suppress(OSError):
                if size < 0 or path.stat().st_size == size:  # else another run is writing it
                    path.unlink()

    def _sweep(self) -> None:
        """Removes what nobody will go on with: runs of any kind, long ago."""
        oldest = time.time() - _KEPT_S
        for path in self._folder.glob("*.jsonl"):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < oldest:
                    path.unlink()

    def _earlier_files(self) -> list[Path]:
        return sorted(self._folder.glob(f"{self._key}.*.jsonl"))

    def _parsed(self, line: bytes) -> dict[int, Entry]:
        """The answer in a line as {row: answer}; nothing if it is not what `add` writes."""
        try:
            row, ranked, times = json.loads(line)
            entry = Entry(*parse_answer(ranked, times, self._classes))
        except (ValueError, TypeError, RecursionError):
            return {}
        return {row: entry} if isinstance(row, int) and 0 <= row < self._rows else {}
