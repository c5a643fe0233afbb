"""Why a download failed, in words, and whether another try may go better."""

from __future__ import annotations

import errno
import http.client
import socket
import ssl
import urllib.error
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import DownloadFailed
from . import web
from .partial import Partial

Progress = Callable[[int, int | None], None]  # bytes so far, bytes in all if known

_AGAIN_LATER = {408, 425, 429, 500, 502, 503, 504}
_NO_WAY = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN}
# Of the errors of a handshake: one with its own words, and two of a connection that broke off.
_NOT_OF_TLS = (ssl.SSLCertVerificationError, ssl.SSLEOFError, ssl.SSLSyscallError)


@dataclass(frozen=True, slots=True)
class Goods:
    """What is fetched, and what a person can do about it, in the words of errors."""

    name: str
    expected: str
    by_hand: str  # after "download it with a browser and"
    pinned: str  # how its sha256 is given
    larger: str  # how a larger one is had


MODEL = Goods(
    name="a model",
    expected="a .tflite, .tgz or .zip",
    by_hand="`whatsit models get FILE`",
    pinned="--sha256 HEX",
    larger="--max-size raises the limit",
)


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be fetched, and what it must be."""

    url: str
    sha256: str | None
    max_bytes: int
    progress: Progress | None
    goods: Goods = MODEL


class Failure(Exception):
    """Why a try failed; `error` is what to say of it."""

    def __init__(self, error: DownloadFailed) -> None:
        super().__init__(error.message)
        self.error = error


class TryAgain(Failure):
    """It may go better next time."""


class Wrong(Failure):
    """What came is not the file that was asked for, and is of no use to a later call."""


def can_go_on(order: Order, partial: Partial) -> bool:
    """Whether the same call could use what is here; else it would begin anew."""
    known = order.sha256 is not None or partial.validator() is not None
    return known and partial.path is not None and partial.size() > 0


def refusal(
    order: Order, error: urllib.error.HTTPError, partial: Partial
) -> DownloadFailed | TryAgain:
    """What an answer other than 200 means."""
    shown = web.shown(order.url)
    if error.code == 416:  # what is here is as long as the file, or longer
        partial.begin(None)
        return TryAgain(cut_off(order, "the server has no more of it", partial))
    if error.code in (404, 410):
        return DownloadFailed(
            f"there is nothing at {shown} (status {error.code})",
            hint="is the address spelt right? files that were there once may be gone",
        )
    if error.code in (401, 403):
        return DownloadFailed(
            f"the server does not give out {shown} (status {error.code})",
            hint=f"download it with a browser and {order.goods.by_hand}",
        )
    failed = DownloadFailed(
        f"the server answers {shown} with status {error.code}",
        expected="200",
        hint="try again later",
    )
    return TryAgain(failed) if error.code in _AGAIN_LATER else failed


def unreachable(
    order: Order, error: urllib.error.URLError, partial: Partial
) -> DownloadFailed | TryAgain:
    """What went wrong before the server answered."""
    reason = error.reason if isinstance(error.reason, Exception) else error
    if isinstance(reason, ssl.SSLError) and not isinstance(reason, _NOT_OF_TLS):
        return DownloadFailed(
            f"no https with {web.host_of(order.url)}: {_ssl_reason(reason)}",
            expected="a server that speaks https at this port",
            hint="is the port that of https, and not of plain http?",
        )
    return failure(order, reason, partial)


def failure(order: Order, error: Exception, partial: Partial) -> DownloadFailed | TryAgain:
    """What went wrong on the way to the server or back."""
    shown, host = web.shown(order.url), web.host_of(order.url)
    if isinstance(error, ssl.SSLCertVerificationError):
        return DownloadFailed(
            f"the certificate of {host} cannot be trusted: {error.verify_message}",
            hint="is this machine's clock right, and is something between you and the server?",
        )
    if isinstance(error, socket.gaierror):
        failed = DownloadFailed(
            f"no machine is known by the name {host!r}",
            hint="is there a network, and is the address spelt right?",
        )
        misspelt = error.errno == socket.EAI_NONAME and partial.size() == 0
        return failed if misspelt else TryAgain(failed)
    if isinstance(error, ConnectionRefusedError):
        return TryAgain(DownloadFailed(f"{host} refuses the connection", hint="try again later"))
    if isinstance(error, OSError) and error.errno in _NO_WAY:
        return TryAgain(
            DownloadFailed(f"no way leads to {host}: {error.strerror}", hint="is there a network?")
        )
    if isinstance(error, TimeoutError):
        return TryAgain(cut_off(order, f"nothing came for {web.TIMEOUT_S:g} s", partial))
    if isinstance(error, (ConnectionError, http.client.HTTPException, ssl.SSLError)):
        return TryAgain(cut_off(order, _reason(error), partial))
    return DownloadFailed(f"cannot fetch {shown}: {getattr(error, 'strerror', None) or error}")


def cut_off(order: Order, reason: str, partial: Partial) -> DownloadFailed:
    """The error of a download that ended too early, with what the next call can do."""
    hint = "try again later"
    if can_go_on(order, partial):
        hint = "the same command again goes on from there, if the server allows it"
    elif partial.size() > 0:
        hint = (
            f"the same command again begins anew; with {order.goods.pinned} it could go on from "
            "there"
        )
    return DownloadFailed(
        f"the download of {web.shown(order.url)} was cut off: {reason}", hint=hint
    )


def wrong_hash(order: Order, got: str) -> DownloadFailed:
    """The error of a file whose sha256 is `got`."""
    return DownloadFailed(
        f"the file at {web.shown(order.url)} is not the one that was asked for: its sha256 is "
        f"{got}",
        expected=f"sha256 {order.sha256}",
        hint="it was altered, or replaced by another version",
    )


def _reason(error: Exception) -> str:
    """In words, what http.client and ssl say of a connection that broke off."""
    if isinstance(error, http.client.IncompleteRead):
        return "the connection ended before the file did"
    if isinstance(error, ssl.SSLError):
        return _ssl_reason(error)
    if isinstance(error, http.client.BadStatusLine) and not isinstance(error, ConnectionError):
        return "what answers there does not speak http"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _ssl_reason(error: ssl.SSLError) -> str:
    return (error.reason or error.strerror or "TLS failed").lower().replace("_", " ")
