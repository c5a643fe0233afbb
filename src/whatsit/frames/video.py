"""An open source: its video stream, decoded, each frame with its time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator
from typing import IO, TYPE_CHECKING, Any

import av

from .. import images
from ..errors import SourceUnavailable, VideoUnreadable, WhatsitError
from . import failures
from .clock import Clock
from .origin import Origin
from .picture import Turn, turn_of
from .pipes import Given, Pipe, open_named
from .values import SourceInfo

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

# Without a byte for this long a camera or stream counts as lost, as a player would see it.
SILENCE_S = 10.0
_MOST_BAD_READS = 100  # in a row, after which a damaged file is taken to be at its end
_TEXT_FORMATS = frozenset("tty bin adf idf xbin".split())
_ANIMATIONS = frozenset(["gif", "apng"])
_COVER_CODECS = frozenset("mjpeg png bmp gif webp".split())


class Video:
    """A source that libav has opened; only the thread that opened it uses it."""

    def __init__(self, origin: Origin, *, stopped: Callable[[], bool], open_s: float) -> None:
        """Raises SourceUnavailable, VideoUnreadable or UsageError."""
        self._origin = origin
        self._patience_s = open_s  # for what is going on
        self._is_open = False
        self._pipe: Pipe | Given | None = None
        self._turn: Turn | None = None
        self._angle: int | None = None
        self._container = self._opened(stopped)
        try:
            self._stream = self._picked()
        except BaseException:
            self.close()
            raise
        self._clock = Clock(self._container, self._stream)
        self._patience_s = SILENCE_S
        self._is_open = True

    def _opened(self, stopped: Callable[[], bool]) -> InputContainer:
        origin = self._origin
        try:
            return av.open(
                self._target(stopped),
                mode="r",
                format=origin.format,
                options=dict(origin.options),
                timeout=(self._patience_s, SILENCE_S) if self._may_fall_silent else None,
                metadata_errors="replace",
            )
        except Exception as error:
            self._close_pipe()
            raise self._failure(error) from error

    @property
    def _may_fall_silent(self) -> bool:
        return self._origin.kind in ("camera", "stream")

    def _target(self, stopped: Callable[[], bool]) -> str | IO[bytes] | Pipe | Given:
        origin = self._origin
        if origin.kind == "pipe" and not hasattr(origin.target, "read"):
            own = isinstance(origin.target, str)
            number = open_named(str(origin.path)) if own else int(str(origin.target))
            self._pipe = Pipe(number, own=own, stopped=stopped)
        elif origin.kind == "pipe":
            self._pipe = Given(origin.target, stopped)  # type: ignore[arg-type]
        else:
            assert not isinstance(origin.target, int)
            return origin.target
        return self._pipe

    def _picked(self) -> VideoStream:
        """The first moving pictures in it."""
        name = self._origin.name
        if self._origin.kind == "file" and self._origin.format is None:
            self._refuse_texts_and_pictures()
        streams = [stream for stream in self._container.streams.video if not self._is_cover(stream)]
        if not streams:
            heard = bool(self._container.streams.audio)
            raise VideoUnreadable(
                f"{name!r} has {'sound but ' if heard else ''}no moving pictures",
                expected="a file or stream with video",
            )
        stream = streams[0]
        if stream.codec_context is None:
            raise VideoUnreadable(
                f"the pictures of {name!r} are coded in a way that this install cannot decode",
                hint="pip install --upgrade av, or convert it to H.264",
            )
        # Threads that each decode a frame are fastest, but each holds one back.
        stream.thread_type = "SLICE" if self.live(None) else "AUTO"
        return stream

    def _refuse_texts_and_pictures(self) -> None:
        """Of both libav would make a video."""
        name, kind = self._origin.name, self._container.format.name
        if kind in _TEXT_FORMATS:
            raise VideoUnreadable(
                f"{name!r} is text, not a video", expected=failures.VIDEO_EXPECTED
            )
        named_so = images.is_picture_name(name) and kind not in _ANIMATIONS
        if named_so or kind == "image2" or kind.endswith("_pipe"):
            raise VideoUnreadable(
                f"{name!r} is a picture, not a video", expected=failures.VIDEO_EXPECTED
            )

    def _is_cover(self, stream: VideoStream) -> bool:
        """Whether it is the one picture that goes with music."""
        return (
            bool(self._container.streams.audio)
            and stream.codec_context is not None
            and stream.codec_context.name in _COVER_CODECS
            and not stream.average_rate
        )

    @property
    def format(self) -> str:
        """The names that libav has for it, such as mov,mp4,m4a."""
        return self._container.format.name

    @property
    def duration_ms(self) -> float | None:
        length, base = self._stream.duration, self._stream.time_base
        if length and base:
            return float(length * base * 1000)
        return self._container.duration / 1000 if self._container.duration else None

    def live(self, chosen: bool | None) -> bool:
        """Whether only the newest frame counts; an address with a duration is that of a file."""
        if chosen is not None:
            return chosen
        if self._origin.live is not None:
            return self._origin.live
        return not self._container.duration

    @property
    def is_unpaced(self) -> bool:
        """Whether its frames come as fast as they are read: a file, or what libav makes."""
        origin = self._origin
        return (
            origin.kind == "file"
            or origin.generated
            or (origin.live is None and not self.live(None))
        )

    def info(
        self, first: VideoFrame, turn: Turn, live: bool, duration_ms: float | None
    ) -> SourceInfo:
        sides = (first.width, first.height)
        rate = self._stream.average_rate or self._stream.guessed_rate
        return SourceInfo(
            self._origin.kind,
            self._origin.name,
            live,
            *(sides[::-1] if turn.exchanged else sides),
            fps=float(rate) if rate else None,
            duration_ms=duration_ms,
            rotation=turn.clockwise,
        )

    def frames(self) -> Generator[tuple[float, VideoFrame, Turn] | None, None, None]:
        """Time in ms, frame and how it lies; None for one that is damaged.

        Raises what ended it, unless that is its end.
        """
        for packet in self._packets():
            if packet is None:
                yield None
                continue
            try:
                decoded = packet.decode()
            except av.error.EOFError:  # after the last
                continue
            except av.FFmpegError:
                yield None
                continue
            for frame in decoded:
                time_ms = self._clock.time_ms(frame)
                yield None if frame.is_corrupt else (time_ms, frame, self._turn_of(frame))

    def _turn_of(self, frame: VideoFrame) -> Turn:
        """How it lies, looked at anew only where it has changed: it is slow to ask."""
        angle = getattr(frame, "rotation", None)  # None: PyAV 14.0
        if self._turn is None or angle != self._angle:
            self._turn, self._angle = turn_of(frame), angle
        return self._turn

    def _packets(self) -> Iterator[Any]:
        """Packets; None for a stretch of bytes that makes none."""
        bad = 0
        while bad < _MOST_BAD_READS:
            try:
                for packet in self._container.demux(self._stream):
                    bad = 0
                    yield packet
                return
            except av.error.InvalidDataError:
                bad += 1
                yield None
            except GeneratorExit:
                raise
            except Exception as error:
                raise self._failure(error) from error

    def _failure(self, error: Exception) -> WhatsitError:
        if self._pipe is not None and not self._pipe.size_bytes:
            return VideoUnreadable(f"nothing came through {self._origin.name!r}")
        if self._is_open and self._may_fall_silent and not isinstance(error, av.error.ExitError):
            return SourceUnavailable(f"{self._origin.name!r} broke off: {failures.reason(error)}")
        return failures.of(error, self._origin, self._patience_s)

    def close(self) -> None:
        self._container.close()
        self._close_pipe()

    def _close_pipe(self) -> None:
        if isinstance(self._pipe, Pipe):
            with contextlib.suppress(OSError):
                self._pipe.close()
