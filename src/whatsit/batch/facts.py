"""What makes a run this one: facts that an interrupted run must share to be gone on with."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .. import machine
from ..errors import UsageError
from ..wording import shown

if TYPE_CHECKING:
    from .answering import Task

Facts = Mapping[str, Any]  # name, as a person knows it → value, as JSON has it

_MOST_INPUTS = 100  # kept as they are: a shell can make a hundred thousand of a pattern
_LONGEST = 60  # characters of a value in an error


def of(
    task: Task,
    inputs: Sequence[str],
    *,
    lists: Sequence[str],
    column: str | None,
    shard_rows: int | None,
) -> Facts:
    """The facts of a run; `lists` are the files among the inputs that name pictures themselves."""
    style = task.style
    facts = {
        "inputs": list(inputs) if len(inputs) <= _MOST_INPUTS else _digest(inputs),
        "working folder": os.getcwd() if any(map(_is_relative, inputs)) else None,
        **{f"time of {path}": _stamp(path) for path in lists},
        "model": task.name,
        "model's sha256": hashlib.sha256(task.model).hexdigest(),
        "runtime": task.runtime,
        "preprocess": task.preprocess,
        "top": task.top,
        "threshold": task.threshold,
        "allow": task.allow,
        "deny": task.deny,
        "region": task.region,
        "rotation": task.rotation,
        "raw": task.raw,
        "coverage": task.coverage,
        "acceptance": task.acceptance,
        "embeddings": style.width > 0,
        "format": style.kind + (".gz" if style.compressed else ""),
        "columns": style.columns,
        "column": column,
        "shard rows": shard_rows,
        "versions": _versions(style.kind),
    }
    value: Facts = json.loads(json.dumps(facts))  # tuples become lists, as they will be read back
    return value


def check(old: Facts, new: Facts, folder: str) -> None:
    """Raises UsageError that names the first fact in which two runs differ."""
    for name in [*new, *(name for name in old if name not in new)]:
        if old.get(name) != new.get(name):
            was, now = _apart(old.get(name), new.get(name))
            raise UsageError(
                f"{folder!r} holds an interrupted run with another {name}: {was}, not {now}",
                expected="the same command as before",
                hint="--restart begins anew",
            )


def _apart(old: Any, new: Any) -> tuple[str, str]:
    """Two values, or what differs in them, short enough for an error."""
    if isinstance(old, dict) and isinstance(new, dict):
        name = next(n for n in [*new, *old] if old.get(n) != new.get(n))
        return f"{name} {old.get(name)}", f"{name} {new.get(name)}"
    if isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new) and min(len(old), len(new)) > 1:
            return f"{len(old)} of them", str(len(new))
        pairs = [(a, b) for a, b in zip(old, new, strict=False) if a != b]
        if len(old) == len(new) and pairs:
            old, new = pairs[0]
    return shown(_said(old), _LONGEST), shown(_said(new), _LONGEST)


def _said(value: Any) -> str:
    if value in (None, [], ""):
        return "none"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return repr(value) if isinstance(value, str) else str(value)


def _is_relative(text: str) -> bool:
    """Whether an input may name something else in another folder."""
    last = text.rpartition("::")[2]  # in a chain of URLs, what the others lie in
    return "://" not in last and not os.path.isabs(last)


def _digest(inputs: Sequence[str]) -> str:
    content = json.dumps(inputs).encode()
    return f"{len(inputs)} inputs, sha256 {hashlib.sha256(content).hexdigest()[:16]}"


def _stamp(path: str) -> list[int] | None:
    """What changes when a file is written; None where it cannot be told."""
    try:
        about = os.stat(path)
    except (OSError, ValueError):
        return None
    return [about.st_size, about.st_mtime_ns]


def _versions(kind: str) -> dict[str, str | None]:
    """Of what decides the bytes of the output."""
    from importlib import metadata

    versions = machine.facts()["versions"]
    assert isinstance(versions, dict)
    if kind == "parquet":
        versions["pyarrow"] = metadata.version("pyarrow")
    return versions
