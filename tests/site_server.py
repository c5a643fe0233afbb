"""The web app's files, served to a browser: as they are, or with some of them spoilt."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from whatsit.serve.site import HEADERS, Site, SiteFile

_ISOLATING = "Cross-Origin"


@contextmanager
def served(
    site: Site, changed: Mapping[str, bytes | None] | None = None, *, isolated: bool = True
) -> Iterator[str]:
    """The address of the site while it is served.

    `changed` files are sent in place of the site's or beside them; those of None are not there. A
    page that is not `isolated` has no threads.
    """
    files = dict(site.files)
    for path, data in (changed or {}).items():
        if data is None:
            del files[path]
        else:
            files[path] = SiteFile.of(path, data)
    headers = {k: v for k, v in HEADERS.items() if isolated or not k.startswith(_ISOLATING)}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            file = files.get(self.path.partition("?")[0].removeprefix("/") or "index.html")
            zipped = None if file is None else file.gzipped()
            body = b"" if file is None else zipped or file.read()
            self.send_response(404 if file is None else 200)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "text/plain" if file is None else file.content_type)
            self.send_header("Content-Length", str(len(body)))
            if zipped is not None:
                self.send_header("Content-Encoding", "gzip")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing: tests are quiet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Nothing: a browser that closes ends what it was fetching."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
