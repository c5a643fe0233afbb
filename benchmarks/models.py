"""Inference alone, model against model, in turns. Usage: python benchmarks/models.py"""

from __future__ import annotations

import time
from collections import defaultdict

import numpy as np

from whatsit import machine, zoo
from whatsit.runtimes import open_runtime

ROUNDS, RUNS = 7, 40
THREADS = (1, 2)


def main() -> None:
    bundles = {name: zoo.open_builtin(name) for name in zoo.catalogue()}
    runtimes = {
        (name, threads): open_runtime(bundle, threads=threads)
        for name, bundle in bundles.items()
        for threads in THREADS
    }
    noise = np.random.default_rng(0)
    times_ms: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
    for _ in range(ROUNDS):
        for key, runtime in runtimes.items():
            spec = bundles[key[0]].input
            batch = noise.integers(0, 256, (1, spec.height, spec.width, 3), np.uint8)
            runs = []
            for _ in range(RUNS):
                start = time.perf_counter()
                runtime.run(batch)
                runs.append((time.perf_counter() - start) * 1e3)
            times_ms[key].append(float(np.median(runs)))
    print(f"{'':<28}" + "".join(f"{f'{threads} thread(s)':>14}" for threads in THREADS))
    for name in bundles:
        cells = (f"{np.median(times_ms[name, threads]):11.2f} ms" for threads in THREADS)
        print(f"{name:<28}" + "".join(cells))
    print(machine.facts())


if __name__ == "__main__":
    main()
