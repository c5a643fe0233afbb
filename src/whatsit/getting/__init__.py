"""Gets a model from a name, an address or a file into the cache folder, ready to be used by name.

    from whatsit import getting
    getting.get("https://example.org/flowers.zip", mean=127.5, std=127.5)
    whatsit.load("flowers")

It is installed only after it has run; whatever fails leaves no model behind.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .. import preprocess as preprocessing
from .. import zoo
from ..errors import DownloadFailed, UsageError
from ..zoo import download, imported, web
from ..zoo.archives import Unpacked
from ..zoo.download import MAX_BYTES, Progress
from ..zoo.published import Hosted
from ..zoo.published import source as published_in
from .adoption import Given, adopt
from .origin import Found, check_is_file, name_of, opened, regular_file, unpacked

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_MAX_LABELS_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Got:
    """A model that can now be used by `name`. `new` is False for one that was there already."""

    name: str
    path: Path
    new: bool
    source: str
    notes: tuple[str, ...] = ()


def get(
    source: str | os.PathLike[str],
    *,
    name: str | None = None,
    member: str | None = None,
    labels: str | os.PathLike[str] | None = None,
    mean: float | None = None,
    std: float | None = None,
    preprocess: str | None = None,
    license: str = "",
    sha256: str | None = None,
    offline: bool = False,
    force: bool = False,
    max_bytes: int = MAX_BYTES,
    progress: Progress | None = None,
) -> Got:
    """Imports a model, which can then be used by its name.

    `source` is a name of the hosted table, an https address, or a file: a .tflite, or a .zip or
    .tar.gz that holds one (`member` chooses among several). `labels` is a file of one class name a
    line, or "imagenet". `mean`, `std`, `preprocess` and `license` say what the model itself does
    not; a file that says all of it stays as it is. `sha256` is that of the fetched file. `offline`
    refuses whatever would need a network; `force` replaces an imported model of the same name.

    Raises DownloadFailed, ModelError, or UsageError for arguments that cannot work.
    """
    text = os.fspath(source)
    if text in zoo.catalogue():
        return Got(text, zoo.catalogue()[text].path, False, "built-in", ("it is built in",))
    row = None if isinstance(source, os.PathLike) else zoo.hosted().get(text)
    url = row.url if row else text if "://" in text else None
    if url is None:
        check_is_file(text)
    own = row.name if row else name_of(web.file_name(url) if url else text)
    chosen = own if name is None else name
    _check(chosen, mean, std, preprocess, sha256, row)
    pinned = sha256.lower() if sha256 else row.sha256 if row else None
    given = _given(labels, mean, std, preprocess, license, row)
    if url and not force and imported.path_of(chosen).exists():
        return _already_there(chosen, url, pinned, as_it_is=given.changes_nothing() and not member)
    with contextlib.ExitStack() as stack:
        if url is None:
            found = stack.enter_context(opened(text, pinned, max_bytes))
        else:
            _check_online(url, offline)
            fetched = download.fetched(url, sha256=pinned, max_bytes=max_bytes, progress=progress)
            loaded = stack.enter_context(fetched)
            found = Found(loaded.file, web.shown(url), loaded.sha256)
        inside = unpacked(found, member)
    return _import(chosen, inside, found, given, force)


def _import(name: str, inside: Unpacked, found: Found, given: Given, force: bool) -> Got:
    """The last step: a bundle, tried, and put in its place."""
    given = _with_labels_beside(given, inside)
    origin = {"source": found.source, "sha256": found.sha256}
    if inside.model_name:
        origin["member"] = inside.model_name
    facts: dict[str, Any] = {"origin": origin}
    if given.published:
        facts["published"] = _published(given.published)
    adopted = adopt(inside.model, name, given, facts)
    notes = adopted.notes + _about_row(given.published, found)
    receipt = imported.Receipt(
        sha256=adopted.bundle.sha256,
        size_bytes=len(adopted.bundle.data),
        source=found.source,
        source_sha256=found.sha256,
        member=inside.model_name,
        notes=notes,
    )
    new = imported.install(name, adopted.bundle.data, receipt, force=force)
    return Got(name, imported.path_of(name), new, found.source, notes)


def _check(
    name: str,
    mean: float | None,
    std: float | None,
    rule: str | None,
    sha256: str | None,
    row: Hosted | None,
) -> None:
    """All that can be found wrong before anything is fetched or unpacked."""
    imported.check_name(name)
    if name.casefold() in zoo.catalogue():
        raise UsageError(
            f"{name!r} is the name of a built-in model",
            expected="a name that is free",
            hint="--name gives the imported one another name",
        )
    if (mean is None) != (std is None):
        raise UsageError("only one of mean and std", expected="both, or neither")
    if mean is not None and std is not None and not (math.isfinite(mean) and 0 < std < math.inf):
        raise UsageError(f"a mean of {mean:g} and a std of {std:g}", expected="the std above 0")
    if rule is not None:
        preprocessing.Preprocess.parse(rule)
    if sha256 is not None and not _SHA256.fullmatch(sha256):
        raise UsageError(f"{sha256!r} is no sha256", expected="64 hexadecimal digits")
    if row is not None and row.kind == "float" and row.mean is None and mean is None:
        raise UsageError(
            f"nobody has published which mean and std the model {row.name!r} takes",
            expected="--mean and --std, of pixels from 0 to 255",
            hint="its authors' page may say it; known pictures will show whether it works",
        )


def _already_there(name: str, url: str, pinned: str | None, *, as_it_is: bool) -> Got:
    """The model of that name, if it is what `url` gave. Raises UsageError for any other."""
    receipt = imported.receipt(name)
    if receipt is None or receipt.source != web.shown(url) or not as_it_is:
        raise imported.taken(name)
    if pinned not in (None, receipt.source_sha256):
        raise imported.taken(name)
    imported.check(name)
    return Got(name, imported.path_of(name), False, receipt.source, receipt.notes)


def _check_online(url: str, offline: bool) -> None:
    if offline:
        raise DownloadFailed(
            f"{web.shown(url)} would have to be downloaded, and --offline forbids it",
            expected="a file on this machine, or a model that is there already",
            hint="leave out --offline",
        )


def _given(
    labels: str | os.PathLike[str] | None,
    mean: float | None,
    std: float | None,
    preprocess: str | None,
    license: str,
    row: Hosted | None,
) -> Given:
    licence = license or (row.licence if row and row.licence else "")
    imagenet = labels == "imagenet"
    content = None
    if labels is not None and not imagenet:
        with regular_file(os.fspath(labels), "file of labels", _MAX_LABELS_BYTES) as file:
            content = file.read()
    where = repr(os.fspath(labels)) if labels else ""
    return Given(content, where, imagenet, mean, std, preprocess, licence, published=row)


def _with_labels_beside(given: Given, inside: Unpacked) -> Given:
    where = f"{inside.labels_name!r} of the archive"
    return replace(given, beside=inside.labels, beside_from=where)


def _about_row(row: Hosted | None, found: Found) -> tuple[str, ...]:
    """What a person should know of a row of the table."""
    if row is None:
        return ()
    unpinned = () if row.sha256 else (f"nobody pinned this file; its sha256 is {found.sha256}",)
    return ((row.note,) if row.note else ()) + unpinned


def _published(row: Hosted) -> dict[str, Any]:
    numbers = {"top1": row.top1, "top5": row.top5, "pixel2_ms": row.pixel2_ms}
    return {**numbers, "source": published_in()}
