"""The new bundle: all that is known of the parent, with another graph and what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .. import _metadata
from ..bundle import LICENSE_FILE, Bundle
from ..compare import Comparison
from .task import Task

# What was true of the parent only.
_NOT_INHERITED = frozenset({"accuracy", "parents", "quantization", "decisions"})


@dataclass(frozen=True)
class Maker:
    """Makes the bundle: all that is known of the parent, with another graph and more facts."""

    parent: Bundle
    graph: bytes
    name: str
    mean: float
    std: float

    def __call__(self, facts: Mapping[str, Any]) -> Bundle:
        parent, about = self.parent, self.parent.metadata
        files = _metadata.read_files(parent.data)
        kept = {key: value for key, value in parent.record.items() if key not in _NOT_INHERITED}
        own = parent.record.get("parents")
        chain = [*(own if isinstance(own, list) else []), _named(parent)]
        return Bundle.create(
            self.graph,
            name=self.name,
            labels=parent.labels,
            preprocess=parent.preprocess,
            mean=self.mean,
            std=self.std,
            facts={**kept, "parents": chain, **facts},
            description=about.description,
            author=about.author,
            license=about.license,
            license_text=files.get(LICENSE_FILE, b"").decode("utf-8", "replace"),
        )


def _named(bundle: Bundle) -> dict[str, str]:
    return {"name": bundle.name, "sha256": bundle.sha256}


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
