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
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from .. import storage
from ..bundle import Bundle
from ..errors import ModelDamaged, ModelNotFound, UsageError, WhatsitError
from . import locks

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was imported: the bytes of the model, and what they were made from.

    `source` is an address without its query, or the name of a file; `source_sha256` is of what was
    fetched there, `member` the file inside it if it was an archive.
    """

    sha256: str
    size_bytes: int
    source: str = ""
    source_sha256: str = ""
    member: str = ""
    notes: tuple[str, ...] = ()


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
    if not _NAME.fullmatch(name) or name.endswith(".tflite"):
        raise UsageError(
            f"{name!r} cannot be the name of a model",
            expected="letters, digits, dots, dashes and underscores, a letter or digit first",
            hint="--name gives it another name",
        )


def open_imported(name: str) -> Bundle:
    """The imported model `name`. Raises ModelNotFound, or ModelDamaged if it was altered."""
    known = receipts(name)
    bundle = Bundle.read(path_of(name))
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


def receipts(name: str) -> list[Receipt]:
    """What the receipt of `name` lists; empty if there is none, or none that can be read."""
    try:
        rows = json.loads(_receipt_path(name).read_text(encoding="utf-8"))["imports"]
        known = {field.name for field in fields(Receipt)}
        return [
            Receipt(**{k: v for k, v in row.items() if k in known} | {"notes": tuple(row["notes"])})
            for row in rows
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def check(name: str) -> None:
    """Raises ModelNotFound or ModelDamaged unless the file is the very one that was imported."""
    path = path_of(name)
    if not path.is_file():
        raise ModelNotFound(f"no imported model {name!r}")
    known = receipts(name)
    if not known:
        raise ModelDamaged(
            f"nothing is known of how the model {name!r} came here",
            expected=f"a receipt {_receipt_path(name).name!r} beside it",
            hint="`whatsit models get` it again",
        )
    if _sha256(path) not in {receipt.sha256 for receipt in known}:
        raise _altered(name, known)


def install(name: str, data: bytes, new: Receipt, *, force: bool) -> bool:
    """Puts a model in its place, whole or not at all. False if the same one is already there.

    Raises UsageError if another model has the name and `force` is not given.
    """
    path = path_of(name)
    try:
        folder().mkdir(parents=True, exist_ok=True)
        with locks.locked(folder() / ".lock"):
            there = path.exists()
            if there and _sha256(path) == new.sha256 and receipts(name):
                return False
            if there and not force:
                raise taken(name)
            _sweep()
            old = receipts(name) if there else []
            _write_receipts(name, [new, *old])
            with storage.whole_file(path) as file:
                file.write(data)
            if old:
                _write_receipts(name, [new])
    except OSError as error:
        raise cannot_keep(path, error) from error
    return True


def remove(name: str) -> int:
    """Deletes an imported model and returns its size in bytes. Raises ModelNotFound."""
    path = path_of(name)
    try:
        size_bytes = path.stat().st_size
        path.unlink()
        with contextlib.suppress(FileNotFoundError):
            _receipt_path(name).unlink()
    except FileNotFoundError as error:
        raise ModelNotFound(
            f"no imported model {name!r}", hint="`whatsit models` lists them"
        ) from error
    except OSError as error:
        raise WhatsitError(f"cannot remove {str(path)!r}: {error.strerror or error}") from error
    return size_bytes


def taken(name: str) -> UsageError:
    """The error of a name that another imported model has."""
    return UsageError(
        f"there is already an imported model {name!r}",
        expected="a name that is free",
        hint="--force replaces it, --name gives the new one another name",
    )


def cannot_keep(path: Path, error: OSError) -> WhatsitError:
    """The error of a cache folder that cannot be written."""
    return WhatsitError(
        f"cannot write {str(path)!r}: {error.strerror or error}",
        hint="is the folder yours, and the disk not full? WHATSIT_CACHE names another folder",
    )


def _altered(name: str, known: list[Receipt]) -> ModelDamaged:
    return ModelDamaged(
        f"the model {name!r} is not the file that was imported",
        expected=f"sha256 {known[0].sha256}",
        hint=f"`whatsit models get {known[0].source or 'SOURCE'} --name {name} --force` "
        "imports it again",
    )


def _sweep() -> None:
    """Deletes what a killed process did not finish; whoever holds the lock is alone here."""
    for file in folder().glob(".*.partial"):
        with contextlib.suppress(OSError):
            file.unlink()


def _receipt_path(name: str) -> Path:
    return folder() / f"{name}.json"


def _write_receipts(name: str, known: list[Receipt]) -> None:
    rows = [asdict(receipt) for receipt in known]
    with storage.whole_file(_receipt_path(name)) as file:
        file.write((json.dumps({"format": 1, "imports": rows}, indent=1) + "\n").encode())


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
