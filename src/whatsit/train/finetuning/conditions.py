"""What a training runs under: a device's numbers, an order of sums, memory, and Ctrl-C."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

import torch

from ...errors import WhatsitError


def half_precision(device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """bfloat16 where a GPU is quicker with it; CPUs gain little, and differ from each other."""
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.autocast("cuda", torch.bfloat16)
    return contextlib.nullcontext()


@contextlib.contextmanager
def repeatable(device: torch.device, threads: int) -> Iterator[None]:
    """The same sums in the same order each time; on a GPU that would need other settings too."""
    threads_before = torch.get_num_threads()
    before = torch.are_deterministic_algorithms_enabled()
    only_warns = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.set_num_threads(threads)
    if device.type == "cpu":
        torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.set_num_threads(threads_before)
        torch.use_deterministic_algorithms(before, warn_only=only_warns)


@contextlib.contextmanager
def fits_into_memory() -> Iterator[None]:
    """What torch says of too little memory, a GPU's or this machine's, as one of our errors."""
    try:
        yield
    except RuntimeError as error:
        if "memory" not in str(error):
            raise
        raise WhatsitError(
            f"a step of the training does not fit into memory: {str(error).splitlines()[0][:200]}",
            hint="a smaller --batch, or --device cpu",
        ) from error


@contextlib.contextmanager
def asked_to_stop() -> Iterator[threading.Event]:
    """Set by a first Ctrl-C, so that a step ends before all stops; a second one stops at once.

    In the background, or in a thread, there is no Ctrl-C to wait for.
    """
    asked = threading.Event()
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before == signal.SIG_IGN:
        yield asked
        return

    def ask(number: int, frame: object) -> None:
        asked.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, ask)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)
