"""The models that TensorFlow Lite's page offered in 2019, with the numbers published there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import ModelDamaged

_FILE = Path(__file__).parent / "hosted.json"


@dataclass(frozen=True, slots=True)
class Hosted:
    """One row of hosted.json. None of its numbers was measured by this project.

    `sha256` is that of the archive at `url`, `size_mb` the model's inside it; top1 and top5 are in
    percent; `side` is the input's. None stands for what nobody published.
    """

    name: str
    kind: str  # "quantised" or "float"
    url: str
    sha256: str | None
    size_mb: float
    top1: float
    top5: float
    pixel2_ms: float
    tf_ms: float | None
    pixel3_cpu4_ms: float | None
    pixel3_gpu_ms: float | None
    pixel3_nnapi_ms: float | None
    side: int | None
    mean: float | None
    std: float | None
    preprocess: str | None
    licence: str | None
    note: str

    def to_json(self) -> dict[str, Any]:
        """The row, with the word that tells it from what was measured here."""
        row: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        return {"name": row.pop("name"), "numbers": "published", **row, "published_in": source()}


@cache
def hosted() -> Mapping[str, Hosted]:
    """Every row by name, in the order of the page. Raises ModelDamaged for a broken install."""
    try:
        return {row["name"]: Hosted(**row) for row in _content()["models"]}
    except (KeyError, TypeError) as error:
        raise _broken(error) from error


def source() -> str:
    """Where the numbers were published."""
    return str(_content()["source"])


def _content() -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))
        return content
    except (OSError, ValueError) as error:
        raise _broken(error) from error


def _broken(error: Exception) -> ModelDamaged:
    return ModelDamaged(
        f"the table of the hosted models cannot be read: {error}",
        hint="pip install --force-reinstall whatsit",
    )
