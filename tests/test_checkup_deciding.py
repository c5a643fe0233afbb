"""What distances are enough for a cause to be named."""

from __future__ import annotations

import numpy as np
import pytest

from whatsit import Preprocess
from whatsit.checkup.comparing import Fit, Target
from whatsit.checkup.deciding import decide
from whatsit.checkup.hypotheses import Deviation
from whatsit.checkup.searching import Explanation
from whatsit.checkup.ways import Range, Way

BASE = Way.of(Preprocess.parse("crop(0.875, bicubic)"))
KNOWN = Deviation("range", "mean-std", "known", (("range", Range((127.5,), (127.5,))),))
FITTED = Deviation(
    "range", "mean-std", "fitted", (("range", Range((180.0,), (163.0,))),), fitted=True
)


def explanation(apart: float, *deviations: Deviation) -> Explanation:
    return Explanation(deviations, BASE, "own", Fit((apart,), 1.0, 1))


def target(count: int) -> Target:
    """So many scores, each far from nothing, without rounding."""
    scores = np.full(count, 1 / count)
    return Target(scores, {"own": np.arange(count)}, complete=False)


def kind(count: int, start: float, left: float, deviation: Deviation) -> str:
    """The decision on one picture of which `deviation` leaves a distance."""
    return decide(explanation(start), [explanation(left, deviation)], [target(count)]).kind


@pytest.mark.parametrize(
    ("start", "left", "expected"),
    [
        # Pixels that were a level off: another decoder. The numbers are those of real photos.
        (0.0922, 0.0064, "agree"),
        (0.1182, 0.0103, "agree"),
        (0.1867, 0.0179, "close"),
        # However large the difference is and however little is left of it.
        (1.6, 0.001, "unexplained"),
    ],
)
def test_numbers_fitted_to_five_scores_are_no_cause(
    start: float, left: float, expected: str
) -> None:
    assert kind(5, start, left, FITTED) == expected
    assert kind(1000, start, left, FITTED) == "named"


@pytest.mark.parametrize(
    ("count", "left", "expected"),
    [(5, 0.19, "named"), (5, 0.21, "close"), (1000, 0.49, "named"), (1000, 0.51, "close")],
)
def test_a_known_way_is_a_cause_that_takes_away_most(
    count: int, left: float, expected: str
) -> None:
    assert kind(count, 0.7, left * 0.7, KNOWN) == expected
