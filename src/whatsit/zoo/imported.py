"""The models that a person imported: bundles in the cache folder, each with a receipt beside it.

A receipt (NAME.json) says where the model came from and what its bytes were, so that an altered
byte is found later. It lists the old and the new file while one replaces the other: whenever the
process ends, the model that is there is one that its receipt knows.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from .. import storage
from ..bundle import Bundle
from ..errors import ModelDamaged, ModelError, ModelNotFound, UsageError, WhatsitError
from . import locks, no_model

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")
_OF_WINDOWS = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_CACHE_HINT = "is the folder yours, and the disk not full? WHATSIT_CACHE names another folder"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was imported: the bytes of the model, and what they were made from.

    `source` is an address without its query, or the name of a file; `source_sha256` is of what was
    fetched there, `member` the file inside it if it was an archive, `given` what the person said of
    the model: the same command is known by it.
    """

    sha256: str
    size_bytes: int
    source: str = ""
    source_sha256: str = ""
    member: str = ""
    notes: tuple[str, ...] = ()
    given: Mapping[str, Any] = field(default_factory=dict)


def folder() -> Path:
    """Where imported models lie; it need not exist yet."""
    return storage.cache_folder("models")


def path_of(name: str) -> Path:
    """The file of the imported model `name`, whether it exists or not."""
    return folder() / f"{name}.tflite"


def installed() -> dict[str, Path]:
    """Every imported model by name, in alphabetical order."""
    files = (file for file in folder().glob("*.tflite") if _NAME.fullmatch(file.stem))
    return {file.stem: file for file in sorted(files)}


def check_name(name: str) -> None:
    """Raises UsageError for a name that no file can have, or that would be taken for a path."""
    if _OF_WINDOWS.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a model: on Windows it is that of a device",
            expected="a name that every system takes",
            hint="--name gives it another name",
        )
    if not _NAME.fullmatch(name) or name.endswith((".tflite", ".")):
        raise UsageError(
            f"{name!r} cannot be the name of a model",
            expected="1 to 100 of the letters a to z and A to Z, digits and . _ + -, a letter or "
            "digit first, no dot last",
            hint="--name gives it another name",
        )


def check_case(name: str) -> None:
    """Raises UsageError if another model has this name but for its case.

    Some systems would take the two for one file.
    """
    twins = [other for other in installed() if other != name and other.lower() == name.lower()]
    if twins:
        raise UsageError(
            f"there is already an imported model {twins[0]!r}, and {name!r} differs only in case",
            expected="a name that is free",
            hint="--name gives the new one another name",
        )


def open_imported(name: str) -> Bundle:
    """The imported model `name`. Raises ModelNotFound, or ModelDamaged if it was altered."""
    known = receipts(name)
    try:
        bundle = Bundle.read(path_of(name))
    except ModelNotFound:
        raise
    except ModelError as error:
        check(name)  # of what was altered since, this alone is to be said
        raise error
    if known and bundle.sha256 not in {receipt.sha256 for receipt in known}:
        raise _altered(name, known)
    return bundle


def receipt(name: str) -> Receipt | None:
    """The receipt of the file that is there now, or None if there is none."""
    known = receipts(name)
    if len(known) < 2:
        return known[0] if known else None
    here = _sha256(path_of(name))  # a replacement was interrupted: which of the two is it?
    return next((receipt for receipt in known if receipt.sha256 == here), None)


def came_from(name: str, url: str, sha256: str | None) -> bool:
    """Whether the imported model `name` is what `url` gives: by its address, or by its sha256."""
    known = receipt(name)
    return known is not None and (known.source == url or known.source_sha256 == sha256)


