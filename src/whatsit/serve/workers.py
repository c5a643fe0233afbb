"""Threads that do the work of the server, and the bounded queue before them.

Decoding and inference let go of Python's lock, so as many threads as cores keep all of them busy.
All counting is done on the event loop's thread, and needs no lock.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import refusals


@dataclass(frozen=True, slots=True)
class _Job:
    work: Callable[[], Any]
    answer: asyncio.Future[Any]
    deadline_s: float  # on time.monotonic()
    came_s: float


class Workers:
    """`count` threads. At most `waiting` jobs may wait for them, but for the last to be let in."""

    def __init__(
        self, count: int, waiting: int, timeout_s: float, waited: Callable[[float], object]
    ) -> None:
        self._waited = waited  # told of each job for how many seconds it had to wait
        self._count, self._waiting, self._timeout_s = count, waiting, timeout_s
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._pending = 0
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """To be called on the event loop. The threads end with the program, or with `stop`."""
        self._loop = asyncio.get_running_loop()
        for number in range(self._count):
            threading.Thread(target=self._work, name=f"whatsit-{number}", daemon=True).start()

    def stop(self) -> None:
        """Ends each thread after the jobs that it still has."""
        for _ in range(self._count):
            self._jobs.put(None)

    @property
    def running(self) -> int:
        """Jobs that are being worked on."""
        return min(self._pending, self._count)

    @property
    def depth(self) -> int:
        """Jobs that wait."""
        return max(0, self._pending - self._count)

    def check(self) -> None:
        """Raises the refusal of a full queue."""
        if self.depth >= self._waiting:
            raise refusals.too_busy(f"{self.depth} pictures are waiting already")

    def submit(self, work: Callable[[], Any]) -> asyncio.Future[Any]:
        """What `work` will give in one of the threads, or the refusal of what takes too long."""
        loop = self._loop
        assert loop is not None
        now = time.monotonic()
        job = _Job(work, loop.create_future(), now + self._timeout_s, now)
        timer = loop.call_later(self._timeout_s, self._give_up, job.answer)
        job.answer.add_done_callback(lambda _: timer.cancel())
        self._pending += 1
        self._jobs.put(job)
        return job.answer

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            started_s = time.monotonic()
            result: Any = None
            error: BaseException | None = None
            if started_s < job.deadline_s and not job.answer.done():
                try:
                    result = job.work()
                except BaseException as caught:
                    error = caught
            else:
                error = refusals.timed_out(self._timeout_s)
            assert self._loop is not None
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody listens any more
                self._loop.call_soon_threadsafe(
                    self._settle, job, result, error, started_s - job.came_s
                )
            del job, result, error  # or they would live until the next job comes

    def _settle(self, job: _Job, result: Any, error: BaseException | None, waited_s: float) -> None:
        self._pending -= 1
        self._waited(waited_s)
        if job.answer.done():
            return
        if error is not None:
            job.answer.set_exception(error)
        else:
            job.answer.set_result(result)

    def _give_up(self, answer: asyncio.Future[Any]) -> None:
        if not answer.done():
            answer.set_exception(refusals.timed_out(self._timeout_s))
