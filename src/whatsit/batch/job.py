"""A run's folder beside its output: what is to be done, and what of it has been done.

The inputs are listed once, into numbered blocks. A block that is done is one whole file, so that
the journal is which files are there: any kill leaves a folder that the next run goes on with.

    job.json             last of the listing: says that the list is complete, and the facts
    items-000007.jsonl   what block 7 is to do, a line a picture
    errors-000007.jsonl  its failures, if any, before
    part-000007.ENDING   its rows
    lock                 held by the run that works here
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import UsageError, WhatsitError
from . import facts
from .columns import TEXT, type_of
from .items import Item
from .places import Place, is_partial

BLOCK = 256  # pictures: less than a second's work, and few files of a million
LOCK = "lock"
RECORD = "job.json"
_KIND = "batch run of whatsit"
_FORMAT = 1
_OURS = re.compile(r"job\.json|lock|(?:items|errors)-\d{6,}\.jsonl|part-\d{6,}\.\w+")


@dataclass(frozen=True, slots=True)
class Part:
    """A block that is done: its rows in the output's format, and its failures as JSON lines."""

    content: bytes = field(repr=False)
    errors: bytes = field(repr=False)
    from_cache: int = 0  # pictures


@dataclass(frozen=True)
class Job:
    """The blocks of a run. Picklable; several processes may store different blocks at once.

    `shard_rows` is how many rows a file of the output has at most, `ending` what the names of the
    parts end in, `carried` name and type of the columns that come from the input table.
    """

    place: Place
    pictures: int
    shard_rows: int | None
    ending: str
    carried: tuple[tuple[str, str], ...] = ()

    @property
    def blocks(self) -> int:
        """How many blocks there are; they are numbered from 0."""
        if not self.shard_rows:
            return _divided(self.pictures, BLOCK)
        full, rest = divmod(self.pictures, self.shard_rows)
        return full * _divided(self.shard_rows, BLOCK) + _divided(rest, BLOCK)

    def size(self, block: int) -> int:
        """How many pictures a block has."""
        shard_rows = self.shard_rows or self.pictures
        shard, place = divmod(block, _divided(shard_rows, BLOCK))
        rows = min(shard_rows, self.pictures - shard * shard_rows)
        return min(BLOCK, rows - place * BLOCK)

    def shards(self) -> list[range]:
        """The blocks of each file of the output."""
        if not self.shard_rows:
            return [range(self.blocks)]
        each = _divided(self.shard_rows, BLOCK)
        starts = range(0, max(self.blocks, 1), each)  # an empty output is a file, too
        return [range(start, min(start + each, self.blocks)) for start in starts]

    def pending(self) -> list[int]:
        """The blocks that are not done yet."""
        there = set(self.place.names())
        return [block for block in range(self.blocks) if self._part_name(block) not in there]

    def items_place(self, block: int) -> Place:
        """The file that holds what a block is to do."""
        return self.place.join(_items_name(block))

    def items(self, block: int) -> list[Item]:
        """What a block is to do."""
        return parsed(self.items_place(block).read())

    def store(self, block: int, part: Part) -> None:
        """Keeps a block that is done, whole or not at all; its failures first."""
        errors = self.place.join(_errors_name(block))
        if part.errors:
            errors.write_whole(part.errors)
        else:
            errors.remove()  # of a run that was killed in between, where the picture failed
        self.place.join(self._part_name(block)).write_whole(part.content)

    def part(self, block: int) -> bytes:
        """The rows of a block that is done."""
        return self.place.join(self._part_name(block)).read()

    def errors(self) -> Iterator[bytes]:
        """The failures of the blocks that are done, as JSON lines, block by block."""
        there = set(self.place.names())
        for block in range(self.blocks):
            name = _errors_name(block)
            if name in there and self._part_name(block) in there:
                yield self.place.join(name).read()

    def _part_name(self, block: int) -> str:
        return f"part-{block:06d}{self.ending}"


