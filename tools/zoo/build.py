"""Builds the built-in models out of published weights, measures them, and says what was found.

python tools/zoo/build.py --calibration DIR --evaluate DIR [--evaluate DIR] --trust DIR
    [--only NAME]
"""

import hashlib
import importlib.metadata
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from accuracy import (
    RULE,
    DataSet,
    compare,
    join,
    load_data_set,
    measure,
    prepare,
    probabilities,
)
from bundles import ZOO, calibrated, pack, write_zoo
from convert import float_graph
from networks import SOURCES, load_network
from reference import Reference

from whatsit import Bundle
from whatsit.graph.half import float16_graph
from whatsit.graph.quantize import quantize_int8
from whatsit.images import is_picture_name

# name: (network, kind), in the order of the catalogue, the default first.
PRODUCTS = {
    "efficientnet-lite0-int8": ("efficientnet-lite0", "int8"),
    "efficientnet-lite0-float16": ("efficientnet-lite0", "float16"),
    "efficientnet-lite1-int8": ("efficientnet-lite1", "int8"),
    "efficientnet-lite2-int8": ("efficientnet-lite2", "int8"),
    "mobilenet-v2-int8": ("mobilenet-v2", "int8"),
    "mobilenet-v2-float16": ("mobilenet-v2", "float16"),
}
# What a model may lose and still be built: a float graph against PyTorch, any other against the
# float graph.
LARGEST_PROBABILITY_DIFFERENCE = 1e-4
LARGEST_LOSS_POINTS = 0.7
_PACKAGES = ("torch", "ai-edge-litert", "flatbuffers", "numpy", "pillow")
_BATCH = 16
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@dataclass(frozen=True)
class Original:
    """A network's float graph, the pictures it is measured on, its answers, and how far PyTorch's
    are from them.
    """

    graph: bytes
    data_sets: Sequence[DataSet]
    answers: Sequence[np.ndarray]
    largest_difference: float


def original(name: str, folders: Sequence[Path]) -> Original:
    """Writes the float graph of a network and holds it to PyTorch on every picture."""
    graph = float_graph(load_network(name))
    data_sets = [load_data_set(folder, SOURCES[name].size) for folder in folders]
    answers = [probabilities(graph, data_set.pictures) for data_set in data_sets]
    reference = Reference(name)
    differences = [
        float(np.abs(_in_batches(reference, data_set.pictures) - found).max())
        for data_set, found in zip(data_sets, answers, strict=True)
    ]
    worst = max(differences)
    if worst > LARGEST_PROBABILITY_DIFFERENCE:
        raise click.ClickException(f"{name}: the float graph is {worst:.2g} away from PyTorch")
    return Original(graph, data_sets, answers, worst)


def _in_batches(run: Callable[[np.ndarray], np.ndarray], pictures: np.ndarray) -> np.ndarray:
    starts = range(0, len(pictures), _BATCH)
    return np.concatenate([run(pictures[i : i + _BATCH]) for i in starts])


def product(kind: str, source: Original, calibration: Sequence[np.ndarray]) -> bytes:
    """The graph to ship."""
    return (
        float16_graph(source.graph)
        if kind == "float16"
        else quantize_int8(source.graph, calibration)
    )


def measurements(content: bytes, source: Original) -> dict[str, Any]:
    """All that is known of one product, ready for JSON."""
    answers = [probabilities(content, data_set.pictures) for data_set in source.data_sets]
    data_sets = [*source.data_sets, join(source.data_sets)]
    befores = [*source.answers, np.concatenate(source.answers)]
    afters = [*answers, np.concatenate(answers)]
    return {
        "file_bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "float32_to_pytorch_largest_probability_difference": source.largest_difference,
        "data_sets": {
            data_set.name: {
                **asdict(measure(after, data_set.classes)),
                "float32": asdict(measure(before, data_set.classes)),
                "against_float32": asdict(compare(before, after, data_set.classes)),
            }
            for data_set, before, after in zip(data_sets, befores, afters, strict=True)
        },
    }


