"""`whatsit benchmark`: how fast models are on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from .. import benchmark, machine, zoo
from ..benchmark import Benchmark, Changes, Pictures, Setting
from ..benchmark.measuring import ROUNDS, SECONDS
from ..errors import UsageError, WhatsitError
from ..sources import expand
from . import benchmark_text, output, progress
from .options import report_option
from .targets import Targets, model_files


@click.command()
@click.argument("models", nargs=-1, metavar="[MODEL...]", type=click.UNPROCESSED)
@click.option("--all", "every", is_flag=True, help="All models, built in and imported.")
@click.option(
    "--threads",
    metavar="N,N",
    help="Threads for one picture, each number measured.  [default: 1 and the powers of two up "
    "to the cores]",
)
@click.option(
    "--runtime",
    "runtimes",
    metavar="ENGINE,ENGINE",
    help="Engines, each measured: litert, openvino, isolated …, auto, or all that run here.  "
    "[default: what classify would use]",
)
@click.option(
    "--data",
    multiple=True,
    metavar="PICTURE|FOLDER",
    help="Measure with these pictures, at most 24 evenly taken; repeat it for several.  "
    "[default: the golden pictures]",
)
@click.option(
    "--rounds",
    type=int,
    metavar="N",
    help=f"How often each setting has its turn.  [default: {ROUNDS}]",
)
@click.option(
    "--seconds",
    type=float,
    metavar="S",
    help="Seconds for each setting, all rounds together; a model with 1 and 2 threads takes "
    f"about 10.  [default: {SECONDS:g}]",
)
@click.option(
    "--workers",
    type=int,
    metavar="N",
    help="Pictures at the same time, for the throughput.  [default: the cores divided by the "
    "threads]",
)
@click.option("--save", metavar="FILE", help="Also write all of it as JSON.")
@click.option(
    "--compare",
    "before",
    metavar="FILE",
    help="Also say what changed since a run that was saved. Without other options its settings "
    "are measured again.",
)
@report_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a setting.")
def command(
    models: tuple[str, ...],
    every: bool,
    threads: str | None,
    runtimes: str | None,
    data: tuple[str, ...],
    rounds: int | None,
    seconds: float | None,
    workers: int | None,
    save: str | None,
    before: str | None,
    report_path: str | None,
    as_json: bool,
) -> int:
    """Measure how fast models are on this machine.

    MODEL is the name of a model or a path to a .tflite (default: the default model). Every setting
    is measured in processes of its own, in turns with the others, and its answers are checked.

    Exit status: 0 if all was measured and all answers are right, 1 if not, 2 for wrong usage. That
    the machine is too noisy is a warning.
    """
    from .. import report

    targets = Targets(save, report_path)
    targets.check()
    earlier = _earlier(before)
    asked = threads is not None or runtimes is not None
    if earlier and not (models or every or asked):
        settings = [measurement.setting for measurement in earlier.measurements]
    else:
        settings = _settings(models, every, threads, runtimes)
    files = list(expand(data)) if data else None
    targets.spare(model_files(dict.fromkeys(setting.model for setting in settings)))
    targets.spare(
        [*(text.removeprefix("@") for text in data), *(file.path for file in files or ())]
    )
    pictures = benchmark.choose_pictures(files)
    for error in pictures.errors:
        output.print_error(error)
    if earlier:
        benchmark.check_pictures(earlier, pictures.sha256, pictures.description)
    with progress.line() as say:
        run = benchmark.measure(
            settings,
            pictures=pictures,
            rounds=ROUNDS if rounds is None else rounds,
            seconds=SECONDS if seconds is None else seconds,
            workers=workers,
            progress=lambda done, total, setting: say(f"turn {done + 1} of {total}: {setting}"),
        )
    compared = benchmark.changes_between(earlier, run) if earlier else None
    try:
        _print(run, compared, before or "", as_json)
    finally:  # also if nobody reads what is printed
        if save is not None:
            run.save(save)
        if report_path is not None:
            report.save(report.benchmark_page(run), report_path)
    return 0 if _all_good(run, pictures) else 1


def _settings(
    models: Sequence[str], every: bool, threads: str | None, runtimes: str | None
) -> list[Setting]:
    if models and every:
        raise UsageError(
            f"both --all and {models[0]!r}", expected="the models' names, or --all alone"
        )
    names = [*zoo.catalogue(), *zoo.installed()] if every else list(models) or [zoo.DEFAULT]
    return benchmark.settings_for(
        names,
        runtimes=_runtimes(runtimes),
        threads=_threads(threads, machine.cpu_count()),
        note=output.print_note,
    )


def _threads(text: str | None, cores: int) -> list[int]:
    if text is None:
        return [1 << power for power in range(cores.bit_length())]
    try:
        return list(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError as error:
        raise UsageError(
            f"--threads {text!r}", expected="numbers with commas between them, such as 1,2,4"
        ) from error


def _runtimes(text: str | None) -> list[str]:
    if text is None:
        return []
    names = [part.strip() for part in text.split(",")]
    if "all" not in names:
        return list(dict.fromkeys(names))
    from ..engines import installed

    return list(dict.fromkeys(name for n in names for name in (installed() if n == "all" else [n])))


def _earlier(path: str | None) -> Benchmark | None:
    """The run to compare with, refused before the long work begins."""
    if path is None:
        return None
    run = Benchmark.read(path)
    try:
        benchmark.check_comparable(run, machine.facts())
    except UsageError as error:
        raise error.about(f"{path!r} cannot be compared with") from error
    return run


def _print(run: Benchmark, compared: Changes | None, path: str, as_json: bool) -> None:
    if as_json:
        changes = {c.setting: c.to_json() for c in compared.changes} if compared else {}
        for measurement in run.measurements:
            line: dict[str, Any] = {**measurement.to_json(), "warnings": list(run.warnings)}
            if compared is not None:
                line["compared"] = changes.get(measurement.setting)
            output.print_json(line)
        for failed in run.failures:
            output.print_json(failed.to_json())
    else:
        benchmark_text.print_run(run)
        if compared is not None:
            benchmark_text.print_comparison(compared, path)
        _print_failures(run)
    for note in (*run.notes, *(compared.notes if compared else ())):
        output.print_note(note)
    for warning in run.warnings:
        output.print_warning(warning)


def _print_failures(run: Benchmark) -> None:
    """Each error once, though all settings of a model may have it."""
    alike: dict[tuple[str, str, str], list[Setting]] = {}
    for failed in run.failures:
        message, hint = failed.error["message"], failed.error.get("hint", "")
        alike.setdefault((failed.setting.model, message, hint), []).append(failed.setting)
    for (model, message, hint), settings in alike.items():
        about = str(settings[0]) if len(settings) == 1 else f"{model}, {len(settings)} settings"
        output.print_error(WhatsitError(f"{about}: {message}", hint=hint))


def _all_good(run: Benchmark, pictures: Pictures) -> bool:
    right = all(measurement.right for measurement in run.measurements)
    return right and not run.failures and not pictures.errors
