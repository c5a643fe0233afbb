"""Inference alone, model against model, in turns. Usage: python benchmarks/models.py"""

from __future__ import annotations

from whatsit import benchmark, zoo

THREADS = (1, 2)


def main() -> None:
    settings = benchmark.settings_for(list(zoo.catalogue()), threads=THREADS)
    run = benchmark.measure(settings, throughput=False)
    medians_ms = {m.setting: m.stages["inference"].median for m in run.measurements}
    print(f"{'':<28}" + "".join(f"{f'{threads} thread(s)':>14}" for threads in THREADS))
    for name in zoo.catalogue():
        own = [ms for setting, ms in medians_ms.items() if setting.model == name]
        print(f"{name:<28}" + "".join(f"{ms:11.2f} ms" for ms in own))
    print(run.machine)
    for warning in run.warnings:
        print(f"warning   {warning}")


if __name__ == "__main__":
    main()
