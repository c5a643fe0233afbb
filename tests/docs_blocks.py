"""Finds the fenced blocks of the documentation, and what is said of them in hidden comments.

A comment before a block, which no reader sees, says what the test is to do with it:

    <!-- not run: REASON -->         it is only read: commands and options must exist
    <!-- skips COMMAND: REASON -->   the same for its lines that begin so
    <!-- exit status 1 -->           of its last command; 0 where nothing is said
    <!-- numbers vary: REASON -->    of the output, everything but the numbers is compared
    <!-- written by `make docs` -->  it holds real output and is run among the golden pictures
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "benchmarks/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
LANGUAGES = {"python", "sh", "console", "json", "text"}
_FENCE = re.compile(r"^( *)```([\w{}-]*)$")
_MARK = re.compile(r"^ *<!-- (.*) -->$")


@dataclass(frozen=True)
class Block:
    """One fenced block: its page, the line of its fence, and the marks before it."""

    page: Path
    line: int
    language: str
    text: str
    marks: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    def mark(self, start: str) -> str | None:
        """What follows `start` in a mark; None where there is none."""
        return next((m[len(start) :].strip() for m in self.marks if m.startswith(start)), None)

    @property
    def why_not_run(self) -> str | None:
        return self.mark("not run:")

    @property
    def skipped(self) -> dict[str, str]:
        """beginning of a command → why it is not run"""
        marks = [m[len("skips ") :] for m in self.marks if m.startswith("skips ")]
        pairs = [(start, why) for start, _, why in (m.partition(": ") for m in marks)]
        return dict(pairs)

    @property
    def status(self) -> int:
        return int(self.mark("exit status") or 0)


@dataclass(frozen=True)
class Command:
    """A line for the shell, its comment cut off, and what a console block shows after it."""

    line: str
    output: str | None = None

    @property
    def words(self) -> list[str]:
        return shlex.split(self.line)


def blocks_of(page: Path) -> list[Block]:
    """All fenced blocks of a page, in their order."""
    found: list[Block] = []
    lines = page.read_text(encoding="utf-8").split("\n")
    marks: list[str] = []
    at = 0
    while at < len(lines):
        if mark := _MARK.match(lines[at]):
            marks.append(mark[1])
        elif fence := _FENCE.match(lines[at]):
            start, indent = at, len(fence[1])
            at += 1
            body = []
            while lines[at].strip() != "```":
                body.append(lines[at][indent:])
                at += 1
            text = "\n".join(body) + "\n"
            found.append(Block(page, start + 1, fence[2], text, tuple(marks)))
            marks = []
        elif lines[at].strip():
            marks = []
        at += 1
    return found


def commands_of(block: Block) -> list[Command]:
    """The commands of a block in `sh` (all its lines) or `console` (what follows a `$`)."""
    text = re.sub(r" *\\\n *", " ", block.text)
    if block.language == "sh":
        return [Command(line) for line in map(_plain, text.splitlines()) if line]
    commands: list[Command] = []
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        line, _, output = part.partition("\n")
        commands.append(Command(_plain(line), output.strip("\n")))
    return commands


def _plain(line: str) -> str:
    """A line without the comment at its end."""
    return re.sub(r"(^| +)# .*$", "", line).strip()


def calls_of_whatsit(line: str) -> list[list[str]]:
    """The words of every call of `whatsit` in a line: its pipes and redirections taken apart."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|;&<>()")
    lexer.whitespace_split = True
    calls: list[list[str]] = []
    words: list[str] | None = None
    skip = False
    for word in lexer:
        if set(word) <= set("|;&()"):
            words = None
        elif set(word) <= set("<>"):
            skip = True
        elif skip:
            skip = False
        elif words is None:
            words = []
            if word.rpartition("/")[2] == "whatsit":
                calls.append(words)
        else:
            words.append(word)
    return calls
