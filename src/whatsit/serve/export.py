"""The web app as a folder for any web host: no server of ours, no headers to set."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UsageError, WhatsitError
from .site import HEADERS, Site

# What Netlify and Cloudflare Pages read; elsewhere the service worker adds the headers.
_HEADERS_FILE = "_headers"


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: the folder, how many files, and their bytes together."""

    folder: Path
    files: int
    size_bytes: int


def export(site: Site, folder: str | os.PathLike[str], *, force: bool = False) -> Exported:
    """Writes all files of `site` into `folder`, which takes its place once all of it is there.

    The app works from any host of files, in a folder of it too. `force` replaces an earlier
    export; a folder with anything else in it is never replaced. Raises UsageError for a folder
    that must not be replaced, WhatsitError where it cannot be written.
    """
    with _translated(folder):
        target = Path(os.path.realpath(folder))
        _check(target, folder, force)
        token = secrets.token_hex(4)
        partial = target.with_name(f".{target.name}.{token}.partial")
        try:
            size_bytes = _write(site, partial)
            _put(partial, target, target.with_name(f".{target.name}.{token}.before"))
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return Exported(target, len(site.files) + 1, size_bytes)


def _check(target: Path, folder: str | os.PathLike[str], force: bool) -> None:
    """Raises UsageError unless `target` is new, empty, or with `force` an earlier export."""
    shown = repr(os.fspath(folder))
    if not target.parent.is_dir():
        raise UsageError(
            f"cannot export to {shown}: there is no folder {str(target.parent)!r}",
            expected="a new folder in one that is there",
        )
    if target.exists() and not target.is_dir():
        raise UsageError(f"cannot export to {shown}: it is a file", expected="a folder")
    if not target.is_dir() or not any(target.iterdir()):
        return
    other = next(_others(target), None)
    if other is not None:
        raise UsageError(
            f"cannot export to {shown}: {other!r} in it is of no earlier export",
            expected="a new or empty folder",
            hint="export to a new folder, and copy what is in it to where it belongs",
        )
    if not force:
        raise UsageError(
            f"cannot export to {shown}: there is an earlier export",
            expected="a new or empty folder",
            hint="--force replaces it",
        )


def _others(folder: Path) -> Iterator[str]:
    """The files in `folder` that no export of ours wrote, by its own list."""
    known = {_HEADERS_FILE, "version.json", *_listed(folder)}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not (path.is_dir() and not path.is_symlink()) and name not in known:
            yield name
    if not known.intersection(p.name for p in folder.iterdir()):  # nothing but empty folders
        yield next(folder.iterdir()).name


def _listed(folder: Path) -> set[str]:
    try:
        version: Any = json.loads((folder / "version.json").read_bytes())
        return set(version["files"])
    except (OSError, ValueError, TypeError, KeyError):
        return set()


def _write(site: Site, folder: Path) -> int:
    """Writes the files into a new folder, each onto the disk, and gives their size in bytes."""
    texts = [(file.path, file.read) for file in site.files.values()]
    size = 0
    for path, read in [*texts, (_HEADERS_FILE, _headers)]:
        data = read()
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        size += len(data)
    return size


def _headers() -> bytes:
    lines = ["/*", *(f"  {name}: {value}" for name, value in HEADERS.items())]
    return ("\n".join(lines) + "\n").encode()


def _put(partial: Path, target: Path, before: Path) -> None:
    """Renames the new folder into its place; what was there comes back if that fails."""
    if not target.exists():
        partial.rename(target)
        return
    target.rename(before)
    try:
        partial.rename(target)
    except OSError:
        before.rename(target)
        raise
    shutil.rmtree(before, ignore_errors=True)


@contextlib.contextmanager
def _translated(folder: str | os.PathLike[str]) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        if isinstance(error, WhatsitError):
            raise
        raise WhatsitError(
            f"cannot write {os.fspath(folder)!r}: {getattr(error, 'strerror', None) or error}",
            expected="a folder that can be made, and room for it",
            hint="is the folder above yours, and the disk not full?",
        ) from error
