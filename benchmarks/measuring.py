"""Timing that survives a busy machine: contenders take turns, and are compared turn by turn."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from whatsit import machine

Item = TypeVar("Item")
Seconds = NDArray[np.float64]  # (rounds, items)

_MAX_SPREAD = (
    0.1  # of the middle half of the rounds: beyond it the noise is coarser than the limits
)
_MAX_LOAD = 0.5  # processes waiting before we begin
_MAX_OTHERS = 0.1  # cores that other programs may keep busy meanwhile


@dataclass(frozen=True)
class Row:
    """One figure of the table; without a limit it is there to be read.

    `quartiles` are those of the rounds, whose median is `value`.
    """

    setting: str
    what: str
    value: float
    unit: str
    limit: float | None = None
    at_most: bool = True
    quartiles: tuple[float, float] | None = None

    @property
    def met(self) -> bool | None:
        """Whether the limit is kept; None without one."""
        if self.limit is None:
            return None
        return self.value <= self.limit if self.at_most else self.value >= self.limit


@dataclass
class Report:
    """What one run found: rows to judge by, the times behind them, and doubts about both."""

    rows: list[Row] = field(default_factory=list)
    times_ms: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def times(self, setting: str, series: Mapping[str, Seconds], per: int = 1) -> None:
        """Notes the times of a setting, each shared among `per` photos; warns if they scatter."""
        self.times_ms[setting] = {name: _summary(taken / per) for name, taken in series.items()}
        for name, summary in self.times_ms[setting].items():
            if summary["spread"] > _MAX_SPREAD:
                self.warnings.append(f"{setting}, {name}: rounds differ by {summary['spread']:.0%}")


def alternate(
    contenders: Mapping[str, Callable[[Item], object]], items: Sequence[Item], rounds: int
) -> dict[str, Seconds]:
    """Seconds (rounds, items) of each contender.

    In each round every contender takes all items once, each round another one first; a round to
    warm up is not counted.
    """
    names = list(contenders)
    taken: dict[str, list[list[float]]] = {name: [] for name in names}
    for number in range(-1, rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            seconds = [_timed(contenders[name], item) for item in items]
            if number >= 0:
                taken[name].append(seconds)
    return {name: np.array(seconds) for name, seconds in taken.items()}


def compared(
    setting: str,
    what: str,
    pair: tuple[Seconds, Seconds],
    *,
    percent: float | None = None,
    limit: float | None = None,
    at_most: bool = True,
) -> Row:
    """The first of the pair over the second, round by round; times `percent` if it is a share."""
    ratios = pair[0].sum(axis=1) / pair[1].sum(axis=1)  # (rounds, items) → (rounds,)
    low, middle, high = (float(q) * (percent or 1) for q in np.quantile(ratios, (0.25, 0.5, 0.75)))
    return Row(setting, what, middle, "%" if percent else "×", limit, at_most, (low, high))


def load_warnings() -> list[str]:
    """A warning if the machine was busy in the last minute. To be asked before the run."""
    load = machine.load_average() or 0.0
    return [f"load average {load:.2f} before the run"] if load > _MAX_LOAD else []


def neighbour_warnings(neighbours: machine.Neighbours) -> list[str]:
    """A warning if other programs were at work since `neighbours` began to watch."""
    cores = neighbours.cores() or 0.0
    return [f"other programs kept {cores:.2f} cores busy"] if cores > _MAX_OTHERS else []


def print_table(report: Report) -> None:
    """Rows, times and warnings, for people."""
    print(f"{'setting':<8}  {'figure':<45}  {'value':>8}  {'quartiles':>13}  {'target':>8}")
    for row in report.rows:
        target = f"{'≤' if row.at_most else '≥'} {row.limit:g} {row.unit}" if row.limit else ""
        quartiles = "{:.2f}–{:.2f}".format(*row.quartiles) if row.quartiles else ""
        verdict = {None: "", True: "met", False: "NOT MET"}[row.met]
        value = f"{row.value:.2f} {row.unit}"
        line = f"{row.setting:<8}  {row.what:<45}  {value:>8}  {quartiles:>13}  {target:>8}  "
        print((line + verdict).rstrip())
    print(f"\n{'ms':<8}  {'contender':<15}  {'median':>8}  {'p95':>8}  {'least':>8}  {'spread':>6}")
    for setting, contenders in report.times_ms.items():
        for name, summary in contenders.items():
            numbers = "  ".join(f"{summary[key]:>8.2f}" for key in ("median", "p95", "min"))
            print(f"{setting:<8}  {name:<15}  {numbers}  {summary['spread']:>6.0%}")
    print()
    for warning in report.warnings:
        print(f"warning   {warning}")
    if report.warnings:
        print("The machine is too busy for these figures to be quoted.")


def print_json(report: Report) -> None:
    """Everything on one line, with the facts of the machine."""
    facts = {**machine.facts(), "mediapipe": metadata.version("mediapipe")}
    rows = [{**vars(row), "met": row.met} for row in report.rows]
    figures = {"figures": rows, "times_ms": report.times_ms, "warnings": report.warnings}
    print(json.dumps({**figures, "machine": facts}))


def _timed(contender: Callable[[Item], object], item: Item) -> float:
    start = time.perf_counter()
    contender(item)
    return time.perf_counter() - start


def _summary(seconds: Seconds) -> dict[str, float]:
    """Of single items, in ms; `spread` is the middle half of the rounds over their median."""
    low, middle, high = np.quantile(seconds.sum(axis=1), (0.25, 0.5, 0.75))
    return {
        "median": round(float(np.median(seconds)) * 1e3, 3),
        "p95": round(float(np.quantile(seconds, 0.95)) * 1e3, 3),
        "min": round(float(seconds.min()) * 1e3, 3),
        "spread": round(float((high - low) / middle), 3),
    }
