"""Whether the machine was quiet and steady enough for its times to be believed."""

from __future__ import annotations

import hashlib
import statistics
import threading
import time
from collections.abc import Mapping, Sequence

from .. import machine
from ..measures import Spread
from ..wording import counted
from .values import Measurement

MOST_APART = 0.1  # rounds or reference work: their middle half, as a share of their median
_MOST_LOAD = 0.5  # processes, in the minute before
_MOST_OTHERS = 0.1  # cores that other programs keep busy
_PROBE_S = 0.2  # to see whether they do so now
_REFERENCE_BYTES = 4 << 20  # a hash of them takes a few milliseconds on each core
_REFERENCE_REPEATS = 5
_FEWEST_IN_THIRD = 2  # times of it at the start and at the end, to be called a drift
FEWEST_ROUNDS = 3
_AGAIN = "close other programs and measure again"


class Watch:
    """Looks at the machine before a run, between its turns and after it."""

    def __init__(self) -> None:
        self._before = _busy_before()
        self._reference_ms: list[float] = []
        self._neighbours = machine.Neighbours()

    def between_turns(self) -> None:
        """Takes the time of a fixed piece of work, which only the machine can make longer."""
        self._reference_ms.append(reference_work_ms())

    @property
    def reference(self) -> Spread:
        """Of the fixed piece of work."""
        return Spread.of(self._reference_ms)

    def warnings(self, measurements: Sequence[Measurement], rounds: int) -> list[str]:
        """What speaks against the numbers, each with the remedy. To be asked once, at the end."""
        found = [
            self._before,
            _neighbours_warning(self._neighbours.cores()),
            _drift_warning(self._reference_ms),
            _rounds_warning(measurements),
        ]
        if rounds < FEWEST_ROUNDS:
            found.append(
                f"{counted(rounds, 'round')} cannot show how far times scatter: "
                f"take at least {FEWEST_ROUNDS}"
            )
        return [warning for warning in found if warning]


def leading(measurements: Sequence[Measurement]) -> list[Measurement]:
    """The fastest, and those that the rounds do not tell from it; all where rounds are too few."""
    order = sorted(measurements, key=lambda m: m.stages["total"].median)
    if not order or min(len(m.rounds_ms) for m in order) < FEWEST_ROUNDS:
        return order
    slowest = max(order[0].rounds_ms)
    return [m for m in order if m is order[0] or min(m.rounds_ms) <= slowest]


def notes(facts: Mapping[str, object]) -> list[str]:
    """What to know of the machine besides: its clock."""
    governor = facts.get("governor")
    if governor in (None, "performance"):
        return []
    return [
        f"the CPU governor is {governor!r}, which lets the clock vary: "
        "`cpupower frequency-set -g performance` holds it"
    ]


def apart(times_ms: Sequence[float]) -> float:
    """How far times lie apart: their middle half, as a share of their median."""
    spread = Spread.of(times_ms)
    return (spread.high - spread.low) / spread.median if spread.median else 0.0


def reference_work_ms() -> float:
    """The time of a fixed piece of work on all our cores at once, the median of a few."""
    return statistics.median(_hash_on_all_cores_ms() for _ in range(_REFERENCE_REPEATS))


def _hash_on_all_cores_ms() -> float:
    content = bytes(1 << 16)

    def work() -> None:
        total = hashlib.sha256()
        for _ in range(_REFERENCE_BYTES // len(content)):
            total.update(content)  # which lets other threads run meanwhile

    threads = [threading.Thread(target=work) for _ in range(machine.cpu_count())]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return (time.perf_counter() - start) * 1e3


def _busy_before() -> str:
    """A warning if others are at work; the load average is old news where more can be known."""
    load = machine.load_average()
    if load is None or load <= _MOST_LOAD:
        return ""
    neighbours = machine.Neighbours()
    time.sleep(_PROBE_S)
    cores = neighbours.cores()
    if cores is not None and cores <= _MOST_OTHERS:
        return ""
    return f"the load average was {load:.2f} before the run: {_AGAIN}"


def _neighbours_warning(cores: float | None) -> str:
    if cores is None or cores <= _MOST_OTHERS:
        return ""
    return f"other programs kept {cores:.2f} cores busy during the run: {_AGAIN}"


def _drift_warning(times_ms: Sequence[float]) -> str:
    """The fixed piece of work grew steadily longer or shorter, or its times just scatter."""
    third = len(times_ms) // 3
    if third >= _FEWEST_IN_THIRD:
        early, late = times_ms[:third], times_ms[-third:]
        change = statistics.median(late) / statistics.median(early) - 1
        steady = max(apart(early), apart(late)) < abs(change) / 2
        if abs(change) > MOST_APART and steady:
            return _drifted(change)
    if apart(times_ms) > MOST_APART:
        spread = Spread.of(times_ms)
        return (
            f"a fixed piece of work took {spread.low:.1f} to {spread.high:.1f} ms (middle half) "
            f"between the turns, {apart(times_ms):.0%} apart: {_AGAIN}"
        )
    return ""


def _drifted(change: float) -> str:
    if change > 0:
        word, remedy = "slower", "let it cool down, plug it in, and measure again"
    else:
        word, remedy = "faster", "something else was at work before; measure again"
    return (
        f"the machine grew {abs(change):.0%} {word} during the run, as a fixed piece of work "
        f"shows: {remedy}"
    )


def _rounds_warning(measurements: Sequence[Measurement]) -> str:
    loud = [m for m in measurements if m.noise > MOST_APART]
    if not loud:
        return ""
    worst = max(loud, key=lambda m: m.noise)
    return (
        f"the rounds' medians lie more than {MOST_APART:.0%} apart in {len(loud)} of "
        f"{len(measurements)} settings, up to {worst.noise:.0%} ({worst.setting}): "
        f"{_AGAIN}, with more rounds"
    )
