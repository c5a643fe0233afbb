"""From what a person types to the moving source meant: file, camera, stream or pipe."""

from __future__ import annotations

import glob
import os
import re
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import IO

from ..errors import SourceUnavailable, UsageError
from . import failures
from .values import Kind

STANDARD_INPUT = "-"
_EXPECTED = "a video file, a camera such as 0, the address of a stream, or - for standard input"
# The inputs of libav that are devices: cameras, capture cards, screens.
_DEVICES = frozenset(
    "android_camera avfoundation decklink dshow fbdev gdigrab iec61883 kmsgrab v4l2 vfwcap "
    "video4linux2 x11grab".split()
)
_GENERATED = "lavfi"  # pictures that libav itself makes
_RAW = "rawvideo"  # pixels alone, whose size nobody else knows
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")  # at least two letters: C:\ is no scheme
_PASSWORD = re.compile(r"(?<=://)([^/@:]*):[^/]*@")
_LINUX_CAMERA_MAJOR = 81


@dataclass(frozen=True, slots=True)
class Origin:
    """A source before it is opened.

    `target` is what libav opens: a name, a file object, or the descriptor of a pipe. `live` is
    None where only the open source tells. `comes_back`: a source that is gone may be there again.
    """

    kind: Kind
    name: str
    target: str | IO[bytes] | int
    format: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    live: bool | None = None
    comes_back: bool = False
    generated: bool = False
    path: str | None = None


def find(
    source: str | int | os.PathLike[str] | IO[bytes],
    *,
    format: str | None,
    size: tuple[int, int] | None,
    fps: float | None,
) -> Origin:
    """What `source` names. Raises SourceUnavailable, VideoUnreadable or UsageError."""
    found = _found(source, format)
    if size is None and fps is None:
        return found
    if found.generated or (found.kind != "camera" and format != _RAW):
        raise UsageError(
            f"a size or rate for {found.name!r}",
            expected="neither, but for cameras, screens and raw pictures",
        )
    wanted = dict(found.options)
    if size is not None:
        wanted["video_size"] = f"{size[0]}x{size[1]}"
    if fps is not None:
        wanted["framerate"] = f"{fps:g}"
    return replace(found, options=wanted)


def _found(
    source: str | int | os.PathLike[str] | IO[bytes],
    format: str | None,
) -> Origin:
    if isinstance(source, int) and not isinstance(source, bool) and source >= 0:
        return _camera(str(source))
    if isinstance(source, os.PathLike):
        return _path(os.fsdecode(source), format)
    if isinstance(source, str):
        return _text(source, format)
    if not isinstance(source, int) and hasattr(source, "read"):
        return _object(source, format)
    raise UsageError(f"a source {source!r}", expected=_EXPECTED)


def _text(text: str, format: str | None) -> Origin:
    if format == _GENERATED:
        return Origin("stream", text, text, format, live=True, generated=True)
    if format in _DEVICES:
        return Origin("camera", text, text, format, live=True, comes_back=True)
    if text == STANDARD_INPUT:
        return _standard_input(format)
    if text.isascii() and text.isdigit():
        return _camera(text)
    if text.startswith("video=") and sys.platform in ("win32", "darwin"):
        return _named_camera(text.removeprefix("video="))
    scheme = _SCHEME.match(text)
    if scheme is None:
        return _path(text, format)
    if scheme[1].lower() == "file":
        from urllib.parse import urlsplit
        from urllib.request import url2pathname

        return _path(url2pathname(urlsplit(text).path), format)
    return _stream(text, scheme[1].lower(), format)


def _stream(url: str, scheme: str, format: str | None) -> Origin:
    # TCP gets through more networks than UDP, and loses nothing on the way.
    options = {"rtsp_flags": "prefer_tcp"} if scheme in ("rtsp", "rtsps") else {}
    # An address of the web may be a file that has an end, as its duration says once it is open.
    live = None if scheme in ("http", "https") else True
    name = _PASSWORD.sub(r"\1:***@", url)
    return Origin("stream", name, url, format, options, live, comes_back=True)


def _path(path: str, format: str | None) -> Origin:
    try:
        state = os.stat(path)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        if _is_camera_name(path):
            raise failures.of_camera(error, path, cameras()) from error
        raise failures.of_file(error, path) from error
    if stat.S_ISDIR(state.st_mode):
        raise UsageError(f"{path!r} is a folder", expected=_EXPECTED)
    if stat.S_ISREG(state.st_mode):
        failures.check_file(path)
        # The prefix keeps a colon in a name from being taken for the end of a scheme.
        return Origin("file", path, f"file:{path}", format, live=False, path=path)
    if stat.S_ISFIFO(state.st_mode):
        failures.check_readable(path)
        return Origin("pipe", path, f"file:{path}", format, live=True, path=path)
    if _is_camera(state):
        return Origin("camera", path, path, format or "v4l2", live=True, comes_back=True)
    raise SourceUnavailable(
        f"{path!r} is neither a file nor a camera",
        expected=_EXPECTED,
        hint=failures.camera_hint(cameras()),
    )


def _is_camera(state: os.stat_result) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    return stat.S_ISCHR(state.st_mode) and os.major(state.st_rdev) == _LINUX_CAMERA_MAJOR


def _is_camera_name(path: str) -> bool:
    return sys.platform.startswith("linux") and path.startswith("/dev/video")


def _camera(number: str) -> Origin:
    """The camera of that number, as this platform names it."""
    if sys.platform == "win32":
        return Origin("camera", f"camera {number}", number, "vfwcap", live=True, comes_back=True)
    if sys.platform == "darwin":
        # Its own default of 29.97 a second is none that most cameras offer.
        options = {"framerate": "30"}
        return Origin(
            "camera", f"camera {number}", number, "avfoundation", options, True, comes_back=True
        )
    return _path(f"/dev/video{number}", None)


def _named_camera(name: str) -> Origin:
    if sys.platform == "win32":
        return Origin("camera", name, f"video={name}", "dshow", live=True, comes_back=True)
    options = {"framerate": "30"}
    return Origin("camera", name, name, "avfoundation", options, True, comes_back=True)


def cameras() -> list[str]:
    """The cameras that this machine names as files; none on platforms that do not."""
    return sorted(glob.glob("/dev/video[0-9]*"))


def _standard_input(format: str | None) -> Origin:
    try:
        descriptor = sys.stdin.fileno()
    except (AttributeError, OSError, ValueError) as error:  # closed, or none at all
        raise SourceUnavailable("standard input is closed", expected="a video piped in") from error
    if os.isatty(descriptor):
        raise UsageError(
            "standard input is a terminal",
            expected="a video piped in",
            hint="for example: ffmpeg -re -i video.mkv -f mpegts - | whatsit watch -",
        )
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return Origin("file", STANDARD_INPUT, sys.stdin.buffer, format, live=False)
    return Origin("pipe", STANDARD_INPUT, descriptor, format, live=True)


def _object(file: IO[bytes], format: str | None) -> Origin:
    name = str(getattr(file, "name", "<file object>"))
    if hasattr(file, "seekable") and file.seekable():
        return Origin("file", name, file, format, live=False)
    return Origin("pipe", name, file, format, live=True)
