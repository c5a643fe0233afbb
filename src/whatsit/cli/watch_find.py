"""`whatsit watch --find`: when something appears in a video, by the index of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from ..errors import UsageError
from ..wording import counted
from . import output
from .watch_text import segment_line

if TYPE_CHECKING:
    from ..events import Index

_ALONE = ("source", "find", "as_json")  # all that a search has a use for
_NAMED = 3  # of what a video shows, where it does not show what is looked for


def print_found(text: str, path: str, as_json: bool) -> int:
    """Where the index at `path` has what `text` names. Gives the exit status."""
    from ..events import Index

    _check(text)
    index = Index.read(path)
    found = index.find(text)
    if not found:
        output.print_note(_nothing(text, index))
    elif not as_json:
        output.line(output.printable(index.source))
    for segment in found:
        if as_json:
            output.print_json({"source": index.source, **segment.to_json()})
        else:
            output.line(segment_line(segment))
    return 0


def _check(text: str) -> None:
    """Raises UsageError for an empty search, and for options that are about watching."""
    if not text.strip():
        raise UsageError(f"--find {text!r}", expected="what to look for, such as dog")
    context = click.get_current_context()
    for parameter in context.command.params:
        given = context.get_parameter_source(parameter.name or "")
        if parameter.name not in _ALONE and given is ParameterSource.COMMANDLINE:
            raise UsageError(
                f"{parameter.opts[-1]} with --find",
                expected="whatsit watch --find TEXT INDEX, with --json or without",
                hint="an index is searched as it was written",
            )


def _nothing(text: str, index: Index) -> str:
    if not index.labels:
        return f"no class was seen in {index.source!r} long enough"
    shows = ", ".join(seen.label for seen in index.labels[:_NAMED])
    rest = len(index.labels) - _NAMED
    if rest > 0:
        shows += f", and {counted(rest, 'other class', 'other classes')}"
    return f"nothing in {index.source!r} is called {text!r}; it shows {shows}"
