"""The report of an explanation: the picture under its maps, and the numbers behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..explain.evidence import REGIONS
from . import text
from .page import render
from .whys import figure

if TYPE_CHECKING:
    from PIL import Image

    from ..explain.faithfulness import Faithfulness
    from ..explain.values import Explanation, Floats

_SIDE = 480  # pixels of the longer side of the picture as it came
_NOTHING = 1e-9  # of a logit: keeps a map without values from being divided by 0
_STEPS = 5  # of a colour: the styles heat-1 to heat-5 and hit-1 to hit-5


@dataclass(frozen=True, slots=True)
class Cell:
    """One number of a map, and the name of its colour, if it is worth one."""

    value: float
    colour: str


def page(explanation: Explanation, faithfulness: Faithfulness | None) -> str:
    """The whole page."""
    difference = explanation.difference
    sides = [("for", explanation.evidence)]
    if difference is not None:
        sides += [("rather", difference), ("instead", -difference)]
    return render(
        "explanation.html",
        {
            "x": explanation,
            "picture": figure(_small(explanation.picture)),
            "why": figure(explanation.overlay("target")),
            "rather": difference and figure(explanation.overlay("difference")),
            "places": REGIONS,
            "shares": {name: evidence.regions for name, evidence in sides},
            "map": _cells(explanation.target.values),
            "difference_map": difference and _cells(difference.values),
            "test": faithfulness,
            "facts": _facts(explanation),
        },
    )


def _small(picture: Image.Image) -> Image.Image:
    picture = picture.copy()
    picture.thumbnail((_SIDE, _SIDE))
    return picture


def _cells(values: Floats) -> list[list[Cell]]:
    """The numbers of a map: warm colours below 0, cold ones above, the stronger the deeper."""
    largest = max(float(np.abs(values).max()), _NOTHING)
    return [[_cell(float(value), largest) for value in row] for row in values]


def _cell(value: float, largest: float) -> Cell:
    step = round(_STEPS * abs(value) / largest)
    return Cell(value, f"{'hit' if value > 0 else 'heat'}-{step}" if step else "paper")


def _facts(explanation: Explanation) -> list[tuple[str, str]]:
    """How it was made, a row each."""
    left, top, right, bottom = explanation.placement.box
    rounding = explanation.rounding
    rows = [
        ("model", explanation.model),
        (
            "seen by the model",
            f"from {left:.1%} to {right:.1%} of the width, {top:.1%} to {bottom:.1%} of the height",
        ),
        ("turned clockwise by", f"{90 * explanation.placement.turns} degrees"),
    ]
    if rounding is not None:
        rows.append(
            ("maps against scores", f"{rounding:.3f} logits apart in the lead over the second")
        )
    return [(key, text.shown(value, 300)) for key, value in rows]
