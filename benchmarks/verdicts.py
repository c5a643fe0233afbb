"""How often is a "sure" answer right, by the margin that judges models which were never calibrated?

Usage: python benchmarks/verdicts.py FOLDER [MODEL]

FOLDER holds pictures and labels.csv with the columns file,class_index. Prints, for several margins,
how many answers would be sure, how many of these are right, and how many of the others, all by the
model's own scores. What a calibration gives is measured by `whatsit calibrate`.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import whatsit
from whatsit.results import SURE_MARGIN

MARGINS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)


def measure(folder: Path, model: str | None) -> NDArray[np.float64]:
    """Rows of (lead of the best class over the second, 1.0 if the best is right), (N, 2)."""
    with (folder / "labels.csv").open(newline="") as file:
        truth = {row["file"]: int(row["class_index"]) for row in csv.DictReader(file)}
    rows = []
    with whatsit.load(model, raw=True) as classifier:
        results = classifier.classify_many([folder / name for name in truth], top=2)
        for index, result in zip(truth.values(), results, strict=True):
            first, second = result.predictions
            rows.append((first.score - second.score, float(first.index == index)))
    return np.array(rows)


def main() -> None:
    folder, model = Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None
    lead, right = measure(folder, model).T
    print(f"{len(lead)} pictures, {100 * right.mean():.1f} % right")
    print("margin   sure    right if sure   right if ambiguous")
    for margin in MARGINS:
        sure = lead >= margin
        mark = "  ← whatsit" if margin == SURE_MARGIN else ""
        print(
            f"{margin:5.2f}  {100 * sure.mean():5.1f} %  {100 * right[sure].mean():9.1f} %"
            f"  {100 * right[~sure].mean():15.1f} %{mark}"
        )


if __name__ == "__main__":
    main()
