"""Printing shared by all commands: results, errors, and what a terminal can show."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import click

from ..errors import WhatsitError
from ..results import Result, Verdict

Writer = Callable[[Result], None]

_PROGRESS_FROM = 8  # pictures: fewer are done before a bar is read
_BAR_WIDTH = 20
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_NOTHING = "  no class scores high enough"
_VERDICT_COLOURS = {Verdict.SURE: "green", Verdict.AMBIGUOUS: "yellow", Verdict.UNKNOWN: "red"}
_CSV_HEADER = ("path", "rank", "index", "label", "score", "verdict", "error")


def print_json(value: Any) -> None:
    """One object on one line. Non-ASCII is escaped, which every encoding of the output can hold."""
    _write(json.dumps(value, separators=(", ", ": ")) + "\n")


def print_error(error: WhatsitError) -> None:
    """`error`, `expected` and `hint` on standard error, a line each."""
    colour = _colours(sys.stderr)
    lines = [("error", error.message), ("expected", error.expected), ("hint", error.hint)]
    for name, text in lines:
        if text:
            label = f"{name:<8}"
            if colour:
                label = click.style(label, fg="red" if name == "error" else "cyan", bold=True)
            # The stream by name: a progress bar has put its own in place of it.
            click.echo(f"{label}  {printable(text)}", file=sys.stderr, color=colour)


def print_note(text: str) -> None:
    """A remark for a person, on standard error."""
    click.echo(f"note      {printable(text)}", err=True)


def print_warning(text: str) -> None:
    """A reason to doubt the results, on standard error."""
    label = f"{'warning':<8}"
    if _colours(sys.stderr):
        label = click.style(label, fg="yellow", bold=True)
    click.echo(f"{label}  {printable(text)}", file=sys.stderr, color=_colours(sys.stderr))


def json_writer() -> Writer:
    """One JSON object a result."""
    return lambda result: print_json(result.to_json())


def csv_writer() -> Writer:
    """A header, then one row a prediction; a failed picture is one row with its error's code."""
    _write(_csv_line(_CSV_HEADER))
    return _print_csv


def text_writer() -> Writer:
    """For people: the picture, its verdict, a line a class; bars and colours on a terminal."""
    return _print_terminal if sys.stdout.isatty() else _print_plain


def shows_progress() -> bool:
    """Whether a progress bar would be seen, and would not be drawn into the results."""
    return sys.stderr.isatty() and not sys.stdout.isatty()


def with_progress(results: Iterator[Result], total: int | None) -> Iterator[Result]:
    """`results`, with a bar on standard error while there are many; none without a total."""
    if total is None or total < _PROGRESS_FROM:
        yield from results
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    failed = 0
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    # Standard output is left alone: rich would print what is written to it on its own console.
    with Progress(
        *columns, console=Console(stderr=True), transient=True, redirect_stdout=False
    ) as progress:
        task = progress.add_task("", total=total)
        for result in results:
            yield result
            failed += result.error is not None
            progress.update(task, advance=1, description=f"{failed} failed" if failed else "")


@contextlib.contextmanager
def status() -> Iterator[Callable[[str], None]]:
    """Says on standard error what is being done, where somebody sees it; gone at the end."""
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    from rich.console import Console

    # As text: what is said may hold the names of files.
    with Console(stderr=True, markup=False).status("") as shown:
        yield lambda text: shown.update(printable(text))


def printable(text: str) -> str:
    """`text` with everything that could garble or steer a terminal shown as an escape."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in _utf8(text)
    )


def _utf8(text: str) -> str:
    """Bytes of a file name that are no UTF-8, which Python keeps as surrogates, as \\xff."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _print_csv(result: Result) -> None:
    _write("".join(map(_csv_line, _csv_rows(result))))
    if result.error is not None:
        print_error(result.error)  # its row holds no more than the code


def _print_plain(result: Result) -> None:
    if result.error is not None:
        print_error(result.error)
        return
    lines = [f"{printable(_name(result))}  {result.verdict.value if result.verdict else ''}"]
    lines += [f"  {100 * p.score:5.1f} %  {printable(p.label)}" for p in result.predictions]
    _write("\n".join(lines if result.predictions else [*lines, _NOTHING]) + "\n")


def _print_terminal(result: Result) -> None:
    if result.error is not None:
        print_error(result.error)
        return
    style = click.style if _colours(sys.stdout) else _unstyled
    verdict = result.verdict or Verdict.UNKNOWN
    colour = _VERDICT_COLOURS[verdict]
    head = style(printable(_name(result)), bold=True)
    lines = [f"{head}  {style(verdict.value, fg=colour)}"]
    for rank, prediction in enumerate(result.predictions):
        # None, unlike False, writes no code at all.
        bar = style(_bar(prediction.score), fg=colour, dim=rank > 0 or None)
        label = style(printable(prediction.label), bold=rank == 0 or None)
        lines.append(f"  {100 * prediction.score:5.1f} %  {bar}  {label}")
    _write("\n".join(lines if result.predictions else [*lines, _NOTHING]) + "\n")


def _unstyled(text: str, **_: Any) -> str:
    return text


def _write(text: str) -> None:
    """Text for standard output, as it is, and at once: a run that is killed keeps its results."""
    with _translated():
        click.echo(text, nl=False, color=True)


def flush() -> None:
    """Writes what is still held back. Raises WhatsitError where that fails."""
    with _translated():
        sys.stdout.flush()


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise  # the reader has gone, which is no error: see cli.LazyGroup.invoke
    except OSError as error:
        # Point it elsewhere, or Python would try again at exit, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise WhatsitError(
            f"cannot write the results: {error.strerror}", hint="is the disk full?"
        ) from error


def _name(result: Result) -> str:
    return "standard input" if result.path == "-" else str(result.path)


def _bar(score: float) -> str:
    """`score` from 0 to 1 as a bar of _BAR_WIDTH characters."""
    try:
        _EIGHTHS.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return ("#" * round(score * _BAR_WIDTH)).ljust(_BAR_WIDTH)
    full, rest = divmod(round(score * _BAR_WIDTH * 8), 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(_BAR_WIDTH)


def _csv_rows(result: Result) -> list[tuple[Any, ...]]:
    path = _utf8(result.path or "")
    if result.error is not None:
        return [(path, "", "", "", "", "", result.error.code)]
    verdict = result.verdict.value if result.verdict else ""
    if not result.predictions:
        return [(path, "", "", "", "", verdict, "")]
    return [
        (path, rank, p.index, p.label, f"{p.score:.6f}", verdict, "")
        for rank, p in enumerate(result.predictions, 1)
    ]


def _csv_line(row: tuple[Any, ...]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(row)
    return line.getvalue()


def _colours(stream: Any) -> bool:
    """Colours on a terminal, unless NO_COLOR (no-color.org) says otherwise."""
    return bool(stream.isatty()) and not os.environ.get("NO_COLOR")
