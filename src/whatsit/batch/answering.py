"""From pictures to rows: the classifier, the opener and the cache that one process works with."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from .. import machine
from ..bundle import Bundle
from ..classifier import Classifier, ClassKey, Seen
from ..engines import EITHER_LITERT
from ..errors import InputError
from ..overlapping import in_order
from ..preprocess import Region
from ..results import Prediction, Result, Verdict
from ..runtimes import LITERT
from ..trust import ACCEPTANCE, COVERAGE
from . import cache
from .cache import Answer, AnswerCache
from .items import Item
from .job import Part
from .opener import Opener
from .writing import Style

# Rows for each worker that may wait for the one before them, or for a block to be written.
_AHEAD = 8


@dataclass(frozen=True)
class Task:
    """All that decides the rows of a run. Picklable: any process on any host can do it.

    `runtime` is the name of an engine, never `auto`. `cache` says whether answers are kept.
    """

    name: str  # of the model
    model: bytes = field(repr=False)
    runtime: str
    preprocess: str
    style: Style
    top: int = 5
    threshold: float = 0.0
    allow: tuple[ClassKey, ...] = ()
    deny: tuple[ClassKey, ...] = ()
    region: Region | None = None
    rotation: int = 0
    raw: bool = False
    coverage: float = COVERAGE
    acceptance: float = ACCEPTANCE
    cache: bool = True

    def check(self, classifier: Classifier, workers: int) -> None:
        """Raises UsageError for options that cannot work."""
        classifier.classify_many(
            (),
            workers=workers,
            top=self.top,
            threshold=self.threshold,
            allow=self.allow,
            deny=self.deny,
            region=self.region,
            rotation=self.rotation,
        )

    def key(self) -> bytes:
        """Names all that decides an answer, besides the picture."""
        facts = machine.facts()
        parts = (
            cache.FORMAT,
            hashlib.sha256(self.model).hexdigest(),
            LITERT if self.runtime in EITHER_LITERT else self.runtime,
            self.preprocess,
            (self.top, self.threshold, self.allow, self.deny, self.region, self.rotation),
            (self.raw, self.coverage, self.acceptance),
            self.style.width,
            facts["cpu"],
            facts["versions"],
        )
        return hashlib.sha256(json.dumps(parts).encode()).digest()


@dataclass(frozen=True, slots=True)
class Row:
    """One picture and its answer; `cached` if the model did not have to run."""

    item: Item
    result: Result
    cached: bool = False


class Answering:
    """Does a task in this process. A context manager; to be used from one thread.

    `classifier`, where there is one already that fits the task, is used and closed with it.
    """

    def __init__(self, task: Task, classifier: Classifier | None = None) -> None:
        self._task = task
        self._classifier = classifier or _opened(task)
        self._score = self._classifier.scorer(
            allow=task.allow, deny=task.deny, region=task.region, rotation=task.rotation
        )
        self._format = task.style.format()
        self._opener = Opener()
        self._cache = AnswerCache(task.key()) if task.cache else None

    @property
    def problem(self) -> str:
        """Why answers are not kept, if so."""
        return self._cache.problem if self._cache else ""

    def rows(self, items: Iterable[Item], workers: int) -> Generator[Row, None, None]:
        """A row for each item, in order; `workers` are worked on at the same time.

        Raises ModelError if the model itself fails. Close the generator to stop early.
        """
        return in_order(self._row, items, workers, ahead=_AHEAD)

    def part(self, items: Sequence[Item], workers: int) -> Part:
        """A block, done."""
        with contextlib.closing(self.rows(items, workers)) as rows:
            return self.made(list(rows))

    def made(self, rows: Sequence[Row]) -> Part:
        """A block of these rows."""
        failed = (row.result for row in rows if row.result.error is not None)
        lines = [json.dumps(result.to_json()) + "\n" for result in failed]
        cached = sum(row.cached for row in rows)
        return Part(self._format.part(rows), "".join(lines).encode(), cached)

    def close(self) -> None:
        """Releases the engines, and writes what the cache holds back."""
        self._classifier.close()
        self._opener.close()
        if self._cache is not None:
            self._cache.close()

    def __enter__(self) -> Answering:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _row(self, item: Item) -> Row:
        try:
            return self._answered(item, self._opener.read(item))
        except InputError as error:
            return Row(item, Result(item.path, self._task.name, error=_bare(error)))

    def _answered(self, item: Item, content: bytes) -> Row:
        picture = _Named(content, item.path)
        if self._cache is None:
            return Row(item, self._result(item, self._answer(picture)))
        answer, cached = self._cache.answer(content, lambda: self._answer(picture))
        return Row(item, self._result(item, answer), cached)

    def _answer(self, picture: _Named) -> Answer:
        task, seen = self._task, self._score(picture)
        result = self._classifier.answer(seen, top=task.top, threshold=task.threshold)
        ranked = tuple((p.index, p.score) for p in result.predictions)
        assert result.verdict is not None  # it is no error
        return Answer(
            result.verdict.value,
            ranked,
            result.label_set,
            result.broader,
            result.probably,
            _half(seen),
        )

    def _result(self, item: Item, answer: Answer) -> Result:
        """The same, whether the answer was made now or kept."""
        labels = self._classifier.bundle.labels
        predictions = tuple(
            Prediction(i, labels.names[i], score, labels.synset(i)) for i, score in answer.ranked
        )
        vector = None if answer.embedding is None else answer.embedding.astype(np.float32)
        return Result(
            item.path,
            self._task.name,
            Verdict(answer.verdict),
            predictions,
            embedding=vector,
            label_set=answer.label_set,
            broader=answer.broader,
            probably=answer.probably,
        )


class _Named(io.BytesIO):
    """The bytes of a picture, with the name that errors are to have."""

    def __init__(self, content: bytes, name: str) -> None:
        super().__init__(content)
        self.name = name


def _opened(task: Task) -> Classifier:
    """The classifier of a task: a thread for each picture, which is the most pictures a second."""
    bundle = Bundle.from_bytes(task.model, task.name)
    return Classifier(
        bundle,
        threads=1,
        preprocess=task.preprocess,
        runtime=task.runtime,
        embeddings=task.style.width > 0,
        raw=task.raw,
        coverage=task.coverage,
        acceptance=task.acceptance,
    )


def _half(seen: Seen) -> cache.Half | None:
    if seen.embedding is None:
        return None
    with np.errstate(over="ignore"):  # infinite, and said to be no number where that is written
        return seen.embedding.astype(np.float16)


def _bare(error: InputError) -> InputError:
    """`error` without its frames and causes, which would keep every picture alive."""
    error.__cause__ = error.__context__ = error.__traceback__ = None
    return error
