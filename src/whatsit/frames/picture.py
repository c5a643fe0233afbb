"""From a decoded frame to upright RGB: colour space, range, transparency, rotation."""

from __future__ import annotations

import contextlib
import struct
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import VideoUnreadable

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from numpy.typing import NDArray

_UNNAMED = 2  # AVColorSpace
_BT601 = (5, 6)
_LIMITED, _FULL = 1, 2  # AVColorRange, where 0 is unnamed
_ALPHA = ("rgba", "bgra", "argb", "abgr", "yuva", "gbrap", "ya8", "ya16", "pal8")

_own = threading.local()  # swscale's contexts are slow to make, and are for one thread at a time


@dataclass(frozen=True, slots=True)
class Turn:
    """How stored rows and columns become the upright picture's: exchanged first, then mirrored."""

    exchanged: bool = False
    left_right: bool = False
    top_bottom: bool = False

    @property
    def clockwise(self) -> int:
        """In degrees, the mirroring of a mirrored picture left aside."""
        if self.exchanged:
            return 90 if self.left_right else 270
        return 180 if self.top_bottom else 0

    def upright(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self.exchanged:
            pixels = pixels.transpose(1, 0, 2)  # (H, W, 3) → (W, H, 3)
        if self.left_right:
            pixels = pixels[:, ::-1]
        if self.top_bottom:
            pixels = pixels[::-1]
        return np.ascontiguousarray(pixels)


def turn_of(frame: VideoFrame) -> Turn:
    """What the display matrix of the video says: phones store pictures as the sensor lies."""
    side_data: Any = frame.side_data
    matrix = side_data.get("DISPLAYMATRIX")
    raw = b"" if matrix is None else bytes(matrix)
    _untie(side_data)
    if len(raw) != 36:
        return Turn()
    # x' = a·x + c·y, y' = b·x + d·y, in whole numbers of 1/65536
    a, b, _, c, d = struct.unpack("=5i", raw[:20])
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Turn(False, a < 0, d < 0)
    return Turn(True, c < 0, b < 0)


def _untie(side_data: Any) -> None:
    """Ends the cycle of a frame and its side data, which would keep the pixels of both.

    That is, until garbage is collected; PyAV makes the cycle when side data is first asked for.
    """
    from av.video.frame import VideoFrame

    with contextlib.suppress(TypeError):
        side_data.__init__(VideoFrame())


class VideoPicture:
    """A decoded frame, RGB once it is asked for; the decoder's own pixels are let go then."""

    __slots__ = ("_frame", "_lock", "_pixels", "_turn")

    def __init__(self, frame: VideoFrame, turn: Turn) -> None:
        self._frame: VideoFrame | None = frame
        self._turn = turn
        self._pixels: NDArray[np.uint8] | None = None
        self._lock = threading.Lock()

    def rgb(self) -> NDArray[np.uint8]:
        """(H, W, 3), upright, read-only; the same array each time.

        Raises VideoUnreadable where libav cannot convert this kind of pixels.
        """
        with self._lock:
            if self._pixels is None:
                assert self._frame is not None
                pixels = self._turn.upright(_converted(self._frame))
                pixels.flags.writeable = False
                self._pixels, self._frame = pixels, None
            return self._pixels


def _converted(frame: VideoFrame) -> NDArray[np.uint8]:
    """The frame as RGB (H, W, 3), its transparent parts laid on white."""
    kind = frame.format.name
    if not kind.startswith(_ALPHA):
        return _reformatted(frame, "rgb24", 3)
    rgba = _reformatted(frame, "rgba", 4)
    alpha = rgba[..., 3:].astype(np.uint16)
    return ((rgba[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def _reformatted(frame: VideoFrame, kind: str, channels: int) -> NDArray[np.uint8]:
    import av

    reformatter = _reformatter()
    try:
        made = reformatter.reformat(
            frame,
            format=kind,
            src_colorspace=_assumed_space(frame),
            # RGB has none; but where it is the source's, PyAV may not tell swscale the range.
            dst_colorspace="ITU709" if frame.colorspace in _BT601 else "ITU601",
            src_color_range=_range(frame),
            dst_color_range="JPEG",
            **_own.one_thread,
        )
    except (av.FFmpegError, ValueError) as error:
        raise VideoUnreadable(
            f"frames of {frame.format.name} pixels cannot be turned into RGB"
        ) from error
    plane: Any = made.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(made.height, -1)  # (H, bytes a row, padded)
    return rows[:, : made.width * channels].reshape(made.height, made.width, channels)


def _reformatter() -> Any:
    """This thread's own VideoReformatter."""
    made = getattr(_own, "reformatter", None)
    if made is None:
        from av.video.frame import VideoFrame
        from av.video.reformatter import VideoReformatter

        made = _own.reformatter = VideoReformatter()
        # Newer versions use all cores for each frame, though callers convert in several threads.
        _own.one_thread = {"threads": 1}
        try:
            made.reformat(VideoFrame(2, 2, "rgb24"), **_own.one_thread)
        except TypeError:
            _own.one_thread = {}
    return made


def _assumed_space(frame: VideoFrame) -> str | None:
    """None for the space that the frame names; where it names none, as players go by its size."""
    if frame.colorspace != _UNNAMED:
        return None
    return "ITU709" if frame.width >= 1280 or frame.height > 576 else "ITU601"


def _range(frame: VideoFrame) -> str:
    """As libav calls the limited and the full range."""
    if frame.color_range in (_LIMITED, _FULL):
        return "JPEG" if frame.color_range == _FULL else "MPEG"
    return "JPEG" if frame.format.name.startswith(("yuvj", "gray", "ya", "rgb", "bgr")) else "MPEG"
