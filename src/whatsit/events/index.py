"""What appears when in a video, kept as a file and searched by what it is called."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .. import storage
from ..errors import UsageError, WhatsitError
from ..smoothing import Smoothing
from .values import Segment, whole_ms

if TYPE_CHECKING:
    from ..labels import Labels

FORMAT = "whatsit-index-1"


@dataclass(frozen=True, slots=True)
class Appearance:
    """A class that a video shows, its wider terms in WordNet, and for how long it is seen.

    `ancestors` are (WordNet id, name), the nearest first; empty where the model carries none.
    """

    index: int
    label: str
    synset: str | None
    lemmas: tuple[str, ...]
    ancestors: tuple[tuple[str, str], ...]
    total_ms: float
    segments: int

    def names(self) -> set[str]:
        """All that it is called, without case: its names, its wider terms, their WordNet ids."""
        own = {self.label, self.synset or self.label, *self.lemmas}
        return {_folded(name) for name in own.union(*self.ancestors)}

    def to_json(self) -> dict[str, Any]:
        return {
            "index": self.index,
            "label": self.label,
            "synset": self.synset,
            "names": list(self.lemmas),
            "ancestors": [{"synset": synset, "name": name} for synset, name in self.ancestors],
            "total_ms": whole_ms(self.total_ms),
            "segments": self.segments,
        }


@dataclass(frozen=True, slots=True)
class Index:
    """What appears when in a video: its segments by their start, and its classes by their time.

    `frames` were looked at, one each `every_ms`, or all of them where that is None, but for those
    `frames_dropped` that came too late or were damaged.
    """

    source: str
    model: str
    model_sha256: str
    duration_ms: float
    frames: int
    frames_dropped: int
    every_ms: float | None
    smoothing: Smoothing
    segments: tuple[Segment, ...]
    labels: tuple[Appearance, ...]

    @classmethod
    def of(
        cls,
        segments: Iterable[Segment],
        known: Labels,
        *,
        source: str,
        model: str,
        model_sha256: str,
        duration_ms: float,
        frames: int,
        frames_dropped: int = 0,
        every_ms: float | None,
        smoothing: Smoothing,
    ) -> Index:
        """An index of these segments, rounded as its file has them; `known` are the model's."""
        rounded = [_segment(**segment.to_json()) for segment in segments]
        return cls(
            source=source,
            model=model,
            model_sha256=model_sha256,
            duration_ms=whole_ms(duration_ms),
            frames=frames,
            frames_dropped=frames_dropped,
            every_ms=every_ms,
            smoothing=smoothing,
            segments=tuple(sorted(rounded, key=lambda each: (each.start_ms, each.index))),
            labels=_appearances(rounded, known),
        )

    def find(self, text: str) -> list[Segment]:
        """The segments of what `text` names, by their start; none for what is not there.

        It is a label, another name of it, a wider term (dog finds a beagle) or a WordNet id, in
        any case. Only where there is none of these, labels that contain its words are taken.
        """
        wanted = _folded(text)
        found = {seen.index for seen in self.labels if wanted in seen.names()}
        if not found and wanted:
            words = set(wanted.split())
            found = {seen.index for seen in self.labels if words <= set(_words(seen.label))}
        return [segment for segment in self.segments if segment.index in found]

    def to_json(self) -> dict[str, Any]:
        """What `save` writes; times in milliseconds."""
        return {
            "format": FORMAT,
            "source": self.source,
            "model": self.model,
            "model_sha256": self.model_sha256,
            "duration_ms": whole_ms(self.duration_ms),
            "frames": self.frames,
            "frames_dropped": self.frames_dropped,
            "every_ms": self.every_ms,
            "smoothing": self.smoothing.to_json(),
            "labels": [seen.to_json() for seen in self.labels],
            "segments": [segment.to_json() for segment in self.segments],
        }

    @classmethod
    def from_json(cls, value: Any) -> Index:
        """What `to_json` gave. Raises UsageError for anything else."""
        if not isinstance(value, dict) or value.get("format") != FORMAT:
            raise _no_index(f"its format is not {FORMAT!r}")
        try:
            return cls(
                source=str(value["source"]),
                model=str(value["model"]),
                model_sha256=str(value["model_sha256"]),
                duration_ms=float(value["duration_ms"]),
                frames=int(value["frames"]),
                frames_dropped=int(value["frames_dropped"]),
                every_ms=None if value["every_ms"] is None else float(value["every_ms"]),
                smoothing=Smoothing.from_json(value["smoothing"]),
                segments=tuple(_segment(**row) for row in value["segments"]),
                labels=tuple(_appearance(**row) for row in value["labels"]),
            )
        except KeyError as error:
            raise _no_index(f"it lacks {error.args[0]!r:.60}") from error
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise _no_index("its contents are not those of an index") from error

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the whole file or none. Raises WhatsitError if it cannot."""
        with storage.whole_file(path) as file:
            file.write(json.dumps(self.to_json(), indent=1).encode() + b"\n")

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Index:
        """What `save` wrote. Raises WhatsitError for anything else."""
        name = os.fspath(path)
        try:
            with open(path, "rb") as file:
                # It may be the video itself, which is too much to read for nothing.
                value = json.load(file) if file.peek().lstrip().startswith(b"{") else None
        except OSError as error:
            reason = error.strerror or error
            raise WhatsitError(f"cannot read the index {name!r}: {reason}") from error
        except (ValueError, RecursionError) as error:  # no text, no JSON, a name no file can have
            raise _no_index("it is not JSON").about(repr(name)) from error
        try:
            return cls.from_json(value)
        except UsageError as error:
            raise error.about(repr(name)) from error


def _appearances(segments: Iterable[Segment], labels: Labels) -> tuple[Appearance, ...]:
    """The classes of these segments, those that are seen longest first."""
    by_class: dict[int, list[Segment]] = {}
    for segment in segments:
        by_class.setdefault(segment.index, []).append(segment)
    found = [
        Appearance(
            index,
            labels.names[index],
            labels.synset(index),
            labels.lemmas[index] if labels.lemmas else (),
            tuple((node, labels.tree[node][0]) for node in _named_ancestors(index, labels)),
            sum(segment.duration_ms for segment in own),
            len(own),
        )
        for index, own in by_class.items()
    ]
    return tuple(sorted(found, key=lambda seen: (-seen.total_ms, seen.index)))


def _named_ancestors(index: int, labels: Labels) -> list[str]:
    return [node for node in labels.ancestors(index) if node in labels.tree]


def _segment(**row: Any) -> Segment:
    return Segment(
        start_ms=float(row["start_ms"]),
        end_ms=float(row["end_ms"]),
        index=int(row["index"]),
        label=str(row["label"]),
        synset=_text_or_none(row["synset"]),
        mean_score=float(row["mean_score"]),
        peak_score=float(row["peak_score"]),
        peak_ms=float(row["peak_ms"]),
    )


def _appearance(**row: Any) -> Appearance:
    return Appearance(
        index=int(row["index"]),
        label=str(row["label"]),
        synset=_text_or_none(row["synset"]),
        lemmas=tuple(map(str, row["names"])),
        ancestors=tuple((str(each["synset"]), str(each["name"])) for each in row["ancestors"]),
        total_ms=float(row["total_ms"]),
        segments=int(row["segments"]),
    )


def _text_or_none(text: object) -> str | None:
    return None if text is None else str(text)


def _no_index(reason: str) -> UsageError:
    return UsageError(
        f"this is no index of a video: {reason}", expected="a file of `whatsit watch --index`"
    )


def _folded(text: str) -> str:
    """`text` without case, and one space between words."""
    return " ".join(text.casefold().split())


def _words(label: str) -> list[str]:
    return re.findall(r"\w+", label.casefold())
