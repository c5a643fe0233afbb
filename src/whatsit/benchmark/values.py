"""What a benchmark gives: settings, measurements, all of a run, and the file they are kept in."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .. import storage
from ..errors import UsageError
from ..measures import Spread
from ..wording import counted, shown

STAGES = ("decode", "preprocess", "inference", "total")
_KIND = "whatsit-benchmark"
_FORMAT = 1
AS_RECORDED = "golden"
AS_LITERT = "litert"
_RIGHT = (AS_RECORDED, AS_LITERT)
_KINDS = {dict: "table", list: "list", str: "text", int: "whole number"}


@dataclass(frozen=True, slots=True)
class Setting:
    """What is measured: a model (name or path), the engine that runs it, threads for a picture."""

    model: str
    runtime: str
    threads: int

    def __str__(self) -> str:
        return f"{self.model}, {self.runtime}, {counted(self.threads, 'thread')}"

    def to_json(self) -> dict[str, Any]:
        """The keys that begin each line of `--json`."""
        return {"model": self.model, "runtime": self.runtime, "threads": self.threads}


@dataclass(frozen=True)
class Measurement:
    """What was measured of one setting.

    `stages` has the keys decode, preprocess, inference and total; total is a stopwatch around
    classify(). `load_ms` and `first_ms` are of fresh processes: opening the model, and its first
    classify(). `answers` is "golden" if they are the recorded ones, "litert" if they are LiteRT's,
    else what is wrong with them. `noise` says how far the medians of the rounds (`rounds_ms`, of
    total) lie apart: their middle half, as a share of their median. `peak_memory_bytes` is None
    where the system does not tell.
    """

    setting: Setting
    model_sha256: str
    model_bytes: int
    load_ms: float
    first_ms: float
    stages: Mapping[str, Spread]
    throughput_per_s: float
    workers: int
    peak_memory_bytes: int | None
    answers: str
    noise: float
    rounds_ms: tuple[float, ...] = ()

    @property
    def right(self) -> bool:
        """Whether the answers are what they should be."""
        return self.answers in _RIGHT

    def to_json(self) -> dict[str, Any]:
        """One line of `--json`."""
        return {
            **self.setting.to_json(),
            "model_sha256": self.model_sha256,
            "model_bytes": self.model_bytes,
            "answers": self.answers,
            "load_ms": round(self.load_ms, 3),
            "first_ms": round(self.first_ms, 3),
            "stages_ms": {stage: self.stages[stage].to_json() for stage in STAGES},
            "throughput_per_s": round(self.throughput_per_s, 3),
            "workers": self.workers,
            "peak_memory_bytes": self.peak_memory_bytes,
            "noise": round(self.noise, 4),
            "rounds_ms": [round(ms, 3) for ms in self.rounds_ms],
        }


@dataclass(frozen=True, slots=True)
class Failed:
    """A setting that could not be measured; `error` has the keys code, message and hint."""

    setting: Setting
    error: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """One line of `--json`."""
        return {**self.setting.to_json(), "error": dict(self.error)}


@dataclass(frozen=True)
class Benchmark:
    """One run. `made` is a time in ISO 8601, `pictures` says in words which ones were taken.

    `warnings` say why the numbers are not to be believed, `notes` what else to know of them.
    `reference` is of a fixed piece of work that was repeated between the turns, in ms.
    """

    machine: Mapping[str, object]
    made: str
    pictures: str
    measurements: tuple[Measurement, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...] = ()
    failures: tuple[Failed, ...] = ()
    pictures_sha256: str = ""
    reference: Spread | None = None

    def to_json(self) -> dict[str, Any]:
        """What `save` writes."""
        return {
            "kind": _KIND,
            "format": _FORMAT,
            "made": self.made,
            "machine": dict(self.machine),
            "pictures": self.pictures,
            "pictures_sha256": self.pictures_sha256,
            "reference_ms": None if self.reference is None else self.reference.to_json(),
            "warnings": list(self.warnings),
            "notes": list(self.notes),
            "measurements": [measurement.to_json() for measurement in self.measurements],
            "failures": [failed.to_json() for failed in self.failures],
        }

    @classmethod
    def from_json(cls, value: Any) -> Benchmark:
        """The run that `to_json` gave. Raises UsageError for anything else."""
        if not isinstance(value, dict) or value.get("kind") != _KIND:
            raise UsageError(
                "this is no benchmark", expected="what `whatsit benchmark --save` wrote"
            )
        if value.get("format") != _FORMAT:
            raise UsageError(
                f"a benchmark of format {value.get('format')!r}",
                expected=f"format {_FORMAT}",
                hint="it was saved by another version of whatsit: measure anew",
            )
        try:
            return _run(value)
        except KeyError as error:
            raise _damaged(f"it lacks {error.args[0]!r:.60}") from error
        except _Unfit as error:
            raise _damaged(str(error)) from error
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise _damaged("its contents are not those of a benchmark") from error

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes all of it as JSON. Raises WhatsitError where that cannot be done."""
        with storage.whole_file(path) as file:
            file.write(json.dumps(self.to_json(), indent=1).encode() + b"\n")

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Benchmark:
        """The run in a file that `save` wrote. Raises UsageError for any other file."""
        name = os.fspath(path)
        try:
            with open(path, encoding="utf-8") as file:
                value = json.load(file)
        except OSError as error:
            raise UsageError(
                f"cannot read the benchmark {name!r}: {error.strerror or error}",
                expected="a file that `whatsit benchmark --save` wrote",
            ) from error
        except (ValueError, RecursionError) as error:  # no text, no JSON
            raise UsageError(
                f"{name!r} is no benchmark: it is not JSON",
                expected="a file that `whatsit benchmark --save` wrote",
            ) from error
        try:
            return cls.from_json(value)
        except UsageError as error:
            raise error.about(f"{name!r} cannot be used") from error


