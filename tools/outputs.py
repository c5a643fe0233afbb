"""Output that the pages show: blocks that are written anew, and the picture of a terminal."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path

from rich.cells import cell_len
from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.text import Text

from whatsit import zoo
from whatsit.cli import main

# A block behind this line holds what its commands print among the golden pictures.
MARK = "<!-- written by `make docs` -->"
_BLOCK = re.compile(rf"({re.escape(MARK)}\n+```console\n)(.*?)(```)", re.DOTALL)
_TIMES = re.compile(r'("(?:decode|preprocess|inference)": )[\d.]+')
# Of the picture; in pixels.
_CHARACTER, _LINE, _MARGIN, _BAR = 8.43, 20, 20, 36
# Of a terminal's colours 1, 2, 3 and 6: red, green, yellow, cyan.
_COLOURS = {1: "#ff8a80", 2: "#7ee08a", 3: "#f2cc60", 6: "#79d8e8"}
_WHITE = "#e8ebee"
_EIGHTHS = " ▏▎▍▌▋▊▉█"


class _Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


def refreshed(page: str) -> str:
    """The page with the output in its marked blocks as it is now."""

    def anew(found: re.Match[str]) -> str:
        old = found[2]
        new = "\n".join(f"$ {line}\n{printed(line)}" for line in _commands(old))
        # Times differ each time: what differs in nothing else stays as it is.
        kept = old if _TIMES.sub(r"\g<1>0", old) == _TIMES.sub(r"\g<1>0", new) else new
        return found[1] + kept + found[3]

    return _BLOCK.sub(anew, page)


def printed(command: str, *, terminal: bool = False) -> str:
    """What `whatsit …`, called in the folder of the golden pictures, prints on standard output."""
    kind = _Terminal if terminal else io.TextIOWrapper
    stream = kind(io.BytesIO(), encoding="utf-8", newline="\n")
    name, *arguments = shlex.split(command)
    assert name == "whatsit", command
    with _inside(zoo.GOLDEN), contextlib.redirect_stdout(stream), _arguments(name, *arguments):
        with contextlib.suppress(SystemExit):
            main()
        stream.flush()
        return stream.buffer.getvalue().decode("utf-8")


def picture(*commands: str) -> str:
    """An SVG of a terminal in which `commands` were given. It asks for no font of the web."""
    rows: list[Text] = []
    for command in commands:
        rows.append(Text.assemble(("$ ", "green"), (command, "bold")))
        rows += Text.from_ansi(printed(command, terminal=True).rstrip("\n")).split("\n")
        rows.append(Text())
    rows.pop()
    width = round(max(row.cell_len for row in rows) * _CHARACTER) + 2 * _MARGIN
    height = _BAR + len(rows) * _LINE + _MARGIN
    dots = "".join(
        f'<circle cx="{_MARGIN + 2 + 18 * i}" cy="18" r="5.5" fill="{colour}"/>'
        for i, colour in enumerate(("#ff6b60", "#f6be4f", "#5fc454"))
    )
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img">',
        f"<title>{escape('; '.join(commands))}</title>",
        f'<rect width="{width}" height="{height}" rx="9" fill="#1b2027"/>{dots}',
        '<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, '
        f'monospace" font-size="14" fill="{_WHITE}">',
    ]
    for number, row in enumerate(rows):
        lines += _spans(row, _BAR + 4 + number * _LINE)
    return "\n".join([*lines, "</g>", "</svg>"]) + "\n"


def _spans(row: Text, top: int) -> Iterator[str]:
    column = 0
    for segment in row.render(Console(), end=""):
        left, style = _MARGIN + column * _CHARACTER, segment.style or Style()
        fill = _colour(style.color)
        column += segment.cell_length
        if set(segment.text) <= set(_EIGHTHS) and segment.text.strip():
            # A bar is drawn: not every font has these characters, nor the same.
            length = sum(_EIGHTHS.index(c) for c in segment.text) / 8 * _CHARACTER
            yield (
                f'<rect x="{left:.1f}" y="{top}" width="{length:.1f}" height="14" '
                f'fill="{fill}"{_dimmed(style)}/>'
            )
        elif word := segment.text.strip():
            # Blanks at both ends would be left out, and the rest be stretched over them.
            left += (len(segment.text) - len(segment.text.lstrip())) * _CHARACTER
            weight = ' font-weight="bold"' if style.bold else ""
            yield (
                f'<text x="{left:.1f}" y="{top + 12}" fill="{fill}"{weight}{_dimmed(style)} '
                f'textLength="{cell_len(word) * _CHARACTER:.1f}" '
                f'lengthAdjust="spacingAndGlyphs">{escape(word)}</text>'
            )


def _colour(colour: Color | None) -> str:
    number = None if colour is None else colour.number
    return _WHITE if number is None else _COLOURS.get(number, _WHITE)


def _dimmed(style: Style) -> str:
    return ' opacity="0.55"' if style.dim else ""


def _commands(block: str) -> list[str]:
    return [line[2:] for line in block.splitlines() if line.startswith("$ ")]


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextlib.contextmanager
def _arguments(*words: str) -> Iterator[None]:
    before = sys.argv
    sys.argv = list(words)
    try:
        yield
    finally:
        sys.argv = before