def environment(calibration: Path, count: int) -> dict[str, object]:
    """What the numbers depend on."""
    return {
        "versions": {package: importlib.metadata.version(package) for package in _PACKAGES},
        "calibration": {"folder": calibration.name, "pictures": count},
        "preprocess": str(RULE),
    }


def print_row(name: str, found: dict[str, Any], seconds: float) -> None:
    """One product, one line per data set."""
    click.echo(f"{name}  {found['file_bytes'] / 1e6:.2f} MB  built in {seconds:.0f} s")
    for data_set, row in found["data_sets"].items():
        low, high = row["top1_interval"]
        paired = row["against_float32"]
        click.echo(
            f"  {data_set:22} n {row['n']:5}  Top-1 {row['top1']:.2%} ({low:.1%} to {high:.1%})"
            f"  Top-5 {row['top5']:.2%}  float32 {row['float32']['top1']:.2%}"
            f"  {paired['top1_change_points']:+.2f} (lost {paired['lost']}, won {paired['won']},"
            f" p {paired['mcnemar_p']:.2f})  same {paired['same_first']:.1%}"
        )


def build(
    network: str, names: Sequence[str], files: Sequence[Path], folders: Sequence[Path]
) -> dict[str, tuple[dict[str, Any], Bundle | None]]:
    """The named products of one network, by name: what was measured, and the bundle.

    A product that loses too much is measured but not made.
    """
    source = original(network, folders)
    pictures = [prepare(file, SOURCES[network].size) for file in files]
    built: dict[str, tuple[dict[str, Any], Bundle | None]] = {}
    for name in names:
        start = time.perf_counter()
        content = product(PRODUCTS[name][1], source, pictures)
        seconds = time.perf_counter() - start
        found = measurements(content, source)
        print_row(name, found, seconds)
        accepted = loss_points(found) <= LARGEST_LOSS_POINTS
        bundle = pack(content, name, network, source.graph, found["data_sets"])
        built[name] = found, bundle if accepted else None
    return built


def loss_points(found: dict[str, Any]) -> float:
    """Points of Top-1 lost against the float graph, over all pictures."""
    return -float(found["data_sets"]["all"]["against_float32"]["top1_change_points"])


@click.command()
@click.option("--calibration", type=FOLDER, required=True, help="Pictures to choose ranges by.")
@click.option("--evaluate", type=FOLDER, multiple=True, required=True, help="Holds labels.csv.")
@click.option(
    "--trust", type=FOLDER, required=True, help="Holds labels.csv; no weights were fitted to it."
)
@click.option("--out", type=click.Path(path_type=Path), default=ZOO, help="Default: the package's.")
@click.option("--only", type=click.Choice(list(PRODUCTS)), multiple=True, help="Build these alone.")
def main(
    calibration: Path,
    evaluate: tuple[Path, ...],
    trust: Path,
    out: Path,
    only: tuple[str, ...],
) -> None:
    """Builds the built-in models, measures them, and writes bundles and catalogue to a folder."""
    torch.set_num_threads(2)
    files = sorted(path for path in calibration.iterdir() if is_picture_name(path))
    if not files:
        raise click.ClickException(f"no pictures in {str(calibration)!r}")
    built: dict[str, tuple[dict[str, Any], Bundle | None]] = {}
    for network in SOURCES:
        names = [n for n, (of, _) in PRODUCTS.items() if of == network and (not only or n in only)]
        if names:
            built.update(build(network, names, files, evaluate))
    bundles = {
        name: calibrated(bundle, trust) for name, (_, bundle) in built.items() if bundle is not None
    }
    write_zoo([bundles[name] for name in PRODUCTS if name in bundles], list(PRODUCTS), out)
    measured = {name: built[name][0] for name in PRODUCTS if name in built}
    # Beside the recipe, but only if it tells of what the package holds.
    folder = Path(__file__).parent if out == ZOO and not only else out
    text = json.dumps({**environment(calibration, len(files)), "models": measured}, indent=2)
    (folder / "measurements.json").write_text(text + "\n", encoding="utf-8")
    refused = [name for name in built if name not in bundles]
    if refused:
        raise click.ClickException(f"not written, too much lost: {', '.join(refused)}")


if __name__ == "__main__":
    main()
