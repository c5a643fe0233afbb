"""What goes wrong behind a URL: whether it may pass, and how it is said."""

from __future__ import annotations

import errno

from ..errors import ImageNotFound, ImageUnreadable, InputError

# Whose errors are about a connection; those of the system itself are OSErrors.
_CLIENTS = frozenset("aiobotocore aiohttp azure botocore gcsfs google paramiko requests".split())
_FINAL = (
    FileNotFoundError,
    FileExistsError,
    PermissionError,
    IsADirectoryError,
    NotADirectoryError,
    ValueError,
)
_FINAL_NUMBERS = frozenset({errno.EINVAL, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOSPC})
_NO_CREDENTIALS = frozenset({"NoCredentialsError", "PartialCredentialsError"})
_GONE = frozenset({404, 410})
_FORBIDDEN = frozenset({401, 403})
_PASSING = frozenset({408, 425, 429})  # with 500 and above: another time it may go well


def may_pass(error: Exception) -> bool:
    """Whether it may go well another time: trouble on the way, not with what was asked for."""
    import asyncio

    status = _status(error)
    if status is not None:
        return status >= 500 or status in _PASSING
    if isinstance(error, _FINAL) or type(error).__name__ in _NO_CREDENTIALS:
        return False
    if isinstance(error, OSError):
        return error.errno not in _FINAL_NUMBERS
    # Before Python 3.11 a time-out of asyncio is not that of the system.
    if isinstance(error, (asyncio.TimeoutError, EOFError)):
        return True
    return type(error).__module__.partition(".")[0] in _CLIENTS


def translated(error: Exception, name: str) -> InputError:
    """What a file system raised, as one of our errors."""
    status = _status(error)
    # Older versions of fsspec let zipfile's KeyError through.
    gone = isinstance(error, KeyError) and "in the archive" in str(error)
    if gone or isinstance(error, FileNotFoundError) or status in _GONE:
        return ImageNotFound(f"no file {name!r}", hint="check the spelling and the folder")
    if isinstance(error, IsADirectoryError):
        return ImageUnreadable(
            f"{name!r} is a folder", expected="a picture file", hint="list its files"
        )
    forbidden = isinstance(error, PermissionError) or status in _FORBIDDEN
    if forbidden or type(error).__name__ in _NO_CREDENTIALS:
        return ImageUnreadable(
            f"{name!r} may not be read: {reason(error)}",
            hint="are the credentials for it set, and may they read it?",
        )
    hint = "it may pass: the same command tries again" if may_pass(error) else ""
    return ImageUnreadable(f"cannot open {name!r}: {reason(error)}", hint=hint)


def reason(error: Exception) -> str:
    """What went wrong, on one line."""
    status = _status(error)
    if status is not None:
        return f"the server answers {status} {getattr(error, 'message', '')}".rstrip()
    if isinstance(error, FileNotFoundError) and error.strerror is None:
        return "there is no such file"  # of those of fsspec the text is the path
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).strip().partition("\n")[0]


def _status(error: Exception) -> int | None:
    """The HTTP status, if it is about one; aiohttp and gcsfs name it differently."""
    for name in ("status", "code"):
        status = getattr(error, name, None)
        if isinstance(status, int) and 400 <= status < 600:
            return status
    return None
