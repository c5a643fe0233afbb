"""What machine this is: printed beside every measured number."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator

_MEASURED_WITH = ("whatsit", "ai-edge-litert", "openvino", "numpy", "pillow")


def cpu_count() -> int:
    """Cores that this process may use: fewer than the machine's in a container or under taskset."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Linear algebra on one thread: small matrices gain nothing, and sums keep their order.

    Without threadpoolctl, which the extra `train` brings, nothing is changed.
    """
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        yield
        return
    with threadpool_limits(1):
        yield


def facts() -> dict[str, object]:
    """CPU, cores, governor, memory, system and versions, ready for JSON."""
    import platform  # here, since every start of the program asks this module for its cores

    return {
        "cpu": _cpu_model(),
        "architecture": platform.machine(),
        "cores": cpu_count(),
        "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "memory_bytes": _memory_bytes(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in _MEASURED_WITH},
    }


def load_average() -> float | None:
    """Processes that ran or waited in the last minute; None where the system does not say."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None


class Neighbours:
    """Watches what other programs take of our cores from now on."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._before = _others_s()

    def cores(self) -> float | None:
        """How many of our cores they kept busy since then; None where the system does not say.

        Child processes count as others until they have ended and been waited for.
        """
        after, elapsed = _others_s(), time.perf_counter() - self._start
        if self._before is None or after is None:
            return None
        return max(0.0, (after - self._before) / max(elapsed, 1e-9))


def peak_memory_bytes(*, with_children: bool = False) -> int | None:
    """The most memory that this process has held; None where the system does not say.

    `with_children` adds what its children that still run have held.
    """
    own = _peak_of("self")
    if own is not None:
        peaks = [own, *(_peak_of(child) for child in _children())] if with_children else [own]
        return sum(peak for peak in peaks if peak is not None)
    if with_children:
        return None
    try:
        import resource
    except ImportError:  # Windows
        return None
    import sys

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _peak_of(process: str) -> int | None:
    """Linux alone tells; unlike ru_maxrss this is not what a parent held before a fork."""
    for line in (_read(f"/proc/{process}/status") or "").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None


def _children() -> list[str]:
    own, found = str(os.getpid()), []
    for process in os.listdir("/proc"):
        # The name of the program, in brackets, may hold anything; then state and parent.
        about = (_read(f"/proc/{process}/stat") or "") if process.isdigit() else ""
        if about.rpartition(")")[2].split()[1:2] == [own]:
            found.append(process)
    return found


def _others_s() -> float | None:
    """Seconds that our cores have worked for all but this process and its children. Linux."""
    names = {f"cpu{core}" for core in _own_cores()}
    rows = [line.split() for line in (_read("/proc/stat") or "").splitlines()]
    # user, nice, system, idle, iowait, irq, softirq, steal: what idles is left out
    busy = [sum(map(int, row[1:4] + row[6:9])) for row in rows if row[0] in names]
    if not busy:
        return None
    own = os.times()
    return sum(busy) / os.sysconf("SC_CLK_TCK") - sum(own[:4])


def _own_cores() -> set[int]:
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


def _cpu_model() -> str:
    for line in (_read("/proc/cpuinfo") or "").splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Hardware", "Model"):
            return value.strip()
    import platform

    return platform.processor() or "unknown"


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None


def _version(package: str) -> str | None:
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return None
