"""HTTP on one connection: uvicorn's, with the limits that it lacks and errors in our shape."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from . import refusals
from .refusals import Refusal
from .replies import Receive, Scope, Send, header_lines, refuse
from .site import HEADERS

HEAD_TIMEOUT_S = 10.0
READER_TIMEOUT_S = 30.0  # for a client to take what is written, 64 KiB and one piece of a file
_HEAD_BYTES = 64 * 1024  # of headers, of what stands behind a body, or between its pieces
_MOST_AHEAD = 100  # requests that are sent before the answers to those before them
_FAR_TOO_MANY = 2  # times the limit of connections: beyond it nobody is told why


class Protocol(HttpToolsProtocol):
    """A class of its own for each server, since uvicorn makes the objects."""

    limit_connections = 256

    _head_timer: asyncio.TimerHandle | None = None
    _reader_timer: asyncio.TimerHandle | None = None
    _running: RequestResponseCycle | None = None  # `cycle` is the last that came
    _beside_body_bytes = 0
    _refused = False
    _in_body = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > _FAR_TOO_MANY * self.limit_connections:
            transport.abort()
        elif len(self.connections) > self.limit_connections:
            self.app = _crowded
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_there()
        self._reader_reads()
        super().connection_lost(exc)
        self.pipeline.clear()
        if self._running is not None:  # uvicorn tells the last request alone
            self._running.disconnected = True
            self._running.message_event.set()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._reader_reads()
        # To close would wait for the client to take the rest, for ever.
        self._reader_timer = self.loop.call_later(READER_TIMEOUT_S, self.transport.abort)

    def resume_writing(self) -> None:
        self._reader_reads()
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        if self._refused or self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete:
            self._wait_for_head()  # line breaks alone must not keep a connection open
        self._beside_body_bytes += len(data)
        super().data_received(data)
        if self._beside_body_bytes > _HEAD_BYTES and not self._refused:
            self._end_with(_too_much_head())

    def on_message_begin(self) -> None:
        self._beside_body_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head_is_there()
        self._in_body = True
        super().on_headers_complete()
        if len(self.pipeline) > _MOST_AHEAD:
            raise ValueError("too many requests ahead")  # the parser stops, and it is a bad request

    def on_body(self, body: bytes) -> None:
        self._beside_body_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._beside_body_bytes = 0
        self._in_body = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.pipeline:  # those that came ahead first, or they would be more and more
            self.flow.pause_reading()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def send_400_response(self, msg: str) -> None:
        self._end_with(Refusal(400, "bad-request", "this is no valid HTTP request"))

    def _wait_for_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self._head_is_late)

    def _head_is_there(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _reader_reads(self) -> None:
        if self._reader_timer is not None:
            self._reader_timer.cancel()
            self._reader_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self._in_body:  # of a request that is answered: what still comes is nobody's
            self.transport.close()
        elif self.cycle is None or self.cycle.response_complete:
            self._end_with(refusals.too_slow(HEAD_TIMEOUT_S))

    def _end_with(self, refusal: Refusal) -> None:
        """The last answer of this connection; none where another one has begun."""
        self._refused = True
        self._unset_keepalive_if_required()
        if self.transport.is_closing():
            return
        running = self._running
        if running is None or running.response_complete or not running.response_started:
            self.transport.write(_raw(refusal))
        self.transport.close()


def _raw(refusal: Refusal) -> bytes:
    headers = {
        **HEADERS,
        **refusal.headers,
        "Content-Type": "application/json",
        "Content-Length": str(len(refusal.body)),
        "Connection": "close",
    }
    lines = [name + b": " + value + b"\r\n" for name, value in header_lines(headers)]
    return b"".join([STATUS_LINE[refusal.status], *lines, b"\r\n", refusal.body])


def _too_much_head() -> Refusal:
    return Refusal(
        431,
        "headers-too-large",
        "the headers of the request are too large",
        expected=f"at most {_HEAD_BYTES:,} bytes",
    )


async def _crowded(scope: Scope, receive: Receive, send: Any) -> None:
    """The application of a connection that is one too many."""
    answer: Send = send
    refusal = Refusal(
        503,
        "too-many-connections",
        "too many clients are connected",
        hint="try again a little later",
        headers={**HEADERS, "retry-after": str(refusals.RETRY_AFTER_S), "connection": "close"},
    )
    await refuse(answer, refusal)
