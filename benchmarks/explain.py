"""Do maps point at what they speak of?

Usage: python benchmarks/explain.py FOLDER [MODEL] [PICTURES]

FOLDER holds pictures and labels.csv with the columns file,class_index.

Mosaics: two pictures of different classes side by side and one above the other, both squeezed into
half of a square, or a middle part of each. Does the peak of the map for a class lie in its half?
By the map for the class alone, and by that for the class rather than the other. Of all pairs, and
of those in which the model knows each picture by itself.

Faithfulness: on PICTURES (200) of them, how much sooner the score of the likeliest class falls, and
rises, in the order of the map than in random orders, and than from the middle outwards. Intervals
are of 95 %, by resampling pairs or pictures.
"""

from __future__ import annotations

import csv
import dataclasses
import itertools
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from whatsit import Explainer, Explanation, machine

SEED = 0
SIDE = 448  # of a mosaic
ORDERS = 3  # random ones a picture
RESAMPLES = 2000
LAYOUTS = ("left and right", "above and below")
HALVES = ("squeezed", "cut")
Row = tuple[str, int]  # file, class


def pairs(rows: Sequence[Row]) -> Iterator[tuple[Row, Row]]:
    """Each picture once, beside one of another class."""
    shuffled = random.Random(SEED).sample(rows, len(rows))
    for first, second in itertools.zip_longest(shuffled[::2], shuffled[1::2]):
        if second is not None and first[1] != second[1]:
            yield first, second


def half(photo: Image.Image, size: tuple[int, int], kind: str) -> Image.Image:
    """A photo in half of a mosaic: all of it, squeezed, or its middle."""
    width, height = size
    scale = min(photo.width / width, photo.height / height)
    x, y = (photo.width - scale * width) / 2, (photo.height - scale * height) / 2
    middle = (x, y, x + scale * width, y + scale * height)
    return photo.resize(size, Image.Resampling.BICUBIC, box=middle if kind == "cut" else None)


def mosaic(photos: Sequence[Image.Image], layout: str, kind: str) -> Image.Image:
    """Two photos in a square."""
    across = layout == LAYOUTS[0]
    size = (SIDE // 2, SIDE) if across else (SIDE, SIDE // 2)
    whole = Image.new("RGB", (SIDE, SIDE))
    whole.paste(half(photos[0], size, kind), (0, 0))
    whole.paste(half(photos[1], size, kind), (SIDE // 2, 0) if across else (0, SIDE // 2))
    return whole


def hits(explainer: Explainer, whole: Image.Image, classes: Sequence[int], layout: str) -> list:
    """For each of the classes: does its map, and that of the difference, peak in its half?"""
    found = []
    for place, target in enumerate(classes):
        why = explainer.explain(whole, target=target, versus=classes[1 - place])
        assert why.difference is not None
        peaks = (why.peak, why.difference.peak)
        axis = LAYOUTS.index(layout)
        found.append([peak is not None and (peak[axis] >= 0.5) == place for peak in peaks])
    return found


def measure_mosaics(explainer: Explainer, folder: Path, rows: Sequence[Row]) -> None:
    known, found = [], []
    for pair in pairs(rows):
        photos = [Image.open(folder / name).convert("RGB") for name, _ in pair]
        classes = [index for _, index in pair]
        answers = [explainer.explain(photo).target.index for photo in photos]
        known.append(answers == classes)
        # (halves, layouts, classes, maps)
        found.append(
            [
                [
                    hits(explainer, mosaic(photos, layout, kind), classes, layout)
                    for layout in LAYOUTS
                ]
                for kind in HALVES
            ]
        )
    right, both = np.array(found, float), np.array(known)
    print(f"\n{len(both)} pairs, {both.sum()} of them of pictures that the model knows")
    print("halves    layout            pairs   for the class          rather than the other")
    for (i, kind), (j, layout) in itertools.product(enumerate(HALVES), enumerate(LAYOUTS)):
        for name, chosen in (("all", right), ("known", right[both])):
            rates = "   ".join(rate(chosen[:, i, j, :, k].mean(1)) for k in range(2))
            print(f"{kind:<8}  {layout:<16}  {name:<6}  {rates}")
    for name, chosen in (("all", right), ("known", right[both])):
        rates = "   ".join(rate(chosen[..., k].mean((1, 2, 3))) for k in range(2))
        print(f"{'together':<26}  {name:<6}  {rates}")


def measure_faithfulness(explainer: Explainer, folder: Path, rows: Sequence[Row]) -> None:
    by_map, by_middle = [], []
    for name, _ in rows:
        why = explainer.explain(folder / name)
        by_map.append(areas(explainer, why, ORDERS))
        by_middle.append(areas(explainer, from_middle(why), 1)[:2])
    own, middle = np.array(by_map), np.array(by_middle)  # (N, 4), (N, 2)
    print(f"\n{len(own)} pictures, {ORDERS} random orders each: mean score on the way, in percent")
    for place, name in enumerate(("deletion, lower is better", "insertion, higher is better")):
        sign = 1 if place else -1
        lead, wide = sign * (own[:, place] - own[:, place + 2]), own[:, place] - middle[:, place]
        print(
            f"{name:<28} map {rate(own[:, place])}   random {rate(own[:, place + 2])}\n"
            f"{'':<28} better than random by {rate(lead)}, on {100 * (lead > 0).mean():.0f} % "
            f"of pictures\n{'':<28} better than from the middle by {rate(sign * wide)}"
        )


def areas(explainer: Explainer, why: Explanation, orders: int) -> list[float]:
    """Deletion, insertion, and both at random."""
    return list(explainer.faithfulness(why, orders=orders, seed=SEED).areas.values())


def from_middle(why: Explanation) -> Explanation:
    """The same with a map that knows no more than that things stand in the middle."""
    rows, columns = np.indices(why.target.values.shape, np.float32)
    far = (rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2
    return dataclasses.replace(why, target=dataclasses.replace(why.target, values=-far))


def rate(values: NDArray[np.float64]) -> str:
    """The mean in percent, with its interval."""
    chance = np.random.default_rng(SEED)
    drawn = chance.choice(values, (RESAMPLES, len(values))).mean(1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"{100 * values.mean():5.1f} ({100 * low:.1f} to {100 * high:.1f})"


def main() -> None:
    folder, model = Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 200
    with (folder / "labels.csv").open(newline="") as file:
        rows = [(row["file"], int(row["class_index"])) for row in csv.DictReader(file)]
    with Explainer(model, threads=1) as explainer:
        print(f"{explainer.bundle.name}, {len(rows)} pictures, {machine.facts()['cpu']}")
        measure_mosaics(explainer, folder, rows)
        measure_faithfulness(explainer, folder, random.Random(SEED).sample(rows, count))


if __name__ == "__main__":
    main()
