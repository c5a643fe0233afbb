"""`whatsit batch`: any number of pictures into one file, and going on after any stop."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING

import click

from ..wording import counted, figures, shown
from . import output, progress
from .options import (
    allow_option,
    deny_option,
    model_option,
    preprocess_option,
    region_option,
    rotate_option,
    runtime_option,
    threshold_option,
    top_option,
    trust_options,
    workers_option,
)

if TYPE_CHECKING:
    from ..batch import BatchReport

_SHOWN_CODES = 8
_COLUMNS = 80


# Whether a value makes sense is for the library to say, which says it in our own three lines.
@click.command(no_args_is_help=True)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...", type=click.UNPROCESSED)
@click.option(
    "-o",
    "--out",
    required=True,
    metavar="OUT",
    help="The file to write: .jsonl, .csv (both also with .gz) or .parquet; a path or a URL.",
)
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
@click.option(
    "--embeddings",
    is_flag=True,
    help="Also write the vector before the model's last layer, as float16 (not into .csv).",
)
@click.option(
    "--columns",
    metavar="A,B,C",
    help="The columns to write, in this order: path, verdict, label, index, score, synset, "
    "label_2 …, labels, indices, scores, embedding, error_code, error_message, and those of the "
    "input table (input.label for one that has the name of one of ours).",
)
@click.option(
    "--column",
    metavar="NAME",
    help="The column of an input table that has the paths or the bytes.  [default: path, file, "
    "filename, image, url or bytes]",
)
@click.option(
    "--shard-rows",
    type=int,
    metavar="N",
    help="Cut the output into files of N rows: out-00000-of-00012.parquet …",
)
@workers_option
@click.option("--no-cache", is_flag=True, help="Neither use nor keep answers by content.")
@click.option("--restart", is_flag=True, help="Forget what an interrupted run has done.")
@click.option(
    "--engine",
    default="local",
    metavar="NAME",
    help="local, or ray for a Ray cluster.  [default: local]",
)
@click.option(
    "--address",
    metavar="HOST:PORT",
    help="The Ray cluster to use.  [default: one on this machine]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as a JSON object.")
def command(
    inputs: tuple[str, ...],
    out: str,
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
    embeddings: bool,
    columns: str | None,
    column: str | None,
    shard_rows: int | None,
    workers: int | None,
    no_cache: bool,
    restart: bool,
    engine: str,
    address: str | None,
    as_json: bool,
) -> int:
    """Classify any number of pictures into one file.

    INPUT is a file, a folder (with all below it), a pattern such as "photos/**/*.jpg", @list.txt
    for a file with one of these a line, a .csv, .tsv or .parquet with paths or pictures, or the URL
    of any of these: s3://…, gs://…, https://… (extra `batch`).

    A run that was stopped, however that came about, goes on where it was when the same command is
    given again, and ends with the same bytes. What failed is in the output, and in a list of its
    own, OUT.errors.jsonl.

    Exit status: 0 if all pictures were classified, 1 if some failed, 2 for wrong usage.
    """
    from ..batch import batch

    stage = _Stage()
    try:
        with _terminable(), stage.bar() as advance:
            report = batch(
                inputs,
                out,
                model=model,
                engine=engine,
                address=address,
                top=top,
                threshold=threshold,
                raw=raw,
                coverage=coverage,
                acceptance=acceptance,
                allow=allow,
                deny=deny,
                region=region,
                rotation=rotate,
                embeddings=embeddings,
                columns=None if columns is None else [c.strip() for c in columns.split(",")],
                column=column,
                shard_rows=shard_rows,
                workers=workers,
                cache=not no_cache,
                restart=restart,
                preprocess=preprocess,
                runtime=runtime,
                progress=advance,
                note=output.print_note,
            )
    except KeyboardInterrupt as stop:
        output.print_note(stage.stopped())
        return 128 + (signal.SIGTERM if isinstance(stop, _Terminated) else signal.SIGINT)
    if as_json:
        output.print_json(report.to_json())
    else:
        _print(report)
    return 1 if report.failed or not report.pictures else 0


class _Terminated(KeyboardInterrupt):
    """SIGTERM, which stops a run as Ctrl-C does."""


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM raises _Terminated meanwhile."""
    ignored = signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    if ignored or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise _Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _Stage:
    """How far a run is, for the bar and for whoever stops it."""

    def __init__(self) -> None:
        self._done = 0
        self._total: int | None = None
        self._first: tuple[float, int] | None = None  # when this run began, and from where

    @contextlib.contextmanager
    def bar(self) -> Iterator[Callable[[int, int | None, int], None]]:
        """Takes what `batch` tells of its progress."""
        with progress.bar() as advance:

            def told(done: int, total: int | None, failed: int) -> None:
                self._done, self._total = done, total
                advance(done, total, self._remark(done, total, failed))

            yield told

    def stopped(self) -> str:
        """A line for whoever has stopped the run."""
        if self._total is None:
            return "interrupted before the first picture: the same command begins or goes on"
        return (
            f"interrupted after {self._done:,} of {counted(self._total, 'picture')}: the same "
            "command goes on from there"
        )

    def _remark(self, done: int, total: int | None, failed: int) -> str:
        if total is None:
            return "listed"
        if self._first is None:
            self._first = time.monotonic(), done
        start, before = self._first
        took_s = time.monotonic() - start
        rate = f"{figures((done - before) / took_s)}/s" if took_s > 1 else ""
        return "  ".join(filter(None, (rate, f"{failed:,} failed" if failed else "")))


def _print(report: BatchReport) -> None:
    """What was done, and where it is."""
    good = report.pictures - report.failed
    failed = f", {report.failed:,} failed" if report.failed else ""
    output.line(output.styled(f"{counted(good, 'picture')} classified{failed}", bold=True))
    often = sorted(report.by_code.items(), key=lambda pair: (-pair[1], pair[0]))
    for code, number in often[:_SHOWN_CODES]:
        start = f"{number:>9,}  {code}  "
        said, _, _ = report.examples[code].partition("; expected ")
        output.line(start + shown(said, _COLUMNS - len(start)))
    first, *others = map(output.printable, report.out)
    lines = {
        "Time": _speed(report),
        "Earlier": f"{report.resumed:,} were done before" if report.resumed else "",
        "Cache": f"{report.from_cache:,} answered from it" if report.from_cache else "",
        "Output": first + (f" and {len(others):,} more" if others else ""),
        "Errors": output.printable(report.errors or ""),
    }
    for label, text in lines.items():
        if text:
            output.line(f"{label:<9}{text}")


def _speed(report: BatchReport) -> str:
    fresh = report.pictures - report.resumed
    if not fresh:
        return ""
    return f"{_duration(report.wall_s)}, {figures(report.per_s)} pictures a second"


def _duration(seconds: float) -> str:
    """`12.3 s`, `4 min 5 s`, `3 h 20 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60:,} h {minutes % 60} min"
