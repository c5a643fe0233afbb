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
    versions = machine.facts()["versions"]
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
