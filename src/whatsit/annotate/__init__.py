"""Writes a video again with the labels drawn into it: H.264, whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import storage
from ..errors import UsageError, WhatsitError
from ..frames import check_installed
from ..results import Prediction
from ..wording import shown
from .drawing import Rgb, drawn

if TYPE_CHECKING:
    from PIL import Image

    from ..frames import SourceInfo

_CODEC = "h264"  # whichever encoder FFmpeg prefers for it: libx264 in the wheels of PyAV
_TIMES = Fraction(1, 90_000)  # the clock of MPEG, which every player can count by
# Fast beside a model, and hardly a visible loss; without frames in another order than their times.
_QUALITY = {"preset": "veryfast", "crf": "20", "bf": "0"}
_FPS = 30.0  # where the source does not say
_MOST_FPS = 240.0  # some sources state the ticks of their clock
_KEY_FRAME_S = 2  # how far a player must go back at most to show any moment
_BT709 = 1  # the colours that players expect of a high definition picture


class Annotator:
    """A video that is written frame by frame, and takes its place when it is closed.

    A context manager, which closes it also where the block is interrupted or fails: what was added
    so far is a good file. `mirror` swaps left and right of the pictures, not of the letters.
    Without a frame there is no file. Raises what `check` raises.
    """

    def __init__(
        self, path: str | os.PathLike[str], info: SourceInfo, *, mirror: bool = False
    ) -> None:
        check(path)
        self.path = os.fspath(path)
        self.frames = 0
        self._fps = min(max(info.fps or _FPS, 1.0), _MOST_FPS)
        self._mirror = mirror
        self._open = contextlib.ExitStack()
        self._container: Any = None
        self._stream: Any = None
        self._size = (0, 0)  # width, height
        self._last_ticks = -1
        self._step_ticks = round(1 / (self._fps * _TIMES))

    def add(self, rgb: Rgb, time_ms: float, predictions: Sequence[Prediction]) -> None:
        """One frame, upright, and what to write on it; a frame of another size is fitted in.

        The first frame stands from the beginning. Raises WhatsitError where it cannot be written.
        """
        picture = rgb[:, ::-1] if self._mirror else rgb
        try:
            if self._stream is None:
                self._begin(picture)
            self._write(_fitted(drawn(picture, predictions), self._size), time_ms)
        except BaseException as error:
            if not isinstance(error, KeyboardInterrupt):
                self._give_up(error)
            raise
        self.frames += 1

    def close(self) -> None:
        """Puts the file in its place. Raises WhatsitError where that cannot be done."""
        if self._container is None:
            return
        try:
            self._mux(None)
            self._container.close()
        except BaseException as error:
            self._give_up(error)
            raise
        self._container = None
        self._open.close()

    def __enter__(self) -> Annotator:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self, rgb: Rgb) -> None:
        import av

        height, width = rgb.shape[:2]
        self._size = (width + width % 2, height + height % 2)  # H.264 halves the colours
        file = self._open.enter_context(storage.whole_file(self.path))
        self._container = av.open(file, "w", format="mp4")
        stream: Any = self._container.add_stream(
            _CODEC, rate=Fraction(self._fps).limit_denominator(1001)
        )
        stream.width, stream.height = self._size
        stream.pix_fmt = "yuv420p"
        stream.options = _QUALITY
        context = stream.codec_context
        context.time_base = _TIMES
        context.gop_size = max(1, round(_KEY_FRAME_S * self._fps))
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        self._stream = stream

    def _write(self, image: Image.Image, time_ms: float) -> None:
        import av

        ticks = round(time_ms / 1e3 / _TIMES) if self.frames else 0
        ticks = max(ticks, self._last_ticks + 1)  # no two frames at one time
        if self.frames:
            self._step_ticks = ticks - self._last_ticks
        self._last_ticks = ticks
        frame = av.VideoFrame.from_ndarray(np.asarray(image)).reformat(
            # By name, which all versions of PyAV take.
            format="yuv420p",
            dst_colorspace="ITU709",
            dst_color_range="MPEG",
        )
        frame.pts, frame.time_base = ticks, _TIMES
        self._mux(frame)

    def _mux(self, frame: Any) -> None:
        for packet in self._stream.encode(frame):
            # Of the last one nobody can know; the others end where the next begins.
            packet.duration = self._step_ticks
            self._container.mux(packet)

    def _give_up(self, error: BaseException) -> None:
        """Removes what there is of the file; `error` is the reason."""
        container, self._container = self._container, None
        with contextlib.suppress(Exception):  # it fails for the same reason
            if container is not None:
                container.close()
        self._open.__exit__(type(error), error, error.__traceback__)


def check(path: str | os.PathLike[str]) -> None:
    """Raises, before long work begins, what would prevent a video from being written at `path`.

    UsageError if the name does not end in .mp4, ExtraMissing without PyAV, WhatsitError if nothing
    can be written there, or there is no encoder.
    """
    name = os.fspath(path)
    if Path(name).suffix.lower() != ".mp4":
        raise UsageError(f"a video {shown(name, 200)!r}", expected="a name that ends in .mp4")
    check_installed()
    import av

    try:
        av.Codec(_CODEC, "w")
    except ValueError as error:  # UnknownCodecError
        raise WhatsitError(
            "the FFmpeg that PyAV uses here cannot write H.264",
            hint="pip install --force-reinstall av takes one that can",
        ) from error
    storage.check_writable(path)


def _fitted(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The picture in a frame of this size: as it is, or made to fit, with black beside it."""
    from PIL import Image, ImageOps

    if image.size == size:
        return image
    odd = (size[0] - image.width, size[1] - image.height)
    if odd in {(0, 1), (1, 0), (1, 1)}:  # one row or column more, as H.264 needs
        wider = Image.new("RGB", size)
        wider.paste(image, odd)
        wider.paste(image, (0, 0))
        return wider
    return ImageOps.pad(image, size)
