"""What calibrating is worth, by how strongly a taught layer is held back.

Usage: python benchmarks/calibration.py TRAIN HELD [MODEL]

TRAIN and HELD are folders of one folder for each class. A new last layer is fitted to the pictures
of TRAIN three times: held back as `whatsit train` does it, by cross-validation, then hardly, and
then practically not at all, as a plain script does. Each model is calibrated on one half of HELD
and tried on the other, in ten splits, as `whatsit calibrate` does it. Prints the calibration
errors before and after, what chance makes of scores that are all right, and the coverage at 90 %.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import whatsit
from whatsit import Bundle, Classifier, Dataset, datasets
from whatsit.classifier import open_bundle
from whatsit.graph import graft
from whatsit.train import fit_head
from whatsit.train.head import STRENGTHS

KINDS: dict[str, Sequence[float]] = {
    "by cross-validation": STRENGTHS,
    "hardly held back": (10.0,),
    "not held back": (1000.0,),
}


def taught(parent: Bundle, train: Dataset, strengths: Sequence[float]) -> Bundle:
    """The parent with a new last layer for the classes of `train`."""
    vectors = whatsit.embed(parent, [row.path for row in train.rows]).vectors
    names = sorted({row.label for row in train.rows})
    fit = fit_head(vectors, [names.index(row.label) for row in train.rows], strengths=strengths)
    return graft(parent, fit.weights, fit.bias, names, name="flowers", logits=fit.logits(vectors))


def main() -> None:
    train, held = (datasets.read(folder) for folder in sys.argv[1:3])
    parent = open_bundle(sys.argv[3] if len(sys.argv) > 3 else None)
    print(f"{'layer':20} right   before  after  by chance  sets that hold the truth at 90 %")
    for kind, strengths in KINDS.items():
        model = taught(parent, train, strengths)
        trial = whatsit.calibrate(model, held).trial
        with Classifier(model) as classifier:
            top1 = whatsit.evaluate(classifier, held).top(1).value
        (level,) = (level for level in trial.levels if level.coverage == 0.9)
        hits, total = sum(r.hits for r in level.held), sum(r.total for r in level.held)
        print(
            f"{kind:20} {top1:5.1%} {trial.before.error:8.1%} {trial.after.error:6.1%}"
            f" {trial.chance:10.1%} {hits / total:8.1%}, with {level.size:.2f} classes"
        )


if __name__ == "__main__":
    main()
