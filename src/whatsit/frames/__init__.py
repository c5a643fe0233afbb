"""Moving pictures: a video file, a camera, a stream, a pipe, a folder that fills up.

PyAV, which decodes them, is imported only when a source is opened.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING

from ..errors import ExtraMissing, UsageError
from .values import Frame as Frame
from .values import Kind as Kind
from .values import Picture as Picture
from .values import SourceInfo as SourceInfo

if TYPE_CHECKING:
    from ..sources import Source
    from .handing import Handing

# Long enough for a camera to be let go of between two frames, too short to be noticed at Ctrl-C.
_LEAVE_S = 0.1


class Frames:
    """The frames of an open source, in order; leaving it, or close(), lets go of the source.

    A thread reads the source. Of a live one only the newest frame is kept, of others all.
    """

    def __init__(self, info: SourceInfo, handing: Handing, thread: threading.Thread) -> None:
        self.info = info
        self._handing = handing
        self._thread = thread
        self._stop = weakref.finalize(self, handing.stop)  # of one that nobody closes

    @property
    def dropped(self) -> int:
        """Frames lost so far: too late, since live, or damaged."""
        return self._handing.dropped

    @property
    def damaged(self) -> int:
        """Those of `dropped` that could not be decoded."""
        return self._handing.damaged

    @property
    def reconnects(self) -> int:
        """How often a source that was lost came back."""
        return self._handing.reconnects

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        """Raises SourceUnavailable or VideoUnreadable where the source is lost for good."""
        while (frame := self._handing.take()) == "lost":
            pass
        if frame == "ended":
            raise StopIteration
        return frame

    def steps(self) -> Iterator[Frame | None]:
        """The frames as next() gives them, and None where a source is lost that may come back.

        It is given as soon as that is known, before anybody waits for the return.
        """
        while (frame := self._handing.take()) != "ended":
            yield None if frame == "lost" else frame

    def __enter__(self) -> Frames:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the source; the iteration ends."""
        self._stop()
        self._thread.join(_LEAVE_S)


def open_frames(
    source: str | int | os.PathLike[str] | IO[bytes],
    *,
    every_ms: float | None = None,
    live: bool | None = None,
    format: str | None = None,
    size: tuple[int, int] | None = None,
    fps: float | None = None,
    note: Callable[[str], None] | None = None,
    patience_s: float | None = None,
) -> Frames:
    """A video file, camera, stream or pipe, opened, its first frame decoded.

    A number is a camera, as are /dev/video0 on Linux and `video=NAME` on Windows and macOS;
    `-` is standard input; a name with :// is a stream; anything else a file or named pipe.

    A file gives every frame, in order, or the first at or after each multiple of `every_ms`.
    Cameras, pipes and streams are live: they give the newest frame when one is asked for. An http
    address that states a duration is taken for a file. `live` decides otherwise; a file is then
    played at its own pace. Lost cameras and streams are tried again after 0.5 s, 1 s … 30 s, for
    ever or until `patience_s` without a picture; `note` hears of it, within next().

    `format` is an input format of libav: x11grab, lavfi …; `size` (width, height) and `fps` are
    asked of a camera.

    Raises SourceUnavailable, VideoUnreadable, UsageError, and ExtraMissing without PyAV.
    """
    _check_numbers(every_ms=every_ms, fps=fps, patience_s=patience_s)
    _check_size(size)
    check_installed()
    from .handing import Handing
    from .origin import find
    from .reader import Plan, Reader

    origin = find(source, format=format, size=size, fps=fps)
    handing = Handing(note)
    reader = Reader(origin, Plan(every_ms, live, patience_s), handing)
    # A daemon, since nothing ends a wait within libav: Ctrl-C leaves it behind.
    thread = threading.Thread(target=reader.run, name=f"frames of {origin.name}", daemon=True)
    thread.start()
    try:
        return Frames(handing.wait_until_open(), handing, thread)
    except BaseException:
        handing.stop()
        raise


def open_folder(
    folder: str | os.PathLike[str], *, poll_s: float = 0.5, patience_s: float | None = None
) -> Iterator[Source]:
    """Pictures in a folder and those below it, then new ones as they come, each once.

    Looks every `poll_s`; a picture counts as written once its size and time have held from one
    look to the next, an empty one after 2 s, and then anew if it is filled after all. Pictures that
    are ready together come by name. Ends after `patience_s`
    without a new one, else never. Raises SourceUnavailable or UsageError, at once, if there is
    no such folder; also later, when it is gone.
    """
    from . import folder as watching

    _check_numbers(poll_s=poll_s, patience_s=patience_s)
    name = os.fsdecode(folder)
    watching.check(name)
    return watching.watched(name, poll_s, patience_s)


def _check_numbers(**numbers: float | None) -> None:
    for name, number in numbers.items():
        if number is not None and not 0 < number < float("inf"):
            raise UsageError(f"{name} of {number!r}", expected="a number above 0")


def _check_size(size: tuple[int, int] | None) -> None:
    if size is not None and (len(size) != 2 or min(size) < 1):
        raise UsageError(f"a size of {size!r}", expected="width and height in pixels")


def check_installed() -> None:
    """Raises ExtraMissing without PyAV."""
    try:
        import av  # noqa: F401
    except ImportError as error:  # missing, or its libraries are
        raise ExtraMissing(
            "video needs PyAV, which is not installed"
            if isinstance(error, ModuleNotFoundError)
            else f"PyAV cannot be loaded: {error}",
            hint="pip install 'whatsit[video]'",
        ) from error
