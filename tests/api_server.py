"""The server of `whatsit serve` in a thread of this process, and a plain client for it."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from whatsit.serve import serving
from whatsit.serve.app import create_app
from whatsit.serve.service import Service
from whatsit.serve.settings import Settings

BINARY = {"Content-Type": "application/octet-stream"}


@dataclass(frozen=True)
class Reply:
    """What was answered; names of headers are in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, str]:
        """The one shape of all errors, checked."""
        assert self.headers["content-type"] == "application/json"
        assert list(self.json) == ["error"]
        error = self.json["error"]
        assert list(error) == ["code", "message", "expected", "hint"]
        return error


@dataclass
class Api:
    """A server that runs."""

    port: int
    service: Service
    server: serving.Server
    thread: threading.Thread

    def __call__(
        self,
        method: str,
        path: str,
        body: bytes | Iterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(connection):
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, found, response.read())

    def classify(self, data: bytes, query: str = "", **headers: str) -> Reply:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self("POST", f"/v1/classify{query}", data, BINARY | given)

    def raw(self, data: bytes) -> bytes:
        """All that the server sends for these bytes, until it closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            with contextlib.suppress(ConnectionError):
                connection.sendall(data)
            found = b""
            with contextlib.suppress(ConnectionError):
                while piece := connection.recv(1 << 16):
                    found += piece
            return found

    def stop(self) -> None:
        self.server.handle_exit(signal.SIGTERM, None)
        self.thread.join(20)


@contextlib.contextmanager
def running(settings: Settings | None = None) -> Iterator[Api]:
    """A server on a free port, its models warm."""
    app = create_app(settings or Settings(workers=2))
    listener = serving.listening("127.0.0.1", 0)
    server = serving.server_of(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    api = Api(listener.getsockname()[1], app.state.service, server, thread)
    try:
        while not api.service.ready and api.service.failure is None:
            time.sleep(0.01)
        yield api
    finally:
        api.stop()
        listener.close()


def form(*parts: tuple[str | None, bytes], boundary: str = "edge") -> tuple[bytes, dict[str, str]]:
    """The body and the type of a form of such (file name, content) pairs."""
    pieces = []
    for name, data in parts:
        file_name = "" if name is None else f'; filename="{name}"'
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="picture"{file_name}\r\n\r\n'
        pieces += [head.encode(), data, b"\r\n"]
    body = b"".join([*pieces, f"--{boundary}--\r\n".encode()])
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}