class _Unfit(ValueError):
    """A value that no benchmark has, in plain words."""


def _damaged(reason: str) -> UsageError:
    return UsageError(
        f"a damaged benchmark: {reason}", expected="what `whatsit benchmark --save` wrote"
    )


def _run(value: Mapping[str, Any]) -> Benchmark:
    reference = value["reference_ms"]
    return Benchmark(
        machine=_of(dict, value["machine"]),
        made=_of(str, value["made"]),
        pictures=_of(str, value["pictures"]),
        measurements=tuple(_measurement(row) for row in _of(list, value["measurements"])),
        warnings=tuple(_of(str, text) for text in _of(list, value["warnings"])),
        notes=tuple(_of(str, text) for text in _of(list, value["notes"])),
        failures=tuple(
            Failed(_setting(row), _error(row["error"])) for row in _of(list, value["failures"])
        ),
        pictures_sha256=_of(str, value["pictures_sha256"]),
        reference=None if reference is None else _spread(reference),
    )


def _measurement(row: Mapping[str, Any]) -> Measurement:
    memory = row["peak_memory_bytes"]
    return Measurement(
        setting=_setting(row),
        model_sha256=_of(str, row["model_sha256"]),
        model_bytes=_of(int, row["model_bytes"]),
        load_ms=_number(row["load_ms"]),
        first_ms=_number(row["first_ms"]),
        stages=_stages(row["stages_ms"]),
        throughput_per_s=_number(row["throughput_per_s"]),
        workers=_of(int, row["workers"]),
        peak_memory_bytes=None if memory is None else _of(int, memory),
        answers=_of(str, row["answers"]),
        noise=_number(row["noise"]),
        rounds_ms=tuple(_positive(ms) for ms in _of(list, row["rounds_ms"])),
    )


def _stages(value: Mapping[str, Any]) -> dict[str, Spread]:
    _positive(value["total"]["median"])
    return {stage: _spread(value[stage]) for stage in STAGES}


def _setting(row: Mapping[str, Any]) -> Setting:
    return Setting(_of(str, row["model"]), _of(str, row["runtime"]), _of(int, row["threads"]))


def _spread(value: Mapping[str, Any]) -> Spread:
    return Spread(
        median=_number(value["median"]),
        low=_number(value["low"]),
        high=_number(value["high"]),
        p95=_number(value["p95"]),
        count=_of(int, value["count"]),
    )


def _error(value: Mapping[str, Any]) -> dict[str, str]:
    return {part: _of(str, value[part]) for part in ("code", "message", "hint")}


def _of(kind: type, value: Any) -> Any:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise _Unfit(f"{_as_json(value)} is no {_KINDS[kind]}")
    return value


def _number(value: Any) -> float:
    """A finite, non-negative number: all that is measured here is one."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e300:
        raise _Unfit(f"{_as_json(value)} is no measured number")
    return float(value)


def _as_json(value: Any) -> str:
    """A value as the file has it."""
    return shown(json.dumps(value), 60)


def _positive(value: Any) -> float:
    """A time that others are divided by."""
    number = _number(value)
    if not number:
        raise _Unfit("a time of 0 ms")
    return number
