"""The models of a server, warm, with the threads that run them and the numbers that they leave."""

from __future__ import annotations

import functools
import io
import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .. import classifier as classifying
from .. import images, zoo
from ..classifier import Classifier
from ..errors import InputError, UsageError, WhatsitError
from . import refusals
from .metrics import Metrics
from .questions import Question
from .settings import Settings
from .uploads import Budget
from .workers import Workers

if TYPE_CHECKING:
    from ..images import ImageSource

_KEPT_QUESTIONS = 128  # checked once each: programs ask the same again and again
_LONGEST_KEPT = 2048
_LARGE_BYTES = 256_000_000  # of memory: 12 megapixels of anything, 42 of a JPEG
_JPEG_BYTES, _OTHER_BYTES = 6, 20  # a pixel, measured

log = logging.getLogger("whatsit.serve")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question whose every value was checked, and the model that is to answer it."""

    classifier: Classifier
    score: Callable[[ImageSource], Any]
    top: int
    threshold: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent for one picture. With a `refusal`, `json` is its row among others."""

    json: bytes
    timings_ms: dict[str, float]
    refusal: refusals.Refusal | None = None


class Service:
    """Opens its models at once; `start` warms them, and nothing is answered before that is done.

    Raises ModelError or UsageError for a model that cannot be served.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.models = _opened(settings)
        self.default = next(iter(self.models))
        self.metrics = Metrics()
        self.budget = Budget(settings.limits.held_bytes)
        self.failure: WhatsitError | None = None
        self.answered = 0
        self.open_requests = 0
        self.stopping = False
        self._warm = False
        self._questions: OrderedDict[bytes, Asked] = OrderedDict()
        self.workers = Workers(
            settings.worker_count,
            settings.limits.queue,
            settings.limits.timeout_s,
            functools.partial(self.metrics.took, "wait"),
        )
        # Large pictures take turns on a thread of their own: together they would fill the memory,
        # and small ones need not wait for them.
        self.large = Workers(
            1,
            settings.limits.queue,
            settings.limits.timeout_s,
            functools.partial(self.metrics.took, "wait"),
        )
        self._add_gauges()

    @property
    def ready(self) -> bool:
        return self._warm and not self.stopping

    def start(self) -> None:
        """To be called on the event loop."""
        self.workers.start()
        self.large.start()
        threading.Thread(target=self._warm_up, name="whatsit-warm", daemon=True).start()

    def stop(self) -> None:
        """Releases the engines, after the pictures that are being worked on."""
        self.stopping = True
        self.workers.stop()
        self.large.stop()
        for model in self.models.values():
            model.close()

    def check(self) -> None:
        """Raises the refusal of a server that does not take a picture now."""
        if self.failure is not None:
            raise refusals.of_error(self.failure)
        if not self.ready:
            raise refusals.not_ready(self.stopping)
        self.workers.check()
        self.large.check()

    async def asked(self, query: bytes) -> Asked:
        """The question of a query string. Raises UsageError for one that makes no sense."""
        known = self._questions.get(query)
        if known is not None:
            self._questions.move_to_end(query)
            return known
        # Not on the event loop: to look for names that resemble a wrong one takes a while.
        asked: Asked = await self.workers.submit(functools.partial(self._understood, query))
        if len(query) <= _LONGEST_KEPT:
            self._questions[query] = asked
            if len(self._questions) > _KEPT_QUESTIONS:
                self._questions.popitem(last=False)
        return asked

    async def answer(self, asked: Asked, data: bytes, name: str | None) -> Answer:
        """What the model makes of one picture, or why it cannot be classified."""
        work = functools.partial(_answer, asked, data, name, max_pixels=self.settings.limits.pixels)
        answer: Answer | None = await self.workers.submit(work)
        if answer is None:
            answer = await self.large.submit(functools.partial(work, may_be_large=True))
        self.answered += 1
        failed = answer.refusal is not None
        self.metrics.picture(asked.classifier.bundle.name, answer.timings_ms, failed=failed)
        return answer

    def _understood(self, query: bytes) -> Asked:
        question = Question.parse(query)
        name = question.model if question.model is not None else self.default
        model = self.models.get(name)
        if model is None:
            raise UsageError(
                f"no model {name!r}",
                expected=f"one of {', '.join(self.models)}",
                hint="these are served; GET /v1/models tells more of them",
            )
        classifying.check_ranking(question.top, question.threshold)
        model = model.variant(
            preprocess=question.preprocess,
            raw=question.raw,
            coverage=question.coverage,
            acceptance=question.acceptance,
        )
        score = model.scorer(
            allow=question.allow,
            deny=question.deny,
            region=question.region,
            rotation=question.rotation,
            workers=self.settings.worker_count,
        )
        return Asked(model, score, question.top, question.threshold)

    def _warm_up(self) -> None:
        try:
            for model in self.models.values():
                model.warm(self.settings.worker_count)
            self._warm = True
        except WhatsitError as error:
            if not self.stopping:
                self.failure = error
                log.error("error     %s", error.message)

    def _add_gauges(self) -> None:
        for name, about, value in (
            ("whatsit_pictures_waiting", "Pictures that wait.", self._depth),
            ("whatsit_pictures_in_flight", "Pictures being worked on.", self._running),
            ("whatsit_requests_in_flight", "Requests being read or answered.", self._open),
            ("whatsit_body_bytes", "Bodies in memory.", lambda: self.budget.held),
        ):
            self.metrics.gauge(name, about, value)

    def _depth(self) -> int:
        return self.workers.depth + self.large.depth

    def _running(self) -> int:
        return self.workers.running + self.large.running

    def _open(self) -> int:
        return self.open_requests


def _opened(settings: Settings) -> dict[str, Classifier]:
    models: dict[str, Classifier] = {}
    for wanted in settings.models or (zoo.DEFAULT,):
        model = classifying.load(wanted, threads=settings.threads, runtime=settings.runtime)
        name = model.bundle.name
        if name in models:
            model.close()
            raise UsageError(
                f"two models of the name {name!r}",
                expected="a name for each",
                hint="the name is that of the file, without .tflite",
            )
        models[name] = model
    return models


def _answer(
    asked: Asked, data: bytes, name: str | None, *, max_pixels: int, may_be_large: bool = False
) -> Answer | None:
    """In one of the worker threads: the way of one picture, up to the bytes of its answer.

    None for a picture that needs much memory, where it may not be.
    """
    shown = f"<{len(data)} bytes>" if name is None else os.path.basename(name)
    try:
        kind, width, height = images.header(data, shown, max_pixels=max_pixels)
        if not may_be_large and _needed_bytes(kind, width * height) > _LARGE_BYTES:
            return None
        seen = asked.score(_source(data, name))
        result = asked.classifier.answer(seen, path=name, top=asked.top, threshold=asked.threshold)
    except InputError as error:
        refusal = refusals.of_error(error)
        content = refusals.to_bytes({"path": name, "error": refusal.error})
        return Answer(content, {}, refusal)
    return Answer(refusals.to_bytes(result.to_json()), seen.timings_ms)


def _needed_bytes(kind: str, pixels: int) -> int:
    """What it takes at most to decode a picture: copies with transparency, or a JPEG's parts."""
    return pixels * (_JPEG_BYTES if kind == "JPEG" else _OTHER_BYTES)


class _Named(io.BytesIO):
    """The bytes of a file, and its name, which errors repeat."""

    name: str


def _source(data: bytes, name: str | None) -> ImageSource:
    if name is None:
        return data
    named = _Named(data)
    named.name = os.path.basename(name)
    return named
