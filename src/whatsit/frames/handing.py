"""Where a reading thread leaves frames, and the thread that asks for them finds them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Literal

from .values import Frame, Picture, SourceInfo

AHEAD = 4  # frames of a file decoded before they are asked for; 12 MB each at 4K
# A wait is cut into these, since on Windows Ctrl-C does not end one.
_WAIT_S = 0.1


class Handing:
    """Between the two threads: the newest frame only, or all of them in order."""

    def __init__(self, note: Callable[[str], None] | None) -> None:
        self.info: SourceInfo | None = None
        self.dropped = 0
        self.damaged = 0
        self.reconnects = 0
        self._note = note
        self._notes: deque[str] = deque()
        self._frames: deque[tuple[float, int, Picture]] = deque()
        self._lost = False  # and nobody was told yet
        self._changed = threading.Condition()
        self._stopped = False
        self._ended = False
        self._error: BaseException | None = None

    # the reading thread

    @property
    def stopped(self) -> bool:
        return self._stopped

    def opened(self, info: SourceInfo) -> None:
        with self._changed:
            self.info = info
            self._changed.notify_all()

    def put(self, time_ms: float, number: int, image: Picture) -> None:
        """Leaves a frame: in place of one that nobody took, if live; else once there is room."""
        assert self.info is not None
        with self._changed:
            if self.info.live and self._frames:
                self._frames.clear()
                self.dropped += 1
            self._lost = False
            while len(self._frames) >= AHEAD and not self._stopped:
                self._changed.wait()
            self._frames.append((time_ms, number, image))
            self._changed.notify_all()

    def count_damaged(self) -> None:
        with self._changed:
            self.damaged += 1
            self.dropped += 1

    def lose(self, text: str) -> None:
        """The source is gone, as the note says, and may come back."""
        with self._changed:
            self._lost = True
            self._notes.append(text)
            self._changed.notify_all()

    def count_reconnect(self) -> None:
        with self._changed:
            self.reconnects += 1

    def say(self, text: str) -> None:
        """A note, which the other thread passes on."""
        with self._changed:
            self._notes.append(text)
            self._changed.notify_all()

    def end(self, error: BaseException | None = None) -> None:
        with self._changed:
            self._ended = True
            self._error = error
            self._changed.notify_all()

    def sleep(self, seconds: float) -> None:
        """Waits, but no longer than until it is stopped."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped, seconds)

    # the thread that asks

    def wait_until_open(self) -> SourceInfo:
        """What the source is. Raises what prevented it from being opened."""
        while True:
            with self._changed:
                if self.info is not None:
                    return self.info
                if self._ended:
                    assert self._error is not None  # else it would have begun
                    raise self._error
                self._changed.wait(_WAIT_S)

    def take(self) -> Frame | Literal["lost", "ended"]:
        """The next frame, or what has become of the source. Raises what ended it, once."""
        while True:
            self._pass_on_notes()
            with self._changed:
                if self._stopped:
                    return "ended"
                if self._frames:
                    time_ms, number, image = self._frames.popleft()
                    self._changed.notify_all()
                    return Frame(time_ms, number, image, self.dropped)
                if self._lost and not self._notes:
                    self._lost = False
                    return "lost"
                if self._ended and not self._notes:
                    error, self._error = self._error, None
                    if error is not None:
                        raise error
                    return "ended"
                if not self._notes:
                    self._changed.wait(_WAIT_S)

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._frames.clear()
            self._changed.notify_all()

    def _pass_on_notes(self) -> None:
        while self._notes:
            text = self._notes.popleft()
            if self._note is not None:
                self._note(text)
