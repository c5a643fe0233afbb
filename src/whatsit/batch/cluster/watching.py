"""Says how far a job has come that others do, by looking at its journal."""

from __future__ import annotations

import _thread
import contextlib
import signal
import threading
import time
from collections.abc import Iterator, Sequence

from ...errors import WhatsitError
from ..job import Job
from ..report import Note, Progress
from .hosts import alive

_EVERY_S = 1.0
_SHARE = 0.05  # of the time at most goes into looking, also where the journal is long or far


@contextlib.contextmanager
def watched(
    job: Job, blocks: Sequence[int], progress: Progress | None, note: Note | None
) -> Iterator[None]:
    """Looks at the journal and at the cluster while the block lasts, and once more at its end."""
    watch = _Watch(job, blocks, progress, note)
    stop = threading.Event()
    thread = threading.Thread(target=watch.go_on, args=(stop,), daemon=True)
    watch.look()
    thread.start()
    try:
        yield
    except KeyboardInterrupt:
        if watch.error is not None:
            raise watch.error from None
        raise
    finally:
        stop.set()
        thread.join()
    watch.look()


class _Watch:
    def __init__(
        self, job: Job, blocks: Sequence[int], progress: Progress | None, note: Note | None
    ) -> None:
        self._job = job
        self._pending = set(blocks)
        self._done = job.pictures - sum(map(job.size, blocks))
        self._failures: dict[str, int] = {}  # by the name of their file
        self._progress = progress
        self._note = note
        self._hosts: dict[str, str] = {}
        self.error: BaseException | None = None  # what `progress` or `note` raised, to end it all

    def go_on(self, stop: threading.Event) -> None:
        pause_s = _EVERY_S
        while not stop.wait(pause_s):
            start = time.perf_counter()
            try:
                self.look()
            except WhatsitError:  # a server that rests: where it matters, the run itself will tell
                pass
            except BaseException as error:
                self.error = error
                _interrupt()
                return
            pause_s = max(_EVERY_S, (time.perf_counter() - start) / _SHARE)

    def look(self) -> None:
        self._look_at_hosts()
        if self._progress is None:
            return
        pending = set(self._job.pending())
        self._done += sum(map(self._job.size, self._pending - pending))
        self._pending = pending
        for name in self._job.place.names():
            if name.startswith("errors-") and name not in self._failures:
                lines = self._job.place.join(name).read()
                if _number(name) not in pending:
                    self._failures[name] = lines.count(b"\n")
        self._progress(self._done, self._job.pictures, sum(self._failures.values()))

    def _look_at_hosts(self) -> None:
        """Says so when a host has gone or joined, since nothing else does."""
        if self._note is None:
            return
        try:
            known, now = self._hosts, {host.key: host.name for host in alive()}
        except Exception:  # the cluster has gone, of which the run itself will tell
            return
        for key in now.keys() - known.keys() if known else ():
            self._note(f"the host {now[key]} has joined")
        for key in known.keys() - now.keys():
            self._note(f"the host {known[key]} has gone: what it was doing is done again")
        self._hosts = now


def _interrupt() -> None:
    """As Ctrl-C does."""
    if hasattr(signal, "pthread_kill"):
        ident = threading.main_thread().ident
        assert ident is not None
        signal.pthread_kill(ident, signal.SIGINT)
    else:  # Windows, where nothing wakes a thread that waits
        _thread.interrupt_main()


def _number(name: str) -> int:
    return int(name.removeprefix("errors-").removesuffix(".jsonl"))
