"""What a run writes, and where: the output or its shards, the list of errors, the job's folder."""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO

from ..errors import UsageError
from .items import Item
from .job import Job
from .places import Place, place_of
from .urls import Url, is_url
from .writing import Format

_ENDINGS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".parquet": "parquet"}
_EXPECTED = "a name that ends in .jsonl, .csv, .parquet, .jsonl.gz or .csv.gz"
_SHARD = re.compile(r"-\d{5,}-of-\d{5,}")


@dataclass(frozen=True, slots=True)
class Failures:
    """The list of what failed, if anything did: how much of each code, and the first message."""

    path: str | None = None
    by_code: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Output:
    """The files of a run by the name that a person gave, its links followed.

    `kind` is the format; `stem` and `ending` make up the file's name. `sharded` if it is to be
    several files.
    """

    path: str
    kind: str
    compressed: bool
    stem: str
    ending: str
    sharded: bool

    @classmethod
    def parse(cls, path: str, *, sharded: bool = False) -> Output:
        """Raises UsageError where the name does not say a format, or is that of a folder."""
        if not path:
            raise UsageError(
                "an output with an empty name",
                expected=_EXPECTED,
                hint="is it a shell variable that is not set?",
            )
        path = _here(path)
        name = path.rpartition("/")[2] if is_url(path) else os.path.basename(path)
        small = name.lower()
        packed = small.endswith(".gz")
        inner = small.removesuffix(".gz")
        ending = next((e for e in _ENDINGS if inner.endswith(e) and inner != e), None)
        if not is_url(path) and os.path.isdir(path):
            raise UsageError(f"the output {path!r} is a folder", expected=_EXPECTED)
        if ending is None or (packed and ending == ".parquet"):
            hint = "Parquet is compressed already" if ending else ""
            raise UsageError(f"the output {path!r}", expected=_EXPECTED, hint=hint)
        length = len(ending) + (3 if packed else 0)
        return cls(path, _ENDINGS[ending], packed, name[:-length], name[-length:], sharded)

    @property
    def name(self) -> str:
        return self.stem + self.ending

    @functools.cached_property
    def _place(self) -> Place:
        return place_of(self.path)  # once: each has connections of its own

    def folder(self) -> Place:
        """Where the job is kept until it is done."""
        return self._beside(f"{self.name}.job")

    def errors(self) -> Place:
        """The list of what failed."""
        return self._beside(f"{self.stem}.errors.jsonl")

    def shards(self, count: int | None) -> list[Place]:
        """The files of the output: `count` of them, or one if that is None."""
        if count is None:
            return [self._place]
        names = [f"{self.stem}-{i:05d}-of-{count:05d}{self.ending}" for i in range(count)]
        return [self._beside(name) for name in names]

    def check(self) -> None:
        """Raises the WhatsitError that writing would raise later, as far as it shows."""
        self._place.check_writable()
        self.errors().check_writable()

    def put(self, job: Job, style: Format) -> list[str]:
        """Puts all blocks together into the files, each at once; returns their names."""
        blocks = job.shards()
        places = self.shards(len(blocks) if self.sharded else None)
        for place, some in zip(places, blocks, strict=True):
            with self._written(place) as file:
                style.assemble((job.part(block) for block in some), file)
        if self.sharded:
            self._remove_halves(self._place)  # which `check` tries
            self._remove_other_shards({place.name for place in places})
        return [place.name for place in places]

    def put_errors(self, job: Job) -> Failures:
        """Writes the list of what failed; an older list goes, also where nothing did."""
        place = self.errors()
        lists = job.errors()
        first = next(lists, None)
        if first is None:
            self._remove_halves(place)
            place.remove()
            return Failures()
        failures = Failures(place.name)
        with self._written(place) as file:
            for lines in itertools.chain([first], lists):
                file.write(lines)
                for line in lines.splitlines():
                    error = json.loads(line)["error"]
                    failures.by_code[error["code"]] += 1
                    failures.examples.setdefault(error["code"], error["message"])
        return failures

    def spare(self, inputs: Iterable[str], model: str | None) -> None:
        """Raises UsageError where a file that the run reads is one that it writes."""
        for text in [*inputs, *([model] if model else [])]:
            path = _here(text.removeprefix("@"))
            if self._is_written(path) or _same(path, self.path):
                raise self._would_replace(text)

    def without_own(self, items: Iterable[Item]) -> Iterator[Item]:
        """`items` without what lies in the job's folder. Raises as `spare` does."""
        own = _real(f"{self.path}.job") + ("/" if is_url(self.path) else os.sep)
        marks = (f"{self.name}.job", self.stem)
        for item in items:
            # The exact look costs system calls; nearly no picture has a name that is like ours.
            if item.table is None and any(mark in item.path for mark in marks):
                if _real(item.path).startswith(own):
                    continue
                if self._is_written(item.path):
                    raise self._would_replace(item.path)
            yield item

    def _beside(self, name: str) -> Place:
        return self._place.beside(name)

    def _is_written(self, path: str) -> bool:
        """Whether this is the output, a shard of it, or the list of errors."""
        real, own = _real(path), _real(self.path)
        folder = own[: len(own) - len(self.name)]
        if not real.startswith(folder):
            return False
        name = real[len(folder) :]
        return name in (self.name, f"{self.stem}.errors.jsonl") or (
            self.sharded and self._is_shard(name)
        )

    def _is_shard(self, name: str) -> bool:
        inner = name.removeprefix(self.stem).removesuffix(self.ending)
        return bool(_SHARD.fullmatch(inner)) and name == self.stem + inner + self.ending

    def _would_replace(self, path: str) -> UsageError:
        return UsageError(
            f"the output would replace {path!r}, which the run reads",
            expected="the name of another file",
        )

    def _remove_other_shards(self, new: set[str]) -> None:
        """Those of an earlier run, of which there were more or fewer: a pattern would find both."""
        parent = self.path[: len(self.path) - len(self.name)] or os.curdir
        for name in place_of(parent).names():
            place = self._beside(name)
            if self._is_shard(name) and place.name not in new:
                place.remove()

    @contextlib.contextmanager
    def _written(self, place: Place) -> Iterator[IO[bytes]]:
        """place.whole_file, after which nothing of a killed run is left beside it."""
        self._remove_halves(place)
        with place.whole_file() as file:
            yield file

    def _remove_halves(self, place: Place) -> None:
        """What a run that was killed while it wrote this file has left: storage.whole_file's."""
        if is_url(place.name):
            return
        folder, name = os.path.split(place.name)
        half = re.compile(rf"\.{re.escape(name)}\.[0-9a-f]{{8}}\.partial")
        for other in os.listdir(folder or os.curdir):
            if half.fullmatch(other):
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(folder, other))


def _here(path: str) -> str:
    """A file:// URL as a path, and a link as what it leads to: nothing may take a link's place."""
    if is_url(path):
        return Url.parse(path).local_path() or path
    return os.path.realpath(path) if os.path.islink(path) else path


def _same(one: str, other: str) -> bool:
    """Whether both are one file, also where the system takes `Out.csv` for `out.csv`."""
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):  # one is not there, or no name that a file can have
        return False


def _real(path: str) -> str:
    if is_url(path) or "\0" in path:
        return path
    return os.path.realpath(path)
