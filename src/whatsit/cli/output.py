"""Printing shared by all commands: results, errors, and what a terminal can show."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from ..errors import WhatsitError
from ..results import Result, Verdict
from ..wording import shown, utf8

if TYPE_CHECKING:
    from rich.console import Console

Writer = Callable[[Result], None]
printable = shown  # foreign text is printed through it

_BAR_WIDTH = 20
_COLUMNS = 80  # of what stands on a terminal
_LABEL = 10  # columns of "error", "note" and the like
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_NOTHING = "  no class scores high enough"
_VERDICT_COLOURS = {Verdict.SURE: "green", Verdict.AMBIGUOUS: "yellow", Verdict.UNKNOWN: "red"}
_CSV_HEADER = ("path", "rank", "index", "label", "score", "verdict", "error")


def print_json(value: Any) -> None:
    """One object on one line. Non-ASCII is escaped, which every encoding of the output can hold."""
    _write(json.dumps(value, separators=(", ", ": ")) + "\n")


def line(text: str = "") -> None:
    """One line on standard output, as it is; foreign text in it must be made printable before."""
    _write(text + "\n")


def styled(text: str, **style: Any) -> str:
    """`text` in a style of click.style, where standard output shows colours; else as it is."""
    return click.style(text, **style) if _colours(sys.stdout) else text


def console(*, soft_wrap: bool = True, markup: bool = False) -> Console:
    """Standard output for tables and styles, with the errors that `line` has.

    With `soft_wrap`, lines are broken by the terminal and not by rich.
    """
    from rich.console import Console

    class Translating(Console):
        def print(self, *objects: Any, **options: Any) -> None:
            with _translated():
                super().print(*objects, **options)

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich would end the program: see cli.LazyGroup.invoke

    return Translating(highlight=False, markup=markup, soft_wrap=soft_wrap)


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
            click.echo(f"{label}  {_wrapped(text)}", file=sys.stderr, color=colour)


def print_note(text: str) -> None:
    """A remark for a person, on standard error."""
    click.echo(noted(text), err=True)


def noted(text: str) -> str:
    """The remark as `print_note` prints it."""
    return f"note      {_wrapped(text)}"


def print_warning(text: str) -> None:
    """A reason to doubt the results, on standard error."""
    label = f"{'warning':<8}"
    if _colours(sys.stderr):
        label = click.style(label, fg="yellow", bold=True)
    click.echo(f"{label}  {_wrapped(text)}", file=sys.stderr, color=_colours(sys.stderr))


def _wrapped(text: str) -> str:
    """A remark's text, behind its label: whole words on a terminal; elsewhere as it is."""
    safe = printable(text)
    room = _COLUMNS - _LABEL
    if len(safe) <= room or not sys.stderr.isatty():
        return safe
    import textwrap

    lines = textwrap.wrap(safe, room, break_long_words=False, break_on_hyphens=False)
    return ("\n" + " " * _LABEL).join(lines)


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


def _print_csv(result: Result) -> None:
    _write("".join(map(_csv_line, _csv_rows(result))))
    if result.error is not None:
        print_error(result.error)  # its row holds no more than the code


def _print_plain(result: Result) -> None:
    if result.error is not None:
        print_error(result.error)
        return
    lines = [f"{printable(_name(result))}  {printable(_verdict_words(result))}"]
    lines += [f"  {100 * p.score:5.1f} %  {printable(p.label)}" for p in result.predictions]
    _write("\n".join(lines if result.predictions else [*lines, _NOTHING]) + "\n")


def _print_terminal(result: Result) -> None:
    if result.error is not None:
        print_error(result.error)
        return
    verdict = result.verdict or Verdict.UNKNOWN
    colour = _VERDICT_COLOURS[verdict]
    head = styled(printable(_name(result)), bold=True)
    lines = [f"{head}  {styled(printable(_verdict_words(result)), fg=colour)}"]
    for rank, prediction in enumerate(result.predictions):
        # None, unlike False, writes no code at all.
        length = styled(bar(prediction.score), fg=colour, dim=rank > 0 or None)
        label = styled(printable(prediction.label), bold=rank == 0 or None)
        lines.append(f"  {100 * prediction.score:5.1f} %  {length}  {label}")
    _write("\n".join(lines if result.predictions else [*lines, _NOTHING]) + "\n")


def _verdict_words(result: Result) -> str:
    """The verdict, and what can be said instead of one class."""
    verdict = result.verdict or Verdict.UNKNOWN
    if result.label_set is None:
        return f"{verdict.value} (uncalibrated)"
    if verdict is not Verdict.AMBIGUOUS:
        return str(verdict.value)
    terms = [result.broader.label] if result.broader else []
    terms += [f"probably {result.probably.label}"] if result.probably else []
    return ": ".join(filter(None, [str(verdict.value), ", ".join(terms)]))


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


def bar(score: float) -> str:
    """`score` from 0 to 1 as a bar of _BAR_WIDTH characters."""
    try:
        _EIGHTHS.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return ("#" * round(score * _BAR_WIDTH)).ljust(_BAR_WIDTH)
    full, rest = divmod(round(score * _BAR_WIDTH * 8), 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(_BAR_WIDTH)


def _csv_rows(result: Result) -> list[tuple[Any, ...]]:
    path = utf8(result.path or "")
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
