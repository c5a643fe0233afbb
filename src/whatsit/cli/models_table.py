"""The tables of `whatsit models`: measured numbers in the first, published ones in the last."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from .. import zoo
from ..bundle import Bundle
from ..measures import Rate
from ..zoo import imported
from . import output

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from ..zoo.published import Hosted

_UNKNOWN = "–"


def print_tables(
    entries: Sequence[zoo.Entry], others: Mapping[str, Bundle | None], rows: Sequence[Hosted]
) -> None:
    """Built-in models, then imported ones (None for a damaged file), then the hosted table."""
    console = output.console()
    _print_built_in(console, entries)
    if others:
        _print_imported(console, others)
    if rows:
        _print_hosted(console, rows, others)
    else:
        console.print("Models that can be fetched: whatsit models --all")


def _print_built_in(console: Console, entries: Sequence[zoo.Entry]) -> None:
    table = _table("MB", "Input", "Classes", "Top-1 %", last="Licence")
    for entry in entries:
        table.add_row(
            entry.name,
            _megabytes(entry.size_bytes),
            _sides(*entry.input),
            str(entry.classes),
            _top1(entry),
            entry.licence,
        )
    console.print(table, soft_wrap=False)
    console.print(f"\nThe default is {zoo.DEFAULT}. Files: {entries[0].path.parent}")
    row = entries[0].accuracy[0]
    console.print(
        f"Top-1 measured, with its 95 % interval, on {row['pictures']} pictures of "
        f"{row['data_set']}.\nMore data sets, origin and sha256: whatsit models show NAME"
    )


def _print_imported(console: Console, others: Mapping[str, Bundle | None]) -> None:
    table = _table("MB", "Input", "Classes", last="Licence", first="Imported")
    for name, bundle in others.items():
        if bundle is None:
            table.add_row(name, _UNKNOWN, _UNKNOWN, _UNKNOWN, "damaged")
            continue
        side = _sides(bundle.input.height, bundle.input.width)
        licence = output.printable(bundle.metadata.license.partition("\n")[0][:24]) or _UNKNOWN
        megabytes = _megabytes(len(bundle.data))
        table.add_row(name, megabytes, side, str(bundle.output.classes), licence)
    console.print()
    console.print(table, soft_wrap=False)
    console.print(f"\nImported models: {imported.folder()}")


def _print_hosted(
    console: Console, rows: Sequence[Hosted], others: Mapping[str, Bundle | None]
) -> None:
    table = _table("MB", "Input", "Top-1 %", "Top-5 %", "Pixel 2 ms", last="Here", first="Hosted")
    for row in rows:
        table.add_row(
            row.name,
            f"{row.size_mb:g}",
            str(row.side or _UNKNOWN),
            f"{row.top1:.1f}",
            f"{row.top5:.1f}",
            f"{row.pixel2_ms:g}",
            "yes" if is_here(row, others) else "",
        )
    console.print()
    console.print(table, soft_wrap=False)
    console.print(
        "\nThese numbers were published in 2019, on all of ImageNet's validation pictures and a "
        "phone\nof then; none was measured here. Fetch one: whatsit models get NAME"
    )


def is_here(row: Hosted, others: Collection[str]) -> bool:
    """Whether the imported model of a row's name is the row's, and not another one."""
    return row.name in others and imported.came_from(row.name, row.url, row.sha256)


def _table(*numbers: str, last: str, first: str = "Name") -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first, overflow="fold")  # a long name must not cost the other columns
    for title in numbers:
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column(last, no_wrap=True)
    return table


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f}"


def _sides(height: int, width: int) -> str:
    return " × ".join(map(str, dict.fromkeys((height, width))))  # "224" for a square


def _top1(entry: zoo.Entry) -> str:
    row = entry.accuracy[0]
    # From the counts: the catalogue's figures are rounded once already.
    rate = Rate(round(row["top1"] * row["pictures"] / 100), row["pictures"])
    low, high = rate.interval
    return f"{100 * rate.value:.1f} ({100 * low:.1f}–{100 * high:.1f})"
