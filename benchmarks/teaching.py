"""How long teaching takes. Usage: python benchmarks/teaching.py TRAIN VALIDATION [ROUNDS]

`whatsit train` against bare code that decodes the same pictures and runs the same model on them, on
all cores. Both are whole processes, and take turns; the cache of the former is empty each time.
Prints for each round the seconds on the clock and of the processors, and the ratios, which are to
be at most 1.25.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from whatsit import datasets, inputs, machine, zoo

BARE = "--bare"
WHATSIT = (sys.executable, "-m", "whatsit")


@dataclass(frozen=True)
class Taken:
    """The seconds of a process: on the clock, and of the processors."""

    clock_s: float
    processor_s: float


def bare(folders: Sequence[str]) -> None:
    """Decodes, preprocesses and runs every picture, in as many threads as there are cores."""
    from ai_edge_litert.interpreter import Interpreter

    bundle = zoo.open_builtin(zoo.DEFAULT)
    own = threading.local()

    def run(path: str) -> None:
        if not hasattr(own, "interpreter"):
            own.interpreter = Interpreter(model_content=bundle.data, num_threads=1)
            own.interpreter.allocate_tensors()
            own.source = own.interpreter.get_input_details()[0]["index"]
            own.target = own.interpreter.get_output_details()[0]["index"]
        batch = inputs.read(path, bundle, bundle.preprocess).batch
        own.interpreter.set_tensor(own.source, batch)
        own.interpreter.invoke()
        own.interpreter.get_tensor(own.target)

    paths = [row.path for folder in folders for row in datasets.read(folder).rows]
    with ThreadPoolExecutor(machine.cpu_count()) as pool:
        list(pool.map(run, paths))


def timed(command: Sequence[str], environment: Mapping[str, str]) -> Taken:
    """Runs a command to its end. Raises CalledProcessError if it fails."""
    before, start = os.times(), time.perf_counter()
    subprocess.run(command, check=True, env=environment, capture_output=True)
    clock_s, after = time.perf_counter() - start, os.times()
    used = after.children_user + after.children_system
    return Taken(clock_s, used - before.children_user - before.children_system)


def one_round(train: str, validation: str) -> tuple[Taken, Taken]:
    """What `whatsit train` takes, and bare code."""
    with tempfile.TemporaryDirectory() as folder:
        output = str(Path(folder) / "taught.tflite")
        taught = timed(
            [*WHATSIT, "train", train, "--validation", validation, "-o", output],
            {**os.environ, "WHATSIT_CACHE": folder},
        )
    return taught, timed([sys.executable, __file__, BARE, train, validation], os.environ)


def main() -> None:
    if sys.argv[1] == BARE:
        bare(sys.argv[2:])
        return
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    print("round     train              bare               ratio")
    ratios: list[tuple[float, float]] = []
    for number in range(1, rounds + 1):
        taught, plain = one_round(*sys.argv[1:3])
        clock = taught.clock_s / plain.clock_s
        processors = taught.processor_s / plain.processor_s if plain.processor_s else float("nan")
        ratios.append((clock, processors))
        print(
            f"{number:<5}  {taught.clock_s:6.2f} s ({taught.processor_s:6.2f})"
            f"  {plain.clock_s:6.2f} s ({plain.processor_s:6.2f})  {clock:5.2f} ({processors:.2f})"
        )
    clock, processors = (statistics.median(column) for column in zip(*ratios, strict=True))
    print(f"median {clock:.2f} on the clock, {processors:.2f} of the processors")


if __name__ == "__main__":
    main()
