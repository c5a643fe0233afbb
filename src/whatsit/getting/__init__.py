"""Gets a model from a name, an address or a file into the cache folder, ready to be used by name.

    from whatsit import getting
    getting.get("https://example.org/flowers.zip", mean=127.5, std=127.5)
    whatsit.load("flowers")

It is installed only after it has run; whatever fails leaves no model behind.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .. import zoo
from ..errors import DownloadFailed, UsageError
from ..zoo import imported
from ..zoo.published import Hosted
from ..zoo.published import source as published_in
from . import download, web
from .adoption import Known, adopt
from .archives import Unpacked
from .download import MAX_BYTES
from .failures import Progress
from .given import Given, check_name
from .origin import Found, check_is_file, name_of, open_file, regular_file, unpacked
from .row import check_row

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
    given = Given(name, member, labels, mean, std, preprocess, license, sha256)
    text = os.fspath(source)
    if text in zoo.catalogue():
        return _built_in(text, given)
    row = None if isinstance(source, os.PathLike) else zoo.hosted().get(text)
    url = row.url if row else text if "://" in text else None
    if url is None:
        check_is_file(text)
    else:
        web.check_first(url, pinned=sha256 is not None)
    chosen = name if name is not None else row.name if row else _own_name(text, url)
    check_name(chosen)
    given.check(row)
    known = _known(given, row)
    pinned = sha256.lower() if sha256 else row.sha256 if row else None
    if url and not force and imported.path_of(chosen).exists():
        return _already_there(chosen, url, pinned, given.for_receipt(known.labels))
    with contextlib.ExitStack() as stack:
        if url is None:
            found = stack.enter_context(open_file(text, pinned, max_bytes))
        else:
            _check_online(url, offline)
            fetched = download.fetched(url, sha256=pinned, max_bytes=max_bytes, progress=progress)
            loaded = stack.enter_context(fetched)
            found = Found(loaded.file, web.shown(url), loaded.sha256)
        inside = unpacked(found, member)
    return _import(chosen, inside, found, known, given, force)


def _own_name(text: str, url: str | None) -> str:
    """The name that a file or an address gives a model. Raises UsageError if it gives none."""
    if url is None:
        return name_of(text)
    return name_of(web.file_name(url) or web.shown(url).rpartition("/")[0] + "/")


def _import(
    name: str, inside: Unpacked, found: Found, known: Known, given: Given, force: bool
) -> Got:
    """The last step: a bundle, tried, and put in its place."""
    if known.published and not known.published.sha256:
        check_row(inside.model, known.published)
    known = _with_labels_beside(known, inside)
    origin = {"source": found.source, "sha256": found.sha256}
    if inside.model_name:
        origin["member"] = inside.model_name
    facts: dict[str, Any] = {"origin": origin}
    if known.published:
        facts["published"] = _published(known.published)
    adopted = adopt(inside.model, name, known, facts)
    notes = adopted.notes + _about_row(known.published, found)
    receipt = imported.Receipt(
        sha256=adopted.bundle.sha256,
        size_bytes=len(adopted.bundle.data),
        source=found.source,
        source_sha256=found.sha256,
        member=inside.model_name,
        notes=notes,
        given=given.for_receipt(known.labels),
    )
    new = imported.install(name, adopted.bundle.data, receipt, force=force)
    return Got(name, imported.path_of(name), new, found.source, notes)


def _built_in(name: str, given: Given) -> Got:
    if given != Given():
        raise UsageError(
            f"the model {name!r} is built in, and stays as it is",
            expected="no other option",
            hint=f"a copy of the file that `whatsit models path {name}` prints can be imported",
        )
    path = zoo.catalogue()[name].path
    return Got(name, path, False, "built-in", ("it is built in",))


def _already_there(name: str, url: str, pinned: str | None, said: dict[str, Any]) -> Got:
    """The model of that name, if the same command made it. Raises UsageError for any other."""
    receipt = imported.receipt(name)
    if receipt is None or (receipt.source, receipt.given) != (web.shown(url), said):
        raise imported.name_taken(name)
    if pinned not in (None, receipt.source_sha256):
        raise imported.name_taken(name)
    imported.check(name)
    return Got(name, imported.path_of(name), False, receipt.source, receipt.notes)


def _check_online(url: str, offline: bool) -> None:
    if offline:
        raise DownloadFailed(
            f"{web.shown(url)} would have to be downloaded, and --offline forbids it",
            expected="a file on this machine, or a model that is there already",
            hint="leave out --offline",
        )


def _known(given: Given, row: Hosted | None) -> Known:
    """What the person and the hosted table say, the file of labels read."""
    imagenet = given.labels == "imagenet"
    content, where = None, ""
    if given.labels is not None and not imagenet:
        where = repr(os.fspath(given.labels))
        with regular_file(os.fspath(given.labels), "file of labels", _MAX_LABELS_BYTES) as file:
            content = file.read()
    licence = given.license or (row.licence if row and row.licence else "")
    return Known(
        labels=content,
        labels_from=where,
        imagenet=imagenet,
        mean=given.mean,
        std=given.std,
        preprocess=given.preprocess,
        licence=licence,
        published=row,
    )


def _with_labels_beside(known: Known, inside: Unpacked) -> Known:
    where = f"{inside.labels_name!r} of the archive"
    also = inside.other_labels
    return replace(known, beside=inside.labels, beside_from=where, beside_also=also)


def _about_row(row: Hosted | None, found: Found) -> tuple[str, ...]:
    """What a person should know of a row of the table."""
    if row is None:
        return ()
    unpinned = () if row.sha256 else (f"nobody pinned this file; its sha256 is {found.sha256}",)
    return ((row.note,) if row.note else ()) + unpinned


def _published(row: Hosted) -> dict[str, Any]:
    numbers = {"top1": row.top1, "top5": row.top5, "pixel2_ms": row.pixel2_ms}
    return {**numbers, "source": published_in()}
