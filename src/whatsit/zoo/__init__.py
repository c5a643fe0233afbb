"""The models that have a name: those that come with the package, and those that were imported.

The built-in ones are files beside this one, with a catalogue. Imported ones lie in the cache folder
(`imported`); `published` is a table of more that can be fetched. Those two modules are imported
when they are asked, since a built-in model needs neither.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..bundle import Bundle
from ..errors import ModelDamaged, ModelError, UsageError

if TYPE_CHECKING:
    from .published import Hosted

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
        raise no_model(name, or_file=True)
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


def hosted() -> Mapping[str, Hosted]:
    """The models of the 2019 page by name, with the numbers that were published there."""
    from .published import hosted as rows

    return rows()


def installed() -> dict[str, Path]:
    """The files of the imported models by name."""
    from .imported import installed as files

    return files()


def open_model(name: str) -> Bundle:
    """The built-in model `name`, else the imported one. Raises UsageError for an unknown name."""
    if name in catalogue():
        return open_builtin(name)
    if name in installed():
        from .imported import open_imported

        return open_imported(name)
    raise no_model(name, or_file=True)


def no_model(name: str, *, or_file: bool = False) -> UsageError:
    """The error of a name that no model has here. `or_file`: a path would do in its place."""
    others = installed()
    expected = f"one of {', '.join([*catalogue(), *others])}"
    if name in hosted():
        return UsageError(
            f"the model {name!r} has not been fetched",
            expected=expected,
            hint=f"`whatsit models get {name}` downloads it",
        )
    return UsageError(
        f"no built-in {'or imported ' if others else ''}model {name!r}",
        expected=expected + (", or a path that ends in .tflite" if or_file else ""),
        hint="" if or_file else "`whatsit models` lists them",
    )
