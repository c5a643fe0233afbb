"""Opened engines of one program, each lent to one thread at a time."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar

from ..errors import UsageError


class Closable(Protocol):
    def close(self) -> None: ...


Engine = TypeVar("Engine", bound=Closable)


class Pool(Generic[Engine]):
    """Engines that `opened(threads)` makes as they are needed. Safe to use from several threads."""

    def __init__(self, opened: Callable[[int], Engine]) -> None:
        self._open = opened
        self._lock = threading.Lock()
        self._idle: dict[int, list[Engine]] = {}  # by number of threads
        self._closed = False

    @contextlib.contextmanager
    def lent(self, threads: int) -> Iterator[Engine]:
        """An engine that nobody else uses meanwhile; opened if all are in use."""
        engine = self._take(threads) or self._open(threads)
        try:
            yield engine
        except BaseException:  # it may be in any state, or dead
            engine.close()
            raise
        self._give_back(engine, threads)

    def close(self) -> None:
        """Releases the engines. Nothing is lent after it."""
        with self._lock:
            self._closed = True
            engines = [engine for idle in self._idle.values() for engine in idle]
            self._idle.clear()
        for engine in engines:
            engine.close()

    def _take(self, threads: int) -> Engine | None:
        with self._lock:
            if self._closed:
                raise UsageError("the classifier is closed", hint="open it again")
            idle = self._idle.setdefault(threads, [])
            return idle.pop() if idle else None

    def _give_back(self, engine: Engine, threads: int) -> None:
        with self._lock:
            if self._closed:
                engine.close()
            else:
                self._idle[threads].append(engine)
