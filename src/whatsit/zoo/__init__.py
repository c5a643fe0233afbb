"""The models that come with the package: a catalogue, and the files beside this one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..bundle import Bundle
from ..errors import ModelDamaged, ModelError, UsageError

DEFAULT = "efficientnet-lite0-int8"
GOLDEN = Path(__file__).parent / "golden"
_FOLDER = Path(__file__).parent
_REINSTALL = "pip install --force-reinstall whatsit"


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of catalogue.json, as tools/zoo/build.py writes it.

    `input` is (height, width); `accuracy` one object a data set: data_set, pictures, top1, top5 in
    percent, top1_interval (Wilson, 95 %).
    """

    name: str
    sha256: str
    size_bytes: int
    classes: int
    input: tuple[int, int]
    preprocess: str
    licence: str
    accuracy: tuple[Mapping[str, Any], ...]

    @property
    def path(self) -> Path:
        """The file of the model."""
        return _FOLDER / f"{self.name}.tflite"


@cache
def catalogue() -> dict[str, Entry]:
    """Every built-in model by name, the default first. Raises ModelDamaged for a broken install."""
    try:
        rows = json.loads((_FOLDER / "catalogue.json").read_text(encoding="utf-8"))["models"]
        return {
            row["name"]: Entry(
                **{**row, "input": tuple(row["input"]), "accuracy": tuple(row["accuracy"])}
            )
            for row in rows
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelDamaged(
            f"the catalogue of the built-in models cannot be read: {error}", hint=_REINSTALL
        ) from error


def is_builtin(bundle: Bundle) -> bool:
    """Whether `bundle` has the very bytes of a model that this package ships."""
    return any(bundle.sha256 == entry.sha256 for entry in catalogue().values())


def open_builtin(name: str) -> Bundle:
    """The built-in model `name`. Raises UsageError for an unknown name, ModelDamaged if altered."""
    entry = catalogue().get(name)
    if entry is None:
        raise UsageError(
            f"no built-in model {name!r}",
            expected=f"one of {', '.join(catalogue())}, or a path that ends in .tflite",
        )
    altered = ModelDamaged(
        f"the built-in model {name!r} is not the file that was shipped",
        expected=f"sha256 {entry.sha256}",
        hint=_REINSTALL,
    )
    try:
        bundle = Bundle.read(entry.path)
    except ModelError as error:
        raise altered from error
    if bundle.sha256 != entry.sha256:
        raise altered
    return bundle
