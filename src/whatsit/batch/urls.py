"""What lies behind an fsspec URL, and what can go wrong on the way to it."""

from __future__ import annotations

import io
import os
import re
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import IO, Any, TypeVar

from .. import __version__, images
from ..errors import ExtraMissing, ImageTooLarge, UsageError, WhatsitError
from . import trouble

T = TypeVar("T")

EXTRA_HINT = "pip install 'whatsit[batch]'"
PAUSES_S = (0.5, 1.0, 2.0)  # before each further try
WEB = frozenset({"http", "https"})
_LOCAL = frozenset({"file", "local"})
_CACHES = frozenset({"blockcache", "cached", "filecache", "simplecache"})
_UNLOCKED = frozenset({"memory", *_LOCAL})
# Two letters at least: C:\ is a drive of Windows.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_CHAIN = re.compile(r"[a-z]{2,}::.")
_CONNECT_S, _SILENCE_S = 15.0, 30.0
_CHUNK_BYTES = 1 << 20


def is_url(text: str) -> bool:
    """Whether this is for fsspec: `s3://…`, `zip::https://…`; never a path that is there."""
    if _URL.match(text):
        return True
    return bool(_CHAIN.match(text)) and not os.path.lexists(text)


@dataclass(frozen=True, slots=True)
class Url:
    """`simplecache::zip://folder/cat.jpg::s3://bucket/a.zip`: a path, and what stands around it."""

    before: str  # "simplecache::", or ""
    protocol: str
    path: str
    after: str  # "::s3://bucket/a.zip", or ""

    @classmethod
    def parse(cls, text: str) -> Url:
        """The parts of a URL for which is_url holds."""
        steps = text.split("::")
        caches = 0
        while caches < len(steps) - 1 and steps[caches] in _CACHES:
            caches += 1
        step = steps[caches]
        if "://" in step:
            protocol, _, path = step.partition("://")
        elif caches < len(steps) - 1 or step in _CACHES:  # "zip::s3://…"
            protocol, path = step, ""
        else:  # "simplecache::/folder/cat.jpg"
            protocol, path = "file", step
        before = "".join(f"{name}::" for name in steps[:caches])
        after = "".join(f"::{name}" for name in steps[caches + 1 :])
        return cls(before, protocol.lower(), path, after)

    def __str__(self) -> str:
        return f"{self.before}{self.protocol}://{self.path}{self.after}"

    @property
    def step(self) -> str:
        """The part with the path."""
        return f"{self.protocol}://{self.path}"

    @property
    def protocols(self) -> tuple[str, ...]:
        """All that the way there goes through; `zip::a.zip` ends in a path of this machine."""
        steps = [*self.before.split("::"), self.protocol, *self.after.split("::")]
        if "://" not in steps[-1]:
            steps.pop()
        return tuple(dict.fromkeys(step.partition("://")[0] for step in steps if step))

    def at(self, path: str) -> Url:
        """Another path in the same place."""
        return replace(self, path=path)

    def local_path(self) -> str | None:
        """The path on this machine of a `file://` URL; None of any other."""
        if self.protocol not in _LOCAL or self.before or self.after:
            return None
        return str(filesystem_class(self.protocol)._strip_protocol(self.step))


def beside(table: str, cell: str) -> str:
    """What a cell of a table means: itself, or if it is relative a name in the table's folder."""
    if is_url(cell) or os.path.isabs(cell):
        return cell
    if not is_url(table):
        return os.path.join(os.path.dirname(table), cell)
    url = Url.parse(table)
    folder = url.path.partition("?")[0] if url.protocol in WEB else url.path
    parts = folder.split("/")[:-1]
    for part in cell.split("/"):
        if part == ".." and len(parts) > 1:
            parts.pop()
        elif part not in ("", ".", ".."):
            parts.append(part)
    return str(url.at("/".join(parts)))


def filesystem_class(protocol: str) -> Any:
    """The fsspec class. Raises ExtraMissing with the package to install, UsageError if unknown."""
    try:
        import fsspec
    except ImportError as error:
        raise ExtraMissing(
            f"a URL of {protocol}:// needs fsspec, which is not installed", hint=EXTRA_HINT
        ) from error
    try:
        return fsspec.get_filesystem_class(protocol)
    except ImportError as error:
        missing = getattr(error.__cause__, "name", None) or str(error)
        package = missing.partition(".")[0]
        raise ExtraMissing(
            f"a URL of {protocol}:// needs {package}, which is not installed",
            hint=f"pip install {package}",
        ) from error
    except ValueError as error:
        raise UsageError(
            f"no protocol {protocol!r}",
            expected="one that fsspec knows, such as s3, gs, https or memory",
        ) from error


