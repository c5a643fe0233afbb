"""The classifier: a model, opened, that answers what is in a picture."""

from __future__ import annotations

import contextlib
import copy
import functools
import itertools
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import numpy as np

from . import inputs, zoo
from . import preprocess as preprocessing
from .bundle import Bundle
from .errors import InputError, UsageError
from .machine import cpu_count
from .overlapping import in_order
from .preprocess import Preprocess, Region
from .results import Prediction, Result, Verdict, top_k, verdict
from .runtimes import AUTO, ISOLATED, LITERT, RUNTIMES
from .runtimes.pool import Pool
from .scoring import Model, TappedModel, WholeModel, tapped_program
from .sources import Source
from .trust import ACCEPTANCE, COVERAGE, Judge, Judgement, check_shares, trust_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .engines import Pick
    from .images import ImageSource
    from .smoothing import Smoothing
    from .streaming import Stream

    Scorer = Callable[[ImageSource], "Seen"]

ClassKey = int | str
_MAX_COUNT = 1024  # of threads or workers: more is a slip of the finger, and none could start
_MAX_DEFAULT_THREADS = 4  # beyond it, one small picture at a time gains nothing


@dataclass(frozen=True, slots=True)
class Seen:
    """What a model makes of one picture: all scores (C,), -1 where a class may not be answered.

    `embedding` (D,) is there where the classifier was opened for it, `judgement` where the bundle
    is calibrated.
    """

    scores: NDArray[np.float32]
    timings_ms: dict[str, float]
    embedding: NDArray[np.float32] | None = None
    judgement: Judgement | None = None


@dataclass(frozen=True, slots=True)
class _View:
    """How each picture is looked at; `mask` (C,) says which classes may be answered."""

    mask: NDArray[np.bool_] | None
    region: Region | None
    rotation: int


@dataclass(frozen=True, slots=True)
class _Query:
    """What is asked of each picture."""

    top: int
    threshold: float
    view: _View


