"""A calibration on a terminal."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .. import wording
from ..sources import MAGIC
from ..trust import ACCEPTANCE
from ..wording import counted
from . import output
from .summary import percent, print_failures, print_table

if TYPE_CHECKING:
    from rich.console import Console

    from ..calibrating import Calibrated, Foreign
    from ..measures import Rate
    from ..trust.known import Rule
    from ..trust.trial import Trial

_NAME_WIDTH = 22  # of a foreign set: its name and four numbers fit 80 columns
_RULES: dict[Rule, str] = {
    "peak": "how far the two best classes stand out from all others",
    "prototypes": "how near a picture is to what the model was shown of a class",
    "score": "the score of the best class, which tells little",
}


def print_calibrated(found: Calibrated, out: str | None) -> None:
    """What was measured; `out` is the file that keeps it."""
    console = output.console()
    trust = found.trust
    console.print(
        f"{output.printable(found.bundle.name)} on {output.printable(trust.data_set)}\n"
        f"{counted(trust.pictures, 'picture')}, temperature {trust.temperature:.2f}"
    )
    _print_trial(console, found.trial)
    console.print(f"\nUnknown is told by {_RULES[trust.known.rule]}.", soft_wrap=True)
    asked, share = wording.percent(ACCEPTANCE, 0), wording.percent(found.trial.accepted.value)
    console.print(f"Known pictures that pass, of {asked} asked for: {share}")
    if found.foreign:
        _print_foreign(console, found.foreign)
    print_failures(console, found.failures)
    if out is not None:
        console.print(f"\n{output.printable(out)}", style="bold")


def _print_trial(console: Console, trial: Trial) -> None:
    half = trial.pictures - trial.pictures // 2
    console.print(
        f"\nTried {trial.splits} times: calibrated on one half, measured on the other "
        f"({counted(half, 'picture')}).\n"
    )
    console.print(
        f"Calibration error {percent(trial.before.error).strip()} before, "
        f"{percent(trial.after.error).strip()} after",
        style="bold",
    )
    console.print(
        f"(of so few pictures chance alone makes {percent(trial.chance).strip()}, were every score "
        "right)"
    )
    _print_sets(console, trial)
    _print_tree(console, trial)


def _print_sets(console: Console, trial: Trial) -> None:
    rows = [
        (
            wording.percent(level.coverage, 0),
            *_spread(level.held),
            f"{level.within} of {trial.splits}",
            f"{level.size:.2f}",
            wording.percent(level.single),
            wording.percent(level.sure.value) if level.sure.total else "–",
        )
        for level in trial.levels
    ]
    titles = (
        "Coverage",
        "held",
        "lowest to highest",
        "within",
        "mean size",
        "sure",
        "right if sure",
    )
    print_table(console, titles, rows, numbers=6)
    console.print(
        "held: sets with the true class; within: splits whose share lies in the 95 %\n"
        "binomial interval of the coverage; sure: sets of one class",
        style="dim",
    )


def _print_tree(console: Console, trial: Trial) -> None:
    rows = [
        (
            wording.percent(level.coverage, 0),
            *_spread(level.right),
            f"{level.depth:.1f} of {level.full_depth:.1f}",
        )
        for level in trial.levels
        if level.right is not None
    ]
    if rows:
        titles = ("In the class tree", "right", "lowest to highest", "mean depth")
        print_table(console, titles, rows, numbers=3)


def _print_foreign(console: Console, foreign: tuple[Foreign, ...]) -> None:
    rows = [
        (
            _short(each.name),
            wording.percent(each.rejected.value),
            wording.percent(each.plain_rejected.value),
            f"{each.auroc:.3f}",
            f"{each.plain_auroc:.3f}",
        )
        for each in foreign
    ]
    titles = ("Foreign pictures", "rejected", "by best score", "AUROC", "by best score")
    print_table(console, titles, rows, numbers=4)


def _spread(rates: tuple[Rate, ...]) -> tuple[str, str]:
    """The share of all together, and the lowest and highest of them."""
    values = [rate.value for rate in rates]
    hits, total = sum(rate.hits for rate in rates), sum(rate.total for rate in rates)
    return wording.percent(hits / total), f"{100 * min(values):.1f} to {100 * max(values):.1f}"


def _short(name: str) -> str:
    """The last part of a path, all of a pattern, cut where it would fill the line."""
    last = name if MAGIC.search(name) else os.path.basename(os.path.normpath(name)) or name
    return wording.shown(last, _NAME_WIDTH)
