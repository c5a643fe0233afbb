"""Whether the learning curve of `whatsit train` keeps its word, on pictures of one's own.

python benchmarks/curves.py TRAIN VALIDATION

Of many small parts of the pictures it asks for the curve, then gives the head twice as many and
looks whether what they give lies within the bounds. Last line: one JSON object.
"""

from __future__ import annotations

import json
import sys

import numpy as np

from whatsit import datasets, embed, zoo
from whatsit.doctor import groups as alike
from whatsit.splits import split
from whatsit.train import fit_head
from whatsit.train.curve import learning_curve
from whatsit.train.pictures import matched, material

TRIALS = 20


def main(train: str, validation: str) -> None:
    """Prints how often the bounds held, by size of the part."""
    learned = material(datasets.read(train))
    held = matched(datasets.read(validation), learned.names)
    bundle = zoo.open_builtin(zoo.DEFAULT)
    vectors, asked = (embed(bundle, part.paths).vectors for part in (learned, held))
    truth, held_truth = np.array(learned.classes), np.array(held.classes)
    groups = np.array(alike(learned.paths, vectors=vectors))
    strength = fit_head(vectors, truth, groups=groups.tolist()).strength

    def drawn(rows: np.ndarray, share: float, seed: int) -> np.ndarray:
        labels = [str(index) for index in truth[rows]]
        parts = split(labels, groups[rows].tolist(), fractions=(share, 0.0, 1 - share), seed=seed)
        return rows[list(parts.train)]

    found = []
    for share in (1 / 2, 1 / 4):
        rows = []
        for seed in range(TRIALS):
            whole = drawn(np.arange(len(truth)), share, 1000 + seed)
            half = drawn(whole, 0.5, seed)
            fits = [fit_head(vectors[r], truth[r], strengths=[strength]) for r in (half, whole)]
            real = (fits[1].logits(asked).argmax(axis=1) == held_truth).mean()
            curve = learning_curve(
                vectors[half], truth[half], fits[0], held=(asked, held_truth), groups=groups[half]
            )
            if curve.twice is not None:
                low, high = curve.twice.interval
                off = abs(curve.twice.accuracy - real), abs(curve.points[-1].accuracy - real)
                rows.append((low <= real <= high, high - low, *off))
        means = np.mean(rows, axis=0) if rows else np.zeros(4)
        found.append(
            {
                "pictures": len(half),
                "trials": TRIALS,
                "told": len(rows),
                "within_bounds": round(float(means[0]), 3),
                "points_between_bounds": round(100 * float(means[1]), 1),
                "points_off": round(100 * float(means[2]), 1),
                "points_off_without_a_curve": round(100 * float(means[3]), 1),
            }
        )
        print(found[-1])
    print(json.dumps({"model": zoo.DEFAULT, "curves": found}))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
