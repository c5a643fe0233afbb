"""Runs the application: a socket, uvicorn, and a stop that finishes what was accepted."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import socket
import ssl
import sys
import time
from pathlib import Path
from types import FrameType

import uvicorn
from starlette.applications import Starlette

from ..errors import UsageError, WhatsitError
from .protocol import Protocol
from .service import Service

_KEEP_ALIVE_S = 20
_BACKLOG = 1024
_AGAIN_S = 0.5  # one stroke may come twice, by the program and by its group
_LULL_S = 0.3  # after the signal: kept connections hear that the server stops
_STEP_S = 0.02
_OF_CLIENTS = ("asyncio", "python_multipart")  # they warn of what any client can send


def listening(host: str, port: int) -> socket.socket:
    """A socket bound to this address, 0 for any free port.

    Raises UsageError for an address that is none of this machine, WhatsitError for one in use.
    """
    if not host:
        raise _no_address(host)  # it would mean all addresses to some functions, none to others
    if not 0 <= port < 1 << 16:
        raise UsageError(f"the port {port}", expected="a number from 0 to 65535")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise _no_address(host) from error
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":  # on Windows it would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise _cannot_listen(error, host, port) from error
    listener.setblocking(False)
    return listener


def check_certificate(certificate: Path, key: Path) -> None:
    """Raises UsageError unless the two files are a certificate and its key, without a password."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UsageError(
            f"{os.fspath(certificate)!r} and {os.fspath(key)!r} cannot be used: {reason}",
            expected="a certificate and its private key, both PEM, the key without a password",
            hint="without --cert and --key, --https makes a certificate of its own",
        ) from error


def server_of(app: Starlette, *, certificate: tuple[Path, Path] | None = None) -> Server:
    """The server of an application made by create_app, to be run on a socket from `listening`."""
    service: Service = app.state.service
    limits = service.settings.limits
    logging.getLogger("uvicorn.error").addFilter(_Quiet())

    class Limited(Protocol):
        limit_connections = limits.connections

    config = uvicorn.Config(
        app,
        http=Limited,
        ws="none",
        log_config=None,
        log_level=logging.ERROR,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="on",
        timeout_keep_alive=_KEEP_ALIVE_S,
        backlog=_BACKLOG,
        ssl_certfile=None if certificate is None else certificate[0],
        ssl_keyfile=None if certificate is None else certificate[1],
    )
    return Server(config, service, grace_s=limits.timeout_s + 1)


class Server(uvicorn.Server):
    """Stops in two steps: first what is new is refused, then, once all is answered, it closes.

    After `run`, `status` is the exit status: 0, or 128 + the second signal, which hurried it.
    """

    def __init__(self, config: uvicorn.Config, service: Service, grace_s: float) -> None:
        super().__init__(config)
        self._service, self._grace_s = service, grace_s
        self._heard_s = 0.0
        self.status = 0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self.should_exit:
            self._heard_s = now
            self._service.stopping = True
            self.should_exit = True
        elif now - self._heard_s >= _AGAIN_S:
            self.force_exit = True
            self.status = 128 + (sig or signal.SIGTERM)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        lull_s, end_s = self._heard_s + _LULL_S, self._heard_s + self._grace_s
        while not self.force_exit and time.monotonic() < end_s:
            if self._service.open_requests == 0 and time.monotonic() >= lull_s:
                break
            await asyncio.sleep(_STEP_S)
        self.config.timeout_graceful_shutdown = 1
        await super().shutdown(sockets)


class _Quiet(logging.Filter):
    """What uvicorn says of clients that break off is no error of the server."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.exc_info is not None


def _no_address(host: str) -> UsageError:
    return UsageError(
        f"no address {host!r}",
        expected="a name or an address of this machine",
        hint="127.0.0.1 for this machine alone, 0.0.0.0 for everybody in its networks",
    )


def _cannot_listen(error: OSError, host: str, port: int) -> WhatsitError:
    if error.errno == errno.EADDRNOTAVAIL:
        return _no_address(host)
    if error.errno == errno.EADDRINUSE:
        return WhatsitError(
            f"port {port} is in use",
            expected="a free port",
            hint="stop the other program, or take another with --port; 0 takes any that is free",
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return WhatsitError(
            f"port {port} may not be used by this user",
            expected="a port from 1024" if port < 1024 else "a port that the system lets be used",
            hint="take another with --port",
        )
    reason = error.strerror or str(error)
    return WhatsitError(f"cannot listen on {host!r}, port {port}: {reason}")


def log_to_stderr() -> None:
    """What the server has to say goes to standard error, a line each; no library configures it."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    for name in ("whatsit.serve", "uvicorn.error", *_OF_CLIENTS):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.propagate = False
    for name in _OF_CLIENTS:
        logging.getLogger(name).setLevel(logging.ERROR)
