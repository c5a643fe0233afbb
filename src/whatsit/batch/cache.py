"""Answers by the content of the picture, kept in the cache folder: no bytes are classified twice.

One SQLite file, which several runs may use at the same time. Where it fails in any way, the run
goes on without it and says so.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .. import storage
from ..errors import InputError
from ..evaluation import Ranked
from ..results import Ancestor
from ..zoo import locks

if TYPE_CHECKING:
    import sqlite3

Half = NDArray[np.float16]

FORMAT = 2  # of what is kept; another one is another key
_MOST_BYTES = 512 << 20  # of the file: more than a million answers, or 150,000 with embeddings
_HELD_BACK = 256  # answers that are written together
_HELD_BACK_S = 2.0
_PATIENCE_S = 5.0  # for another run that is writing


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model says of a picture: a verdict, (index, score) of the best classes, a vector.

    The others are those of a Result.
    """

    verdict: str
    ranked: Ranked
    label_set: tuple[str, ...] | None = None
    broader: Ancestor | None = None
    probably: Ancestor | None = None
    embedding: Half | None = None

    def to_bytes(self) -> bytes:
        terms = [
            None if term is None else (term.id, term.label, term.score)
            for term in (self.broader, self.probably)
        ]
        head = json.dumps([self.verdict, self.ranked, self.label_set, terms]).encode()
        vector = b"" if self.embedding is None else self.embedding.astype("<f2").tobytes()
        content = len(head).to_bytes(4, "little") + head + vector
        return zlib.crc32(content).to_bytes(4, "little") + content

    @classmethod
    def from_bytes(cls, content: bytes) -> Answer | None:
        """What `to_bytes` gave; None for anything else, such as what the disk has spoilt."""
        if zlib.crc32(content[4:]) != int.from_bytes(content[:4], "little"):
            return None
        end = 8 + int.from_bytes(content[4:8], "little")
        verdict, ranked, names, terms = json.loads(content[8:end])
        vector = np.frombuffer(content[end:], "<f2").astype(np.float16)
        pairs = tuple((int(index), float(score)) for index, score in ranked)
        broader, probably = (None if term is None else Ancestor(*term) for term in terms)
        label_set = None if names is None else tuple(names)
        embedding = vector if vector.size else None
        return cls(verdict, pairs, label_set, broader, probably, embedding)


class AnswerCache:
    """The answers of earlier runs with the same `key`, and of this one. Close it.

    `key` names all that decides an answer besides the picture. `problem` says why answers are not
    kept, if so. Safe to use from several threads.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._path = storage.cache_folder("answers") / "answers.sqlite"
        self._lock = threading.Lock()
        self._in_flight: dict[bytes, Future[Answer]] = {}
        self._fresh: dict[bytes, bytes] = {}  # not written yet
        self._written = time.monotonic()
        self.problem = ""
        self._base: sqlite3.Connection | None = None
        try:
            import sqlite3  # noqa: F401
        except ImportError:  # some builds of Python
            self.problem = "this Python has no sqlite3"
            return
        with self._careful():
            self._base = _opened(self._path)

    def answer(self, content: bytes, make: Callable[[], Answer]) -> tuple[Answer, bool]:
        """The answer to the picture with these bytes, made if need be, and whether it was there.

        Threads that ask for the same at the same time wait for the first. Raises what `make` does.
        """
        named = hashlib.sha256(self._key)
        named.update(content)  # not joined, since that would be a copy
        digest = named.digest()
        with self._lock:
            first = self._in_flight.get(digest)
            if first is None:
                kept = self._find(digest)
                if kept is not None:
                    return kept, True
                own = self._in_flight[digest] = Future()
        if first is None:
            return self._made(digest, own, make), False
        try:
            return first.result(), True
        except InputError:  # which names the path of the first
            return make(), False

    def close(self) -> None:
        """Writes what is held back."""
        with self._lock:
            self._write()
            if self._base is not None:
                with self._careful():
                    self._base.close()
            self._base = None

    def _made(self, digest: bytes, own: Future[Answer], make: Callable[[], Answer]) -> Answer:
        try:
            answer = make()
        except BaseException as error:
            with self._lock:
                del self._in_flight[digest]
            own.set_exception(error)
            raise
        with self._lock:
            self._fresh[digest] = answer.to_bytes()
            late = time.monotonic() - self._written > _HELD_BACK_S
            if late or len(self._fresh) >= _HELD_BACK:
                self._write()
            del self._in_flight[digest]
        own.set_result(answer)
        return answer

    def _find(self, digest: bytes) -> Answer | None:
        content = self._fresh.get(digest)
        if content is None and self._base is not None:
            with self._careful():
                query = "SELECT answer FROM answers WHERE digest = ?"
                found = self._base.execute(query, (digest,)).fetchone()
                content = found[0] if found else None
        return Answer.from_bytes(content) if content else None

    def _write(self) -> None:
        """Keeps what is fresh, in one short transaction, so that other runs hardly wait."""
        if self._base is not None and self._fresh:
            with self._careful(), self._base as transaction:
                _make_room(transaction)
                transaction.executemany(
                    "INSERT OR REPLACE INTO answers VALUES (?, ?)", self._fresh.items()
                )
        self._fresh.clear()
        self._written = time.monotonic()

    @contextlib.contextmanager
    def _careful(self) -> Iterator[None]:
        """From the first trouble on there is no cache."""
        import sqlite3

        try:
            yield
        except (sqlite3.Error, OSError, ValueError, TypeError) as error:
            self.problem = f"{error} ({self._path})"
            if self._base is not None:
                with contextlib.suppress(sqlite3.Error):
                    self._base.close()
            self._base = None


def _opened(path: Path) -> sqlite3.Connection:
    import sqlite3

    path.parent.mkdir(parents=True, exist_ok=True)
    base = sqlite3.connect(path, timeout=_PATIENCE_S, check_same_thread=False)
    try:
        # Readers and a writer do not wait for each other; a loss of power costs the latest answers.
        with locks.locked(path.with_suffix(".lock")):  # for this, SQLite does not wait
            base.execute("PRAGMA journal_mode = WAL")
        base.execute("PRAGMA synchronous = NORMAL")
        base.execute("CREATE TABLE IF NOT EXISTS answers (digest BLOB PRIMARY KEY, answer BLOB)")
    except BaseException:
        base.close()
        raise
    return base


def _make_room(base: sqlite3.Connection) -> None:
    """Drops the oldest quarter where the file has become too large."""
    ((pages,),) = base.execute("PRAGMA page_count")
    ((free,),) = base.execute("PRAGMA freelist_count")
    ((page_bytes,),) = base.execute("PRAGMA page_size")
    if (pages - free) * page_bytes > _MOST_BYTES:
        ((first, last),) = base.execute("SELECT min(rowid), max(rowid) FROM answers")
        base.execute("DELETE FROM answers WHERE rowid < ?", (first + (last - first + 3) // 4,))
