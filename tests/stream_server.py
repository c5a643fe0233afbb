"""Serves an endless video over HTTP or TCP, can be stopped and started again, and can misbehave."""

from __future__ import annotations

import contextlib
import io
import itertools
import socket
import threading
import time
from types import TracebackType
from typing import Any, Literal

import av
import numpy as np
from PIL import Image

Kind = Literal["mjpeg", "ts", "tcp", "silent", "bytes"]
RATE = 30
_BOUNDARY = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"


class StreamServer:
    """`with StreamServer("mjpeg") as server: server.url`; stop() and start() keep the port.

    `mjpeg` and `ts` (MPEG-TS) over HTTP, MPEG-TS over bare `tcp`, `silent` accepts and says
    nothing, `bytes` sends `body`, or the first `sent_bytes` of it, and closes. A `status` other
    than 200 is sent without a body. `mjpeg` falls silent after `stall_after` pictures.
    """

    def __init__(
        self,
        kind: Kind,
        *,
        status: int = 200,
        body: bytes = b"",
        sent_bytes: int | None = None,
        stall_after: int | None = None,
    ) -> None:
        self._sent_bytes = sent_bytes
        self._kind = kind
        self._stall_after = stall_after
        self._status = status
        self._body = body
        self._port = 0
        self._listening: socket.socket | None = None
        self._connections: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    @property
    def url(self) -> str:
        return f"{'tcp' if self._kind == 'tcp' else 'http'}://127.0.0.1:{self._port}/live"

    @property
    def connections(self) -> int:
        """How many there are, or were since the start."""
        return len(self._connections)

    def __enter__(self) -> StreamServer:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self._port))
        listening.listen()
        self._port = listening.getsockname()[1]
        self._listening = listening
        self._run(self._accept, listening)

    def stop(self) -> None:
        """Ends every connection, and refuses new ones."""
        if self._listening is not None:
            for each in (self._listening, *self._connections):
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()
        self._listening = None
        for thread in self._threads:
            thread.join()
        self._connections.clear()
        self._threads.clear()

    def _run(self, target: Any, *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:  # stopped
                return
            self._connections.append(connection)
            self._run(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        # OSError: the other side, or stop(), has closed it.
        with contextlib.suppress(OSError), connection:
            if self._kind == "silent":
                _stay_silent(connection)
                return
            if self._kind != "tcp":
                self._answer(connection)
            if self._status != 200:
                return
            if self._kind == "bytes":
                connection.sendall(self._body[: self._sent_bytes])
            elif self._kind == "mjpeg":
                _send_mjpeg(connection, self._stall_after)
                _stay_silent(connection)
            else:
                _send_ts(connection)

    def _answer(self, connection: socket.socket) -> None:
        asked = b""
        while b"\r\n\r\n" not in asked:
            part = connection.recv(1 << 16)
            if not part:
                return
            asked += part
        kinds = {"mjpeg": "multipart/x-mixed-replace;boundary=frame", "ts": "video/mp2t"}
        length = f"Content-Length: {len(self._body)}\r\n" if self._kind == "bytes" else ""
        connection.sendall(
            f"HTTP/1.0 {self._status} Here\r\n{length}"
            f"Content-Type: {kinds.get(self._kind, 'video/mp4')}\r\n\r\n".encode()
        )


def _stay_silent(connection: socket.socket) -> None:
    """Until the other side closes."""
    while connection.recv(1 << 16):
        pass


def _send_mjpeg(connection: socket.socket, count: int | None) -> None:
    for number in itertools.count() if count is None else range(count):
        file = io.BytesIO()
        Image.new("RGB", (128, 64), (number % 256, 0, 0)).save(file, "JPEG")
        connection.sendall(_BOUNDARY % file.tell() + file.getvalue() + b"\r\n")
        time.sleep(1 / RATE)


def _send_ts(connection: socket.socket) -> None:
    """Muxed into memory first: PyAV crashes at its end where a write has failed."""
    file = io.BytesIO()
    with av.open(file, "w", "mpegts") as output:
        options = {"preset": "ultrafast", "tune": "zerolatency", "g": "10"}
        stream: Any = output.add_stream("libx264", rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = 128, 64, "yuv420p"
        for number in itertools.count():
            picture = np.full((64, 128, 3), number % 256, np.uint8)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
            connection.sendall(file.getvalue())
            file.seek(0)
            file.truncate()
            time.sleep(1 / RATE)
