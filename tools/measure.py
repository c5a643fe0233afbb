"""Measures the models for docs/: accuracy on labelled pictures, speed on this machine.

    python tools/measure.py --data DIR [--data DIR …] [--hosted FILE …]

writes tools/measured.json, from which `make docs` writes the tables of docs/choose-a-model.md and
the model cards. DIR is what `whatsit evaluate` takes; FILE a .tflite of the 2019 hosted table, so
that a published figure and one of ours stand on the same pictures. Takes about a minute a model, on
a machine that does nothing else: with warnings, nothing is written.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from whatsit import Labels, benchmark, datasets, load, machine, zoo
from whatsit.evaluate import evaluate
from whatsit.evaluation import Answer, Evaluation
from whatsit.measures import Rate

OUT = Path(__file__).with_name("measured.json")
_FEWEST = 20  # pictures of a branch of WordNet: fewer say nothing about it
_MOST_GROUPS = 8
_MOST_PAIRS = 8


def main() -> None:
    """Measures, and writes only what was measured on a quiet machine."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", action="append", required=True, metavar="DIR")
    parser.add_argument("--hosted", action="append", default=[], metavar="FILE")
    parser.add_argument("--noisy", action="store_true", help="write despite warnings")
    options = parser.parse_args()
    names = [*zoo.catalogue(), *options.hosted]
    sets = [datasets.read(folder) for folder in options.data]
    speed = benchmark.measure(benchmark.settings_for(names), rounds=8, seconds=8.0)
    for text in speed.warnings:
        print(f"warning: {text}", file=sys.stderr)
    if speed.failures or (speed.warnings and not options.noisy):
        sys.exit("nothing written")
    found: dict[str, Any] = {"machine": machine.facts(), "pictures_timed": speed.pictures}
    found["models"] = {
        Path(row.setting.model).stem: {
            "speed": {**row.to_json(), "model": Path(row.setting.model).stem},
            **_accuracy([_evaluated(row.setting.model, dataset) for dataset in sets]),
        }
        for row in speed.measurements
    }
    OUT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {OUT.name}")


def _evaluated(model: str, dataset: datasets.Dataset) -> Evaluation:
    # Raw: the calibration was taken from pictures that are measured on.
    with load(model, raw=True) as classifier:
        return evaluate(classifier, dataset)


def _accuracy(evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    """What the docs say of a model's answers: of each data set, and of all pictures together."""
    answers = [answer for evaluation in evaluations for answer in evaluation.answers]
    labels = evaluations[0].labels
    return {
        "sha256": evaluations[0].model_sha256,
        "data_sets": {
            evaluation.dataset: {
                "top1": evaluation.top(1).to_json(),
                "top5": evaluation.top(5).to_json(),
                "calibration_error": round(evaluation.calibration().error, 4),
                "mean_score": round(evaluation.calibration().confidence, 4),
            }
            for evaluation in evaluations
        },
        "weak_groups": _weak_groups(answers, labels),
        "confused": _confused(answers, labels),
    }


def _weak_groups(answers: Sequence[Answer], labels: Labels) -> list[dict[str, Any]]:
    """Branches of WordNet that the model surely knows less well than the whole, weakest first."""
    if not labels.parents:
        return []
    counts: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for answer in answers:
        for synset in labels.ancestors(answer.truth):
            counts[synset][0] += answer.right
            counts[synset][1] += 1
    overall = sum(answer.right for answer in answers) / len(answers)
    rates = {synset: Rate(*pair) for synset, pair in counts.items() if pair[1] >= _FEWEST}
    weak = {synset: rate for synset, rate in rates.items() if rate.interval[1] < overall}
    # Of a branch and the one above it that is weak through it alone, the narrower says more.
    order = sorted(weak, key=lambda synset: (weak[synset].value, weak[synset].total))
    return [
        {"synset": synset, "name": labels.tree[synset][0], **weak[synset].to_json()}
        for synset in order[:_MOST_GROUPS]
    ]


def _confused(answers: Sequence[Answer], labels: Labels) -> list[dict[str, Any]]:
    """Pairs of classes that were taken for each other more than once, in either direction."""
    pairs = Counter(
        frozenset((answer.truth, answer.ranked[0][0])) for answer in answers if not answer.right
    )
    order = sorted(pairs, key=lambda pair: (-pairs[pair], sorted(pair)))
    return [
        {"classes": [labels.names[i] for i in sorted(pair)], "count": pairs[pair]}
        for pair in order[:_MOST_PAIRS]
        if pairs[pair] > 1
    ]


if __name__ == "__main__":
    main()
