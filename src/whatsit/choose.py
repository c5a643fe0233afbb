"""Measures the candidates on this device and on the pictures given, and lets `choice` decide.

Every candidate is timed here, in turns with the others, and evaluated on the same pictures if there
are any; without, the accuracy that stands in the bundles counts, and the answer says so.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import benchmark, datasets, zoo
from .bundle import Bundle
from .choice import Candidate as Candidate
from .choice import Choice as Choice
from .choice import Limits as Limits
from .choice import decide
from .classifier import load, open_bundle
from .datasets import Dataset
from .errors import DatasetError, ModelError, UsageError
from .evaluate import evaluate
from .evaluation import Evaluation
from .measures import Rate
from .sources import Source

Say = Callable[[str], None]  # what is being done, or what a person should know


def choose(
    models: Sequence[str] | None = None,
    limits: Limits | None = None,
    *,
    dataset: Dataset | str | os.PathLike[str] | None = None,
    limit: int | None = None,
    threads: int | None = None,
    runtime: str | None = None,
    progress: Say | None = None,
) -> Choice:
    """The best of `models` (default: all that are installed) within `limits`, measured here.

    `dataset` are labelled pictures or their path, of which `limit` are taken at random. A model
    that was not named and cannot be used is a warning, as is one that lacks the data set's
    classes. Raises ModelError for a named model, DatasetError if no model knows the classes,
    UsageError without a model.
    """
    say = progress or (lambda text: None)
    warnings: list[str] = []
    if dataset is not None and not isinstance(dataset, Dataset):
        dataset = datasets.read(dataset)
    bundles = _opened(models, warnings)
    evaluations: dict[str, Evaluation] = {}
    if dataset is not None:
        evaluations = _evaluated(bundles, dataset, limit, runtime, say, warnings)
        bundles = {name: bundle for name, bundle in bundles.items() if name in evaluations}
        accuracies = {name: _measured(found) for name, found in evaluations.items()}
    else:
        accuracies = _recorded(bundles)
    say("timing all models, in turns")
    timed = benchmark.latencies(
        bundles,
        pictures=None if dataset is None else _timed_on(dataset),
        runtime=runtime,
        threads=threads,
    )
    if not timed.measurements:
        raise ModelError(timed.failures[0].error["message"], hint=timed.failures[0].error["hint"])
    warnings += [f"{f.setting.model} is left out: {f.error['message']}" for f in timed.failures]
    candidates = [
        Candidate(
            name=row.setting.model,
            size_bytes=row.model_bytes,
            latency=row.stages["total"],
            top1=accuracies[row.setting.model][0],
            top1_source=accuracies[row.setting.model][1],
            evaluation=evaluations.get(row.setting.model),
        )
        for row in timed.measurements
    ]
    return decide(
        candidates,
        limits or Limits(),
        dataset=None if dataset is None else dataset.name,
        pictures=max((len(found.answers) for found in evaluations.values()), default=0),
        timing=_timing(timed),
        machine=timed.machine,
        warnings=(*warnings, *timed.warnings),
    )


def _opened(models: Sequence[str] | None, warnings: list[str]) -> dict[str, Bundle]:
    """The candidates by the name that a person uses for them."""
    bundles: dict[str, Bundle] = {}
    if models is not None:
        bundles = {name: open_bundle(name) for name in models}
    else:
        for name in (*zoo.catalogue(), *zoo.installed()):
            try:
                bundles[name] = open_bundle(name)
            except ModelError as error:
                warnings.append(f"{name} is left out: {error.message}")
    if not bundles:
        raise UsageError("no model to choose from", hint="`whatsit models` lists what there is")
    return bundles


def _evaluated(
    bundles: Mapping[str, Bundle],
    dataset: Dataset,
    limit: int | None,
    runtime: str | None,
    say: Say,
    warnings: list[str],
) -> dict[str, Evaluation]:
    """What each model gives on the same pictures; those that lack the classes are left out."""
    found: dict[str, Evaluation] = {}
    refusals: dict[str, DatasetError] = {}
    for name in bundles:
        say(f"evaluating {name} on {dataset.name}")
        with load(name, runtime=runtime) as classifier:
            try:
                found[name] = evaluate(classifier, dataset, limit=limit)
            except DatasetError as error:
                refusals[name] = error
    if not found:
        raise next(iter(refusals.values()))
    warnings += [f"{name} is left out: {error.message}" for name, error in refusals.items()]
    failed = max(len(evaluation.failures) for evaluation in found.values())
    if failed:
        warnings.append(
            f"{failed} pictures of {dataset.name} could not be read: `whatsit evaluate` lists them"
        )
    return found


def _measured(evaluation: Evaluation) -> tuple[Rate | None, str]:
    rate = evaluation.top(1)
    return rate, f"measured here on {rate.total} pictures of {evaluation.dataset}"


def _recorded(bundles: Mapping[str, Bundle]) -> dict[str, tuple[Rate | None, str]]:
    """Top-1 as it stands in each bundle, of the data set that most of them name first.

    Figures of different data sets cannot be compared, so the others' count as unknown.
    """
    first = {name: row for name, bundle in bundles.items() if (row := _first_row(bundle))}
    usual = Counter(row["data_set"] for row in first.values()).most_common(1)
    found: dict[str, tuple[Rate | None, str]] = {}
    for name in bundles:
        row = first.get(name)
        if row is None or row["data_set"] != usual[0][0]:
            found[name] = None, f"{name} carries none that can be compared: measure with --data"
            continue
        pictures = int(row["pictures"])
        rate = Rate(round(row["top1"] / 100 * pictures), pictures)
        source = f"as recorded in the bundles, on {pictures} pictures of {row['data_set']}"
        found[name] = rate, f"{source}; yours may differ: measure with --data"
    return found


def _first_row(bundle: Bundle) -> Mapping[str, Any] | None:
    """What the bundle's record says of its accuracy on the first data set it names."""
    rows = bundle.record.get("accuracy")
    row = rows[0] if isinstance(rows, list) and rows else None
    usable = isinstance(row, dict) and {"data_set", "pictures", "top1"} <= row.keys()
    return row if usable else None


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
