"""Many pictures at once: listed, answered in blocks, written whole, and resumed after any stop.

The inputs are listed once and cut into blocks. Each block that is done is a file in a folder beside
the output. When all are there, the output is put together of them and takes its place. So nothing
depends on how often a run was stopped, how many workers it had, or which engine did it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence

from .. import __version__, machine
from ..classifier import Classifier, ClassKey, open_bundle
from ..errors import UsageError
from ..graph.head import find_head
from ..preprocess import Preprocess, Region
from ..sources import STANDARD_INPUT
from ..trust import ACCEPTANCE, COVERAGE
from . import parquet
from .answering import Task
from .columns import Chosen, chosen
from .outputs import Output
from .report import BatchReport as BatchReport
from .report import Note, Progress
from .running import Run, Source, may_have_columns
from .writing import Style

ENGINES = ("local", "ray")


def batch(
    inputs: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    model: str | os.PathLike[str] | None = None,
    engine: str = "local",
    address: str | None = None,
    top: int = 5,
    threshold: float = 0.0,
    allow: Iterable[ClassKey] = (),
    deny: Iterable[ClassKey] = (),
    region: Region | None = None,
    rotation: int = 0,
    raw: bool = False,
    coverage: float = COVERAGE,
    acceptance: float = ACCEPTANCE,
    embeddings: bool = False,
    columns: Sequence[str] | None = None,
    column: str | None = None,
    shard_rows: int | None = None,
    workers: int | None = None,
    cache: bool = True,
    restart: bool = False,
    preprocess: Preprocess | str | None = None,
    runtime: str | None = None,
    progress: Progress | None = None,
    note: Note | None = None,
) -> BatchReport:
    """Classifies all pictures of `inputs` into the file `out`: JSON lines, CSV or Parquet.

    `inputs` are files, folders, patterns, @lists, CSV or Parquet tables with paths or bytes in
    their `column`, and fsspec URLs. A run that was stopped goes on when it is called again with the
    same arguments, and ends with the same bytes; `restart` begins anew. `engine` is "local" or
    "ray", the latter on the cluster at `address`. `embeddings` adds the vector before the last
    layer as float16, `columns` chooses and orders what a row has, `shard_rows` cuts the output into
    files of so many rows, `cache` answers bytes that were classified before from what was kept.
    The other arguments are those of `load` and `classify_many`. `progress(done, total, failed)` is
    called on the way, with a total of None while the inputs are listed; `note(text)` with remarks.

    Pictures that fail have their error in the output, and in the list of errors beside it.

    Raises UsageError for arguments that cannot work or that differ from those of the run that was
    stopped, ExtraMissing without what Parquet, URLs or Ray need, ModelError if the model fails, and
    WhatsitError where nothing can be written.
    """
    start = time.perf_counter()
    texts = _texts(inputs)
    output = Output.parse(os.fspath(out), sharded=shard_rows is not None)
    _check(texts, engine, address, workers, shard_rows)
    count = machine.cpu_count() if workers is None else workers
    bundle = open_bundle(model)
    with Classifier(
        bundle,
        threads=1,
        preprocess=preprocess,
        runtime=runtime,
        embeddings=embeddings,
        raw=raw,
        coverage=coverage,
        acceptance=acceptance,
    ) as classifier:
        own = chosen(
            columns,
            output.kind,
            top=min(top, len(bundle.labels)),
            embeddings=embeddings,
            tables=any(map(may_have_columns, texts)),
        )
        task = Task(
            name=bundle.name,
            model=bundle.data,
            runtime=classifier.runtime,
            preprocess=str(classifier.preprocess),
            style=_style(output, own, classifier, embeddings),
            top=top,
            threshold=threshold,
            allow=_keys(allow),
            deny=_keys(deny),
            region=region,
            rotation=rotation,
            raw=raw,
            coverage=coverage,
            acceptance=acceptance,
            cache=cache,
        )
        task.check(classifier, count)
        if note is not None:
            _tell(classifier, preprocess, note)
        source = Source(tuple(texts), column, own.carried)
        output.spare(texts, None if bundle.path is None else str(bundle.path))
        output.check()
        run = Run(task, source, output, shard_rows, engine, address, count, progress, note)
        return run.done(classifier, restart, start)


def _texts(inputs: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[str]:
    several = [inputs] if isinstance(inputs, (str, os.PathLike)) else inputs
    return [os.fspath(one) for one in several]


def _check(
    inputs: Sequence[str],
    engine: str,
    address: str | None,
    workers: int | None,
    shard_rows: int | None,
) -> None:
    if not inputs:
        raise UsageError("no inputs", expected="at least one file, folder, pattern, list or URL")
    if STANDARD_INPUT in inputs:
        raise UsageError(
            "one picture on standard input",
            expected="files, folders, patterns, lists, tables or URLs",
            hint="@- reads a list of them from standard input",
        )
    if engine not in ENGINES:
        raise UsageError(f"no engine {engine!r}", expected=f"one of {', '.join(ENGINES)}")
    if address is not None and engine != "ray":
        raise UsageError(f"an address with the engine {engine!r}", expected="the engine ray")
    if workers is not None and engine == "ray":
        raise UsageError(
            f"{workers} workers with the engine 'ray'",
            expected="no number: it takes the cores that its cluster has",
        )
    if shard_rows is not None and shard_rows < 1:
        raise UsageError(f"files of {shard_rows} rows", expected="at least 1")
    if engine == "ray":
        from . import cluster

        cluster.check(address)


def _style(output: Output, own: Chosen, classifier: Classifier, embeddings: bool) -> Style:
    if output.kind == "csv" and embeddings:
        raise UsageError(
            "embeddings in a CSV file", expected="an output that ends in .jsonl or .parquet"
        )
    bundle = classifier.bundle
    facts = {"model": bundle.name, "model_sha256": bundle.sha256, "version": __version__}
    width = find_head(bundle).width if embeddings else 0
    style = Style(output.kind, output.compressed, own.names, (), width, facts)
    if output.kind == "parquet":
        parquet.need()
    return style


def _tell(classifier: Classifier, preprocess: Preprocess | str | None, note: Note) -> None:
    if classifier.pick is not None:
        note(classifier.pick.reason)
    for remark in classifier.bundle.notes if preprocess is None else ():
        note(remark)


def _keys(keys: Iterable[ClassKey]) -> tuple[ClassKey, ...]:
    """Class keys; a lone one means itself, not its letters."""
    return (keys,) if isinstance(keys, (str, int)) else tuple(keys)