def check(text: str) -> None:
    """Raises ExtraMissing or UsageError where a URL cannot be opened, whatever is behind it."""
    for protocol in Url.parse(text).protocols:
        filesystem_class(protocol)


@dataclass(frozen=True, slots=True)
class Behind:
    """A path in a file system of fsspec, which `lock` guards if threads could harm it."""

    fs: Any
    path: str
    lock: AbstractContextManager[Any]


class Filesystems:
    """The file systems that are open, each once. Safe to use from several threads; close it."""

    def __init__(self) -> None:
        self._open: dict[tuple[object, ...], tuple[Any, AbstractContextManager[Any]]] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def behind(self, url: Url) -> Behind:
        """Where a URL leads. Raises what fsspec raises, ExtraMissing and UsageError."""
        kind = filesystem_class(url.protocol)
        about = tuple(sorted(map(repr, kind._get_kwargs_from_urls(url.step).items())))
        key = (url.before, url.protocol, about, url.after)
        with self._lock:
            if key not in self._open:
                fs = _connected(url)
                free = fs.async_impl or (not url.before and url.protocol in _UNLOCKED)
                self._open[key] = fs, nullcontext() if free else threading.RLock()
            fs, lock = self._open[key]
        return Behind(fs, kind._strip_protocol(url.step), lock)

    def read(self, text: str) -> bytes:
        """All bytes behind a URL. Raises an InputError; of connection trouble after some tries."""
        url = Url.parse(text)

        def attempt() -> bytes:
            there = self.behind(url)
            with there.lock, _opened(there, url) as file:
                return _all_bytes(file, text)

        return self.tried(attempt, text)

    def open(self, text: str, *, seekable: bool) -> IO[bytes]:
        """A file to read from its beginning, or anywhere if `seekable`. Raises an InputError."""
        url = Url.parse(text)

        def attempt() -> IO[bytes]:
            there = self.behind(url)
            return _opened(there, url, seekable=seekable)

        file = self.tried(attempt, text)
        # Those of fsspec read lines by seeking, which one that only flows cannot.
        return file if seekable else io.BufferedReader(file)  # type: ignore[type-var]

    def tried(self, attempt: Callable[[], T], name: str) -> T:
        """What `attempt` gives, tried again after trouble that may pass. Raises an InputError."""
        pauses = iter(PAUSES_S)
        while True:
            try:
                return attempt()
            except WhatsitError:
                raise
            except Exception as error:  # as many kinds as there are file systems
                pause = next(pauses, None) if trouble.may_pass(error) else None
                if pause is None or self._closed.wait(pause):
                    raise trouble.translated(error, name) from error

    def close(self) -> None:
        """Closes archives and connections, and ends all waiting."""
        self._closed.set()
        with self._lock:
            self._open.clear()


def _connected(url: Url) -> Any:
    from fsspec.core import url_to_fs

    for protocol in url.protocols:
        filesystem_class(protocol)
    options = {protocol: _web_options() for protocol in url.protocols if protocol in WEB}
    # Not fsspec's own store of instances, which keeps a connection for each thread and for ever.
    fs, _ = url_to_fs(str(url), skip_instance_cache=True, **options)
    return fs


def _web_options() -> dict[str, Any]:
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=_SILENCE_S)
    headers = {"User-Agent": f"whatsit/{__version__}"}
    return {"client_kwargs": {"timeout": timeout, "headers": headers, "trust_env": True}}


def _opened(there: Behind, url: Url, *, seekable: bool = False) -> IO[bytes]:
    file: IO[bytes]
    if url.protocol in WEB and not url.before and not seekable:
        # A size and no blocks: one request, and as long as it gives bytes.
        file = there.fs.open(there.path, "rb", block_size=0, size=1)
    else:
        file = there.fs.open(there.path, "rb")
    return file


def _all_bytes(file: IO[bytes], name: str) -> bytes:
    """As images.read_stream, but what the file raises stays as it is, since it may pass."""
    data = io.BytesIO()
    while data.tell() <= images.MAX_STREAM_BYTES and (part := file.read(_CHUNK_BYTES)):
        data.write(part)
    if data.tell() > images.MAX_STREAM_BYTES:
        raise ImageTooLarge(f"{name!r} is longer than {images.MAX_STREAM_BYTES >> 30} GiB")
    return data.getvalue()
