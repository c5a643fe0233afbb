"""The addresses of the API, each an ASGI application of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from .. import __version__
from . import refusals, uploads
from .forms import Form, Part
from .metrics import CONTENT_TYPE
from .replies import App, Receive, Scope, Send, refuse, reply
from .service import Answer, Asked, Service
from .uploads import Reader

NO_STORE = (b"cache-control", b"no-store")


class Only:
    """An application for some methods, which `methods` names as the header Allow does."""

    def __init__(self, methods: str, app: App) -> None:
        self._methods, self._app = methods, app
        self._allowed = frozenset(methods.split(", "))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in self._allowed:
            raise refusals.method_not_allowed(scope["method"], self._methods)
        await self._app(scope, receive, send)


class Classify:
    """POST /v1/classify: the answer for one picture, or `results` for those of a form."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        service = self._service
        headers = dict(scope["headers"])
        service.check()
        is_form = uploads.media_type(headers) == uploads.FORM
        uploads.check_length(headers, service.settings.limits)
        asked = await service.asked(scope["query_string"])
        reader = Reader(receive, service.settings.limits, service.budget)
        try:
            if is_form:
                body = await self._form(reader, asked, headers[b"content-type"])
            else:
                body = await self._picture(reader, asked)
        finally:
            reader.release()
        await reply(send, body, more=[NO_STORE])

    async def _picture(self, reader: Reader, asked: Asked) -> bytes:
        pieces: list[bytes] = []
        await self._read(reader, pieces.append)
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        del pieces
        answer = await self._service.answer(asked, data, None)
        if answer.refusal is not None:
            raise answer.refusal
        return answer.json

    async def _form(self, reader: Reader, asked: Asked, content_type: bytes) -> bytes:
        form = Form(content_type, self._service.settings.limits.pictures)
        await self._read(reader, form.feed)
        answers = await self._answers(asked, form.parts())
        for answer in answers:
            if answer.refusal is not None:
                self._service.metrics.error(answer.refusal.code)
        return b'{"results": [' + b", ".join(answer.json for answer in answers) + b"]}"

    async def _answers(self, asked: Asked, parts: Sequence[Part]) -> list[Answer]:
        self._service.workers.check()
        pending = [self._service.answer(asked, part.data, part.name) for part in parts]
        found = await asyncio.gather(*pending, return_exceptions=True)
        for answer in found:
            if isinstance(answer, BaseException):
                raise answer
        return [answer for answer in found if isinstance(answer, Answer)]

    async def _read(self, reader: Reader, sink: uploads.Sink) -> None:
        start = time.perf_counter()
        await reader.into(sink)
        self._service.metrics.took("read", time.perf_counter() - start)
        self._service.workers.check()  # others may have come meanwhile


class Models:
    """GET /v1/models: what is served."""

    def __init__(self, service: Service) -> None:
        rows = [
            _facts(name, service, is_default=name == service.default) for name in service.models
        ]
        self._body = refusals.to_bytes({"whatsit": __version__, "models": rows})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await reply(send, self._body, more=[NO_STORE])


class Health:
    """GET /healthz: the process answers, whatever else."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await reply(send, b'{"status": "ok"}', more=[NO_STORE])


class Ready:
    """GET /readyz: 200 while pictures are taken, 503 while the server starts or stops."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._service.failure is not None:
            await refuse(send, refusals.of_error(self._service.failure))
        elif not self._service.ready:
            await refuse(send, refusals.not_ready(self._service.stopping))
        else:
            await reply(send, b'{"status": "ready"}', more=[NO_STORE])


class Counted:
    """GET /metrics: for Prometheus."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await reply(send, self._service.metrics.text(), kind=CONTENT_TYPE, more=[NO_STORE])


class Fixed:
    """GET of something that never changes while the server runs."""

    def __init__(self, body: bytes, kind: str) -> None:
        self._body, self._kind = body, kind

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await reply(send, self._body, kind=self._kind, more=[(b"cache-control", b"no-cache")])


def _facts(name: str, service: Service, *, is_default: bool) -> dict[str, Any]:
    model = service.models[name]
    bundle = model.bundle
    return {
        "name": name,
        "default": is_default,
        "sha256": bundle.sha256,
        "size_bytes": len(bundle.data),
        "classes": bundle.output.classes,
        "input": [bundle.input.height, bundle.input.width],
        "preprocess": str(bundle.preprocess),
        "runtime": model.runtime,
        "calibrated": model.calibrated,
        "licence": bundle.metadata.license or None,
        "accuracy": list(bundle.record.get("accuracy", [])),
        "notes": list(bundle.notes),
    }
