"""Sends whole answers over ASGI, with as few steps as it takes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any

from . import refusals

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

JSON = "application/json"


def header_lines(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]


def start(status: int, kind: str, length: int, more: Iterable[tuple[bytes, bytes]] = ()) -> Any:
    """The message that begins an answer of `length` bytes."""
    return {
        "type": "http.response.start",
        "status": status,
        "headers": [
            (b"content-type", kind.encode()),
            (b"content-length", b"%d" % length),
            *more,
        ],
    }


async def reply(
    send: Send,
    body: bytes,
    *,
    status: int = 200,
    kind: str = JSON,
    more: Iterable[tuple[bytes, bytes]] = (),
) -> None:
    """One whole answer; of HEAD the server leaves out the body."""
    await send(start(status, kind, len(body), more))
    await send({"type": "http.response.body", "body": body})


async def refuse(send: Send, refusal: refusals.Refusal) -> None:
    await reply(send, refusal.body, status=refusal.status, more=header_lines(refusal.headers))
