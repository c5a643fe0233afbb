"""A classifier as a person asked for it, and what there is to say of it before the first answer."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ..classifier import Classifier, load
from . import output


@contextlib.contextmanager
def opened(
    model: str | None,
    *,
    threads: int | None,
    preprocess: str | None,
    runtime: str | None,
    raw: bool,
    coverage: float,
    acceptance: float,
) -> Iterator[Classifier]:
    """`load`, with a note on the engine that `auto` picked and on how pictures are cut."""
    with load(
        model,
        threads=threads,
        preprocess=preprocess,
        runtime=runtime,
        raw=raw,
        coverage=coverage,
        acceptance=acceptance,
    ) as classifier:
        if classifier.pick is not None:
            output.print_note(classifier.pick.reason)
        for note in classifier.bundle.notes if preprocess is None else ():
            output.print_note(note)
        yield classifier
