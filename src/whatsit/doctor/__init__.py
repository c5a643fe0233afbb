"""The data set doctor: what is wrong with labelled pictures, before a model learns it.

Files that cannot be read, the same picture twice, in two classes or in train and val, classes too
small, labels that are probably wrong. `check` gives a Diagnosis; `groups` is for those who split.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..datasets import Dataset
from . import twins
from .checking import check as check
from .looks import see_all
from .values import Diagnosis as Diagnosis
from .values import Evidence as Evidence
from .values import Finding as Finding
from .values import Severity as Severity
from .values import below as below


def groups(
    dataset: Dataset | Sequence[str],
    *,
    vectors: NDArray[np.float32] | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[int]:
    """For each row (or path) a number from 0: the same for pictures that look the same.

    Same pictures are those with the same bytes, and those that were resized, encoded again, made
    brighter or darker, mirrored or cropped a little: a split must keep them on one side. A picture
    that cannot be read is alone. `vectors` (rows, D) are embeddings in the order of the rows, as
    `embedding.embed` gives them; with them only pictures whose embeddings are near each other
    are opened, which costs less.
    """
    paths = [row.path for row in dataset.rows] if isinstance(dataset, Dataset) else list(dataset)
    wanted = None if vectors is None else twins.by_vectors(vectors)
    opened = range(len(paths)) if wanted is None else sorted({i for pair in wanted for i in pair})
    found = see_all([paths[place] for place in opened], workers=workers, progress=progress)
    seen = {place: each for place, each in zip(opened, found, strict=True) if each is not None}
    pairs = twins.same_looks(seen) if wanted is None else twins.confirmed(seen, wanted)
    return twins.grouped(len(paths), ((pair.first, pair.second) for pair in pairs))
