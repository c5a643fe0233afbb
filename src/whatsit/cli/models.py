"""`whatsit models`: what there is, and everything about one."""

from __future__ import annotations

from typing import Any

import click

from .. import zoo
from ..bundle import Bundle
from ..classifier import open_bundle
from . import output

# What the list shows of the first data set; `show` has all of them.
_MEASURED = ("data_set", "pictures", "top1", "top1_interval")


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a model.")
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """List the models that can be used by name."""
    if context.invoked_subcommand is not None:
        return
    entries = list(zoo.catalogue().values())
    if as_json:
        for entry in entries:
            output.print_json(_row(entry))
    else:
        _print_table(entries)


@command.command()
@click.argument("model", metavar="NAME|FILE")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--labels", "with_labels", is_flag=True, help="Also every class.")
@click.pass_context
def show(context: click.Context, model: str, as_json: bool, with_labels: bool) -> None:
    """Show all that is known about one model."""
    # `models --json show NAME` means the same as `models show NAME --json`.
    as_json = as_json or bool(context.parent and context.parent.params["as_json"])
    facts = _facts(open_bundle(model), with_labels)
    if as_json:
        output.print_json(facts)
    else:
        _print_facts(facts)


def _row(entry: zoo.Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "default": entry.name == zoo.DEFAULT,
        "path": str(entry.path),
        "classes": entry.classes,
        "size_bytes": entry.size_bytes,
        "input": list(entry.input),
        "preprocess": entry.preprocess,
        **{key: entry.accuracy[0][key] for key in _MEASURED},
        "licence": entry.licence,
        "sha256": entry.sha256,
    }


def _facts(bundle: Bundle, with_labels: bool) -> dict[str, Any]:
    record = {
        k: v for k, v in bundle.record.items() if k not in ("format", "classes", "preprocess")
    }
    facts: dict[str, Any] = {
        "name": bundle.name,
        "path": str(bundle.path),
        "description": bundle.metadata.description,
        "classes": bundle.output.classes,
        "size_bytes": len(bundle.data),
        "input": [bundle.input.height, bundle.input.width],
        "input_dtype": bundle.input.dtype,
        "output_dtype": bundle.output.dtype,
        "preprocess": str(bundle.preprocess),
        "mean": list(bundle.metadata.mean),
        "std": list(bundle.metadata.std),
        "licence": bundle.metadata.license or None,
        **record,
        "sha256": bundle.sha256,
        "notes": list(bundle.notes),
    }
    if with_labels:
        labels = bundle.labels
        facts["labels"] = [
            {"index": i, "label": name, "synset": labels.synset(i)}
            for i, name in enumerate(labels.names)
        ]
    return facts


def _print_table(entries: list[zoo.Entry]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Name", no_wrap=True)
    for title in ("MB", "Input", "Classes", "Top-1 %"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("Licence", no_wrap=True)
    for entry in entries:
        side = " × ".join(map(str, dict.fromkeys(entry.input)))  # "224" for a square
        megabytes = f"{entry.size_bytes / 1e6:.1f}"
        table.add_row(entry.name, megabytes, side, str(entry.classes), _top1(entry), entry.licence)
    console = Console(highlight=False, soft_wrap=True)
    console.print(table, soft_wrap=False)
    console.print(f"\nThe default is {zoo.DEFAULT}. Files: {entries[0].path.parent}")
    row = entries[0].accuracy[0]
    console.print(
        f"Top-1 with its 95 % interval, on {row['pictures']} pictures of {row['data_set']}.\n"
        "More data sets, origin and sha256: whatsit models show NAME"
    )


def _top1(entry: zoo.Entry) -> str:
    row = entry.accuracy[0]
    low, high = row["top1_interval"]
    return f"{row['top1']:.1f} ({low:.1f}–{high:.1f})"


def _print_facts(facts: dict[str, Any]) -> None:
    for name, value in facts.items():
        if name == "labels":
            for label in value:
                text = output.printable(label["label"])
                click.echo(f"  {label['index']:>5}  {label['synset'] or '':<9}  {text}")
        elif name == "input":
            click.echo(f"{name:<12}  {value[0]} × {value[1]}")
        elif value not in (None, "", []):
            click.echo(f"{name.replace('_', ' '):<12}  {_as_text(value)}")


def _as_text(value: Any) -> str:
    """A value of the record for a person: lists and objects on one line each."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_as_text(part)}" for key, part in value.items())
    if isinstance(value, list):
        if all(isinstance(part, (int, float)) for part in value):
            return " to ".join(f"{part:g}" for part in value)
        return ("\n" + " " * 14).join(_as_text(part) for part in value)
    return output.printable(str(value))
