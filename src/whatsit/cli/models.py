"""`whatsit models`: what there is, everything about one, and the care of imported ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from .. import zoo
from ..bundle import Bundle
from ..classifier import open_bundle
from ..errors import ModelDamaged, UsageError, WhatsitError
from ..trust import RECORD, trust_of
from ..zoo import imported
from . import output
from .models_get import get
from .models_table import is_here, print_tables

# What the list shows of the first data set; `show` has all of them.
_MEASURED = ("data_set", "pictures", "top1", "top1_interval")


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a model.")
@click.option("--all", "with_hosted", is_flag=True, help="Also those that `get` fetches by name.")
@click.pass_context
def command(context: click.Context, as_json: bool, with_hosted: bool) -> None:
    """List the models that can be used by name: the built-in ones, and those you imported."""
    if context.invoked_subcommand is not None:
        return
    entries = list(zoo.catalogue().values())
    files = zoo.installed()
    others = {name: _readable(path) for name, path in files.items()}
    rows = list(zoo.hosted().values()) if with_hosted else []
    if not as_json:
        print_tables(entries, others, rows)
        return
    for entry in entries:
        output.print_json(_row(entry))
    for name, bundle in others.items():
        output.print_json(_imported_row(name, files[name], bundle))
    for row in rows:
        there = is_here(row, others)
        output.print_json({**row.to_json(), "from": "hosted", "imported": there})


command.add_command(get)


@command.command()
@click.argument("model", metavar="NAME|FILE")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--labels", "with_labels", is_flag=True, help="Also every class.")
@click.pass_context
def show(context: click.Context, model: str, as_json: bool, with_labels: bool) -> None:
    """Show all that is known about one model."""
    # `models --json show NAME` means the same as `models show NAME --json`.
    as_json = as_json or bool(context.parent and context.parent.params["as_json"])
    if model in zoo.hosted() and model not in zoo.installed():
        facts = {**zoo.hosted()[model].to_json(), "get": f"whatsit models get {model}"}
    else:
        facts = _facts(open_bundle(model), with_labels) | _origin(model)
    if as_json:
        output.print_json(facts)
    else:
        _print_facts(facts)


@command.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a model.")
def verify(names: tuple[str, ...], as_json: bool) -> int:
    """Read every byte again, and say whether each model is still the file that it was.

    Without NAME, all built-in and imported models. Exit status: 0 if all are, 1 if not, 2 if one
    of the names is wrong, and then none is read.
    """
    for name in names:
        _path(name)
    failed = 0
    for name in dict.fromkeys(names) or (*zoo.catalogue(), *zoo.installed()):
        error = _what_is_wrong(name)
        failed += error is not None
        if as_json:
            state = {"ok": error is None} if error is None else {"ok": False, **_error(error)}
            output.print_json({"name": name, **state})
        elif error is None:
            output.line(f"ok  {name}")
        else:
            output.print_error(error)
    return 1 if failed else 0


@command.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
def remove(names: tuple[str, ...]) -> None:
    """Delete imported models. Nothing is deleted if one of the names is wrong."""
    for name in names:
        if name in zoo.catalogue():
            raise UsageError(
                f"{name!r} is built in and cannot be removed", expected="an imported model"
            )
        _path(name)
    for name in dict.fromkeys(names):
        size_bytes = imported.remove(name)
        output.line(f"removed {name} ({size_bytes / 1e6:.1f} MB)")


@command.command()
@click.argument("name")
def path(name: str) -> None:
    """Print where the file of a model is."""
    output.line(str(_path(name)))


def _path(name: str) -> Path:
    """The file of a model. Raises UsageError if there is none of this name."""
    if name in zoo.catalogue():
        return zoo.catalogue()[name].path
    path = zoo.installed().get(name)
    if path is None:
        raise zoo.no_model(name)
    return path


def _what_is_wrong(name: str) -> WhatsitError | None:
    try:
        if name in zoo.catalogue():
            zoo.open_builtin(name)
        else:
            imported.check(name)
    except WhatsitError as error:
        return error
    return None


def _error(error: WhatsitError) -> dict[str, Any]:
    return {"error": error.to_json()}


def _readable(path: Path) -> Bundle | None:
    """The bundle, or None for a file that was damaged since it was imported."""
    try:
        return Bundle.read(path)
    except WhatsitError:
        return None


def _row(entry: zoo.Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "from": "built-in",
        "numbers": "measured",
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


def _imported_row(name: str, path: Path, bundle: Bundle | None) -> dict[str, Any]:
    row = {"name": name, "from": "imported", "path": str(path)}
    if bundle is None:
        return {**row, "damaged": True}
    return {
        **row,
        "classes": bundle.output.classes,
        "size_bytes": len(bundle.data),
        "input": [bundle.input.height, bundle.input.width],
        "preprocess": str(bundle.preprocess),
        "licence": bundle.metadata.license or None,
        "sha256": bundle.sha256,
    }


def _origin(model: str) -> dict[str, Any]:
    """Where an imported model came from, which a file that was kept as it is does not say."""
    receipt = imported.receipt(model) if model in zoo.installed() else None
    if receipt is None:
        return {}
    fetched = {"source": receipt.source, "sha256": receipt.source_sha256, "member": receipt.member}
    return {"fetched": {key: value for key, value in fetched.items() if value}}


def _facts(bundle: Bundle, with_labels: bool) -> dict[str, Any]:
    # `memory` is numbers for `whatsit train --add`: 400,000 letters that say nothing to a person.
    # So are those of `trust`, of which the rest is told.
    hidden = ("format", "classes", "preprocess", "memory", RECORD)
    record = {k: v for k, v in bundle.record.items() if k not in hidden}
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
        **_memory(bundle),
        RECORD: _trust(bundle),
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


def _print_facts(facts: dict[str, Any]) -> None:
    for name, value in facts.items():
        if name == "labels":
            for label in value:
                text = output.printable(label["label"])
                output.line(f"  {label['index']:>5}  {label['synset'] or '':<9}  {text}")
        elif name == "input":
            output.line(f"{name:<12}  {value[0]} × {value[1]}")
        elif value not in (None, "", []):
            output.line(f"{name.replace('_', ' '):<12}  {_as_text(value)}")


def _as_text(value: Any) -> str:
    """A value of the record for a person: lists and objects on one line each."""
    if isinstance(value, dict):
        return ", ".join(_parts(value))
    if isinstance(value, list):
        if all(isinstance(part, (int, float)) for part in value):
            return " to ".join(f"{part:g}" for part in value)
        return ("\n" + " " * 14).join(_as_text(part) for part in value)
    return output.printable(str(value))


def _parts(value: dict[str, Any]) -> Iterator[str]:
    for key, part in value.items():
        yield f"{output.printable(str(key))} {_as_text(part)}"


def _trust(bundle: Bundle) -> dict[str, Any] | str:
    """What the model's answers were calibrated on, and what that changed."""
    try:
        trust = trust_of(bundle)
    except ModelDamaged as error:
        return error.message
    if trust is None:
        return "uncalibrated"
    return {
        "data_set": trust.data_set,
        "pictures": trust.pictures,
        "temperature": trust.temperature,
        "error": list(trust.error),
        "rule": trust.known.rule,
    }


def _memory(bundle: Bundle) -> dict[str, Any]:
    """How many pictures a taught model remembers, if it does."""
    memory = bundle.record.get("memory")
    pictures = memory.get("pictures") if isinstance(memory, dict) else None
    if not isinstance(pictures, list) or not all(isinstance(count, int) for count in pictures):
        return {}
    return {"remembers": f"{sum(pictures)} pictures"}
