"""Values that several commands read in the same way."""

from __future__ import annotations

import click
import pytest

from whatsit import UsageError
from whatsit.cli.options import parse_size, quantity

OPTION = click.Option(["--max-size"])


def size(text: str) -> int | None:
    return parse_size(click.Context(click.Command("x")), OPTION, text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("900B", 900),
        ("5kB", 5000),
        ("5KB", 5000),
        ("5k", 5000),
        ("5M", 5_000_000),
        ("5MB", 5_000_000),
        (" 1.5 GB ", 1_500_000_000),
        ("1G", 1_000_000_000),
        ("5KiB", 5 * 2**10),
        ("5MiB", 5 * 2**20),
        ("0.5GiB", 2**29),
        ("2e3kB", 2_000_000),
    ],
)
def test_sizes(text: str, expected: int) -> None:
    assert size(text) == expected


@pytest.mark.parametrize(
    "text", ["", "much", "0", "5", "0MB", "-5MB", "5ms", "1.2.3MB", "MB", "nanMB", "1e999MB"]
)
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        size(text)
    assert caught.value.message == f"--max-size {text!r}"
    assert caught.value.expected == "a size such as 5MB"


def test_no_size_is_none() -> None:
    assert parse_size(click.Context(click.Command("x")), OPTION, None) is None


def test_a_quantity_with_and_without_a_unit() -> None:
    scales = {"": 1.0, "ms": 1.0, "s": 1000.0}
    assert [quantity(text, scales, "x", "a time") for text in ("3", "3ms", "3 s")] == [3, 3, 3000]
