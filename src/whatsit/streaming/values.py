"""What a stream needs of a model, and what it gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ..bundle import Bundle
from ..events import Event
from ..frames import Frame
from ..results import Prediction, Result

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..images import ImageSource
    from ..preprocess import Region


class Seen(Protocol):
    """What a model makes of one frame; scores (C,)."""

    @property
    def scores(self) -> NDArray[np.float32]: ...


class Model(Protocol):
    """The part of a Classifier that is used here."""

    bundle: Bundle

    def scorer(
        self,
        *,
        allow: Iterable[int | str] = (),
        deny: Iterable[int | str] = (),
        region: Region | None = None,
        rotation: int = 0,
        workers: int = 1,
    ) -> Callable[[ImageSource], Seen]: ...

    def answer(
        self, seen: Any, *, path: str | None = None, top: int = 5, threshold: float = 0.0
    ) -> Result: ...


@dataclass(frozen=True, slots=True)
class Moment:
    """What is seen at one time of a video.

    `result` is about this frame alone, `steady` are the best classes of the mean over time, and
    `current` is the one class to name: it stays until it has gone or another is clearly ahead.
    `dropped` counts the frames so far that came too late to be looked at, or were damaged.
    """

    time_ms: float
    frame: Frame
    result: Result
    steady: tuple[Prediction, ...]
    current: Prediction | None
    events: tuple[Event, ...]
    dropped: int
