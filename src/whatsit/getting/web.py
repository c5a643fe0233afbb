"""Which addresses may be fetched from, and the request itself."""

from __future__ import annotations

import functools
import http.client
import ipaddress
import re
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

from .. import __version__
from ..errors import DownloadFailed, UsageError

TIMEOUT_S = 30.0  # without a single byte
_MAX_REDIRECTS = 5
_REDIRECTS = {301, 302, 303, 307, 308}
_KEPT = "%/:=&?~#+!$,;'@()*[]"  # what has a meaning in an address, or is already quoted
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NO_TEXT = re.compile(r"[\ud800-\udfff]")  # as Python keeps an argument's bytes that are no UTF-8


def check_first(url: str, *, pinned: bool, how_to_pin: str = "--sha256 HEX") -> None:
    """Raises UsageError unless `url` is one that may be asked for."""
    reason = _objection(url, pinned=pinned, secure=False)
    if reason:
        hint = ""
        if reason.startswith("plain http"):
            hint = f"{how_to_pin} pins the content, and then plain http will do"
        raise UsageError(
            f"cannot fetch {shown(url)!r}: {reason}", expected="an https address", hint=hint
        )


def open_address(url: str, headers: dict[str, str], *, pinned: bool) -> http.client.HTTPResponse:
    """The answer to one request, redirects followed, but none that would make it less safe.

    Raises DownloadFailed for a redirect that is not followed, and what urllib raises.
    """
    secure = False
    for _ in range(_MAX_REDIRECTS + 1):
        reason = _objection(url, pinned=pinned, secure=secure)
        if reason:
            raise DownloadFailed(f"not redirected to {shown(url)}: {reason}")
        secure = urlsplit(url).scheme == "https"
        try:
            return _open(url, headers)
        except urllib.error.HTTPError as error:
            target = error.headers.get("Location")
            if error.code not in _REDIRECTS or not target:
                raise
            error.close()
            url = _joined(url, target)
    raise DownloadFailed(
        f"redirected more than {_MAX_REDIRECTS} times, the last time to {shown(url)}",
        hint="the address leads in a circle, or wants a browser",
    )


def _joined(url: str, target: str) -> str:
    """Where a redirect leads. Raises DownloadFailed for what is no address."""
    try:
        return urljoin(url, target)
    except ValueError as error:
        raise DownloadFailed(f"not redirected to {shown(target)}: {error}") from error


def validator(response: http.client.HTTPResponse) -> str | None:
    """What If-Range may ask for later: a strong ETag, else the time of the last change."""
    tag = response.headers.get("ETag")
    if tag and not tag.startswith("W/"):
        return str(tag)
    changed = response.headers.get("Last-Modified")
    return str(changed) if changed else None


def shown(url: str) -> str:
    """The address as errors and receipts have it: without its query, which may hold a secret."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return url.rpartition("@")[2].partition("?")[0]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def host_of(url: str) -> str:
    """The name of the machine in `url`."""
    return urlsplit(url).hostname or ""


def file_name(url: str) -> str:
    """The last part of the path of `url`, empty if it has none."""
    return unquote(urlsplit(url).path).rpartition("/")[2]


def _objection(url: str, *, pinned: bool, secure: bool) -> str:
    """Why `url` must not be fetched, or nothing. `secure`: an https address led there."""
    if _NO_TEXT.search(url):
        return "it holds bytes that are no UTF-8"
    if _CONTROL.search(url) or url != url.strip():
        return "it holds a line break, a control character or a blank at an end"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return str(error)
    if parts.scheme not in ("http", "https"):
        return f"{parts.scheme or 'no'} is not a way to fetch a file"
    if not host or " " in host:
        return "it names no server"
    if parts.username is not None:
        return "it holds a name or a password"
    if parts.scheme == "http" and secure:
        return "plain http, after https"
    if parts.scheme == "http" and not pinned and not _is_loopback(host):
        return "plain http, which anybody on the way can alter"
    return ""


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Leaves redirects to us, who look at where they lead."""

    def http_error_302(self, *_: Any) -> None:
        return None

    # mypy compares with a type stub in which each of them names its arguments.
    http_error_301 = http_error_303 = http_error_302  # type: ignore[assignment]
    http_error_307 = http_error_308 = http_error_302  # type: ignore[assignment]


@functools.cache
def _opener(direct: bool) -> urllib.request.OpenerDirector:
    proxies = [urllib.request.ProxyHandler({})] if direct else []
    return urllib.request.build_opener(_NoRedirect, *proxies)


def _open(url: str, headers: dict[str, str]) -> http.client.HTTPResponse:
    try:
        request = urllib.request.Request(quote(url, safe=_KEPT))
        # Compressed on the way, neither the length nor the hash would be those of the file.
        for name, value in {
            "User-Agent": f"whatsit/{__version__}",
            "Accept-Encoding": "identity",
            **headers,
        }.items():
            request.add_header(name, value)
        opener = _opener(_is_loopback(host_of(url)))  # this machine needs no proxy
        response: http.client.HTTPResponse = opener.open(request, timeout=TIMEOUT_S)
    except (http.client.InvalidURL, UnicodeError) as error:
        raise DownloadFailed(f"{shown(url)!r} is no address: {error}") from error
    return response