def begun(
    place: Place,
    known: facts.Facts,
    items: Iterable[Item],
    *,
    shard_rows: int | None,
    ending: str,
    carry: Sequence[str] = (),
    listed: Callable[[int], None] | None = None,
) -> Job:
    """A new job in the folder `place`, its list complete; `listed` is told how long it is so far.

    What is there of a job of ours is removed before.
    """
    clear(place)
    try:
        pictures, carried = _listed(place, items, shard_rows, carry, listed)
    except BaseException:  # nothing was done yet that is worth keeping
        clear(place)
        raise
    record = {
        "kind": _KIND,
        "format": _FORMAT,
        "facts": known,
        "pictures": pictures,
        "shard_rows": shard_rows,
        "ending": ending,
        "carried": carried,
    }
    place.join(RECORD).write_whole(json.dumps(record, indent=1).encode())
    return Job(place, pictures, shard_rows, ending, carried)


def _listed(
    place: Place,
    items: Iterable[Item],
    shard_rows: int | None,
    carry: Sequence[str],
    listed: Callable[[int], None] | None,
) -> tuple[int, tuple[tuple[str, str], ...]]:
    """Writes the list; returns how long it is, and the types of what is carried."""
    types: dict[str, str | None] = dict.fromkeys(carry)
    pictures = 0
    for block, some in enumerate(_cut(iter(items), shard_rows)):
        for item in some:
            for name in carry:
                types[name] = type_of(item.columns.get(name), types[name])
        lines = [json.dumps(item.to_json()) + "\n" for item in some]
        place.join(_items_name(block)).write_whole("".join(lines).encode())
        pictures += len(some)
        if listed is not None:
            listed(pictures)
    return pictures, tuple((name, type_ or TEXT) for name, type_ in types.items())


def found(place: Place, known: facts.Facts) -> Job | None:
    """The job that an earlier run with the same facts left in `place`, if its list is complete.

    Raises UsageError where its facts are others, and some of it was done.
    """
    record = _record(place)
    if record is None:
        return None
    carried = tuple((str(name), str(type_)) for name, type_ in record["carried"])
    job = Job(place, record["pictures"], record["shard_rows"], record["ending"], carried)
    if record["facts"] != known and len(job.pending()) == job.blocks:
        return None  # nothing was done yet that would be lost
    facts.check(record["facts"], known, place.name)
    return job


def check_ours(place: Place) -> None:
    """Raises UsageError where the name of the folder is taken by anything but a job of ours."""
    _record(place)
    if place.exists() and not place.is_folder():
        raise _foreign(place, "it is a file")
    for name in place.names():
        if not (_OURS.fullmatch(name) or is_partial(name)):
            raise _foreign(place, f"it holds {name!r}")


def clear(place: Place) -> None:
    """Removes what is there of a job, whose record goes first, but not its lock."""
    check_ours(place)
    place.join(RECORD).remove()
    for name in place.names():
        if name != LOCK:
            place.join(name).remove()


def parsed(content: bytes) -> list[Item]:
    """The items in a file of a job."""
    return [Item.from_json(json.loads(line)) for line in content.splitlines()]


def _record(place: Place) -> dict[str, Any] | None:
    """What job.json says; None where there is none, so that nothing is complete."""
    file = place.join(RECORD)
    if not file.exists():
        return None
    try:
        record = json.loads(file.read())
        kind, version = record["kind"], record["format"]
    except (ValueError, TypeError, KeyError) as error:
        raise _foreign(place, f"its {RECORD} is none of ours") from error
    if kind != _KIND:
        raise _foreign(place, f"its {RECORD} is none of ours")
    if version != _FORMAT:
        raise UsageError(
            f"{place.name!r} was begun by another version of whatsit (format {version})",
            expected=f"format {_FORMAT}",
            hint="finish it with that version, or remove the folder to begin anew",
        )
    assert isinstance(record, dict)
    return record


def _foreign(place: Place, reason: str) -> WhatsitError:
    return UsageError(
        f"{place.name!r} is in the way: {reason}",
        expected="no such name, or the folder of an interrupted run",
        hint="rename it, or choose another name for the output",
    )


def _cut(items: Iterator[Item], shard_rows: int | None) -> Iterator[list[Item]]:
    """Blocks of items; none crosses the border of a shard."""
    while True:
        left = shard_rows or BLOCK
        while left > 0:
            block = list(itertools.islice(items, min(BLOCK, left)))
            if not block:
                return
            yield block
            left -= len(block)


def _items_name(block: int) -> str:
    return f"items-{block:06d}.jsonl"


def _errors_name(block: int) -> str:
    return f"errors-{block:06d}.jsonl"


def _divided(number: int, by: int) -> int:
    """Rounded up."""
    return -(-number // by)
