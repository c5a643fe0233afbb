"""The labelled pictures that a person names, opened before a command does anything with them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from . import progress

if TYPE_CHECKING:
    from ..datasets import Dataset


def read(name: str) -> Dataset:
    """The data set at a path or an address, with a bar while it is fetched or unpacked."""
    from .. import opening

    with progress.bar() as bar:
        return opening.read(name, progress=lambda what, done, total: bar(done, total, what))


def files(name: str, pictures: Dataset) -> list[str]:
    """Every file that it is made of, the archive too."""
    return [*pictures.files, *([name] if os.path.isfile(name) else ())]
