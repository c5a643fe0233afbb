"""What can go wrong with a source, in words a person can act on; libav's errors end here."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..errors import SourceUnavailable, UsageError, VideoUnreadable, WhatsitError

if TYPE_CHECKING:
    from .origin import Origin

VIDEO_EXPECTED = "a video such as MP4, MOV, MKV, WebM, AVI or MPEG"
_SCREENS = ("x11grab", "gdigrab", "fbdev", "kmsgrab")
_NO_SUCH_DEVICE = (errno.ENODEV, errno.ENXIO, errno.ENOTTY, errno.EINVAL)
_NO_SUCH_HOST = (errno.EHOSTUNREACH, errno.ENETUNREACH)
_LOST = (errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE)


def of(error: Exception, origin: Origin, silence_s: float) -> WhatsitError:
    """The error of ours that says what libav, or the system, said of this source."""
    import av

    if isinstance(error, WhatsitError):
        return error
    if isinstance(error, TypeError):  # from a file object that reads str
        return UsageError(f"{origin.name!r} gives text", expected="a file object in binary mode")
    if isinstance(error, ValueError) and "container format" in str(error):
        return UsageError(
            f"the input format {origin.format!r} is not known here",
            hint="this install of PyAV lacks it, or its name is misspelt",
        )
    if isinstance(error, av.error.ExitError):  # our own time limit
        return SourceUnavailable(
            f"{origin.name!r} gave nothing for {silence_s:g} s",
            hint="is it switched on, and is something sent to this address?",
        )
    if isinstance(error, av.error.InvalidDataError):
        return of_bytes(origin)
    if origin.format in _SCREENS:
        return SourceUnavailable(
            f"the screen {origin.name!r} cannot be seen: {reason(error)}",
            hint="is there a display of this name, and may this program see it?",
        )
    if origin.kind == "camera":
        from .origin import cameras

        return of_camera(error, origin.name, cameras(), bool(origin.options))
    if origin.kind == "stream":
        return _of_stream(error, origin)
    return of_file(error, origin.name)


def of_bytes(origin: Origin) -> WhatsitError:
    """For bytes that no demuxer knows."""
    if origin.path is not None and origin.kind == "file" and _lacks_index(origin.path):
        return VideoUnreadable(
            f"{origin.name!r} has no index: the recording was cut off before it was finished",
            expected="an MP4 or MOV file with its moov part",
            hint="copy it again from the camera; else a repair tool may rebuild the index",
        )
    return VideoUnreadable(
        f"{origin.name!r} is not a video of a known kind", expected=VIDEO_EXPECTED
    )


def of_no_picture(origin: Origin, format: str) -> VideoUnreadable:
    """For a source of this format that ended, and of which nothing could be decoded."""
    message = f"no picture of {origin.name!r} can be decoded"
    if origin.kind != "pipe" or "mp4" not in format.split(","):
        return VideoUnreadable(message)
    return VideoUnreadable(
        message,
        expected="a video that can be read without going back, such as MPEG-TS or Matroska",
        hint="this MP4 may have its index at its end: give the path of the file instead",
    )


def of_file(error: Exception, name: str) -> WhatsitError:
    """For a path, as open() or libav refused it."""
    number = getattr(error, "errno", None)
    if number in (errno.ENOENT, errno.ENOTDIR):
        return SourceUnavailable(f"no file {name!r}", hint="check the spelling and the folder")
    if number in (errno.EACCES, errno.EPERM):
        return SourceUnavailable(
            f"{name!r} may not be read", hint="change its permissions or run as its owner"
        )
    return SourceUnavailable(f"cannot read {name!r}: {reason(error)}")


def check_readable(path: str) -> None:
    """Raises SourceUnavailable if this program may not read what is there."""
    if not os.access(path, os.R_OK):
        raise of_file(PermissionError(errno.EACCES, ""), path)


def check_file(path: str) -> None:
    """Raises what is wrong with a regular file before libav sees it."""
    try:
        with open(path, "rb") as file:
            if not file.read(1):
                raise VideoUnreadable(f"{path!r} is empty", expected=VIDEO_EXPECTED)
    except OSError as error:
        raise of_file(error, path) from error


def of_camera(
    error: Exception, name: str, others: Sequence[str], chosen: bool = False
) -> SourceUnavailable:
    """For a camera that cannot be opened; `chosen`: a size or rate was asked for."""
    number = getattr(error, "errno", None)
    if number == errno.ENOENT:
        return SourceUnavailable(f"there is no camera {name!r}", hint=camera_hint(others))
    if number == errno.EBUSY:
        return SourceUnavailable(
            f"the camera {name!r} is in use by another program",
            hint="close the program that has it",
        )
    if number in (errno.EACCES, errno.EPERM):
        return SourceUnavailable(
            f"this program may not use the camera {name!r}",
            hint="on Linux join the group video and log in again; elsewhere allow it in the "
            "system's privacy settings",
        )
    if number == errno.EINVAL and chosen:
        return SourceUnavailable(
            f"the camera {name!r} does not have this size or rate", hint="leave them out"
        )
    if number in _NO_SUCH_DEVICE:
        return SourceUnavailable(f"{name!r} gives no pictures", hint=camera_hint(others))
    return SourceUnavailable(
        f"the camera {name!r} cannot be opened: {reason(error)}",
        hint="is it plugged in, free, and allowed in the system's privacy settings?",
    )


def camera_hint(names: Sequence[str]) -> str:
    return f"cameras here: {', '.join(names)}" if names else "no camera is connected"


def _of_stream(error: Exception, origin: Origin) -> SourceUnavailable:
    import av

    name, number = origin.name, getattr(error, "errno", None)
    host = _host(origin)
    if origin.generated or isinstance(error, av.error.ProtocolNotFoundError):
        return SourceUnavailable(
            f"{name!r} cannot be opened: {reason(error)}",
            expected="" if origin.generated else "http, https, rtsp, rtmp, srt, tcp or udp",
        )
    if number == errno.ECONNREFUSED:
        return SourceUnavailable(
            f"{name!r}: {host} refused the connection",
            hint="is the server running, and the port right?",
        )
    if isinstance(error, (av.error.HTTPError, av.error.HTTPClientError)):
        return _of_http(error, name)
    if number in _NO_SUCH_HOST:
        return SourceUnavailable(f"{name!r}: no way to {host}", hint="check the network")
    if number in _LOST:
        return SourceUnavailable(f"{name!r}: {host} closed the connection")
    if host and not _is_known(host):
        return SourceUnavailable(
            f"{name!r}: there is no host {host!r}", hint="check the spelling and the network"
        )
    return SourceUnavailable(f"{name!r} cannot be read: {reason(error)}")


def _of_http(error: Exception, name: str) -> SourceUnavailable:
    import av

    if isinstance(error, av.error.HTTPUnauthorizedError):
        return SourceUnavailable(
            f"{name!r} asks for a password", hint="write http://name:password@host/…"
        )
    if isinstance(error, av.error.HTTPForbiddenError):
        return SourceUnavailable(f"{name!r} is forbidden: HTTP 403")
    if isinstance(error, av.error.HTTPNotFoundError):
        return SourceUnavailable(f"{name!r} is not there: HTTP 404", hint="check the address")
    return SourceUnavailable(f"{name!r}: {reason(error)}")


def _host(origin: Origin) -> str:
    try:
        return urlsplit(str(origin.target)).hostname or ""
    except ValueError:  # brackets that hold no IPv6 address
        return ""


def _is_known(host: str) -> bool:
    """Whether the name of a host can be resolved; libav says only `Input/output error`."""
    import socket

    try:
        socket.getaddrinfo(host, None)
    except (OSError, UnicodeError):
        return False
    return True


def _lacks_index(path: str) -> bool:
    """Whether this is an MP4 or MOV file whose moov box was never written."""
    kinds, start = set(), 0
    try:
        with open(path, "rb") as file:
            while len(head := file.read(8)) == 8:
                size, kind = struct.unpack(">I4s", head)
                kinds.add(kind)
                if size == 1:  # a large box, its size in the next eight bytes
                    (size,) = struct.unpack(">Q", file.read(8))
                if size < 8:  # 0: up to the end of the file
                    break
                start += size
                file.seek(start)
    except (OSError, OverflowError, struct.error):
        pass
    return b"ftyp" in kinds and b"moov" not in kinds


def reason(error: Exception) -> str:
    """What went wrong, on one line, without the number and the file that Python adds."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).splitlines()[0]