def receipts(name: str) -> list[Receipt]:
    """What the receipt of `name` lists; empty if there is none, or none that can be read."""
    try:
        rows = json.loads(_receipt_path(name).read_text(encoding="utf-8"))["imports"]
        known = {part.name for part in fields(Receipt)}
        return [
            Receipt(**{k: v for k, v in row.items() if k in known} | {"notes": tuple(row["notes"])})
            for row in rows
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def check(name: str) -> None:
    """Raises UsageError for no model, ModelDamaged for another than the one that was imported."""
    if name not in installed():
        raise no_model(name)
    known = receipts(name)
    if not known:
        raise ModelDamaged(
            f"nothing is known of how the model {name!r} came here",
            expected=f"a receipt {_receipt_path(name).name!r} beside it",
            hint="`whatsit models get` it again",
        )
    if _sha256(path_of(name)) not in {receipt.sha256 for receipt in known}:
        raise _altered(name, known)


def install(name: str, data: bytes, new: Receipt, *, force: bool) -> bool:
    """Puts a model in its place, whole or not at all. False if the same one is already there.

    Raises UsageError if another model has the name and `force` is not given.
    """
    path = path_of(name)
    with _cache_errors(path):
        folder().mkdir(parents=True, exist_ok=True)
        with _locked():
            check_case(name)
            there = path.exists()
            if there and _sha256(path) == new.sha256 and receipts(name):
                if force:  # the same bytes, but perhaps of another source or by other options
                    _write_receipts(name, [new])
                return False
            if there and not force:
                raise name_taken(name)
            _sweep()
            old = receipts(name) if there else []
            try:
                _write_receipts(name, [new, *old])
                _write(path, data)
            except WhatsitError:
                _take_back_receipt(name, old)
                raise
            if old:
                _write_receipts(name, [new])
    return True


def remove(name: str) -> int:
    """Deletes an imported model and returns its size in bytes. Raises UsageError if none is."""
    path = path_of(name)
    if name not in installed():  # before the lock, which would need the folder
        raise no_model(name)
    try:
        with _locked():
            size_bytes = path.stat().st_size
            path.unlink()
            _receipt_path(name).unlink(missing_ok=True)
            _sweep()
    except FileNotFoundError as error:
        raise no_model(name) from error
    except OSError as error:
        raise WhatsitError(f"cannot remove {str(path)!r}: {error.strerror or error}") from error
    return size_bytes


def name_taken(name: str) -> UsageError:
    """The error of a name that another imported model has."""
    return UsageError(
        f"there is already an imported model {name!r}",
        expected="a name that is free",
        hint="--force replaces it, --name gives the new one another name",
    )


def _locked() -> contextlib.AbstractContextManager[None]:
    """Nobody else installs or removes meanwhile."""
    return locks.locked(folder() / ".lock")


@contextlib.contextmanager
def _cache_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WhatsitError(
            f"cannot write {str(path)!r}: {error.strerror or error}", hint=_CACHE_HINT
        ) from error


def _write(path: Path, data: bytes) -> None:
    """Writes a file of the cache whole, and says where else the cache could be if it cannot."""
    try:
        with storage.whole_file(path) as file:
            file.write(data)
    except WhatsitError as error:
        raise WhatsitError(error.message, hint=_CACHE_HINT) from error


def _altered(name: str, known: list[Receipt]) -> ModelDamaged:
    origin = f" from {known[0].source}" if known[0].source else ""
    return ModelDamaged(
        f"the model {name!r} is not the file that was imported",
        expected=f"sha256 {known[0].sha256}",
        hint=f"import it again{origin}, with the same options and --force",
    )


def _sweep() -> None:
    """Deletes what a killed process did not finish; whoever holds the lock is alone here."""
    alone = (file for file in folder().glob("*.json") if not path_of(file.stem).exists())
    for file in (*folder().glob(".*.partial"), *alone):
        with contextlib.suppress(OSError):
            file.unlink()


def _receipt_path(name: str) -> Path:
    return folder() / f"{name}.json"


def _write_receipts(name: str, known: list[Receipt]) -> None:
    rows = [asdict(receipt) for receipt in known]
    content = json.dumps({"format": 1, "imports": rows}, indent=1) + "\n"
    _write(_receipt_path(name), content.encode())


def _take_back_receipt(name: str, old: list[Receipt]) -> None:
    """Undoes what announced a model that could not be written, as far as the disk lets us."""
    with contextlib.suppress(OSError, WhatsitError):
        if old:
            _write_receipts(name, old)
        else:
            _receipt_path(name).unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    except OSError as error:
        raise ModelDamaged(
            f"cannot read the model {str(path)!r}: {error.strerror or error}"
        ) from error
    return digest.hexdigest()
