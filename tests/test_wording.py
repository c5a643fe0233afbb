"""Numbers and foreign text, as people read them."""

from __future__ import annotations

import pytest

from whatsit import wording


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (wording.percent(0.8415), "84.2 %"),
        (wording.percent(0.5, 0), "50 %"),
        (wording.interval((0.812, 0.868)), "81.2 to 86.8"),
        (wording.points(-0.0031), "−0.3"),
        (wording.figures(0.615), "0.61"),
        (wording.figures(0.615, 1), "0.6"),
        (wording.figures(18.26), "18.3"),
        (wording.figures(1234.5), "1,234"),
        (wording.milliseconds(4.512), "4.51 ms"),
        (wording.megabytes(5_316_000), "5.3 MB"),
        (wording.megabytes(112_000_000), "112 MB"),
        (wording.megabytes(47_100), "47.1 kB"),
        (wording.p_value(0.4712), "0.47"),
        (wording.p_value(0.00001), "< 0.0001"),
        (wording.p_equals(0.4712), "p = 0.47"),
        (wording.p_equals(0.00001), "p < 0.0001"),
        (wording.counted(1, "class"), "1 class"),
        (wording.counted(0, "class"), "0 classes"),
        (wording.counted(1200, "picture"), "1,200 pictures"),
        (wording.counted(2, "entry", "entries"), "2 entries"),
    ],
)
def test_numbers(words: str, expected: str) -> None:
    assert words == expected


def test_of_long_text_the_middle_is_left_out() -> None:
    assert wording.shown("a" * 50 + "b" * 50, 11) == "aaaaa…bbbbb"
    assert wording.shown("a" * 11, 11) == "a" * 11
    assert wording.shown(["\x1b"]) == r"['\x1b']"
