"""What a server is started with: its models, its limits, who may use it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ..errors import UsageError
from ..machine import cpu_count

_MOST_WORKERS = 1024
_MOST_SECONDS = 3600.0
_LONGEST_KEY = 1024
_ORIGIN = re.compile(r"https?://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request, and all of them together, may ask for.

    `queue` counts the pictures that wait while all workers are busy. `timeout_s` is the time that
    the body of a request may take to come, and then again the time that its answer may take.
    """

    body_bytes: int = 20_000_000
    pixels: int = 25_000_000  # each takes up to 20 bytes while a picture is decoded
    pictures: int = 32
    queue: int = 64
    timeout_s: float = 30.0
    connections: int = 256

    def __post_init__(self) -> None:
        for number, what in (
            (self.body_bytes, "bytes of a body"),
            (self.pixels, "pixels"),
            (self.pictures, "pictures in a request"),
            (self.queue, "waiting pictures"),
            (self.connections, "connections"),
        ):
            if number < 1:
                raise UsageError(f"at most {number} {what}", expected="at least 1")
        if not 0 < self.timeout_s <= _MOST_SECONDS:
            raise UsageError(
                f"a timeout of {self.timeout_s:g} s",
                expected=f"more than 0 and at most {_MOST_SECONDS:g} seconds",
            )

    @property
    def held_bytes(self) -> int:
        """Bodies that may be in memory at the same time, in all."""
        return max(4 * self.body_bytes, 256_000_000)


@dataclass(frozen=True, slots=True)
class Settings:
    """A server. `models` are names or paths, the first of which answers where none is named.

    `workers` pictures (default: the cores) are classified at the same time, each on `threads`.
    `cors` lists the origins whose pages may use the API; `*` stands for all of them.
    """

    models: tuple[str, ...] = ()
    workers: int | None = None
    threads: int | None = None
    runtime: str | None = None
    limits: Limits = field(default_factory=Limits)
    api_key: str | None = field(default=None, repr=False)
    cors: tuple[str, ...] = ()
    log: bool = False

    def __post_init__(self) -> None:
        if self.workers is not None and not 1 <= self.workers <= _MOST_WORKERS:
            raise UsageError(
                f"{self.workers} workers", expected=f"a number from 1 to {_MOST_WORKERS}"
            )
        if self.api_key is not None:
            check_key(self.api_key)
        for origin in self.cors:
            check_origin(origin)

    @property
    def worker_count(self) -> int:
        return self.workers or cpu_count()


def check_key(key: str) -> None:
    """Raises UsageError for a key that no header can carry as it is, without repeating it."""
    if not key or len(key) > _LONGEST_KEY or not all("!" <= letter <= "~" for letter in key):
        raise UsageError(
            "the API key cannot be sent in a header",
            expected=f"1 to {_LONGEST_KEY} letters, digits and signs of ASCII without spaces",
            hint="`openssl rand -hex 24` makes one",
        )


def check_origin(origin: str) -> None:
    """Raises UsageError for what no browser would send as the origin of a page."""
    match = _ORIGIN.fullmatch(origin)
    if origin != "*" and not (match and int(match["port"] or 0) < 1 << 16):
        raise UsageError(
            f"{origin!r} is no origin of web pages",
            expected="such as https://example.com, without a path, or * for all",
        )
