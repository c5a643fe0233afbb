"""What quantising gave: the new bundle, and what it lost against its parent, picture by picture."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from ..bundle import Bundle
from ..compare import Comparison
from ..datasets import LeftOut
from ..errors import BelowFloor
from ..measures import Rate


@dataclass(frozen=True)
class Quantized:
    """A quantised bundle beside its parent.

    `comparison` is of the parent (first) with the bundle (second). Where nobody gave labelled
    pictures, `labelled` is False and the parent's answers stand for the truth: then a flip is any
    changed answer. `calibrated` counts the pictures that the ranges were chosen by; `held_out` says
    whether those of the comparison are others.
    """

    bundle: Bundle
    parent: Bundle
    kind: str
    comparison: Comparison = field(repr=False)
    labelled: bool
    calibrated: int
    held_out: bool
    left_out: tuple[LeftOut, ...]
    floor_points: float
    notes: tuple[str, ...]

    @property
    def agreement(self) -> Rate:
        """How often the two give the same first answer."""
        first = {answer.path: answer.ranked[0][0] for answer in self.comparison.first.answers}
        same = [
            first[answer.path] == answer.ranked[0][0]
            for answer in self.comparison.second.answers
            if answer.path in first
        ]
        return Rate(sum(same), len(same))

    @property
    def lost_points(self) -> float:
        """Points of Top-1 lost; without labels, of agreement. Below 0 if it has become better."""
        return -100 * self.comparison.difference

    @property
    def accepted(self) -> bool:
        """Whether it loses no more than the floor allows."""
        return self.lost_points <= self.floor_points + 1e-9

    def check(self) -> None:
        """Raises BelowFloor if it loses more than the floor allows."""
        if self.accepted:
            return
        low, high = (100 * bound for bound in self.comparison.interval)
        what = "points of Top-1" if self.labelled else "points of agreement with its parent"
        raise BelowFloor(
            f"{self.bundle.name} loses {self.lost_points:.1f} {what} "
            f"({max(0.0, -high):.1f} to {-low:.1f}) on {self.comparison.pictures} pictures",
            expected=f"at most {round(self.floor_points, 2):g} points",
            hint=f"{self._remedy()}; --force writes it all the same",
        )

    def _remedy(self) -> str:
        if self.kind == "float16":
            return "--floor sets another floor"
        return "more and more varied calibration pictures may help, and --to float16 loses little"

    def write(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Writes the bundle whole or not at all.

        Raises BelowFloor if it loses too much, unless `force` is True, and WhatsitError where
        nothing can be written.
        """
        if not force:
            self.check()
        self.bundle.write(path)

    def to_json(self) -> dict[str, Any]:
        """The object that `whatsit quantize --json` prints."""
        return {
            "model": self.bundle.name,
            "sha256": self.bundle.sha256,
            "size_bytes": len(self.bundle.data),
            "to": self.kind,
            "parent": {
                "model": self.parent.name,
                "sha256": self.parent.sha256,
                "size_bytes": len(self.parent.data),
            },
            "calibration": {
                "pictures": self.calibrated,
                "held_out": self.held_out,
                "left_out": [{"path": row.path, "reason": row.reason} for row in self.left_out],
            },
            "measured_by": "labels" if self.labelled else "agreement",
            "agreement": self.agreement.to_json(),
            "lost_points": round(self.lost_points, 4),
            "floor_points": round(self.floor_points, 4),
            "accepted": self.accepted,
            "comparison": self.comparison.to_json(),
            "notes": list(self.notes),
        }
