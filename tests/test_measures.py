"""Held against scipy and statsmodels, and against worked examples in print."""

from __future__ import annotations

import math

import numpy as np
import pytest

from whatsit.measures import Rate, Spread, mcnemar, paired_difference, wilson

stats = pytest.importorskip("scipy.stats", reason="scipy is the oracle")


@pytest.mark.parametrize(("hits", "total"), [(0, 1), (1, 1), (0, 50), (50, 50), (3, 7), (547, 650)])
def test_wilson_is_that_of_scipy(hits: int, total: int) -> None:
    expected = stats.binomtest(hits, total).proportion_ci(method="wilson")
    assert wilson(hits, total) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_of_nothing_says_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    assert Rate(0, 0).value == 0.0


@pytest.mark.parametrize(("b", "c"), [(0, 0), (0, 1), (5, 5), (2, 9), (15, 8), (400, 300)])
def test_mcnemar_is_the_exact_binomial_test(b: int, c: int) -> None:
    expected = stats.binomtest(b, b + c).pvalue if b + c else 1.0
    assert mcnemar(b, c) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_is_that_of_statsmodels() -> None:
    tables = pytest.importorskip("statsmodels.stats.contingency_tables")
    assert mcnemar(15, 8) == pytest.approx(tables.mcnemar([[500, 15], [8, 100]]).pvalue)


def test_mcnemar_holds_for_counts_that_no_float_holds() -> None:
    assert mcnemar(30_000, 30_100) == pytest.approx(
        stats.binomtest(30_000, 60_100).pvalue, rel=1e-6
    )


def test_the_difference_of_pairs_covers_the_truth_as_often_as_it_says() -> None:
    # Exactly, by every table of 30 pairs: shares 0.8 and 0.7 that go together.
    cells, total = (0.65, 0.05, 0.15, 0.15), 30  # second less first: 0.1
    covered = 0.0
    for both in range(total + 1):
        for b in range(total + 1 - both):
            for c in range(total + 1 - both - b):
                table = (both, b, c, total - both - b - c)
                low, high = paired_difference(*table)
                if low <= 0.1 <= high:
                    covered += _multinomial(table, cells)
    assert 0.93 < covered < 0.98


def _multinomial(counts: tuple[int, ...], shares: tuple[float, ...]) -> float:
    logarithm = math.lgamma(sum(counts) + 1)
    for count, share in zip(counts, shares, strict=True):
        logarithm += count * math.log(share) - math.lgamma(count + 1)
    return math.exp(logarithm)


def test_the_difference_turns_its_sign_with_the_order() -> None:
    low, high = paired_difference(500, 20, 8, 122)
    assert paired_difference(500, 8, 20, 122) == pytest.approx((-high, -low))


@pytest.mark.parametrize("table", [(10, 0, 0, 0), (0, 0, 0, 10), (0, 10, 0, 0), (0, 0, 10, 0)])
def test_the_difference_of_extreme_tables_stays_within_bounds(table: tuple[int, ...]) -> None:
    low, high = paired_difference(*table)
    assert -1 <= low <= (table[2] - table[1]) / 10 <= high <= 1


def test_the_difference_of_nothing_says_nothing() -> None:
    assert paired_difference(0, 0, 0, 0) == (-1.0, 1.0)


def test_a_spread_is_numpys_percentiles() -> None:
    times = [5.0, 1.0, 2.0, 4.0, 3.0]
    spread = Spread.of(times)
    assert (spread.median, spread.low, spread.high, spread.count) == (3.0, 2.0, 4.0, 5)
    assert spread.p95 == pytest.approx(np.percentile(times, 95))


def test_json_holds_shares_not_percent() -> None:
    assert Rate(1, 2).to_json() == {
        "hits": 1,
        "total": 2,
        "value": 0.5,
        "interval": [0.094531, 0.905469],
    }
