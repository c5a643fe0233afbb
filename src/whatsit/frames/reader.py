"""The thread that opens a source, decodes it, and opens it again when it is gone."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import wording
from ..errors import SourceUnavailable, WhatsitError
from . import failures, video
from .handing import Handing
from .origin import Origin
from .picture import Turn, VideoPicture
from .video import Video

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
# What is lost again before it has held for so long is no new beginning: the waits go on growing.
STEADY_S = 10.0
# Containers that count in whole milliseconds put a frame that is due at 500.0 to 499.
_ROUNDING_MS = 1.0
_CUT_SHORT = 0.9  # of the duration that it states, and
_CUT_SHORT_MS = 1000.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What the caller wants of a source; `live` None: as the source is."""

    every_ms: float | None
    live: bool | None
    patience_s: float | None


class Reader:
    def __init__(self, origin: Origin, plan: Plan, handing: Handing) -> None:
        self._origin = origin
        self._plan = plan
        self._handing = handing
        self._live = False
        self._paced = False
        self._began_s: float | None = None  # when the first frame came
        self._back_s = 0.0  # when the first one came since it was last lost
        self._seen_s = 0.0  # when the last one came
        self._lost = False
        self._wait_s = FIRST_WAIT_S
        self._number = 0
        self._due_ms = 0.0
        self._last_ms = 0.0

    def run(self) -> None:
        """What the thread does, from first to last."""
        try:
            self._follow()
        except BaseException as error:  # it is raised in the thread that asks for frames
            self._handing.end(error)
        else:
            self._handing.end()

    def _follow(self) -> None:
        opened: Video | None = self._open(video.SILENCE_S)
        while opened is not None:
            failure = self._read_to_the_end(opened)
            if self._handing.stopped:
                return
            if self._began_s is None or self._paced or not (self._live and self._origin.comes_back):
                if failure is not None:
                    raise failure
                return
            opened = self._again(failure)

    def _open(self, open_s: float) -> Video:
        return Video(self._origin, stopped=lambda: self._handing.stopped, open_s=open_s)

    def _read_to_the_end(self, opened: Video) -> WhatsitError | None:
        """Hands on its frames; gives what ended it, where that is not its end."""
        try:
            self._read(opened)
        except WhatsitError as error:
            return error
        finally:
            opened.close()
        if self._began_s is None:
            return failures.of_no_picture(self._origin, opened.format)
        return None

    def _read(self, opened: Video) -> None:
        frames = opened.frames()
        try:
            for found in frames:
                if self._handing.stopped:
                    return
                if found is not None:
                    self._hand_on(opened, *found)
                elif self._is_loss:
                    self._number += 1
                    self._handing.count_damaged()
        finally:
            frames.close()
        if not self._live and self._began_s is not None:
            self._note_what_is_missing(opened)

    @property
    def _is_loss(self) -> bool:
        """Of a damaged frame: what comes before the first whole one of a stream is no loss."""
        return self._origin.kind == "file" or (self._began_s is not None and not self._lost)

    def _hand_on(self, opened: Video, media_ms: float, frame: VideoFrame, turn: Turn) -> None:
        now_s = time.monotonic()
        if self._began_s is None:
            self._began_s = self._back_s = now_s
            self._live = opened.live(self._plan.live)
            # What has no pace of its own is played as fast as it is meant to be seen.
            self._paced = self._live and opened.is_unpaced
            # The time that it states is no end of times that are told as the frames arrive.
            stated_ms = None if self._arrives else opened.duration_ms
            self._handing.opened(opened.info(frame, turn, self._live, stated_ms))
        elif self._lost:
            self._note_return(now_s)
        self._seen_s = now_s
        if self._paced:
            self._handing.sleep(self._began_s + media_ms / 1000 - now_s)
        arrived_ms = (now_s - self._began_s) * 1000
        time_ms = arrived_ms if self._arrives else media_ms
        self._last_ms = time_ms
        if self._is_due(time_ms):
            self._handing.put(time_ms, self._number, VideoPicture(frame, turn))
        self._number += 1

    @property
    def _arrives(self) -> bool:
        """Whether a frame's time is that of its arrival."""
        return self._live and not self._paced

    def _is_due(self, time_ms: float) -> bool:
        """Whether this frame is asked for: the first at or after each multiple of every_ms."""
        every_ms = self._plan.every_ms
        if every_ms is None:
            return True
        if time_ms + _ROUNDING_MS < self._due_ms:
            return False
        self._due_ms = ((time_ms + _ROUNDING_MS) // every_ms + 1) * every_ms
        return True

    def _again(self, failure: WhatsitError | None) -> Video | None:
        """The source, opened anew; None if nobody waits for it any longer."""
        name = self._origin.name
        why = failure.message if failure is not None else f"{name!r} ended"
        if not self._lost:
            self._lost = True
            if self._seen_s - self._back_s >= STEADY_S:
                self._wait_s = FIRST_WAIT_S
            self._handing.lose(f"{why}; trying to connect again")
        while True:
            self._handing.sleep(min(self._wait_s, self._left_s(why)))
            self._wait_s = min(2 * self._wait_s, LONGEST_WAIT_S)
            left_s = self._left_s(why)
            if self._handing.stopped:
                return None
            try:
                return self._open(min(video.SILENCE_S, left_s))
            except WhatsitError as error:
                why = error.message

    def _left_s(self, why: str) -> float:
        """How much longer to try. Raises SourceUnavailable when that is over."""
        if self._plan.patience_s is None:
            return LONGEST_WAIT_S
        left_s = self._seen_s + self._plan.patience_s - time.monotonic()
        if left_s <= 0:
            raise SourceUnavailable(
                f"{self._origin.name!r} was lost, and did not come back within "
                f"{self._plan.patience_s:g} s",
                hint=f"the last attempt: {why}",
            )
        return left_s

    def _note_return(self, now_s: float) -> None:
        self._lost = False
        self._back_s = now_s
        self._handing.count_reconnect()
        away_s = now_s - self._seen_s
        self._handing.say(f"{self._origin.name!r} is back after {away_s:.1f} s")

    def _note_what_is_missing(self, opened: Video) -> None:
        name, stated_ms = self._origin.name, opened.duration_ms
        if self._handing.damaged:
            count = wording.counted(self._handing.damaged, "damaged frame")
            self._handing.say(f"{name!r}: {count} left out")
        if stated_ms is not None and self._last_ms < _CUT_SHORT * stated_ms - _CUT_SHORT_MS:
            self._handing.say(
                f"{name!r} ends after {self._last_ms / 1000:.1f} s, though it says "
                f"{stated_ms / 1000:.1f} s: it is damaged or cut short"
            )
