"""Which pictures a model is calibrated with, and on which it is compared."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..bundle import Bundle
from ..datasets import Dataset, LeftOut
from . import pictures


@dataclass(frozen=True, slots=True)
class Labelled:
    """Labelled pictures to compare on; the last four are those of evaluate."""

    dataset: Dataset
    labels_by: str = "auto"
    skip_unknown: bool = False
    limit: int | None = None
    seed: int = 0


@dataclass(slots=True)
class Remarks:
    """Notes for a person, each told once as it comes, and kept for the result."""

    tell: Callable[[str], None] | None
    told: list[str] = field(default_factory=list)

    def add(self, text: str) -> None:
        if text not in self.told:
            self.told.append(text)
            if self.tell is not None:
                self.tell(text)


@dataclass(frozen=True)
class Task:
    """What to calibrate with, what to compare on, and whether these are other pictures."""

    calibration: list[NDArray[np.uint8]]
    data: Labelled
    labelled: bool
    held_out: bool
    name: str = ""
    left_out: tuple[LeftOut, ...] = ()


def plan_task(
    parent: Bundle, given: list[str], to: str, labelled: Labelled | None, remarks: Remarks
) -> Task:
    if not given:
        assert labelled is not None
        return Task([], labelled, labelled=True, held_out=True)
    calibrates = to == "int8"
    seen = pictures.read(
        parent, given, least=pictures.LEAST if calibrates else 1, held_out=labelled is None
    )
    for text in seen.notes:
        remarks.add(text)
    if seen.left_out:
        remarks.add(f"left out of the calibration pictures: {len(seen.left_out)}")
    if labelled is not None:
        chosen = seen.paths
        # float16 looks at no picture, so none can flatter it.
        held_out = not calibrates or _apart(seen.paths, labelled.dataset, remarks)
        data = labelled
    else:
        chosen, others, held_out = seen.split() if calibrates else ([], seen.paths, True)
        data = Labelled(seen.dataset(others), labels_by="index")
        if not held_out:
            remarks.add(
                f"the {len(chosen)} pictures both calibrate and compare, which flatters: give "
                f"{pictures.ENOUGH} or more"
            )
    calibration = [seen.prepared[path] for path in chosen] if calibrates else []
    return Task(calibration, data, labelled is not None, held_out, seen.name, seen.left_out)


def _apart(paths: list[str], dataset: Dataset, remarks: Remarks) -> bool:
    """Whether no picture of the data set is one to calibrate with."""
    used = {os.path.realpath(path) for path in paths}
    both = sum(os.path.realpath(row.path) in used for row in dataset.rows)
    if both:
        remarks.add(f"{both} of the labelled pictures calibrate too, which flatters")
    return not both
