"""Ray, started or found, and kept quiet: what it says is for those who develop it."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Iterator
from types import FrameType
from typing import Any, TextIO

from ... import machine
from ...errors import UsageError, WhatsitError
from ..report import Note

LOCAL, AUTO = "local", "auto"
_ADDRESS = re.compile(r"(?P<host>[^:/\[\]]+|\[[^\]]+\]):(?P<port>\d{1,5})")
_PATIENCE_S = 5.0
# What is on its way between reading, answering and writing: blocks of some hundred kilobytes.
_LOCAL_STORE_BYTES = 256 << 20
_FRAME_OF_SETTINGS = 4  # its type in HTTP/2
_NEVER = logging.CRITICAL + 1
_TO_CONSOLE = ("PlainRayHandler", "StreamHandler")
_SETTINGS = {
    "enable_progress_bars": False,
    "raise_original_map_exception": True,  # so that an error of ours stays one
}
_THREAD_OF_RAY = "ray_listen_error_messages"


@contextlib.contextmanager
def connected(address: str | None, note: Note | None = None) -> Iterator[None]:
    """Ray is there while the block lasts: the caller's, that at `address`, or one of our own."""
    import ray

    if ray.is_initialized():
        yield
        return
    address = address or os.environ.get("RAY_ADDRESS") or LOCAL
    if address == LOCAL and note is not None:
        note("starting Ray on this machine")
    try:
        _start(address)
        yield
    finally:
        # It says what it has kept to itself; and a cluster may just have gone.
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(Exception):
            ray.shutdown()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps Ray's messages and warnings out of the caller's streams, and its reports at home.

    Its log files stay as they are.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    with warnings.catch_warnings(), contextlib.ExitStack() as stack:
        warnings.simplefilter("ignore")
        import ray.data

        for name in ("ray", "ray.data"):
            for handler in logging.getLogger(name).handlers:
                if type(handler).__name__ in _TO_CONSOLE:
                    stack.callback(handler.setLevel, handler.level)
                    handler.setLevel(_NEVER)
        context = ray.data.DataContext.get_current()
        for setting, value in _SETTINGS.items():
            stack.callback(setattr, context, setting, getattr(context, setting))
            setattr(context, setting, value)
        stack.enter_context(contextlib.redirect_stdout(_WithoutRay(sys.stdout)))
        yield


class _WithoutRay:
    """A stream without what a thread of Ray writes to it, whatever its settings: lost hosts."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        if threading.current_thread().name == _THREAD_OF_RAY:
            return len(text)
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _start(address: str) -> None:
    import ray

    local: dict[str, Any] = {}
    if address == LOCAL:
        local = {
            "num_cpus": machine.cpu_count(),
            "object_store_memory": _LOCAL_STORE_BYTES,
            "include_dashboard": False,
        }
    try:
        with _undisturbed(), _without_stderr():
            ray.init(address, log_to_driver=False, logging_level=_NEVER, **local)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise _no_cluster(address, error) from error


def check_answers(address: str | None) -> None:
    """Raises UsageError unless a cluster may be at the address: Ray itself would wait for long."""
    address = address or os.environ.get("RAY_ADDRESS") or LOCAL
    if address in (LOCAL, AUTO):
        return
    found = _ADDRESS.fullmatch(address)
    if not found or int(found["port"]) > 65535:
        hint = "run the command on a host of the cluster" if address.startswith("ray://") else ""
        raise UsageError(
            f"the address {address!r}",
            expected="the HOST:PORT that `ray start --head` gave, or auto",
            hint=hint,
        )
    try:
        where = (found["host"].strip("[]"), int(found["port"]))
        with socket.create_connection(where, _PATIENCE_S) as connection:
            if not _speaks_http2(connection) and "RAY_USE_TLS" not in os.environ:
                raise OSError("what answers there is no cluster")
    except OSError as error:
        raise _no_cluster(address, error) from error


def _speaks_http2(connection: socket.socket) -> bool:
    """Whether a server answers with settings of its own, as RFC 9113 has it in section 3.4.

    Ray's does; its dashboard, and most of what else might be listening, does not.
    """
    settings = bytes((0, 0, 0, _FRAME_OF_SETTINGS, 0, 0, 0, 0, 0))  # a frame without any
    connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings)
    with connection.makefile("rb") as answer:
        head = answer.read(len(settings))
    return head[3:4] == bytes((_FRAME_OF_SETTINGS,))


def _no_cluster(address: str, error: Exception) -> WhatsitError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = getattr(error, "strerror", None) or (lines[0] if lines else type(error).__name__)
    if address == LOCAL:
        return WhatsitError(
            f"Ray does not start: {reason}",
            expected="room for it: about 500 MB of memory, and space in /tmp",
            hint="--engine local does the same without Ray",
        )
    return UsageError(
        f"no Ray cluster at {address!r}: {reason}",
        expected="the HOST:PORT that `ray start --head` gave, from a host of the cluster",
        hint="`ray status` on that host says whether it runs; or does it want RAY_AUTH_MODE=token?",
    )


@contextlib.contextmanager
def _without_stderr() -> Iterator[None]:
    """Ray's core says on stderr, once, that it was told to be quiet, and then is."""
    name = "RAY_BACKEND_LOG_LEVEL"
    if name in os.environ:  # somebody wants to see it
        yield
        return
    os.environ[name] = "fatal"
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # there is none
        kept = None
    try:
        if kept is not None:
            with open(os.devnull, "wb") as nothing:
                os.dup2(nothing.fileno(), 2)
        yield
    finally:
        del os.environ[name]
        if kept is not None:
            os.dup2(kept, 2)
            os.close(kept)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Ctrl-C while Ray's core starts would crash it: the first one waits until it has started.

    And Ray takes SIGTERM for itself, as if the program were its own: it is given back.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: Any = signal.getsignal(signal.SIGINT)
    before_term: Any = signal.getsignal(signal.SIGTERM)
    pressed: list[int] = []

    def wait(number: int, frame: FrameType | None) -> None:
        if pressed:
            raise KeyboardInterrupt
        pressed.append(number)

    signal.signal(signal.SIGINT, wait)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        signal.signal(signal.SIGTERM, before_term)
        if pressed:
            raise KeyboardInterrupt
