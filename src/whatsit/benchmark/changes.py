"""Two runs on the same machine, setting by setting: what changed, and what is only noise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import UsageError
from ..wording import counted
from .values import Benchmark, Measurement, Setting

_SAME = ("cpu", "architecture", "cores")
_LEAST_CHANGE = 0.05  # between two runs a quiet machine differs by so much
# Rounds in each run: of 4 and 4 that did not change, all of one run are faster than all of the
# other in 2 of 70 orders.
_FEWEST_ROUNDS = 4


@dataclass(frozen=True, slots=True)
class Change:
    """One setting before and after. `ratio` is after / before of the median total.

    `low` and `high` are the ratios that the rounds allow: their fastest over the slowest before,
    and the other way round. `noise` says why it may be nothing; "" if it is a change.
    """

    setting: Setting
    before_ms: float
    after_ms: float
    ratio: float
    low: float
    high: float
    noise: str
    same_model: bool

    def to_json(self) -> dict[str, Any]:
        """One line of `--json`."""
        return {
            **self.setting.to_json(),
            "before_ms": round(self.before_ms, 3),
            "after_ms": round(self.after_ms, 3),
            "ratio": round(self.ratio, 4),
            "ratio_range": [round(self.low, 4), round(self.high, 4)],
            "changed": not self.noise,
            "noise": self.noise,
            "same_model": self.same_model,
        }


@dataclass(frozen=True)
class Changes:
    """All settings that both runs measured. `machine_ratio` is of the fixed piece of work."""

    changes: tuple[Change, ...]
    only_before: tuple[Setting, ...]
    only_after: tuple[Setting, ...]
    machine_ratio: float | None
    notes: tuple[str, ...] = ()


def check_comparable(before: Benchmark, facts: Mapping[str, object]) -> None:
    """Raises UsageError if `before` was measured on another machine than that of `facts`."""
    if any(before.machine.get(key) != facts.get(key) for key in _SAME):
        raise UsageError(
            f"a run on another machine: {_machine(before.machine)}",
            expected=f"one on this machine: {_machine(facts)}",
            hint="times of two machines say nothing about a change: measure both on one",
        )


def check_pictures(before: Benchmark, sha256: str, description: str) -> None:
    """Raises UsageError if `before` was measured with other pictures than these."""
    if before.pictures_sha256 != sha256:
        raise UsageError(
            f"a run with other pictures: {before.pictures}",
            expected=f"one with the same files as now: {description}",
            hint="give the same --data to both",
        )


def changes_between(before: Benchmark, after: Benchmark) -> Changes:
    """What changed from `before` to `after`.

    Raises UsageError for runs of different machines (CPU, cores, architecture) or pictures.
    """
    check_comparable(before, after.machine)
    check_pictures(before, after.pictures_sha256, after.pictures)
    old = {m.setting: m for m in before.measurements}
    new = {m.setting: m for m in after.measurements}
    drift = _machine_ratio(before, after)
    return Changes(
        changes=tuple(_change(old[s], m, drift) for s, m in new.items() if s in old),
        only_before=tuple(s for s in old if s not in new),
        only_after=tuple(s for s in new if s not in old),
        machine_ratio=drift,
        notes=tuple(_notes(before, after)),
    )


def _change(before: Measurement, after: Measurement, drift: float | None) -> Change:
    old, new = before.stages["total"].median, after.stages["total"].median
    low = min(after.rounds_ms, default=new) / max(before.rounds_ms, default=old)
    high = max(after.rounds_ms, default=new) / min(before.rounds_ms, default=old)
    return Change(
        setting=after.setting,
        before_ms=old,
        after_ms=new,
        ratio=new / old,
        low=low,
        high=high,
        noise=_noise(before, after, (low, new / old, high), drift),
        same_model=before.model_sha256 == after.model_sha256,
    )


def _noise(
    before: Measurement,
    after: Measurement,
    ratios: tuple[float, float, float],
    drift: float | None,
) -> str:
    """Why a ratio may come from the machine alone; "" if it cannot well do so."""
    low, ratio, high = ratios
    if min(len(before.rounds_ms), len(after.rounds_ms)) < _FEWEST_ROUNDS:
        return f"fewer than {_FEWEST_ROUNDS} rounds"
    if low <= 1 <= high:
        return "rounds overlap"
    size = abs(math.log(ratio))
    if size < math.log(1 + _LEAST_CHANGE):
        return f"less than {_LEAST_CHANGE:.0%}"
    if drift is not None and size <= abs(math.log(drift)):
        return "machine drifted as much"
    return ""


def _machine_ratio(before: Benchmark, after: Benchmark) -> float | None:
    if before.reference is None or after.reference is None or not before.reference.median:
        return None
    return after.reference.median / before.reference.median


def _notes(before: Benchmark, after: Benchmark) -> list[str]:
    """What else is different, which may be the reason of a change or the point of it."""
    found = []
    for key in ("system", "python", "governor"):
        old, new = before.machine.get(key), after.machine.get(key)
        if old != new:
            found.append(f"{key} was {old}, is {new}")
    old_versions, new_versions = (_versions(run.machine) for run in (before, after))
    for name in sorted(old_versions.keys() | new_versions.keys()):
        old, new = old_versions.get(name), new_versions.get(name)
        if old != new:
            found.append(f"{name} was {old}, is {new}")
    if before.warnings:
        found.append(f"the run before had {counted(len(before.warnings), 'warning')} of noise")
    return found


def _versions(machine: Mapping[str, object]) -> Mapping[str, object]:
    versions = machine.get("versions")
    return versions if isinstance(versions, dict) else {}


def _machine(facts: Mapping[str, object]) -> str:
    return ", ".join(f"{facts.get(key)}{' cores' if key == 'cores' else ''}" for key in _SAME)
