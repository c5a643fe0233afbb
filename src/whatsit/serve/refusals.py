"""Why a request gets no answer: one shape for every error that the server sends."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..errors import ImageUnsupported, InputError, UsageError, WhatsitError

RETRY_AFTER_S = 1  # a full queue is worked off in far less


class Refusal(Exception):
    """An HTTP status, and the four things that an error says. `headers` are sent along."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        expected: str = "",
        hint: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.error = {"code": code, "message": message, "expected": expected, "hint": hint}
        self.headers = dict(headers or {})

    @property
    def body(self) -> bytes:
        return to_bytes({"error": self.error})


def of_error(error: WhatsitError) -> Refusal:
    """The refusal of a request that fails with one of our errors."""
    return Refusal(
        status_of(error), error.code, error.message, expected=error.expected, hint=error.hint
    )


def status_of(error: WhatsitError) -> int:
    """A picture or an argument is the client's, a model that fails is ours."""
    if isinstance(error, ImageUnsupported):
        return 415
    return 422 if isinstance(error, (InputError, UsageError)) else 500


def error_json(error: WhatsitError) -> dict[str, str]:
    """The `error` object of one picture among several."""
    return of_error(error).error


def to_bytes(value: Any) -> bytes:
    return json.dumps(value).encode("ascii")


def not_found(path: str) -> Refusal:
    return Refusal(
        404, "not-found", f"there is no {path[:200]!r} here", hint="/docs lists what there is"
    )


def method_not_allowed(method: str, allowed: str) -> Refusal:
    return Refusal(
        405,
        "method-not-allowed",
        f"{method[:20]} is not for this address",
        expected=allowed,
        headers={"allow": allowed},
    )


def body_too_large(most_bytes: int) -> Refusal:
    return Refusal(
        413,
        "body-too-large",
        "the body of the request is too large",
        expected=f"at most {most_bytes:,} bytes",
        hint="send a smaller copy; the server's --max-bytes sets the limit",
    )


def too_many_pictures(most: int) -> Refusal:
    return Refusal(
        413,
        "too-many-pictures",
        "there are too many parts in one request",
        expected=f"at most {most} pictures",
        hint="send several requests; the server's --max-pictures sets the limit",
    )


def too_slow(seconds: float) -> Refusal:
    return Refusal(
        408,
        "request-too-slow",
        "the request did not come in time",
        expected=f"all of it within {seconds:g} s",
        headers={"connection": "close"},
    )


def too_busy(what: str) -> Refusal:
    return Refusal(
        429,
        "too-busy",
        what,
        hint="try again a little later, or send fewer requests at the same time",
        headers={"retry-after": str(RETRY_AFTER_S)},
    )


def timed_out(seconds: float) -> Refusal:
    return Refusal(
        503,
        "timed-out",
        f"there was no answer within {seconds:g} s",
        hint="try again later; the server's --timeout sets the limit",
        headers={"retry-after": str(RETRY_AFTER_S)},
    )


def not_ready(stopping: bool) -> Refusal:
    doing = "stopping" if stopping else "starting"
    closing = {"connection": "close"} if stopping else {}
    return Refusal(
        503,
        doing,
        f"the server is {doing}",
        hint="try again a little later",
        headers={"retry-after": str(RETRY_AFTER_S), **closing},
    )


def unauthorized() -> Refusal:
    return Refusal(
        401,
        "unauthorized",
        "this needs the key of the API",
        expected="Authorization: Bearer KEY or X-API-Key: KEY",
        headers={"www-authenticate": "Bearer"},
    )


def internal() -> Refusal:
    return Refusal(
        500, "internal", "the server failed", hint="its log says why; this is a bug of whatsit"
    )
