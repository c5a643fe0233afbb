"""Measures the candidates on this device and on the pictures given, and lets `choice` decide.

Every candidate is timed here, in turns with the others, or was timed on another device; it is
evaluated on the same pictures if there are any. Without, the accuracy that stands in the bundles
counts, and the answer says so.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from . import benchmark, datasets, engines, opening, wording, zoo
from . import device as devices
from .bundle import Bundle
from .choice import Candidate as Candidate
from .choice import Choice as Choice
from .choice import LeftOut, decide
from .choice import Limits as Limits
from .classifier import Classifier, default_threads, open_bundle
from .datasets import Dataset
from .device import Device, Timed
from .errors import DatasetError, ModelError, RuntimeUnavailable, UsageError
from .evaluate import evaluate
from .evaluation import Evaluation
from .measures import Rate, Spread
from .runtimes import AUTO
from .sources import Source

Say = Callable[[str], None]  # what is being done, or what a person should know


@dataclass(frozen=True, slots=True)
class _Recorded:
    """What a bundle says of its own accuracy."""

    data_set: str
    top1: Rate


@dataclass(frozen=True)
class _Times:
    """How fast the models are, and where and how that was measured."""

    models: Mapping[str, _Time]
    timing: str
    machine: Mapping[str, object]
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    failures: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class _Time:
    """Of one model, from picture to answer."""

    size_bytes: int
    total: Spread
    runtime: str


@dataclass(frozen=True, slots=True)
class _Accuracy:
    """How often a model is right, if that is known, and how it is known."""

    top1: Rate | None
    source: str
    evaluation: Evaluation | None = None


def choose(
    models: Sequence[str] | None = None,
    limits: Limits | None = None,
    *,
    dataset: Dataset | str | os.PathLike[str] | None = None,
    limit: int | None = None,
    threads: int | None = None,
    runtime: str | None = None,
    device: Device | str | os.PathLike[str] | None = None,
    progress: Say | None = None,
) -> Choice:
    """The best of `models` (default: all that are installed) within `limits`, measured here.

    `dataset` are labelled pictures or their path, of which `limit` are taken at random. `device` is
    another device or its file, whose times count in place of this machine's; of the installed
    models those timed on it are compared. A model that cannot be used, that lacks the data set's
    classes or was not timed on `device` is left out and named. Raises UsageError for a model that
    is no name, and the first error if all are left out.
    """
    if dataset is None and limit is not None:
        raise UsageError(f"a limit of {limit} pictures", expected="a data set to take them from")
    say = progress or (lambda text: None)
    if device is not None:
        device = _device(device, threads)
    if dataset is not None:
        dataset = _sampled(dataset, limit)
    names, unmeasured = _installed(device) if models is None else (models, ())
    bundles, left_out = _opened(names)
    if device is not None:
        bundles = _timed_there(bundles, device, left_out)
    if dataset is None:
        known = _recorded(bundles)
    else:
        known = _measured(bundles, dataset, runtime, say, left_out)
    if not known:
        raise left_out[0].error
    if device is not None:
        there = {name: _there(device.timed(bundles[name])) for name in known}
        notes = (*device.notes(bundles.values()), *unmeasured)
        times = _Times(there, device.timing(), device.facts, notes=notes)
    else:
        times = _timed_here(known, dataset, runtime, threads, say)
    left_out += times.failures
    if not times.models:
        raise left_out[0].error
    evaluations = [found.evaluation for found in known.values() if found.evaluation is not None]
    return decide(
        [_candidate(name, time, known[name]) for name, time in times.models.items()],
        limits or Limits(),
        dataset=None if dataset is None else dataset.name,
        pictures=max((len(found.answers) for found in evaluations), default=0),
        timing=times.timing,
        machine=times.machine,
        warnings=(*_unread(evaluations), *times.warnings),
        notes=(
            *(() if dataset is None else dataset.notes),
            *times.notes,
            *(_engines(bundles, threads) if runtime == AUTO and device is None else ()),
        ),
        left_out=left_out,
        device=None if device is None else device.name,
    )


def _device(device: Device | str | os.PathLike[str], threads: int | None) -> Device:
    if threads is not None:
        raise UsageError(
            f"{threads} threads, and the times of another device",
            expected="one of the two",
            hint="the app's settings say how many threads it measures with",
        )
    return device if isinstance(device, Device) else devices.read(device)


def _timed_there(
    bundles: Mapping[str, Bundle], device: Device, left_out: list[LeftOut]
) -> dict[str, Bundle]:
    """The models that were timed on the device; the others join `left_out`."""
    found: dict[str, Bundle] = {}
    for name, bundle in bundles.items():
        try:
            device.timed(bundle)
        except ModelError as error:
            left_out.append(LeftOut(name, error))
        else:
            found[name] = bundle
    if not found:
        raise left_out[0].error
    return found


def _sampled(dataset: Dataset | str | os.PathLike[str], limit: int | None) -> Dataset:
    if limit is not None and limit < 1:
        raise UsageError(f"a limit of {limit} pictures", expected="at least 1")
    whole = opening.read(dataset)
    return whole.only(datasets.sampled(len(whole), limit))


def _installed(device: Device | None) -> tuple[list[str], tuple[str, ...]]:
    """The models to compare if none is named, and a note of those that `device` did not time."""
    names = [*zoo.catalogue(), *zoo.installed()]
    if device is None:
        return names, ()
    return device.among(names)


def _opened(names: Sequence[str]) -> tuple[dict[str, Bundle], list[LeftOut]]:
    """The candidates by the name that a person uses for them, and those that are damaged."""
    bundles: dict[str, Bundle] = {}
    left_out: list[LeftOut] = []
    for name in dict.fromkeys(names):
        try:
            bundles[name] = open_bundle(name)
        except ModelError as error:
            left_out.append(LeftOut(name, error))
    if not bundles and not left_out:
        raise UsageError("no model to choose from", hint="`whatsit models` lists what there is")
    return bundles, left_out


def _engines(bundles: Mapping[str, Bundle], threads: int | None) -> list[str]:
    """Which engine `auto` took for each model, and why."""
    count = threads or default_threads()
    return [
        f"{name}: {engines.pick(bundle, threads=count).reason}" for name, bundle in bundles.items()
    ]


def _there(timed: Timed) -> _Time:
    return _Time(timed.size_bytes, timed.total, timed.engine)


def _timed_here(
    known: Mapping[str, _Accuracy],
    dataset: Dataset | None,
    runtime: str | None,
    threads: int | None,
    say: Say,
) -> _Times:
    say("timing all models, in turns")
    timed = benchmark.latencies(
        known,
        pictures=None if dataset is None else _timed_on(dataset),
        runtime=runtime,
        threads=threads,
    )
    rows = {
        row.setting.model: _Time(row.model_bytes, row.stages["total"], row.setting.runtime)
        for row in timed.measurements
    }
    return _Times(
        rows,
        _timing(timed),
        timed.machine,
        warnings=timed.warnings,
        failures=tuple(_failed(failure) for failure in timed.failures),
    )


def _candidate(name: str, time: _Time, accuracy: _Accuracy) -> Candidate:
    return Candidate(
        name=name,
        size_bytes=time.size_bytes,
        latency=time.total,
        top1=accuracy.top1,
        top1_source=accuracy.source,
        evaluation=accuracy.evaluation,
        runtime=time.runtime,
    )


def _failed(failure: benchmark.Failed) -> LeftOut:
    error = ModelError(failure.error["message"], hint=failure.error["hint"])
    return LeftOut(failure.setting.model, error)


def _unread(evaluations: Sequence[Evaluation]) -> list[str]:
    failed = max((len(evaluation.failures) for evaluation in evaluations), default=0)
    if not failed:
        return []
    pictures = wording.counted(failed, "picture")
    return [f"{pictures} could not be read: `whatsit evaluate` says why"]


def _measured(
    bundles: Mapping[str, Bundle],
    dataset: Dataset,
    runtime: str | None,
    say: Say,
    left_out: list[LeftOut],
) -> dict[str, _Accuracy]:
    """Top-1 on these pictures; models that cannot answer them join `left_out`."""
    found: dict[str, _Accuracy] = {}
    for name, bundle in bundles.items():
        say(f"evaluating {name} on {dataset.name}")
        try:
            with Classifier(bundle, runtime=runtime) as classifier:
                evaluation = evaluate(classifier, dataset)
        except (DatasetError, ModelError, RuntimeUnavailable) as error:
            left_out.append(LeftOut(name, error))
            continue
        rate = evaluation.top(1)
        source = f"measured here on {rate.total} pictures of {dataset.name}"
        found[name] = _Accuracy(rate, source, evaluation)
    return found


def _recorded(bundles: Mapping[str, Bundle]) -> dict[str, _Accuracy]:
    """Top-1 as it stands in each bundle, of the data set that most of them name first.

    Figures of different data sets cannot be compared, so the others' count as unknown.
    """
    first = {name: row for name, bundle in bundles.items() if (row := _first_row(bundle))}
    usual = Counter(row.data_set for row in first.values()).most_common(1)
    found: dict[str, _Accuracy] = {}
    for name in bundles:
        row = first.get(name)
        if row is None or row.data_set != usual[0][0]:
            unknown = f"{name} carries none that can be compared: measure with --data"
            found[name] = _Accuracy(None, unknown)
            continue
        source = f"as recorded in the bundles, on {row.top1.total} pictures of {row.data_set}"
        found[name] = _Accuracy(row.top1, f"{source}; yours may differ: measure with --data")
    return found


def _first_row(bundle: Bundle) -> _Recorded | None:
    """What the bundle's record says of its accuracy on the first data set it names.

    None for anything else than our own builds write there: a file may say what it likes.
    """
    rows = bundle.record.get("accuracy")
    row = rows[0] if isinstance(rows, list) and rows else None
    if not isinstance(row, dict):
        return None
    data_set, pictures, top1 = (row.get(key) for key in ("data_set", "pictures", "top1"))
    if not (isinstance(data_set, str) and isinstance(pictures, int) and 0 < pictures < 1e9):
        return None
    if not (isinstance(top1, (int, float)) and 0 <= top1 <= 100):
        return None
    return _Recorded(data_set, Rate(round(top1 / 100 * pictures), pictures))


def _timed_on(dataset: Dataset) -> benchmark.Pictures:
    return benchmark.choose_pictures(Source(row.path) for row in dataset.rows)


def _timing(timed: benchmark.Benchmark) -> str:
    """How the latencies were taken, in words."""
    threads = sorted({row.setting.threads for row in timed.measurements})
    count = " or ".join(map(str, threads))
    return (
        f"median and 95th percentile of {timed.pictures}, one at a time, on {count} "
        f"thread{'' if threads == [1] else 's'} of {timed.machine['cpu']}"
    )
