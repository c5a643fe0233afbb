"""Fetches one file: over https, checked, within a limit, and resumed where it was cut off.

The bytes gather in the cache folder "downloads", never beside the models. What a cut leaves there
is resumed by the next call, if the server can say that its file is still the same one, or if the
hash is known beforehand. Whatever proves to be wrong is deleted.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import ssl
import time
import urllib.error
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any

from ..errors import DownloadFailed
from . import web
from .partial import Partial, opened

MAX_BYTES = 1_000_000_000
Progress = Callable[[int, int | None], None]  # bytes so far, bytes in all if known

_PAUSES_S = (0.5, 2.0, 5.0)  # before a second, third and fourth try
_WORTHWHILE_BYTES = 1 << 20  # a try that brought so much does not count against the server
_CHUNK_BYTES = 1 << 16
_AGAIN_LATER = {408, 425, 429, 500, 502, 503, 504}
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


@dataclass(frozen=True, slots=True)
class Download:
    """A file that was fetched. It is gone when the block of `fetched` ends."""

    file: IO[bytes]
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class _Order:
    """What is to be fetched, and what it must be."""

    url: str
    sha256: str | None
    max_bytes: int
    progress: Progress | None


class _TryAgain(Exception):
    """It may go better next time; `error` is what to say if it does not."""

    def __init__(self, error: DownloadFailed) -> None:
        super().__init__(error.message)
        self.error = error


@contextlib.contextmanager
def fetched(
    url: str,
    *,
    sha256: str | None = None,
    max_bytes: int = MAX_BYTES,
    progress: Progress | None = None,
) -> Iterator[Download]:
    """The file at `url`, open for reading. Raises DownloadFailed, and UsageError for a bad address.

    `sha256` is what the file must have, in hexadecimal.
    """
    web.check_first(url, pinned=sha256 is not None)
    order = _Order(url, sha256, max_bytes, progress)
    with opened(url) as partial:
        digest = _persist(order, partial)
        partial.file.seek(0)
        try:
            yield Download(partial.file, digest, partial.size())
        finally:
            partial.discard()


def _persist(order: _Order, partial: Partial) -> str:
    """Tries until all of it is there, and returns its sha256."""
    pauses = iter(_PAUSES_S)
    while True:
        before = partial.size()
        try:
            return _transfer(order, partial)
        except _TryAgain as cut:
            if partial.size() - before >= _WORTHWHILE_BYTES:
                pauses = iter(_PAUSES_S)
            pause_s = next(pauses, None)
            if pause_s is None:
                raise cut.error from cut
            time.sleep(pause_s)
        except DownloadFailed:
            partial.discard()
            raise


def _transfer(order: _Order, partial: Partial) -> str:
    """One request, from where the last one ended."""
    validator = partial.validator()
    start = partial.size() if validator or order.sha256 else 0
    headers = {"Range": f"bytes={start}-"} if start else {}
    if start and validator:
        headers["If-Range"] = validator
    with _request(order, partial, headers) as response:
        start, total = _agreed_span(response, start, partial)
        _check_size(order, start if total is None else total)
        if start == 0:
            partial.begin(web.validator(response))
        digest = partial.digest(start)
        _copy(order, response, partial, digest, total)
    got = str(digest.hexdigest())
    if order.sha256 and got != order.sha256.lower():
        if start:  # the first part may be of an older file: once more, from its beginning
            partial.begin(None)
            raise _TryAgain(_wrong_hash(order, got))
        raise _wrong_hash(order, got)
    return got


@contextlib.contextmanager
def _request(
    order: _Order, partial: Partial, headers: dict[str, str]
) -> Iterator[http.client.HTTPResponse]:
    """The server's answer, its failures and those of the block translated."""
    try:
        with web.open_address(order.url, headers, pinned=order.sha256 is not None) as response:
            yield response
    except urllib.error.HTTPError as error:
        with error:
            raise _refusal(order, error, partial) from error
    except urllib.error.URLError as error:
        reason = error.reason if isinstance(error.reason, Exception) else error
        raise _failure(order, reason) from error
    except (OSError, http.client.HTTPException) as error:
        raise _failure(order, error) from error


