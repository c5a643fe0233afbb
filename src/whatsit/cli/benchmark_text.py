"""What `whatsit benchmark` prints for people, 80 columns wide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..benchmark.noise import FEWEST_ROUNDS, leading
from ..wording import counted, figures, megabytes
from . import output

if TYPE_CHECKING:
    from rich.console import Console

    from ..benchmark import Benchmark, Change, Changes, Measurement

# Title and width. Each table has the same, so that those of several models stand below each other.
_COLUMNS = (
    ("p50", 6),
    ("p95", 6),
    ("decode", 6),
    ("prep.", 6),
    ("infer.", 6),
    ("per s", 9),
    ("load", 5),
    ("first", 5),
    ("MB", 4),
)
_RUNTIME_WIDTH = 13
_MOST_NEAR = 6  # settings listed as the fastest
_LEGEND = (
    "ms for a picture: p50 the median, p95 what 19 of 20 stay below, then the medians",
    "of decoding, preprocessing and inference. per s: pictures a second (with so many",
    "at once). load, first: in a fresh process, in ms. MB: the most memory it held.",
)


def print_run(run: Benchmark) -> None:
    """A table for each model, what is wrong with answers, the fastest, the machine."""
    if not run.measurements:
        return
    console = output.console(markup=True)
    for model in dict.fromkeys(m.setting.model for m in run.measurements):
        own = [m for m in run.measurements if m.setting.model == model]
        console.print(f"[bold]{_escaped(model)}[/bold]  {megabytes(own[0].model_bytes)}")
        _print_table(console, own)
        console.print()
    wrong = [m for m in run.measurements if not m.right]
    for measurement in wrong:
        console.print(f"[red]! WRONG[/red]  {_escaped(str(measurement.setting))}")
        console.print(f"  {_escaped(measurement.answers)}")
    if wrong:
        console.print()
    console.print("\n".join(_LEGEND))
    fastest = _fastest([m for m in run.measurements if m.right])
    if fastest:
        console.print()
        for line in fastest:
            console.print(_escaped(line))
    console.print(f"\n{_machine(run)}\nMeasured with {run.pictures}.")


def print_comparison(compared: Changes, path: str) -> None:
    """Each setting before and now, and whether that is a change."""
    console = output.console(markup=True)
    console.print(f"\nSince {_escaped(path)}, p50 in ms and the ratio that the rounds allow:")
    for model in dict.fromkeys(change.setting.model for change in compared.changes):
        own = [change for change in compared.changes if change.setting.model == model]
        other = "" if all(change.same_model for change in own) else "  (another file than before)"
        console.print(f"[bold]{_escaped(model)}[/bold]{other}")
        for change in own:
            console.print(_change_line(change))
    for text, settings in (
        ("not measured now", compared.only_before),
        ("not measured before", compared.only_after),
    ):
        for setting in settings:
            console.print(f"{text}: {_escaped(str(setting))}")
    if compared.machine_ratio is not None:
        console.print(f"A fixed piece of work: {compared.machine_ratio:.2f} × its time before.")


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(output.printable(text))


def _print_table(console: Console, measurements: list[Measurement]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 0, 0, 1), header_style="bold")
    table.add_column("runtime", width=_RUNTIME_WIDTH, no_wrap=True)
    table.add_column("thr.", width=4, justify="right", no_wrap=True)
    for title, width in _COLUMNS:
        table.add_column(title, width=width, justify="right", no_wrap=True)
    for m in measurements:
        table.add_row(*_cells(m), style=None if m.right else "red")
    console.print(table, soft_wrap=False)


def _cells(measurement: Measurement) -> list[str]:
    stages, memory = measurement.stages, measurement.peak_memory_bytes
    mark = "" if measurement.right else "!"
    return [
        measurement.setting.runtime,
        str(measurement.setting.threads),
        _narrow(stages["total"].median) + mark,
        _narrow(stages["total"].p95),
        *(_narrow(stages[stage].median) for stage in ("decode", "preprocess", "inference")),
        f"{_narrow(measurement.throughput_per_s, 1)} ({measurement.workers})",
        _narrow(measurement.load_ms, 1),
        _narrow(measurement.first_ms, 1),
        "–" if memory is None else f"{memory / 1e6:.0f}",
    ]


def _narrow(number: float, most_digits: int = 2) -> str:
    """As the columns have room for it."""
    return figures(number, most_digits).replace(",", "")


def _fastest(measurements: list[Measurement]) -> list[str]:
    """The best; where the rounds do not tell it from others, that they do not."""
    if len(measurements) < 2:
        return []
    first = leading(measurements)
    rounds = min(len(m.rounds_ms) for m in measurements)
    if rounds < FEWEST_ROUNDS:
        return [f"Which is fastest cannot be told from {counted(rounds, 'round')}."]
    if len(first) == 1:
        return [f"Fastest: {first[0].setting}: {_median(first[0])} ms a picture."]
    shown = first if len(first) <= _MOST_NEAR else first[: _MOST_NEAR - 1]
    lines = ["In front, and not to be told apart by these rounds, in ms a picture:"]
    lines += [f"  {m.setting}: {_median(m)}" for m in shown]
    if len(shown) < len(first):
        lines.append(f"  and {len(first) - len(shown)} others")
    return lines


def _median(measurement: Measurement) -> str:
    return _narrow(measurement.stages["total"].median)


def _machine(run: Benchmark) -> str:
    facts = run.machine
    versions = facts.get("versions")
    engine = versions.get("ai-edge-litert") if isinstance(versions, dict) else None
    text = (
        f"{facts.get('cpu')}, {facts.get('cores')} cores, {facts.get('architecture')}\n"
        f"{facts.get('system')}, Python {facts.get('python')}, LiteRT {engine}"
    )
    return "\n".join(_escaped(line) for line in text.splitlines())


def _change_line(change: Change) -> str:
    setting = f"{change.setting.runtime} × {change.setting.threads}"
    times = f"{_narrow(change.before_ms):>6} → {_narrow(change.after_ms):>6}"
    ratio = f"{change.ratio:.2f} × ({change.low:.2f}–{change.high:.2f})"
    if change.noise:
        verdict = f"noise: {change.noise}"
    else:
        verdict = "[red]slower[/red]" if change.ratio > 1 else "[green]faster[/green]"
    return f"  {setting:<17} {times}  {ratio:<20} {verdict}"
