"""What stands beside every measured number."""

from __future__ import annotations

import json
import os
import sys
from importlib import metadata

import pytest

from whatsit import machine


def test_facts_can_be_written_as_json() -> None:
    facts = machine.facts()
    assert json.loads(json.dumps(facts)) == facts
    assert list(facts) == [
        "cpu",
        "architecture",
        "cores",
        "governor",
        "memory_bytes",
        "system",
        "python",
        "versions",
    ]


def test_versions_are_the_installed_ones() -> None:
    versions = dict(machine.facts()["versions"])
    assert versions.pop("openvino") == machine._version("openvino")  # None where it is missing
    assert versions == {
        name: metadata.version(name) for name in ("whatsit", "ai-edge-litert", "numpy", "pillow")
    }


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity there")
def test_cores_are_those_that_this_process_may_use() -> None:
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert machine.cpu_count() == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert machine.cpu_count() == len(allowed)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_processor_has_a_name() -> None:
    assert machine.facts()["cpu"]
    memory = machine.facts()["memory_bytes"]
    assert isinstance(memory, int)
    assert memory > 1 << 27


STAT = """cpu  9000 9000 9000 9000 9000 9000 9000 9000 0 0
cpu0 100 20 30 5000 600 7 8 9 0 0
cpu1 1000 0 0 5000 600 0 0 0 0 0
cpu10 5000 0 0 5000 600 0 0 0 0 0
intr 1
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_neighbours_are_what_is_not_ours_on_our_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """In ticks: user, nice, system, idle, iowait, irq, softirq, steal."""
    tick = os.sysconf("SC_CLK_TCK")
    stat = [STAT]
    own = [(1.0, 0.5, 0.25, 0.25, 99.0)]
    clock = [100.0]
    monkeypatch.setattr(machine, "_read", lambda path: stat[0])
    monkeypatch.setattr(machine, "_own_cores", lambda: {0, 1})
    monkeypatch.setattr(machine.os, "times", lambda: own[0])
    monkeypatch.setattr(machine.time, "perf_counter", lambda: clock[0])
    neighbours = machine.Neighbours()
    stat[0] = STAT.replace("cpu1 1000", f"cpu1 {1000 + 5 * tick}").replace("5000 600", "9000 900")
    own[0] = (2.0, 0.5, 2.25, 0.25, 199.0)  # three seconds, children included
    clock[0] = 110.0
    assert neighbours.cores() == pytest.approx(0.2)  # (5 - 3) s in 10 s


def test_neighbours_are_unknown_where_the_system_does_not_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(machine, "_read", lambda path: None)
    assert machine.Neighbours().cores() is None
    monkeypatch.delattr(os, "getloadavg", raising=False)
    assert machine.load_average() is None


def test_peak_memory_grows_with_what_is_held() -> None:
    before = machine.peak_memory_bytes()
    if before is None:
        pytest.skip("the system does not say")
    held = bytearray(before + (64 << 20))
    held[:: 1 << 12] = b"x" * len(held[:: 1 << 12])  # every page
    after = machine.peak_memory_bytes()
    assert after is not None
    assert after > len(held)


def test_peak_memory_of_children_is_unknown_without_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_read", lambda path: None)
    assert machine.peak_memory_bytes(with_children=True) is None
    own = machine.peak_memory_bytes()
    assert own is None or own > 1 << 20
