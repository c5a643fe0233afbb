"""A web server for one test, on this machine, that can misbehave in every way that is asked for."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Reply:
    """One answer. `cut_after` and `stall_after` count bytes of the body; `length` may be a lie."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    ranges: bool = True
    chunked: bool = False
    cut_after: int | None = None
    stall_after: int | None = None


@dataclass
class Server:
    """`replies[path]` are given in turn, the last one again and again; `asked` is what came."""

    address: str
    replies: dict[str, list[Reply]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    stalled: threading.Event = field(default_factory=threading.Event)
    resume: threading.Event = field(default_factory=threading.Event)

    def put(self, path: str, *replies: Reply | bytes) -> str:
        """Answers `path` with these, and returns its whole address."""
        self.replies[path] = [r if isinstance(r, Reply) else Reply(r) for r in replies]
        return self.address + path

    def ranges(self) -> list[str | None]:
        """The Range header of each request, in turn."""
        return [headers.get("Range") for _, headers in self.asked]


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.close_connection = True
            server.asked.append((self.path, dict(self.headers)))
            queue = server.replies.get(self.path)
            if queue is None:
                self.send_error(404)
                return
            with contextlib.suppress(OSError):  # the client has gone
                self._answer(queue.pop(0) if len(queue) > 1 else queue[0])

        def _answer(self, reply: Reply) -> None:
            start = self._start(reply)
            body = reply.body[start:]
            self.send_response(206 if start else reply.status)
            if start:
                last, total = len(reply.body) - 1, len(reply.body)
                self.send_header("Content-Range", f"bytes {start}-{last}/{total}")
            if reply.chunked:
                self.send_header("Transfer-Encoding", "chunked")
            else:
                length = len(body) if reply.length is None else reply.length
                self.send_header("Content-Length", str(length))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self._send(body, reply)

        def _start(self, reply: Reply) -> int:
            wanted = self.headers.get("Range")
            same = self.headers.get("If-Range") in (None, reply.headers.get("ETag"))
            if not (wanted and same and reply.ranges and reply.status == 200):
                return 0
            return int(wanted.removeprefix("bytes=").rstrip("-"))

        def _send(self, body: bytes, reply: Reply) -> None:
            if reply.chunked:
                body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
            stop = reply.cut_after if reply.stall_after is None else reply.stall_after
            self.wfile.write(body if stop is None else body[:stop])
            self.wfile.flush()
            if reply.stall_after is not None:
                server.stalled.set()
                server.resume.wait(20)
                self.wfile.write(body[reply.stall_after :])

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@contextlib.contextmanager
def running() -> Iterator[Server]:
    """A server on a free port of this machine, gone at the end."""
    server = Server("")
    web = ThreadingHTTPServer(("127.0.0.1", 0), _handler(server))
    web.daemon_threads = True
    server.address = f"http://127.0.0.1:{web.server_address[1]}"
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.resume.set()
        web.shutdown()
        thread.join()
        web.server_close()
