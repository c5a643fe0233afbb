"""What was taught, on a terminal."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from ..wording import counted, interval
from . import output
from .summary import class_name, percent, print_mistakes, print_table

if TYPE_CHECKING:
    from rich.console import Console

    from ..train.curve import LearningCurve
    from ..train.report import TrainingReport
    from ..train.trusting import TrustCheck

_SHOWN = 5
_WIDTH = 64  # of words behind a name
_MOST_CLASSES = 12  # more are shown by their weakest


def print_report(report: TrainingReport, path: str) -> None:
    """How good the model at `path` is, what it was taught from, and how to go on."""
    console = output.console()
    taught = sum(report.pictures.values())
    console.print(
        f"{output.printable(path)}: {counted(len(report.pictures), 'class')}, taught to "
        f"{output.printable(report.parent)} with {counted(taught, 'picture')}\n"
    )
    _print_accuracy(console, report)
    if report.trust_check is not None:
        _print_words(console, "Likely set", trust_words(report.trust_check))
    if report.curve is not None:
        _print_curve(console, report.curve)
    if report.method == "finetune":
        _print_epochs(console, report)
    size = f"{len(report.bundle.data) / 1e6:.1f} MB"
    console.print(f"{'Size':<12} {size:>7}")
    total = sum(report.seconds.values())
    parts = ", ".join(f"{stage} {s:.1f}" for stage, s in report.seconds.items())
    _print_words(console, "Time", f"{total:.1f} s ({parts})")
    if report.evaluation is not None:
        _print_classes(console, report)
        print_mistakes(console, report.evaluation)
    _print_left_out(console, report)
    shown = output.printable(path)
    console.print(
        f"\nwhatsit -m {shown} photo.jpg        what is in a picture"
        f"\nwhatsit models show {shown}         what is inside the file"
        f"\nwhatsit benchmark {shown}           how fast it is here",
        style="dim",
    )


def _print_accuracy(console: Console, report: TrainingReport) -> None:
    rate = report.accuracy
    if rate is not None:
        console.print(
            f"{'Top-1':<12} {percent(rate.value)} ({interval(rate.interval)}), "
            f"{rate.hits} of {rate.total}",
            style="bold",
        )
    elif report.estimate is not None:
        console.print(f"{'Estimate':<12} {percent(report.estimate)} top-1", style="bold")
    console.print(f"{'on':<12}  {output.printable(report.accuracy_on)}")
    if report.float_accuracy is not None:
        count, what = len(report.flips), "head" if report.method == "head" else "model"
        answers = "the same answers" if count == 0 else f"{counted(count, 'answer')} differ"
        answers += "s" if count == 1 else ""
        console.print(
            f"{f'Float {what}':<12} {percent(report.float_accuracy.value)} before it was stored: "
            f"{answers}"
        )


def trust_words(check: TrustCheck) -> str:
    """How the calibration did on the held-out pictures."""
    return (
        f"holds the truth in {percent(check.held.value).strip()} "
        f"({100 * check.coverage:g} % promised), with {check.size:.2f} classes"
    )


def _print_epochs(console: Console, report: TrainingReport) -> None:
    """How long all layers were trained, and what was kept of it."""
    recipe = report.recipe
    done, kept = len(recipe["history"]), recipe["best_epoch"]
    end = "" if done == recipe["epochs"] else f" of {recipe['epochs']}"
    learned = counted(recipe["learned"], "picture")
    console.print(
        f"{'Trained':<12}  {counted(done, 'epoch')}{end} on {learned}; "
        f"epoch {kept} is kept, judged by {recipe['judged']} others"
    )


def _print_words(console: Console, name: str, words: str) -> None:
    for place, line in enumerate(textwrap.wrap(words, _WIDTH)):
        console.print(f"{name if place == 0 else '':<12}  {line}")


def _print_curve(console: Console, curve: LearningCurve) -> None:
    """What twice the pictures would give, or why that cannot be said."""
    if curve.twice is not None:
        expected = curve.twice
        console.print(
            f"{'Twice':<12} {percent(expected.accuracy)} ({interval(expected.interval)}) expected "
            f"of {counted(expected.pictures, 'picture')}"
        )
        return
    _print_words(console, "More", curve.verdict)


def _print_classes(console: Console, report: TrainingReport) -> None:
    assert report.evaluation is not None
    scores = [score for score in report.evaluation.per_class() if score.pictures]
    scores.sort(key=lambda score: (score.recall.interval[1], score.index))
    title = "Class"
    if len(scores) > _MOST_CLASSES:
        scores, title = scores[:_SHOWN], "Weakest classes"
    rows = [
        (
            class_name(score.name),
            str(report.pictures[score.name]),
            f"{score.correct} of {score.pictures}",
            f"{score.correct} of {score.answered}" if score.answered else "never given",
        )
        for score in scores
    ]
    print_table(
        console,
        (title, "taught with", "found (recall)", "right when given (precision)"),
        rows,
        numbers=3,
    )


def _print_left_out(console: Console, report: TrainingReport) -> None:
    if not report.left_out:
        return
    console.print(f"\nLeft out: {counted(len(report.left_out), 'picture')}", style="bold")
    for row in report.left_out[:_SHOWN]:
        console.print(f"  {output.printable(row.path)}", style="dim")
        console.print(f"    {output.printable(row.reason)}")
    if len(report.left_out) > _SHOWN:
        console.print(f"  … and {len(report.left_out) - _SHOWN} more: --json lists them")
