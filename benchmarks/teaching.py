"""How long teaching takes. Usage: python benchmarks/teaching.py TRAIN VALIDATION [ROUNDS]

`whatsit train` against bare code that decodes the same pictures and runs the same model on them.
That is done in two ways: a loop, in which a picture is decoded and then run on all cores, so that
it takes what decoding and inference take summed up; and a thread for each core, each of which
decodes and runs its own pictures. All are whole processes, and take turns; the cache of the first
is empty each time. Prints for each round the seconds on the clock, and the ratio to either way.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from whatsit import datasets, inputs, machine, zoo

BARE = "--bare"
WHATSIT = (sys.executable, "-m", "whatsit")


@dataclass(frozen=True)
class Round:
    """The seconds on the clock of each process."""

    taught_s: float
    loop_s: float
    threads_s: float

    def __str__(self) -> str:
        seconds = (self.taught_s, self.loop_s, self.threads_s)
        ratios = (self.taught_s / self.loop_s, self.taught_s / self.threads_s)
        return "".join(f"{value:10.2f}" for value in (*seconds, *ratios))


def bare(at_once: int, folders: Sequence[str]) -> None:
    """Decodes, preprocesses and runs every picture, so many at the same time, on all cores."""
    from ai_edge_litert.interpreter import Interpreter

    bundle = zoo.open_builtin(zoo.DEFAULT)
    own, threads = threading.local(), machine.cpu_count() // at_once

    def run(path: str) -> None:
        if not hasattr(own, "interpreter"):
            own.interpreter = Interpreter(model_content=bundle.data, num_threads=threads)
            own.interpreter.allocate_tensors()
            own.source = own.interpreter.get_input_details()[0]["index"]
            own.target = own.interpreter.get_output_details()[0]["index"]
        batch = inputs.read(path, bundle, bundle.preprocess).batch
        own.interpreter.set_tensor(own.source, batch)
        own.interpreter.invoke()
        own.interpreter.get_tensor(own.target)

    paths = [row.path for folder in folders for row in datasets.read(folder).rows]
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(run, paths))


def timed_s(command: Sequence[str], environment: Mapping[str, str] | None = None) -> float:
    """Runs a command to its end. Raises CalledProcessError if it fails."""
    start = time.perf_counter()
    subprocess.run(command, check=True, env=environment, capture_output=True)
    return time.perf_counter() - start


def one_round(train: str, validation: str) -> Round:
    """Each of the three once."""
    with tempfile.TemporaryDirectory() as folder:
        output = str(Path(folder) / "taught.tflite")
        taught_s = timed_s(
            [*WHATSIT, "train", train, "--validation", validation, "-o", output],
            {**os.environ, "WHATSIT_CACHE": folder},
        )
    own = [sys.executable, __file__, BARE]
    loop_s = timed_s([*own, "1", train, validation])
    return Round(taught_s, loop_s, timed_s([*own, str(machine.cpu_count()), train, validation]))


def main() -> None:
    if sys.argv[1] == BARE:
        bare(int(sys.argv[2]), sys.argv[3:])
        return
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    heads = ("train", "loop", "threads", "to loop", "to thr.")
    print("round " + "".join(f"{head:>10}" for head in heads))
    rounds = []
    for number in range(1, count + 1):
        rounds.append(one_round(*sys.argv[1:3]))
        print(f"{number:<6}{rounds[-1]}", flush=True)
    taught_s = median(each.taught_s for each in rounds)
    to_loop = median(each.taught_s / each.loop_s for each in rounds)
    to_threads = median(each.taught_s / each.threads_s for each in rounds)
    print(
        f"median: {taught_s:.1f} s, {to_loop:.2f} times decoding and inference in a loop, "
        f"{to_threads:.2f} times the same in {machine.cpu_count()} threads"
    )


if __name__ == "__main__":
    main()
