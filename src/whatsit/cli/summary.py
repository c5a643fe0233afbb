"""An evaluation on a terminal, and the words and tables that other commands share with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .. import wording
from ..wording import counted, interval
from . import output

if TYPE_CHECKING:
    from rich.console import Console

    from ..evaluation import ClassScore, Evaluation, Failure

_SHOWN = 5  # of the weakest classes, the confusions and the mistakes
_SHOWN_FAILURES = 10
_NAME_WIDTH = 26  # of a class: two of them and their numbers fit 80 columns


def print_evaluation(evaluation: Evaluation, kind: str) -> None:
    """What people want to know of an evaluation; `kind` is that of its data set."""
    console = output.console()
    classes = [score for score in evaluation.per_class() if score.pictures]
    console.print(
        f"{output.printable(evaluation.model)} on {output.printable(evaluation.dataset)}\n"
        f"{counted(len(evaluation.answers), 'picture')} of {counted(len(classes), 'class')}, "
        f"{output.printable(kind)}\n"
    )
    if evaluation.answers:
        _print_accuracy(console, evaluation)
        _print_speed(console, evaluation)
        _print_classes(console, evaluation, classes)
        _print_confusions(console, evaluation)
        print_mistakes(console, evaluation)
    print_failures(console, evaluation.failures)


def _print_accuracy(console: Console, evaluation: Evaluation) -> None:
    for k in evaluation.ks:
        rate = evaluation.top(k)
        console.print(
            f"{f'Top-{k}':<12} {percent(rate.value)} ({interval(rate.interval)}), "
            f"{rate.hits} of {rate.total}",
            style="bold" if k == evaluation.ks[0] else None,
        )
    calibration = evaluation.calibration()
    console.print(
        f"{'Calibration':<12} {percent(calibration.error)} off: the answers claim "
        f"{wording.percent(calibration.confidence)}, "
        f"{wording.percent(calibration.accuracy.value)} are right"
    )


def _print_speed(console: Console, evaluation: Evaluation) -> None:
    speed = evaluation.speed()
    if not speed:
        return
    parts = ", ".join(f"{stage} {speed[stage].median:.1f}" for stage in list(speed)[:-1])
    total = speed["total"]
    console.print(
        f"{'Speed':<12} {total.median:5.1f} ms a picture, 95 % within {total.p95:.1f} ms\n"
        f"{'':<13} {parts}\n"
        f"{'':<13} {_pace(evaluation)}"
    )


def _pace(evaluation: Evaluation) -> str:
    """How many pictures a second, with how many workers and threads, and in which engine."""
    per_s = evaluation.pictures_per_s
    start = "" if per_s is None else f"{per_s:.0f} pictures a second, "
    threads = counted(evaluation.threads, "thread")
    engine = output.printable(evaluation.runtime)
    return f"{start}{evaluation.workers} at a time, {threads} each, run by {engine}"


def _print_classes(console: Console, evaluation: Evaluation, classes: list[ClassScore]) -> None:
    # By the upper end of the interval: first those that are weak beyond doubt.
    weak = sorted(classes, key=lambda score: (score.recall.interval[1], score.index))
    level = evaluation.top(1).value
    weak = [s for s in weak if s.recall.value < level and s.pictures > 1][:_SHOWN]
    if not weak:
        return
    rows = [
        (
            class_name(score.name),
            f"{score.correct} of {score.pictures}",
            f"{score.correct} of {score.answered}" if score.answered else "never given",
        )
        for score in weak
    ]
    print_table(
        console, ("Weakest classes", "found (recall)", "right when given (precision)"), rows
    )


def _print_confusions(console: Console, evaluation: Evaluation) -> None:
    names = evaluation.labels.names
    often = [pair for pair in evaluation.confusions() if pair.count > 1][:_SHOWN]
    if often:
        rows = [
            (class_name(names[p.truth]), class_name(names[p.answer]), f"{p.count} ×") for p in often
        ]
        print_table(console, ("Most confused", "taken for", ""), rows, numbers=1)


def print_mistakes(console: Console, evaluation: Evaluation) -> None:
    """The wrong answers that the model was surest of."""
    names = evaluation.labels.names
    worst = evaluation.mistakes()[:_SHOWN]
    if worst:
        console.print("\nSurest mistakes", style="bold")
    for answer in worst:
        index, score = answer.ranked[0]
        console.print(
            f"{percent(score)}  {class_name(names[index])} for {class_name(names[answer.truth])}"
        )
        console.print(f"         {output.printable(answer.path)}", style="dim")


def print_failures(console: Console, failures: Sequence[Failure]) -> None:
    """The pictures that could not be classified, if any."""
    if not failures:
        return
    console.print(f"\nFailed: {len(failures)}, not counted above", style="bold")
    for failure in failures[:_SHOWN_FAILURES]:
        console.print(f"  {output.printable(failure.error['message'])}")
    if len(failures) > _SHOWN_FAILURES:
        console.print(f"  … and {len(failures) - _SHOWN_FAILURES} more: see --json")


def print_table(
    console: Console, titles: tuple[str, ...], rows: Sequence[tuple[str, ...]], *, numbers: int = 0
) -> None:
    """A blank line, then columns, the last `numbers` of them to the right."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, title in enumerate(titles):
        right = place >= len(titles) - numbers
        table.add_column(title, overflow="fold", justify="right" if right else "left")
    for row in rows:
        table.add_row(*row)
    console.print()
    console.print(table, soft_wrap=False)


def percent(share: float) -> str:
    """A share as `84.2 %`, as wide as `100.0 %`."""
    return wording.percent(share).rjust(7)


def class_name(name: str) -> str:
    """The name of a class, cut where a list of synonyms would fill the line."""
    text = output.printable(name)
    if len(text) <= _NAME_WIDTH:
        return text
    start = text[: _NAME_WIDTH - 1]
    return start.rpartition(", ")[0] + ", …" if ", " in start[:-2] else start + "…"