class Classifier:
    """Answers what is in a picture. Safe to use from several threads; a context manager.

    `threads` is the number of threads for one picture (default: the cores, at most 4),
    `preprocess` replaces the bundle's preprocessing rule. `runtime` names the inference engine; by
    default a built-in model runs in this process (`litert`) and any other in one of its own
    (`isolated`), since nobody can know what it does. `auto` is the fastest that gives the right
    answers here; `pick` then says why. All but `litert` are opened here, so that a model that
    cannot run is refused before the first picture. With `embeddings`, each Result carries the
    vector that the model's last layer reads; ModelUnsupported for a model without one.

    Scores are calibrated, unless they are to be `raw`. An answer is sure or ambiguous by a set of
    classes that holds the truth for a share `coverage` of pictures; unknown is what looks less like
    the known pictures than a share `acceptance` of those do. A bundle without calibration is judged
    by a margin.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        threads: int | None = None,
        preprocess: Preprocess | str | None = None,
        runtime: str | None = None,
        embeddings: bool = False,
        raw: bool = False,
        coverage: float = COVERAGE,
        acceptance: float = ACCEPTANCE,
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
        self._judge = _judge(bundle, coverage, acceptance)
        self._raw = raw
        self._embeddings = embeddings
        tensor = None if self._judge is None else self._judge.tensor
        taps = embeddings or tensor is not None
        self._tapped = tapped_program(bundle, tensor) if taps else None
        self._models: Pool[Model] = Pool(self._opened)
        if self._runtime_name != LITERT:
            with self._models.lent(self.threads_for(1)):
                pass

    @property
    def runtime(self) -> str:
        """The name of the inference engine that is used."""
        return self._runtime_name

    @property
    def pick(self) -> Pick | None:
        """What `auto` tried and why it chose this engine; None where it was not asked."""
        return self._pick

    @property
    def raw(self) -> bool:
        """Whether scores are the model's own, not calibrated."""
        return self._raw

    @property
    def calibrated(self) -> bool:
        """Whether the bundle says how far its scores can be trusted."""
        return self._judge is not None

    def variant(
        self,
        *,
        preprocess: Preprocess | str | None = None,
        raw: bool = False,
        coverage: float = COVERAGE,
        acceptance: float = ACCEPTANCE,
    ) -> Classifier:
        """The same model on the same engines, with other settings; without any, the bundle's.

        Closing either closes both. Raises UsageError as the class does.
        """
        if isinstance(preprocess, str):
            preprocess = Preprocess.parse(preprocess)
        other = copy.copy(self)
        other.preprocess = preprocess or self.bundle.preprocess
        other._judge = _judge(self.bundle, coverage, acceptance)
        other._raw = raw
        return other

    def warm(self, workers: int = 1) -> None:
        """Opens the engines for so many pictures at the same time, and runs each once.

        Raises ModelError if the model fails, RuntimeUnavailable without its engine.
        """
        spec, threads = self.bundle.input, self.threads_for(workers)
        black = inputs.tensor(spec, np.zeros((1, spec.height, spec.width, 3), np.uint8))
        with contextlib.ExitStack() as lent:
            for model in [lent.enter_context(self._models.lent(threads)) for _ in range(workers)]:
                model.score(black)

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

    def stream(
        self,
        source: int | str | os.PathLike[str] | IO[bytes],
        *,
        top: int = 5,
        threshold: float = 0.0,
        allow: Iterable[ClassKey] = (),
        deny: Iterable[ClassKey] = (),
        region: Region | None = None,
        rotation: int = 0,
        every_ms: float | None = None,
        until_ms: float | None = None,
        live: bool | None = None,
        smoothing: Smoothing | None = None,
        workers: int | None = None,
        format: str | None = None,
        size: tuple[int, int] | None = None,
        fps: float | None = None,
        note: Callable[[str], None] | None = None,
        patience_s: float | None = None,
    ) -> Stream:
        """What is in a video file, camera or stream, frame by frame, and what has changed in it.

        streaming.stream says what each argument does. Needs the extra `video`.
        """
        from . import streaming  # here, since pictures alone need none of it

        return streaming.stream(
            self,
            source,
            top=top,
            threshold=threshold,
            allow=allow,
            deny=deny,
            region=region,
            rotation=rotation,
            every_ms=every_ms,
            until_ms=until_ms,
            live=live,
            smoothing=smoothing,
            workers=workers,
            format=format,
            size=size,
            fps=fps,
            note=note,
            patience_s=patience_s,
        )

    def scorer(
        self,
        *,
        allow: Iterable[ClassKey] = (),
        deny: Iterable[ClassKey] = (),
        region: Region | None = None,
        rotation: int = 0,
        workers: int = 1,
    ) -> Scorer:
        """A function that gives what the model makes of a picture, for `answer` to rank.

        It may be called by several threads; `workers` says by how many at the same time. The
        arguments are those of `classify`, checked once. The function raises an InputError for a
        bad picture.
        """
        view = self._view(allow, deny, region, rotation)
        return functools.partial(self._see, view=view, threads=self.threads_for(workers))

    def answer(
        self, seen: Seen, *, path: str | None = None, top: int = 5, threshold: float = 0.0
    ) -> Result:
        """The `top` most likely classes of what `scorer` gave that score at least `threshold`."""
        scores, labels, judgement = seen.scores, self.bundle.labels, seen.judgement
        best = [i for i in top_k(scores, top) if scores[i] >= threshold]
        predictions = tuple(
            Prediction(i, labels.names[i], float(scores[i]), labels.synset(i)) for i in best
        )
        return Result(
            path,
            self.bundle.name,
            _verdict(seen) if best else Verdict.UNKNOWN,
            predictions,
            seen.timings_ms,
            embedding=seen.embedding,
            label_set=None
            if judgement is None
            else tuple(labels.names[i] for i in judgement.likely),
            broader=None if judgement is None else judgement.broader,
            probably=None if judgement is None else judgement.probably,
        )

    def close(self) -> None:
        """Releases the inference engines. The classifier cannot be used after it."""
        self._models.close()

    def __enter__(self) -> Classifier:
        return self

    def __exit__(self, *_: object) -> None:
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
        check_ranking(top, threshold)
        return _Query(top, threshold, self._view(allow, deny, region, rotation))

    def _view(
        self,
        allow: Iterable[ClassKey],
        deny: Iterable[ClassKey],
        region: Region | None,
        rotation: int,
    ) -> _View:
        preprocessing.check_region(region)
        preprocessing.check_rotation(rotation)
        mask = self.bundle.labels.mask(_keys(allow), _keys(deny))
        return _View(mask, region, rotation)

    def _opened(self, threads: int) -> Model:
        if self._tapped is not None:
            return TappedModel(self._tapped, self._runtime_name, threads)
        return WholeModel(self.bundle, self._runtime_name, threads)

    def _picked(self) -> Pick:
        from . import engines  # here, since only `auto` needs it

        return engines.pick(self.bundle, threads=self.threads_for(1))

    def _answers(
        self, sources: Iterator[ImageSource | Source], query: _Query, workers: int
    ) -> Iterator[Result]:
        if workers > 1:
            first_two = list(itertools.islice(sources, 2))
            sources = itertools.chain(first_two, sources)
            if len(first_two) < 2:  # a lone picture gets all threads, and no pool
                workers = 1
        threads = self.threads_for(workers)

        def answered(source: ImageSource | Source) -> Result:
            return self._answer_or_error(source, query, threads)

        yield from in_order(answered, sources, workers)

    def _answer_or_error(self, source: ImageSource | Source, query: _Query, threads: int) -> Result:
        try:
            return self._answer(source, query, threads)
        except InputError as error:
            return Result(_path_of(source), self.bundle.name, error=_without_frames(error))

    def _answer(self, source: ImageSource | Source, query: _Query, threads: int) -> Result:
        """The way of one picture: open, preprocess, run, rank."""
        picture = source.picture() if isinstance(source, Source) else source
        seen = self._see(picture, view=query.view, threads=threads)
        return self.answer(seen, path=_path_of(source), top=query.top, threshold=query.threshold)

    def _see(self, picture: ImageSource, *, view: _View, threads: int) -> Seen:
        taken = inputs.read(
            picture, self.bundle, self.preprocess, region=view.region, rotation=view.rotation
        )
        start = time.perf_counter()
        with self._models.lent(threads) as model:
            scores, embedding = model.score(taken.batch)
        inference_ms = (time.perf_counter() - start) * 1e3
        judgement = None
        if self._judge is not None:
            calibrated, judgement = self._judge.judge(scores, embedding, view.mask)
            scores = scores if self._raw else calibrated
        if view.mask is not None:
            scores = np.where(view.mask, scores, np.float32(-1.0))  # below any probability
        timings_ms = {**taken.timings_ms, "inference": inference_ms}
        return Seen(scores, timings_ms, embedding if self._embeddings else None, judgement)


