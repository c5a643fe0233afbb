"""What stands before every address: keys, origins, headers, counting, and how errors are sent."""

from __future__ import annotations

import asyncio
import hmac
import logging
import sys
import time
from collections.abc import MutableMapping
from typing import Any

import anyio

from ..errors import WhatsitError
from ..wording import shown
from . import refusals
from .refusals import Refusal
from .replies import App, Receive, Scope, Send, header_lines, start
from .service import Service
from .site import HEADERS
from .uploads import Disconnected

# What needs the key. The app's files and the description of the API hold no secrets, and what
# watches a server (/healthz, /readyz) often cannot have one.
_KEPT = ("/v1/", "/metrics")
_COUNTED = (
    "/v1/classify", "/v1/models", "/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"
)  # fmt: skip
_WHILE_STOPPING = ("/healthz", "/readyz", "/metrics")
_LITTLE_BYTES = 256 * 1024  # of a body that nobody wants, which is read and forgotten
_LINGER_S = 2.0
_ORIGIN_HEADERS = "Authorization, Content-Type, X-API-Key"

log = logging.getLogger("whatsit.serve")


class Guard:
    """Wraps the whole application."""

    def __init__(self, app: App, service: Service) -> None:
        self._app, self._service = app, service
        self._headers = header_lines(HEADERS)
        key = service.settings.api_key
        self._key = None if key is None else key.encode()
        self._origins = frozenset(origin.encode() for origin in service.settings.cors)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await _Exchange(self, scope, receive, send).run()

    def common(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        """The headers of every answer."""
        origin = next((value for name, value in scope["headers"] if name == b"origin"), None)
        if not self._origins or origin is None:
            return self._headers
        exposed = (b"access-control-expose-headers", b"Retry-After")
        if b"*" in self._origins:
            return [*self._headers, exposed, (b"access-control-allow-origin", b"*")]
        vary = (b"vary", b"origin")
        if origin not in self._origins:
            return [*self._headers, vary]
        return [*self._headers, vary, exposed, (b"access-control-allow-origin", origin)]

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The application's answer, or the refusal of who may not have one."""
        path = scope["path"]
        if self._service.stopping and path not in _WHILE_STOPPING:
            raise refusals.not_ready(stopping=True)
        if self._origins and scope["method"] == "OPTIONS" and path.startswith("/v1/"):
            await _preflight(send)
            return
        if self._key is not None and path.startswith(_KEPT):
            _check_key(self._key, dict(scope["headers"]))
        await self._app(scope, receive, send)

    def done(self, scope: Scope, status: int, seconds: float) -> None:
        path = scope["path"]
        counted = path if path in _COUNTED else "other"
        self._service.metrics.request(counted, status, seconds)
        if self._service.settings.log:
            client = scope["client"][0] if scope.get("client") else "-"
            method = scope["method"]
            print(
                f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {client}  {method} {shown(path)}  "
                f"{status}  {1e3 * seconds:.1f} ms",
                file=sys.stderr,
                flush=True,
            )

    def failed(self, refusal: Refusal) -> None:
        self._service.metrics.error(refusal.code)

    def begin(self) -> None:
        self._service.open_requests += 1

    def end(self) -> None:
        self._service.open_requests -= 1

    @property
    def stopping(self) -> bool:
        return self._service.stopping


class _Exchange:
    """One request and its answer."""

    def __init__(self, guard: Guard, scope: Scope, receive: Receive, send: Send) -> None:
        self._guard, self._scope = guard, scope
        self._receive_next, self._send_on = receive, send
        self._all_read = False
        self._status = 0  # of the answer, once it has begun

    async def run(self) -> None:
        guard, began = self._guard, time.perf_counter()
        guard.begin()
        try:
            await guard.answer(self._scope, self._receive, self._send)
        except Disconnected:
            self._status = self._status or 499  # for the log and the numbers: nobody hears it
        except asyncio.CancelledError:
            if not guard.stopping:
                raise
            await self._refuse(refusals.not_ready(stopping=True))
        except Refusal as refusal:
            await self._refuse(refusal)
        except WhatsitError as error:
            await self._refuse(refusals.of_error(error))
        except Exception:
            log.exception("error     the server failed with a request")
            await self._refuse(refusals.internal())
        finally:
            guard.end()
            guard.done(self._scope, self._status, time.perf_counter() - began)

    async def _receive(self) -> MutableMapping[str, Any]:
        message = await self._receive_next()
        if not message.get("more_body", False):
            self._all_read = True
        return message

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            message["headers"] = [*message["headers"], *self._guard.common(self._scope)]
            if self._guard.stopping:
                message["headers"].append((b"connection", b"close"))
        await self._send_on(message)

    async def _refuse(self, refusal: Refusal) -> None:
        """Sends it. A body that still comes is not waited for, unless it is short."""
        if self._status:
            return  # too late: the server closes what was cut short
        self._guard.failed(refusal)
        more = header_lines(refusal.headers)
        much = not self._all_read and _length(self._scope) > _LITTLE_BYTES
        if much and "connection" not in refusal.headers:
            more.append((b"connection", b"close"))
        more.append((b"cache-control", b"no-store"))
        await self._send(start(refusal.status, "application/json", len(refusal.body), more))
        body = {"type": "http.response.body", "body": refusal.body}
        if much and refusal.status != 408:
            await self._send({**body, "more_body": True})
            await self._linger()
            body["body"] = b""
        await self._send(body)

    async def _linger(self) -> None:
        """Takes what the client still sends, and forgets it.

        To close at once would reset the connection, and with it an answer that is on its way.
        """
        with anyio.move_on_after(_LINGER_S):
            while not self._all_read:
                message = await self._receive()
                if message["type"] != "http.request":
                    return


def _length(scope: Scope) -> float:
    """The bytes of a body by its header; of one that is sent in chunks nobody knows."""
    headers = dict(scope["headers"])
    if b"transfer-encoding" in headers:
        return float("inf")
    length = headers.get(b"content-length", b"0")
    return float(length) if length.isdigit() else 0.0


def _check_key(key: bytes, headers: dict[bytes, bytes]) -> None:
    """Raises a refusal without the key, or with other credentials beside it.

    The comparison takes as long for any other key.
    """
    given = [headers[b"x-api-key"].strip()] if b"x-api-key" in headers else []
    if b"authorization" in headers:
        scheme, _, token = headers[b"authorization"].partition(b" ")
        given.append(token.strip() if scheme.lower() == b"bearer" else b"")
    if not given or not all(hmac.compare_digest(each, key) for each in given):
        raise refusals.unauthorized()


async def _preflight(send: Send) -> None:
    """What a browser asks before a page of another origin may use the API."""
    headers = {
        "Access-Control-Allow-Methods": "GET, POST",
        "Access-Control-Allow-Headers": _ORIGIN_HEADERS,
        "Access-Control-Max-Age": "600",
    }
    await send({"type": "http.response.start", "status": 204, "headers": header_lines(headers)})
    await send({"type": "http.response.body"})
