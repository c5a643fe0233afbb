"""Fetches one file: over https, checked, within a limit, and resumed where it was cut off.

The bytes gather in the cache folder "downloads", never beside the models. What a cut leaves there
is resumed by the next call, if the server can say that its file is still the same one, or if the
hash is known beforehand. Only what proves to be wrong is deleted.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import time
import urllib.error
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from ..errors import DownloadFailed
from . import web
from .failures import (
    MODEL,
    Goods,
    Order,
    Progress,
    TryAgain,
    Wrong,
    can_go_on,
    cut_off,
    failure,
    refusal,
    unreachable,
    wrong_hash,
)
from .partial import Partial, open_partial

MAX_BYTES = 1_000_000_000

_PAUSES_S = (0.5, 2.0, 5.0)  # before a second, third and fourth try
_WORTHWHILE_BYTES = 1 << 20  # a try that brought so much does not count against the server
_CHUNK_BYTES = 1 << 16
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


@dataclass(frozen=True, slots=True)
class Download:
    """A file that was fetched. It is gone when the block of `fetched` ends."""

    file: IO[bytes]
    sha256: str
    size_bytes: int


@contextlib.contextmanager
def fetched(
    url: str,
    *,
    sha256: str | None = None,
    max_bytes: int = MAX_BYTES,
    progress: Progress | None = None,
    goods: Goods = MODEL,
) -> Iterator[Download]:
    """The file at `url`, open for reading. Raises DownloadFailed, and UsageError for a bad address.

    `sha256` is what the file must have, in hexadecimal; `goods` what it is called in errors.
    """
    web.check_first(url, pinned=sha256 is not None, how_to_pin=goods.pinned)
    order = Order(url, sha256, max_bytes, progress, goods)
    with open_partial(url) as partial:
        try:
            digest = _persist(order, partial)
        finally:
            if not can_go_on(order, partial):
                partial.discard()
        try:
            partial.file.seek(0)
            yield Download(partial.file, digest, partial.size())
        finally:
            partial.discard()


def _persist(order: Order, partial: Partial) -> str:
    """Tries until all of it is there, and returns its sha256."""
    pauses = iter(_PAUSES_S)
    while True:
        before = partial.size()
        try:
            return _transfer(order, partial)
        except TryAgain as cut:
            if partial.size() - before >= _WORTHWHILE_BYTES:
                pauses = iter(_PAUSES_S)
            pause_s = next(pauses, None)
            if pause_s is None:
                raise cut.error from cut
            time.sleep(pause_s)
        except Wrong as wrong:
            partial.discard()
            raise wrong.error from wrong


def _transfer(order: Order, partial: Partial) -> str:
    """One request, from where the last one ended."""
    validator = partial.validator()
    start = partial.size() if validator or order.sha256 else 0
    headers = {"Range": f"bytes={start}-"} if start else {}
    if start and validator:
        headers["If-Range"] = validator
    with _request(order, partial, headers) as response:
        start, total = _agreed_span(response, start, partial)
        _check_size(order, start if total is None else total)
        chunk = response.read1(_CHUNK_BYTES)
        _check_encoding(order, response)
        if start == 0:
            # First: a network's page for logging in must not cost what is here.
            _check_content(order, chunk, response)
            partial.begin(web.validator(response))
        digest = partial.digest(start)
        _copy(order, response, chunk, partial, digest, total)
    got = str(digest.hexdigest())
    if order.sha256 and got != order.sha256.lower():
        if start:  # the first part may be of an older file: once more, from its beginning
            partial.begin(None)
            raise TryAgain(wrong_hash(order, got))
        raise Wrong(wrong_hash(order, got))
    return got


@contextlib.contextmanager
def _request(
    order: Order, partial: Partial, headers: dict[str, str]
) -> Iterator[http.client.HTTPResponse]:
    """The server's answer, its failures and those of the block translated."""
    try:
        with web.open_address(order.url, headers, pinned=order.sha256 is not None) as response:
            yield response
    except urllib.error.HTTPError as error:
        with error:
            raise refusal(order, error, partial) from error
    except urllib.error.URLError as error:
        raise unreachable(order, error, partial) from error
    except (OSError, http.client.HTTPException) as error:
        raise failure(order, error, partial) from error


def _copy(
    order: Order,
    response: http.client.HTTPResponse,
    chunk: bytes,
    partial: Partial,
    digest: Any,
    total: int | None,
) -> None:
    """Takes in `chunk`, which has been read, and all that comes after it."""
    done = partial.size()
    while chunk:
        done += len(chunk)
        _check_size(order, done)
        digest.update(chunk)
        partial.append(chunk)
        if order.progress:
            order.progress(done, total)
        chunk = response.read1(_CHUNK_BYTES)
    if total is not None and done < total:
        raise TryAgain(cut_off(order, f"{done} of {total} bytes came", partial))


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
        raise TryAgain(DownloadFailed("the server sent another part than was asked for"))
    return start, None if match[2] == "*" else int(match[2])


def _check_size(order: Order, size_bytes: int) -> None:
    if size_bytes > order.max_bytes:
        raise Wrong(
            DownloadFailed(
                f"the file at {web.shown(order.url)} is larger than {order.max_bytes} bytes",
                expected=f"at most {order.max_bytes} bytes",
                hint=order.goods.larger,
            )
        )


def _check_content(order: Order, head: bytes, response: http.client.HTTPResponse) -> None:
    start = head[:200].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype", b"<html", b"<head", b"<?xml")):
        kind = response.headers.get_content_type()
        raise DownloadFailed(
            f"{web.shown(order.url)} gave a web page ({kind}), not {order.goods.name}",
            expected=order.goods.expected,
            hint="the address may be that of a page about the file, or ask for a login",
        )


def _check_encoding(order: Order, response: http.client.HTTPResponse) -> None:
    """Refuses what was compressed on its way: neither its length nor its hash are the file's."""
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    # Some servers call a .tgz that lies there an encoding. A hash sees what is wrong by itself.
    packed_itself = web.file_name(order.url).lower().endswith((".tgz", ".gz"))
    if encoding in ("", "identity") or order.sha256 or packed_itself:
        return
    raise DownloadFailed(
        f"the server sends {web.shown(order.url)} compressed as {encoding!r}, though it was asked "
        "for the file as it is",
        expected="no Content-Encoding",
        hint=f"download it with a browser and {order.goods.by_hand}",
    )