def load(
    model: str | os.PathLike[str] | None = None,
    *,
    threads: int | None = None,
    preprocess: Preprocess | str | None = None,
    runtime: str | None = None,
    embeddings: bool = False,
    raw: bool = False,
    coverage: float = COVERAGE,
    acceptance: float = ACCEPTANCE,
) -> Classifier:
    """The classifier of a built-in model (default: the catalogue's) or of a path to a .tflite.

    A name without a folder and without .tflite is looked up in the catalogue, then among the
    imported models. The other arguments are those of Classifier. Raises ModelError or UsageError.
    """
    return Classifier(
        open_bundle(model),
        threads=threads,
        preprocess=preprocess,
        runtime=runtime,
        embeddings=embeddings,
        raw=raw,
        coverage=coverage,
        acceptance=acceptance,
    )


def open_bundle(model: str | os.PathLike[str] | None = None) -> Bundle:
    """The bundle of a built-in (default: the catalogue's) or imported model, or of a .tflite."""
    name = zoo.DEFAULT if model is None else model
    if not isinstance(name, str) or name.endswith(".tflite") or os.path.dirname(name):
        return Bundle.read(name)
    return zoo.open_model(name)


def check_ranking(top: int, threshold: float) -> None:
    """Raises UsageError unless answers can be cut to `top` classes that score `threshold`."""
    if top < 1:
        raise UsageError(f"the top {top} classes", expected="at least 1")
    if not 0 <= threshold <= 1:
        raise UsageError(f"a threshold of {threshold}", expected="a probability from 0 to 1")


def default_threads(workers: int = 1) -> int:
    """Threads for one picture, if nobody says otherwise, while `workers` are classified at once."""
    return max(1, min(cpu_count() // workers, _MAX_DEFAULT_THREADS))


def default_runtime(bundle: Bundle) -> str:
    """The engine, if nobody says otherwise: in this process only what we know."""
    return LITERT if zoo.is_builtin(bundle) else ISOLATED


def _judge(bundle: Bundle, coverage: float, acceptance: float) -> Judge | None:
    check_shares(coverage, acceptance)
    trust = trust_of(bundle)
    return None if trust is None else trust.at(bundle.labels, coverage, acceptance)


def _verdict(seen: Seen) -> Verdict:
    """By the set of likely classes, or by a margin where the bundle is not calibrated."""
    judgement = seen.judgement
    if judgement is None:
        return verdict(np.maximum(seen.scores, np.float32(0.0)))
    if not judgement.known:
        return Verdict.UNKNOWN
    return Verdict.SURE if len(judgement.likely) == 1 else Verdict.AMBIGUOUS


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
