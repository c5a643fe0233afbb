"""Inference engines by name, imported when first asked for."""

from __future__ import annotations

import importlib

from ..errors import UsageError
from .base import Graph as Graph
from .base import Program, Runtime

AUTO = "auto"  # what a person writes where the name of an engine stands
LITERT = "litert"
ISOLATED = "isolated"  # LiteRT in a process of its own

# name → "module:class"; the class takes (program, threads)
RUNTIMES = {
    LITERT: "whatsit.runtimes.litert:LiteRTRuntime",
    ISOLATED: "whatsit.runtimes.isolated:IsolatedRuntime",
    "openvino": "whatsit.runtimes.openvino:OpenVINORuntime",
    "openvino-bf16": "whatsit.runtimes.openvino:BFloat16OpenVINORuntime",
    "fake": "whatsit.runtimes.fake:FakeRuntime",
}

FOR_TESTS = "fake"  # not offered to people


def open_runtime(program: Program, name: str = LITERT, *, threads: int = 1) -> Runtime:
    """The engine `name`, ready to run a bundle or a `Graph`.

    Raises UsageError for an unknown name.
    """
    if name not in RUNTIMES:
        raise UsageError(f"no runtime {name!r}", expected=f"one of {', '.join(sorted(RUNTIMES))}")
    if threads < 1:
        raise UsageError(f"{threads} threads", expected="at least 1")
    module, _, attribute = RUNTIMES[name].partition(":")
    runtime: Runtime = getattr(importlib.import_module(module), attribute)(program, threads)
    return runtime
