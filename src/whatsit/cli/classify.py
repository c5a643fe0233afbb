"""`whatsit classify`: pictures in, answers out."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

import click

from ..errors import UsageError
from ..results import Result
from ..sources import Source, expand
from . import output, progress
from .opened import opened
from .options import (
    allow_option,
    deny_option,
    model_option,
    preprocess_option,
    region_option,
    rotate_option,
    runtime_option,
    threads_option,
    threshold_option,
    top_option,
    trust_options,
    workers_option,
)

_PROGRESS_FROM = 8  # pictures: fewer are done before a bar is read


# Whether a value makes sense is for the library to say, which says it in our own three lines.
@click.command(no_args_is_help=True)
@click.argument("inputs", nargs=-1, required=True, metavar="PICTURE...", type=click.UNPROCESSED)
@model_option
@top_option
@threshold_option
@allow_option
@deny_option
@region_option
@rotate_option
@trust_options
@preprocess_option
@runtime_option
@threads_option
@workers_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a picture.")
@click.option("--csv", "as_csv", is_flag=True, help="One CSV row a class.")
def command(
    inputs: tuple[str, ...],
    model: str | None,
    top: int,
    threshold: float,
    allow: tuple[str, ...],
    deny: tuple[str, ...],
    region: tuple[float, float, float, float] | None,
    rotate: int,
    raw: bool,
    coverage: float,
    acceptance: float,
    preprocess: str | None,
    runtime: str | None,
    threads: int | None,
    workers: int | None,
    as_json: bool,
    as_csv: bool,
) -> int:
    """Say what is in pictures.

    PICTURE is a file, a folder (with all below it), a pattern such as "holiday/**/*.jpg", - for
    the bytes of one picture on standard input, or @list.txt for a file with one of these a line.

    Exit status: 0 if all pictures were classified, 1 if some failed, 2 for wrong usage.
    """
    if as_json and as_csv:
        raise UsageError("both --json and --csv", expected="one of them")
    with opened(
        model,
        threads=threads,
        preprocess=preprocess,
        runtime=runtime,
        raw=raw,
        coverage=coverage,
        acceptance=acceptance,
    ) as classifier:
        sources, total = _counted(expand(inputs))
        results = classifier.classify_many(
            sources,
            workers=workers,
            top=top,
            threshold=threshold,
            allow=allow,
            deny=deny,
            region=region,
            rotation=rotate,
        )
        write = _writer(as_json, as_csv)
        failed = 0
        for result in _with_progress(results, total):
            write(result)
            failed += result.error is not None
    return 1 if failed else 0


def _writer(as_json: bool, as_csv: bool) -> output.Writer:
    if as_json:
        return output.json_writer()
    return output.csv_writer() if as_csv else output.text_writer()


def _counted(sources: Iterator[Source]) -> tuple[Iterable[Source], int | None]:
    """The sources, and their number where a progress bar would be seen beside the results."""
    if sys.stdout.isatty() or not sys.stderr.isatty():
        return sources, None
    found = list(sources)
    return found, len(found)


def _with_progress(results: Iterator[Result], total: int | None) -> Iterator[Result]:
    """`results`, with a bar while there are many; none without a total."""
    if total is None or total < _PROGRESS_FROM:
        yield from results
        return
    failed = 0
    with progress.bar() as advance:
        for done, result in enumerate(results, 1):
            yield result
            failed += result.error is not None
            advance(done, total, f"{failed} failed" if failed else "")
