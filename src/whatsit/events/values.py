"""What a video is told as: a class that is seen for a while, and that it comes and goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["start", "end"]


@dataclass(frozen=True, slots=True)
class Segment:
    """One class, seen from `start_ms` to `end_ms`.

    The scores are those of the frames themselves: their mean and the highest, in the frame at
    `peak_ms`. While the class is still there `end_ms` is how far it has been seen.
    """

    start_ms: float
    end_ms: float
    index: int
    label: str
    synset: str | None
    mean_score: float
    peak_score: float
    peak_ms: float

    @property
    def duration_ms(self) -> float:
        return self.end_ms - self.start_ms

    def to_json(self) -> dict[str, Any]:
        return {
            "start_ms": whole_ms(self.start_ms),
            "end_ms": whole_ms(self.end_ms),
            "index": self.index,
            "label": self.label,
            "synset": self.synset,
            "mean_score": round(self.mean_score, 6),
            "peak_score": round(self.peak_score, 6),
            "peak_ms": whole_ms(self.peak_ms),
        }


@dataclass(frozen=True, slots=True)
class Event:
    """A class has come or gone: `time_ms` is when that was sure, the segment says since when.

    Events follow each other by `time_ms`. `score` is the steady score at that time.
    """

    kind: Kind
    time_ms: float
    segment: Segment
    score: float

    def to_json(self) -> dict[str, Any]:
        """The object of one line; the score of an end is the mean of the whole segment."""
        seen = self.segment
        ends = self.kind == "end"
        return {
            "event": self.kind,
            "time_ms": whole_ms(self.time_ms),
            "start_ms": whole_ms(seen.start_ms),
            **({"end_ms": whole_ms(seen.end_ms)} if ends else {}),
            "index": seen.index,
            "label": seen.label,
            "score": round(seen.mean_score if ends else self.score, 6),
            **({"peak_score": round(seen.peak_score, 6)} if ends else {}),
        }


def whole_ms(time_ms: float) -> int:
    """Times are told in whole milliseconds: frames are further apart."""
    return round(time_ms)
