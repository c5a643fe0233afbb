"""The files of the web app over HTTP: looked up by their whole path, so that none lies outside."""

from __future__ import annotations

import anyio

from . import refusals
from .replies import Receive, Scope, Send, reply, start
from .site import Site, SiteFile

_PIECE_BYTES = 256 * 1024
_METHODS = "GET, HEAD"
HTML = "text/html; charset=utf-8"
_MISSING = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>whatsit</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:3rem auto;padding:0 1rem}
@media(prefers-color-scheme:dark){body{background:#111;color:#eee}a{color:#8cf}}</style></head>
<body><h1>whatsit</h1>
<p>The web app is not built in this install. In a checkout of whatsit, with Node.js there, run</p>
<pre>make web</pre>
<p>and start the server again. The <a href="docs">HTTP API</a> works without it.</p>
</body></html>
"""


class Pages:
    """GET and HEAD of all that is not the API. Without a site, a page says how to get one."""

    def __init__(self, site: Site | None) -> None:
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        file = self._site.get(path) if self._site is not None else None
        is_start = path in ("/", "/index.html") and self._site is None
        if file is None and not is_start:
            raise refusals.not_found(path)
        if method not in ("GET", "HEAD"):
            raise refusals.method_not_allowed(method, _METHODS)
        if file is None:
            await reply(send, _MISSING.encode(), kind=HTML, more=[(b"cache-control", b"no-store")])
            return
        await _send(file, scope, send)


async def _send(file: SiteFile, scope: Scope, send: Send) -> None:
    headers = dict(scope["headers"])
    # gzip at level 9 takes seconds for a large model, the first time
    zipped = (
        await anyio.to_thread.run_sync(file.gzipped)
        if _takes_gzip(headers.get(b"accept-encoding", b""))
        else None
    )
    tag = f'"{file.sha256[:32]}{"-gz" if zipped is not None else ""}"'.encode()
    # Nothing is called by its hash, so each file is asked for anew, and mostly answered with 304.
    more = [(b"etag", tag), (b"cache-control", b"no-cache"), (b"vary", b"accept-encoding")]
    if _knows(headers.get(b"if-none-match", b""), tag):
        await send({"type": "http.response.start", "status": 304, "headers": more})
        await send({"type": "http.response.body"})
        return
    if zipped is not None:
        more.append((b"content-encoding", b"gzip"))
    length = file.size_bytes if zipped is None else len(zipped)
    await send(start(200, file.content_type, length, more))
    if scope["method"] == "HEAD":
        await send({"type": "http.response.body"})
        return
    body = zipped if zipped is not None else await anyio.to_thread.run_sync(file.read)
    await _in_pieces(body, send)


async def _in_pieces(body: bytes, send: Send) -> None:
    """So that a client that reads slowly keeps one piece in memory, not a copy of the file."""
    for at in range(0, len(body), _PIECE_BYTES):
        piece = memoryview(body)[at : at + _PIECE_BYTES]
        more = at + _PIECE_BYTES < len(body)
        await send({"type": "http.response.body", "body": bytes(piece), "more_body": more})
    if not body:
        await send({"type": "http.response.body"})


def _takes_gzip(accepted: bytes) -> bool:
    for part in accepted.lower().split(b","):
        name, _, weight = part.strip().partition(b";")
        if name.strip() in (b"gzip", b"*"):
            return weight.replace(b" ", b"").rstrip(b"0.") not in (b"q=",)
    return False


def _knows(known: bytes, tag: bytes) -> bool:
    """Whether If-None-Match has the tag, or any tag at all."""
    tags = [part.strip().removeprefix(b"W/") for part in known.split(b",")]
    return tag in tags or tags == [b"*"]
