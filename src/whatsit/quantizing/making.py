"""The new bundle: all that is known of the parent, with another graph and what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..bundle import Bundle
from ..compare import Comparison
from .task import Task


@dataclass(frozen=True)
class Maker:
    """Makes the bundle: all that is known of the parent, with another graph and more facts."""

    parent: Bundle
    graph: bytes
    name: str
    mean: float
    std: float

    def __call__(self, facts: Mapping[str, Any]) -> Bundle:
        from ..graph.remade import remade  # here, since it loads LiteRT

        return remade(
            self.parent, self.graph, name=self.name, mean=self.mean, std=self.std, facts=facts
        )


def facts(to: str, task: Task, comparison: Comparison) -> dict[str, Any]:
    """What goes into the record: how it was made, and what was measured, in percent."""
    rate = comparison.top1[1]
    measured = {
        "data_set": comparison.second.dataset if task.labelled else task.name,
        "pictures": comparison.pictures,
        "held_out": task.held_out,
    }
    made: dict[str, Any] = {"to": to, "calibration_pictures": len(task.calibration)}
    if not task.labelled:
        return {"quantization": {**made, "agreement": {**measured, "same": _percent(rate.value)}}}
    row = {
        **measured,
        "top1": _percent(rate.value),
        "top1_interval": [_percent(bound) for bound in rate.interval],
        "top1_change_from_parent": _percent(comparison.difference),
    }
    return {"quantization": made, "accuracy": [row]}


def _percent(share: float) -> float:
    return round(100 * share, 2)
