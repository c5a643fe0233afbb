"""The times of another device, from the file that the app's view Measure exports.

The format is described in docs/json.md. Whoever reads it must not trust it: it came by mail.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from . import wording
from .bundle import Bundle
from .errors import ModelError, UsageError
from .measures import Spread

FORMAT = "whatsit-device"
_VERSION = 1
_LARGEST_BYTES = 10_000_000
_MOST_MODELS = 1000
_SLOWEST_MS = 1e7
_EXPECTED = "the JSON file that the app exports in its view Measure"
_FACTS = ("name", "user_agent", "platform", "cores", "memory_gb")


@dataclass(frozen=True, slots=True)
class Timed:
    """One model as that device ran it: which file, how fast, in which engine."""

    name: str
    sha256: str
    size_bytes: int
    total: Spread
    engine: str


@dataclass(frozen=True, slots=True)
class Device:
    """A device, as its browser told of it, and the models that were timed on it."""

    name: str
    facts: Mapping[str, object]
    measured: str
    models: Mapping[str, Timed]

    def timed(self, bundle: Bundle) -> Timed:
        """How fast this very model is there. Raises ModelError if nobody measured it."""
        timed = self.models.get(bundle.name)
        if timed is not None and timed.sha256 == bundle.sha256:
            return timed
        reason = "not measured" if timed is None else "another file of this name was measured"
        raise self._unmeasured(reason, "it")

    def among(self, names: Iterable[str]) -> tuple[list[str], tuple[str, ...]]:
        """Those of the installed models that were timed there, and a note of the others.

        Raises ModelError if none was.
        """
        here = list(dict.fromkeys(names))
        found = [name for name in here if name in self.models]
        if not found:
            raise self._unmeasured("no installed model was measured", "some")
        others = ", ".join(name for name in here if name not in self.models)
        if not others:
            return found, ()
        where = wording.shown(self.name, 60)
        return found, (f"not compared, since not measured on {where}: {others}",)

    def timing(self) -> str:
        """How the times were taken, in words."""
        engines = " or ".join(dict.fromkeys(timed.engine for timed in self.models.values()))
        return (
            f"median and 95th percentile on {wording.shown(self.name, 60)}, "
            f"in the browser ({wording.shown(engines, 100)}), {self.measured[:10]}: "
            "not of this machine"
        )

    def notes(self, bundles: Iterable[Bundle]) -> tuple[str, ...]:
        """What was measured there and is not among `bundles`."""
        others = sorted(self.models.keys() - {bundle.name for bundle in bundles})
        if not others:
            return ()
        names = wording.shown(", ".join(others), 200)
        return (f"measured there and not compared here: {names}; name its file to compare it",)

    def _unmeasured(self, reason: str, what: str) -> ModelError:
        return ModelError(
            f"{reason} on {wording.shown(self.name, 60)}",
            hint=f"measure {what} with the app on that device, and export that",
        )


def read(path: str | os.PathLike[str]) -> Device:
    """The device of this file. Raises UsageError for one that is damaged or of another kind."""
    shown = repr(os.fspath(path))
    try:
        with open(path, "rb") as file:
            data = file.read(_LARGEST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot read {shown}: {reason}", expected=_EXPECTED) from error
    if len(data) > _LARGEST_BYTES:
        raise _bad(shown, f"it is larger than {wording.megabytes(_LARGEST_BYTES)}")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _bad(shown, "it is damaged, or no JSON") from error
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise _bad(shown, "it holds no times of a device")
    if value.get("version") != _VERSION:
        raise UsageError(
            f"{shown} is of version {value.get('version')!r}",
            expected=f"version {_VERSION}",
            hint="a newer whatsit may read it",
        )
    try:
        return _device(value)
    except (KeyError, TypeError, ValueError) as error:
        raise _bad(shown, f"it is damaged: {_reason(error)}") from error


def _bad(shown: str, reason: str) -> UsageError:
    return UsageError(f"{shown} cannot be used: {reason}", expected=_EXPECTED)


def _reason(error: Exception) -> str:
    return f"no {error}" if isinstance(error, KeyError) else str(error)


def _device(value: Mapping[str, Any]) -> Device:
    facts = _typed(value["device"], dict, "device")
    rows = _typed(value["models"], list, "models")
    if len(rows) > _MOST_MODELS:
        raise ValueError(f"{len(rows)} models")
    timed = [_timed(_typed(row, dict, "a model")) for row in rows]
    return Device(
        name=_text(facts["name"], "name"),
        facts={
            key: fact
            for key in _FACTS
            if isinstance(fact := facts.get(key), (str, int, float)) and len(str(fact)) <= 500
        },
        measured=_text(value["measured"], "measured"),
        models={row.name: row for row in timed},
    )


def _timed(row: Mapping[str, Any]) -> Timed:
    engine = _typed(row["engine"], dict, "engine")
    build, threads = _text(engine["build"], "build"), _count(engine["threads"], "threads")
    times = _typed(_typed(row["stages"], dict, "stages")["total"], dict, "total")
    median, p95 = _ms(times["median"]), _ms(times["p95"])
    low, high = _ms(times.get("low", median)), _ms(times.get("high", median))
    return Timed(
        name=_text(row["name"], "name"),
        sha256=_text(row["sha256"], "sha256"),
        size_bytes=_count(row["bytes"], "bytes"),
        total=Spread(median, low, high, p95, _count(row["runs"], "runs")),
        engine=f"{build}, {wording.counted(threads, 'thread')}",
    )


def _typed(value: Any, kind: type[Any], name: str) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{name} is {wording.shown(repr(value), 60)}")
    return value


def _text(value: Any, name: str) -> str:
    text: str = _typed(value, str, name)
    if not 0 < len(text) <= 200:
        raise ValueError(f"a {name} of {len(text)} characters")
    return text


def _count(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 1e12:
        raise ValueError(f"{name} is {wording.shown(repr(value), 60)}")
    return value


def _ms(value: Any) -> float:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not 0 < value < _SLOWEST_MS:
        raise ValueError(f"a time of {wording.shown(repr(value), 60)} ms")
    return float(value)
