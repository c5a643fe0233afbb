"""The classifier: a model, opened, that answers what is in a picture."""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from . import inputs, zoo
from . import preprocess as preprocessing
from .bundle import Bundle
from .errors import InputError, UsageError
from .machine import cpu_count
from .preprocess import Preprocess, Region
from .results import Prediction, Result, Verdict, top_k, verdict
from .runtimes import AUTO, ISOLATED, LITERT, RUNTIMES, open_runtime
from .sources import Source

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .engines import Pick
    from .images import ImageSource
    from .runtimes.base import Runtime

ClassKey = int | str
_MAX_COUNT = 1024  # of threads or workers: more is a slip of the finger, and none could start
_MAX_DEFAULT_THREADS = 4  # beyond it, one small picture at a time gains nothing


@dataclass(frozen=True, slots=True)
class _Query:
    """What is asked of each picture; `mask` (C,) says which classes may be answered."""

    top: int
    threshold: float
    mask: NDArray[np.bool_] | None
    region: Region | None
    rotation: int


class Classifier:
    """Answers what is in a picture. Safe to use from several threads; a context manager.

    `threads` is the number of threads for one picture (default: the cores, at most 4),
    `preprocess` replaces the bundle's preprocessing rule. `runtime` names the inference engine; by
    default a built-in model runs in this process (`litert`) and any other in one of its own
    (`isolated`), since nobody can know what it does. `auto` is the fastest that gives the right
    answers here; `pick` then says why. All but `litert` are opened here, so that a model that
    cannot run is refused before the first picture.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        threads: int | None = None,
        preprocess: Preprocess | str | None = None,
        runtime: str | None = None,
    ) -> None:
        if threads is not None:
            _check_count(threads, "threads")
        if runtime is not None and runtime not in (*RUNTIMES, AUTO):
            raise UsageError(
                f"no runtime {runtime!r}", expected=f"one of {', '.join([AUTO, *RUNTIMES])}"
            )
        self.bundle = bundle
        if isinstance(preprocess, str):
            preprocess = Preprocess.parse(preprocess)
        self.preprocess = preprocess or bundle.preprocess
        self._threads = threads
        self._pick = self._picked() if runtime == AUTO else None
        if self._pick is not None:
            self._runtime_name = self._pick.runtime
        else:
            self._runtime_name = runtime or default_runtime(bundle)
        self._lock = threading.Lock()
        self._idle: dict[int, list[Runtime]] = {}  # by number of threads
        self._closed = False
        if self._runtime_name != LITERT:
            with self._borrowed(self.threads_for(1)):
                pass

    @property
    def runtime(self) -> str:
        """The name of the inference engine that is used."""
        return self._runtime_name

    @property
    def pick(self) -> Pick | None:
        """What `auto` tried and why it chose this engine; None where it was not asked."""
        return self._pick

    def threads_for(self, workers: int) -> int:
        """Threads for one picture while `workers` are classified at the same time."""
        return self._threads or default_threads(workers)

    def classify(
        self,
        source: ImageSource,
        *,
        top: int = 5,
        threshold: float = 0.0,
        allow: Iterable[ClassKey] = (),
        deny: Iterable[ClassKey] = (),
        region: Region | None = None,
        rotation: int = 0,
    ) -> Result:
        """The `top` most likely classes of one picture that score at least `threshold`.

        `source` is a path, bytes, a file object, a Pillow image or a uint8 RGB array (H, W, 3).
        `allow` or `deny` limit the classes, by index, display name or WordNet id (that of a wider
        term names all classes below it). `region` is (left, top, right, bottom) as fractions of
        the upright picture; `rotation` turns it clockwise by a multiple of 90 degrees.

        Raises an InputError for a bad picture, UsageError for a bad argument.
        """
        query = self._query(top, threshold, allow, deny, region, rotation)
        return self._answer(source, query, self.threads_for(1))

    def classify_many(
        self,
        sources: Iterable[ImageSource | Source],
        *,
        workers: int | None = None,
        top: int = 5,
        threshold: float = 0.0,
        allow: Iterable[ClassKey] = (),
        deny: Iterable[ClassKey] = (),
        region: Region | None = None,
        rotation: int = 0,
    ) -> Iterator[Result]:
        """One result for each source, in order; a bad picture gives a result with its error.

        `workers` pictures (default: the cores) are decoded and classified at the same time. Takes
        sources only as fast as results are taken, so they may be endless. The other arguments are
        those of `classify`. Raises ModelError if the model itself fails, which would go no better
        with the next picture.
        """
        workers = cpu_count() if workers is None else workers
        _check_count(workers, "workers")
        if isinstance(sources, (str, bytes, os.PathLike)):
            raise UsageError(
                f"a lone {type(sources).__name__} for many sources",
                expected="a list or another iterable",
                hint="classify() takes one picture",
            )
        query = self._query(top, threshold, allow, deny, region, rotation)
        return self._answers(iter(sources), query, workers)

    def close(self) -> None:
        """Releases the inference engines. The classifier cannot be used after it."""
        with self._lock:
            self._closed = True
            runtimes = [runtime for idle in self._idle.values() for runtime in idle]
            self._idle.clear()
        for runtime in runtimes:
            runtime.close()

    def __enter__(self) -> Classifier:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _query(
        self,
        top: int,
        threshold: float,
        allow: Iterable[ClassKey],
        deny: Iterable[ClassKey],
        region: Region | None,
        rotation: int,
    ) -> _Query:
        """The checked arguments, before the first picture is touched."""
        if top < 1:
            raise UsageError(f"the top {top} classes", expected="at least 1")
        if not 0 <= threshold <= 1:
            raise UsageError(f"a threshold of {threshold}", expected="a probability from 0 to 1")
        preprocessing.check_region(region)
        preprocessing.check_rotation(rotation)
        mask = self.bundle.labels.mask(_keys(allow), _keys(deny))
        return _Query(top, threshold, mask, region, rotation)

    def _picked(self) -> Pick:
        from . import engines  # here, since only `auto` needs it

        return engines.pick(self.bundle, threads=self.threads_for(1))

    def _answers(
        self, sources: Iterator[ImageSource | Source], query: _Query, workers: int
    ) -> Iterator[Result]:
        if workers > 1:
            first_two = list(itertools.islice(sources, 2))
            sources = itertools.chain(first_two, sources)
            if len(first_two) == 2:  # a lone picture gets all threads, and no pool
                yield from self._overlapped(sources, query, workers)
                return
        for source in sources:
            yield self._answer_or_error(source, query, self.threads_for(1))

    def _overlapped(
        self, sources: Iterator[ImageSource | Source], query: _Query, workers: int
    ) -> Iterator[Result]:
        from concurrent.futures import Future, ThreadPoolExecutor

        threads = self.threads_for(workers)
        pending: deque[Future[Result]] = deque()
        pool = ThreadPoolExecutor(workers, thread_name_prefix="whatsit")
        try:
            for source in sources:
                pending.append(pool.submit(self._answer_or_error, source, query, threads))
                # Twice the workers: enough that none waits for the consumer of the results.
                while pending and (pending[0].done() or len(pending) > 2 * workers):
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _answer_or_error(self, source: ImageSource | Source, query: _Query, threads: int) -> Result:
        try:
            return self._answer(source, query, threads)
        except InputError as error:
            return Result(_path_of(source), self.bundle.name, error=_without_frames(error))

    def _answer(self, source: ImageSource | Source, query: _Query, threads: int) -> Result:
        """The way of one picture: open, preprocess, run, rank."""
        picture = source.picture() if isinstance(source, Source) else source
        taken = inputs.read(
            picture, self.bundle, self.preprocess, region=query.region, rotation=query.rotation
        )
        start = time.perf_counter()
        with self._borrowed(threads) as runtime:
            scores = runtime.run(taken.batch)[0]  # (1, C) → (C,)
        inference_ms = (time.perf_counter() - start) * 1e3
        timings_ms = {**taken.timings_ms, "inference": inference_ms}
        return self._ranked(_path_of(source), scores, query, timings_ms)

    def _ranked(
        self,
        path: str | None,
        scores: NDArray[np.float32],
        query: _Query,
        timings_ms: dict[str, float],
    ) -> Result:
        if query.mask is not None:
            scores = np.where(query.mask, scores, np.float32(-1.0))  # below any probability
        labels = self.bundle.labels
        best = [i for i in top_k(scores, query.top) if scores[i] >= query.threshold]
        predictions = tuple(
            Prediction(i, labels.names[i], float(scores[i]), labels.synset(i)) for i in best
        )
        answer = verdict(np.maximum(scores, np.float32(0.0))) if best else Verdict.UNKNOWN
        return Result(path, self.bundle.name, answer, predictions, timings_ms)

    @contextlib.contextmanager
    def _borrowed(self, threads: int) -> Iterator[Runtime]:
        """An engine that nobody else uses meanwhile; opened if all are in use."""
        runtime = self._take(threads) or open_runtime(
            self.bundle, self._runtime_name, threads=threads
        )
        try:
            yield runtime
        except BaseException:  # it may be in any state, or dead
            runtime.close()
            raise
        self._give_back(runtime, threads)

    def _take(self, threads: int) -> Runtime | None:
        with self._lock:
            if self._closed:
                raise UsageError("the classifier is closed", hint="open it again")
            idle = self._idle.setdefault(threads, [])
            return idle.pop() if idle else None

    def _give_back(self, runtime: Runtime, threads: int) -> None:
        with self._lock:
            if self._closed:
                runtime.close()
            else:
                self._idle[threads].append(runtime)


def load(
    model: str | os.PathLike[str] | None = None,
    *,
    threads: int | None = None,
    preprocess: Preprocess | str | None = None,
    runtime: str | None = None,
) -> Classifier:
    """The classifier of a built-in model (default: the catalogue's) or of a path to a .tflite.

    A name without a folder and without .tflite is looked up in the catalogue, then among the
    imported models. The other arguments are those of Classifier. Raises ModelError or UsageError.
    """
    return Classifier(open_bundle(model), threads=threads, preprocess=preprocess, runtime=runtime)


def open_bundle(model: str | os.PathLike[str] | None = None) -> Bundle:
    """The bundle of a built-in (default: the catalogue's) or imported model, or of a .tflite."""
    name = zoo.DEFAULT if model is None else model
    if not isinstance(name, str) or name.endswith(".tflite") or os.path.dirname(name):
        return Bundle.read(name)
    return zoo.open_model(name)


def default_threads(workers: int = 1) -> int:
    """Threads for one picture, if nobody says otherwise, while `workers` are classified at once."""
    return max(1, min(cpu_count() // workers, _MAX_DEFAULT_THREADS))


def default_runtime(bundle: Bundle) -> str:
    """The engine, if nobody says otherwise: in this process only what we know."""
    return LITERT if zoo.is_builtin(bundle) else ISOLATED


def _keys(keys: Iterable[ClassKey]) -> Sequence[ClassKey]:
    """A list of class keys; a lone string means one class, not its letters."""
    return [keys] if isinstance(keys, (str, int)) else list(keys)


def _check_count(number: int, what: str) -> None:
    if not 1 <= number <= _MAX_COUNT:
        raise UsageError(f"{number} {what}", expected=f"a number from 1 to {_MAX_COUNT}")


def _without_frames(error: InputError) -> InputError:
    """`error` without its tracebacks, whose frames would keep every decoded picture alive."""
    link: BaseException | None = error
    while link is not None:
        link.__traceback__ = None
        link = link.__cause__ or link.__context__
    return error


def _path_of(source: ImageSource | Source) -> str | None:
    if isinstance(source, Source):
        return source.path
    return os.fspath(source) if isinstance(source, (str, os.PathLike)) else None
