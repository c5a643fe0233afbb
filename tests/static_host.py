"""A host of plain files for tests of the app: with our headers or none, stopped and restarted."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from whatsit.serve.site import HEADERS, SiteFile


class StaticHost:
    """Serves `files` below `folder`. `asked` lists every path that was asked for, in order, and
    `sent` counts how often each was sent, all of it.

    Like most hosts it sends an ETag and compresses. `headers` are sent with every file.
    """

    def __init__(
        self,
        files: Mapping[str, SiteFile],
        *,
        folder: str = "/",
        headers: Mapping[str, str] = HEADERS,
    ) -> None:
        self.files = dict(files)
        self.folder = folder
        self.headers = headers
        self.asked: list[str] = []
        self.sent: Counter[str] = Counter()
        self.sent_bytes = 0
        self.port = 0
        self._server: ThreadingHTTPServer | None = None
        self.start()

    @property
    def url(self) -> str:
        """Of the start page."""
        return f"http://127.0.0.1:{self.port}{self.folder}"

    def start(self) -> None:
        """From now on it answers, at the port that it had before."""
        server = ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self))
        server.daemon_threads = True
        self.port = server.server_address[1]
        self._server = server
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """From now on nobody answers."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


def _handler(host: StaticHost) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 5

        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            name = path.removeprefix(host.folder) or "index.html"
            host.asked.append(name)
            file = host.files.get(name) if path.startswith(host.folder) else None
            if file is None:
                self._send(404, b"", {})
                return
            facts = {"Content-Type": file.content_type, "ETag": f'"{file.sha256[:16]}"'}
            facts["Cache-Control"] = "no-cache"
            if self.headers.get("If-None-Match") == facts["ETag"]:
                self._send(304, b"", facts)
                return
            host.sent[name] += 1
            packed = file.gzipped()
            if packed is not None:
                facts["Content-Encoding"] = "gzip"
            self._send(200, file.read() if packed is None else packed, facts)

        def _send(self, status: int, body: bytes, facts: Mapping[str, str]) -> None:
            self.send_response(status)
            for name, value in {**host.headers, **facts}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            with contextlib.suppress(ConnectionError):  # the browser was closed meanwhile
                self.end_headers()
                self.wfile.write(body)
            host.sent_bytes += len(body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    return Handler
