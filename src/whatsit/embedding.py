"""Pictures as vectors: what a model computes of them before it decides on a class.

Pictures that a model finds alike have embeddings that are near each other. They are all that
`train` and the data set doctor need of a picture, so each is computed once and kept.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import stat
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from . import inputs, machine
from ._vectors import VectorCache
from .bundle import Bundle, OutputSpec
from .classifier import default_runtime, open_bundle
from .engines import EITHER_LITERT
from .errors import InputError, UsageError
from .graph.head import embedding_graph, find_head
from .runtimes import LITERT, Graph, open_runtime
from .runtimes.base import Runtime
from .runtimes.pool import Pool

if TYPE_CHECKING:
    from PIL import Image

Floats = NDArray[np.float32]
Progress = Callable[[int, int], None]  # (done, total)
Show: TypeAlias = "Callable[[str, Image.Image], None]"

_FORMAT = 1  # of what is kept; another one is another key
_MAX_WORKERS = 1024
_MAX_HASHED_BYTES = 1 << 30  # what images refuses to read as a stream


@dataclass(frozen=True)
class Embeddings:
    """The vectors (N, D) of N pictures, in their order; a row of NaN for one that failed.

    `failures` are the errors of those, by row. `problem` says why the vectors could not be kept
    for the next time, if so.
    """

    vectors: Floats = field(repr=False)
    failures: Mapping[int, InputError]
    problem: str = ""

    def __len__(self) -> int:
        return len(self.vectors)


def embed(
    model: Bundle | str | os.PathLike[str] | None,
    pictures: Sequence[str | os.PathLike[str]],
    *,
    workers: int | None = None,
    runtime: str | None = None,
    keep: bool = True,
    progress: Progress | None = None,
    show: Show | None = None,
) -> Embeddings:
    """The embeddings of the pictures at these paths, by a bundle, or the model that `load` takes.

    `workers` pictures (default: the cores) are decoded and run at the same time. `runtime` names
    the engine (default: `litert` for a built-in model, `isolated` for any other). Embeddings are
    kept in the cache folder by the content of each file, unless `keep` is False, so that they are
    computed once; `progress(done, total)` is called on the way, and `show(path, image)`, from any
    thread, with each picture that is opened, as images.open_image gives it. Raises ModelUnsupported
    for a model without an embedding, and ModelError if it fails.
    """
    if isinstance(pictures, (str, bytes, os.PathLike)):
        raise UsageError(f"a lone {type(pictures).__name__} for many pictures", expected="a list")
    workers = machine.cpu_count() if workers is None else workers
    if not 1 <= workers <= _MAX_WORKERS:
        raise UsageError(f"{workers} workers", expected=f"a number from 1 to {_MAX_WORKERS}")
    bundle = model if isinstance(model, Bundle) else open_bundle(model)
    engine = runtime or default_runtime(bundle)
    width = find_head(bundle).width
    vectors = np.full((len(pictures), width), np.nan, np.float32)
    failures: dict[int, InputError] = {}
    cache = VectorCache(_key(bundle, engine), width) if keep else None
    paths = [os.fspath(path) for path in pictures]
    with (
        contextlib.closing(_Backbone(bundle, engine, width, cache, show)) as backbone,
        contextlib.closing(_overlapped(backbone, paths, workers)) as results,  # ends before it
    ):
        for row, result in enumerate(results):
            if isinstance(result, InputError):
                failures[row] = result
            else:
                vectors[row] = result
            if progress is not None:
                progress(row + 1, len(pictures))
    return Embeddings(vectors, failures, cache.problem if cache is not None else "")


_Stamp: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Content:
    """The SHA-256 of a file, and what it was when that was taken."""

    digest: bytes
    stamp: _Stamp


class _Backbone:
    """A bundle up to its embedding, for several threads at once: each borrows an engine."""

    def __init__(
        self,
        bundle: Bundle,
        engine: str,
        width: int,
        cache: VectorCache | None,
        show: Show | None,
    ) -> None:
        self._bundle = bundle
        self._engine = engine
        self._graph: Graph | None = None
        self._width = width
        self._cache = cache
        self._show = show
        self._engines: Pool[Runtime] = Pool(self._opened)

    def prepare(self) -> None:
        """Cuts the graph, once, before there are several threads."""
        output = OutputSpec("float32", self._width)
        self._graph = Graph(self._bundle.name, embedding_graph(self._bundle), output)

    def known(self, path: str) -> tuple[_Content | None, Floats | None]:
        """What is in a file, None if it is not to be kept, and its embedding, if it was."""
        content = _content(path) if self._cache is not None else None
        if content is None or self._cache is None:
            return None, None
        return content, self._cache.get(content.digest)

    def vector(self, path: str) -> Floats | InputError:
        """The embedding (D,) of one picture, or what is wrong with it."""
        try:
            show = None if self._show is None else functools.partial(self._show, path)
            batch = inputs.read(path, self._bundle, self._bundle.preprocess, show=show).batch
        except InputError as error:
            error.__traceback__ = None  # its frames would keep the picture alive
            return error
        with self._engines.lent(threads=1) as runtime:
            vector: Floats = runtime.raw(batch)[0]  # (1, D) → (D,)
        return vector

    def add(self, path: str, content: _Content | None, vector: Floats) -> None:
        """Keeps an embedding for the next time, unless the file has changed since `known`."""
        if content is not None and self._cache is not None and _stamp(path) == content.stamp:
            self._cache.add(content.digest, vector)

    def close(self) -> None:
        """Releases the engines and closes the cache."""
        self._engines.close()
        if self._cache is not None:
            self._cache.close()

    def _opened(self, threads: int) -> Runtime:
        assert self._graph is not None
        return open_runtime(self._graph, self._engine, threads=threads)


def _overlapped(
    backbone: _Backbone, paths: list[str], workers: int
) -> Generator[Floats | InputError, None, None]:
    """An embedding or an error for each path, in order. One thread each: that is the most a second.

    All are looked up first, since a run where nothing is missing then needs no engine.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="whatsit")
    try:
        lookups = list(pool.map(backbone.known, paths))
        pending: dict[int, Future[Floats | InputError]] = {}
        if any(vector is None for _, vector in lookups):
            backbone.prepare()
        for row, (path, (_, vector)) in enumerate(zip(paths, lookups, strict=True)):
            if vector is None:
                pending[row] = pool.submit(backbone.vector, path)
        for row, (content, vector) in enumerate(lookups):
            if vector is not None:
                yield vector
                continue
            result = pending.pop(row).result()
            if not isinstance(result, InputError):
                backbone.add(paths[row], content, result)
            yield result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _content(path: str) -> _Content | None:
    """What is in a file; None where opening it as a picture will say what is wrong."""
    stamp = _stamp(path)
    if stamp is None:
        return None
    try:
        with open(path, "rb") as file:
            return _Content(hashlib.sha256(file.read()).digest(), stamp)
    except OSError:
        return None


def _stamp(path: str) -> _Stamp | None:
    """What changes when a file is written or replaced; None for what is not to be kept."""
    try:
        about = os.stat(path)
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(about.st_mode) or about.st_size > _MAX_HASHED_BYTES:
        return None
    return about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns


def _key(bundle: Bundle, engine: str) -> str:
    """Names all that decides an embedding, besides the picture."""
    facts = machine.facts()
    engine = LITERT if engine in EITHER_LITERT else engine
    parts = (
        _FORMAT,
        bundle.sha256,
        str(bundle.preprocess),
        engine,
        facts["cpu"],
        facts["versions"],
    )
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
