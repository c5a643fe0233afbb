"""What a moving source gives: frames, each with its time, and what the source is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Kind = Literal["file", "camera", "stream", "pipe"]


class Picture(Protocol):
    """A picture that becomes RGB only when it is asked for, in whatever thread asks."""

    def rgb(self) -> NDArray[np.uint8]:
        """(H, W, 3), upright, read-only; the same array each time."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a moving source.

    `time_ms` counts from the start of a file, or from when a live source was opened. `number`
    counts from 0 all that the source gave, those skipped or dropped too. `dropped` is how many
    frames were lost so far: too late for a live source's reader, or damaged.
    """

    time_ms: float
    number: int
    image: Picture
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What a source is; width and height are those of the upright picture.

    `fps` is None where the source does not say, and `duration_ms` also where times are those at
    which frames arrive. `rotation` is how many degrees, clockwise, the
    stored picture is turned to stand upright: 0, 90, 180 or 270.
    """

    kind: Kind
    name: str
    live: bool
    width: int
    height: int
    fps: float | None
    duration_ms: float | None
    rotation: int