def _copy(
    order: _Order,
    response: http.client.HTTPResponse,
    partial: Partial,
    digest: Any,
    total: int | None,
) -> None:
    done = partial.size()
    while chunk := response.read1(_CHUNK_BYTES):
        if done == 0:
            _check_content(order, chunk, response)
        done += len(chunk)
        _check_size(order, done)
        digest.update(chunk)
        partial.append(chunk)
        if order.progress:
            order.progress(done, total)
    if total is not None and done < total:
        raise _TryAgain(_cut(order, f"{done} of {total} bytes came"))


def _agreed_span(
    response: http.client.HTTPResponse, start: int, partial: Partial
) -> tuple[int, int | None]:
    """Where the answer begins, and how long the whole file is, if that is known.

    A server may send all of it where a part was asked for, or a part of that part.
    """
    if response.status != 206:
        # None for an answer in chunks, whose end is marked, or for one that ends when it ends.
        return 0, response.length
    match = _CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
    if match is None or int(match[1]) != start:
        partial.begin(None)
        raise _TryAgain(DownloadFailed("the server sent another part than was asked for"))
    return start, None if match[2] == "*" else int(match[2])


def _check_size(order: _Order, size_bytes: int) -> None:
    if size_bytes > order.max_bytes:
        raise DownloadFailed(
            f"the file at {web.shown(order.url)} is larger than {order.max_bytes} bytes",
            expected=f"at most {order.max_bytes} bytes",
            hint="--max-size raises the limit",
        )


def _check_content(order: _Order, head: bytes, response: http.client.HTTPResponse) -> None:
    start = head[:200].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype", b"<html", b"<head", b"<?xml")):
        kind = response.headers.get_content_type()
        raise DownloadFailed(
            f"{web.shown(order.url)} gave a web page ({kind}), not a model",
            expected="a .tflite, .tgz or .zip",
            hint="the address may be that of a page about the file, or ask for a login",
        )


def _refusal(
    order: _Order, error: urllib.error.HTTPError, partial: Partial
) -> DownloadFailed | _TryAgain:
    """What an answer other than 200 means."""
    shown = web.shown(order.url)
    if error.code == 416:  # what is here is as long as the file, or longer
        partial.begin(None)
        return _TryAgain(_cut(order, "the server has no more of it"))
    if error.code in (404, 410):
        return DownloadFailed(
            f"there is nothing at {shown} (status {error.code})",
            hint="is the address spelt right? files that were there once may be gone",
        )
    if error.code in (401, 403):
        return DownloadFailed(
            f"the server does not give out {shown} (status {error.code})",
            hint="download it with a browser and `whatsit models get FILE`",
        )
    failed = DownloadFailed(
        f"the server answers {shown} with status {error.code}",
        expected="200",
        hint="try again later",
    )
    return _TryAgain(failed) if error.code in _AGAIN_LATER else failed


def _failure(order: _Order, error: Exception) -> DownloadFailed | _TryAgain:
    """What went wrong on the way to the server or back."""
    shown, host = web.shown(order.url), web.host_of(order.url)
    if isinstance(error, ssl.SSLCertVerificationError):
        return DownloadFailed(
            f"the certificate of {host} cannot be trusted: {error.verify_message}",
            hint="is this machine's clock right, and is something between you and the server?",
        )
    if isinstance(error, socket.gaierror):
        return DownloadFailed(
            f"no machine is known by the name {host!r}",
            hint="is there a network, and is the address spelt right?",
        )
    if isinstance(error, ConnectionRefusedError):
        return DownloadFailed(f"{host} refuses the connection", hint="try again later")
    if isinstance(error, TimeoutError):
        return _TryAgain(_cut(order, f"nothing came for {web.TIMEOUT_S:g} s"))
    cut = (ConnectionError, http.client.HTTPException, ssl.SSLError)
    if isinstance(error, cut):
        return _TryAgain(_cut(order, str(error) or type(error).__name__))
    return DownloadFailed(f"cannot fetch {shown}: {getattr(error, 'strerror', None) or error}")


def _cut(order: _Order, reason: str) -> DownloadFailed:
    return DownloadFailed(
        f"the download of {web.shown(order.url)} was cut off: {reason}",
        hint="the same command again goes on from there, if the server allows it",
    )


def _wrong_hash(order: _Order, got: str) -> DownloadFailed:
    return DownloadFailed(
        f"the file at {web.shown(order.url)} is not the one that was asked for: its sha256 is "
        f"{got}",
        expected=f"sha256 {order.sha256}",
        hint="it was altered, or replaced by another version",
    )
