"""Ends what has no end of its own: by Ctrl-C, SIGTERM or a time, between two of its steps."""

from __future__ import annotations

import _thread
import itertools
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import Any, TypeVar

Step = TypeVar("Step")

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# One stroke may come twice, as from a program that signals its child and the child's group: only
# who has waited for so long means it a second time.
_AGAIN_S = 0.5
_SAME_STROKE_S = 0.1


class Stop:
    """Within its block, the first signal ends `until`, and what follows is finished in peace.

    Who does not want to wait for that sends a second one, half a second later or more. `number`
    is that of the signal, None without one.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._heard_s = 0.0
        self._over = False
        self._ringing = False
        self._waiting = False
        self._end: Callable[[], None] | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Stop:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._hear) for number in _SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.number is not None:  # the other half of it must not find the handlers gone
            time.sleep(max(0.0, self._heard_s + _SAME_STROKE_S - time.monotonic()))
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def until(
        self,
        steps: Iterator[Step],
        *,
        seconds: float | None = None,
        end: Callable[[], None] | None = None,
    ) -> Iterator[Step]:
        """The steps up to a signal, or for so many seconds on the clock.

        `end`, called in a thread of its own, makes the steps end by themselves, and the last ones
        are still given. Without it the next step is given up where it is.
        """
        self._end = end
        if self._stopped and end is not None:
            end()
        clock = threading.Timer(seconds, self._ring) if seconds is not None else None
        if clock is not None:
            clock.daemon = True
            clock.start()
        try:
            while end is not None or not self._stopped:
                found: list[Step] = []
                try:
                    self._wait(steps, found)
                except KeyboardInterrupt:
                    if end is not None or not self._stopped:  # another one than ours
                        raise
                if not found:
                    return
                yield found[0]
        finally:
            if clock is not None:
                clock.cancel()

    def _wait(self, steps: Iterator[Step], found: list[Step]) -> None:
        """The next step into `found`, from which no signal can take it any more."""
        try:
            self._waiting = True
            found.extend(itertools.islice(steps, 1))
        finally:
            self._waiting = False

    @property
    def _stopped(self) -> bool:
        return self._over or self.number is not None

    def _ring(self) -> None:
        self._over = True
        if self._end is not None:
            self._end()
        elif self._waiting and self._before:
            self._ringing = True
            _thread.interrupt_main()  # only the main thread can end its own wait

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self._ringing:
            self._ringing = False
        elif self._before[number] is signal.SIG_IGN:  # as in the background
            return
        elif self.number is not None:
            if time.monotonic() - self._heard_s >= _AGAIN_S:
                raise KeyboardInterrupt
            return
        else:
            self.number, self._heard_s = number, time.monotonic()
        if self._end is not None:
            # Not here: the main thread may be in the middle of what it would change.
            threading.Thread(target=self._end, daemon=True).start()
        elif self._waiting:
            raise KeyboardInterrupt
