"""The body of a request, read under limits of bytes and time: one picture, or parts of a form."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

import anyio

from . import refusals
from .refusals import Refusal
from .settings import Limits

Headers = Mapping[bytes, bytes]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Sink = Callable[[bytes], object]

FORM = "multipart/form-data"
_ANYTHING = "application/octet-stream"


class Disconnected(Exception):
    """The client has gone: nobody is left to be answered."""


@dataclass(slots=True)
class Budget:
    """Bytes of bodies that are in memory; all requests together may have `most`."""

    most: int
    held: int = 0

    def take(self, count: int) -> None:
        if self.held + count > self.most:
            raise refusals.too_busy("the pictures of other requests fill the memory")
        self.held += count

    def give(self, count: int) -> None:
        self.held -= count


def media_type(headers: Headers) -> str:
    """Whether the body is a picture ("") or a form; the refusal of anything else."""
    kind = headers.get(b"content-type", b"").decode("latin-1")
    name = kind.partition(";")[0].strip().lower()
    encoding = headers.get(b"content-encoding", b"identity").decode("latin-1").strip().lower()
    if encoding not in ("", "identity"):
        raise Refusal(
            415,
            "unsupported-media-type",
            f"the body is encoded as {encoding[:80]!r}",
            expected="a body without Content-Encoding",
            hint="send the file as it is: pictures are packed already",
        )
    if name == FORM:
        return FORM
    if name in ("", _ANYTHING) or (name.startswith("image/") and len(name) > len("image/")):
        return ""
    raise Refusal(
        415,
        "unsupported-media-type",
        f"the body is of type {name[:80]!r}",
        expected=f"a picture as image/… or {_ANYTHING}, or several as {FORM}",
        hint="curl -F picture=@photo.jpg sends a form, "
        f"curl -H 'Content-Type: {_ANYTHING}' --data-binary @photo.jpg the bare file",
    )


def check_length(headers: Headers, limits: Limits) -> None:
    """The refusal of a body that says itself that it is too long."""
    length = headers.get(b"content-length", b"0")
    if len(length) > 18 or (length.isdigit() and int(length) > limits.body_bytes):
        raise refusals.body_too_large(limits.body_bytes)


@dataclass(slots=True)
class Reader:
    """Hands the body on piece by piece. `read_bytes` counts what was taken from the budget."""

    receive: Receive
    limits: Limits
    budget: Budget
    read_bytes: int = 0

    async def into(self, sink: Sink) -> None:
        """All of the body. Raises the refusal of one too long or too slow, and Disconnected."""
        with anyio.move_on_after(self.limits.timeout_s) as scope:
            await self._read(sink)
        if scope.cancelled_caught:
            raise refusals.too_slow(self.limits.timeout_s)

    async def _read(self, sink: Sink) -> None:
        while True:
            message = await self.receive()
            if message["type"] != "http.request":
                raise Disconnected
            piece = message.get("body", b"")
            if self.read_bytes + len(piece) > self.limits.body_bytes:
                raise refusals.body_too_large(self.limits.body_bytes)
            self.budget.take(len(piece))
            self.read_bytes += len(piece)
            if piece:
                sink(piece)
            if not message.get("more_body", False):
                return

    def release(self) -> None:
        """Gives back what was taken; to be called when the body is no longer in memory."""
        self.budget.give(self.read_bytes)
        self.read_bytes = 0
