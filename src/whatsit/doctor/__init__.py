"""The data set doctor: what is wrong with labelled pictures, before a model learns it.

Files that cannot be read, the same picture twice, in two classes or in train and val, classes too
small, labels that are probably wrong. `check` gives a Diagnosis; `groups` is for those who split.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..datasets import Dataset
from . import twins
from .checking import check as check
from .looks import Seen as Seen
from .looks import see_all
from .looks import seen_of as seen_of
from .values import Diagnosis as Diagnosis
from .values import Evidence as Evidence
from .values import Finding as Finding
from .values import Severity as Severity
from .values import below as below


def groups(
    dataset: Dataset | Sequence[str],
    *,
    vectors: NDArray[np.float32] | None = None,
    seen: Mapping[str, Seen] | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[int]:
    """For each row (or path) a number from 0: the same for pictures that look the same.

    Same pictures are those with the same bytes, and those that were resized, encoded again, made
    brighter or darker, mirrored or cropped a little: a split must keep them on one side. A picture
    that cannot be read is alone. `vectors` (rows, D) are embeddings in the order of the rows, as
    `embedding.embed` gives them; with them more is found, and less of it in vain. `seen` are looks
    by path, of pictures that need not be opened for them.
    """
    paths = [row.path for row in dataset.rows] if isinstance(dataset, Dataset) else list(dataset)
    known = seen or {}
    missing = [path for path in paths if path not in known]
    found = dict(zip(missing, see_all(missing, workers=workers, progress=progress), strict=True))
    every = ((place, known.get(path) or found[path]) for place, path in enumerate(paths))
    looks = {place: look for place, look in every if look is not None}
    pairs = twins.same_looks(looks, vectors, quick=True)
    return twins.grouped(len(paths), ((pair.first, pair.second) for pair in pairs))
