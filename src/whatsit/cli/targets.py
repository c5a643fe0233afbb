"""Where --save, --report, --index and -o write: refused, before work, where it would do harm."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable
from dataclasses import dataclass

from .. import storage, zoo
from ..errors import UsageError
from ..wording import shown
from .output import printable


@dataclass(frozen=True, slots=True)
class Targets:
    """The files that these options name, None where they are not given."""

    save: str | None = None
    report: str | None = None
    index: str | None = None
    output: str | None = None

    def check(self) -> None:
        """Raises what would prevent them from being written, or one from outliving the other."""
        for option, path in self._given():
            if not path:
                raise UsageError(
                    f"{option} with an empty name",
                    expected="the name of a file",
                    hint="is it a shell variable that is not set?",
                )
        if self.report is not None:
            from .. import report

            report.check(self.report)
        for written in (self.save, self.index, self.output):
            if written is not None:
                storage.check_writable(written)
        for (option, path), (other, same) in itertools.combinations(self._given(), 2):
            if _same(path, same):
                raise UsageError(
                    f"{option} and {other} both write {shown(path, 200)!r}", expected="two files"
                )

    def spare(self, inputs: Iterable[str | os.PathLike[str]]) -> None:
        """Raises UsageError where one of them is among the files that the run reads."""
        # What is not there yet is no input; a data set may have many files to ask about.
        there = [(option, path) for option, path in self._given() if os.path.exists(path)]
        for file in inputs if there else ():
            for option, path in there:
                if _same(path, file):
                    raise UsageError(
                        f"{option} {shown(path, 200)!r} would replace a file that the run reads",
                        expected="the name of another file",
                    )

    def check_new(self, force: bool) -> None:
        """Raises UsageError for an output that is there, unless it may be written over."""
        if self.output is None or force or not os.path.lexists(self.output):
            return
        raise UsageError(
            f"the output {printable(self.output)!r} is there already",
            expected="a new file",
            hint="-o names another; --force writes over it",
        )

    def _given(self) -> list[tuple[str, str]]:
        every = (
            ("--save", self.save),
            ("--report", self.report),
            ("--index", self.index),
            ("-o", self.output),
        )
        return [(option, path) for option, path in every if path is not None]


def model_files(models: Iterable[str]) -> list[str]:
    """The files of models as people name them: by a path, a name, or what an evaluation saved."""
    imported = zoo.installed()
    found = []
    for name in models:
        if name in zoo.catalogue():
            found.append(str(zoo.catalogue()[name].path))
        elif name in imported:
            found.append(str(imported[name]))
        else:
            found.append(name)
    return found


def _same(one: str | os.PathLike[str], other: str | os.PathLike[str]) -> bool:
    """Whether both lead to one file, there or yet to be written."""
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):  # one is not there, or no name that a file can have
        return os.path.realpath(one) == os.path.realpath(other) if _sane(one, other) else False


def _sane(*paths: str | os.PathLike[str]) -> bool:
    return not any("\0" in os.fspath(path) for path in paths)
