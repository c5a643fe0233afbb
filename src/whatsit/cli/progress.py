"""What is being done, on standard error, where somebody sees it: a bar, or a line that stands."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Protocol

import click

from .. import wording

_WIDTH = 79  # columns of the line: a full one would begin another
_LONGEST_TITLE = 40


class Advance(Protocol):
    """Says how many are done, of how many if that is known, and what else there is to say."""

    def __call__(self, done: int, total: int | None, remark: str = "") -> None: ...


@contextlib.contextmanager
def bar(title: str = "", unit: str = "pictures") -> Iterator[Advance]:
    """A bar from the first step on, gone at the end; `unit` "bytes" shows megabytes and speed."""
    if not sys.stderr.isatty():
        yield not_seen
        return
    from rich import progress as bars
    from rich.console import Console

    in_bytes = (bars.DownloadColumn(), bars.TransferSpeedColumn())
    shown = bars.Progress(
        bars.TextColumn("{task.description}", markup=False),
        bars.BarColumn(),
        *(in_bytes if unit == "bytes" else (bars.MofNCompleteColumn(),)),
        bars.TimeRemainingColumn(),
        bars.TextColumn("{task.fields[remark]}", markup=False),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,  # or rich would print the results on its own console
    )
    task = shown.add_task(wording.shown(title, _LONGEST_TITLE), total=None, remark="")

    def advance(done: int, total: int | None, remark: str = "") -> None:
        shown.start()
        shown.update(task, completed=done, total=total, remark=remark)

    try:
        yield advance
    finally:
        shown.stop()


@contextlib.contextmanager
def line() -> Iterator[Callable[[str], None]]:
    """A line that stands still until the next one, since what moves takes time from measuring."""
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    try:
        yield _write
    finally:
        click.echo("\r" + " " * _WIDTH + "\r", nl=False, err=True)


def _write(text: str) -> None:
    click.echo("\r" + wording.shown(text, _WIDTH).ljust(_WIDTH), nl=False, err=True)


def not_seen(done: int, total: int | None, remark: str = "") -> None:
    """For those to whom nothing is shown."""
