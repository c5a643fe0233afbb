"""What a network is trained on, step by step, read ahead by several threads.

Order and views are drawn from the seed, the epoch and the row, so that any step can be begun with.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...errors import DatasetError, InputError
from ..tuning import Tuning
from . import augment

Pictures: TypeAlias = NDArray[np.uint8]  # (N, h, w, 3)
Classes: TypeAlias = NDArray[np.int64]

_AHEAD = 3  # batches that are read while one is learned


Batch: TypeAlias = tuple[Pictures, Classes]


@dataclass(frozen=True)
class Examples:
    """Pictures by path, and the class of each."""

    paths: Sequence[str]
    classes: Classes


@dataclass(frozen=True)
class Course:
    """What a training is of; `read(path)` gives a picture (h, w, 3) as the model is to see it."""

    learned: Examples
    judged: Examples
    read: Callable[[str], Pictures]
    size: tuple[int, int]
    tuning: Tuning
    seed: int
    workers: int

    @property
    def epochs(self) -> int:
        """How often each picture is looked at."""
        return self.tuning.epochs_for(len(self.learned.paths))

    @property
    def steps(self) -> int:
        """Steps of an epoch: batches of about the same size, none larger than was asked for."""
        return -(-len(self.learned.paths) // self.tuning.batch)

    @property
    def all_steps(self) -> int:
        """Steps of all epochs."""
        return self.epochs * self.steps

    def rows(self, epoch: int) -> list[NDArray[np.int64]]:
        """The rows of each step of an epoch."""
        chance = np.random.default_rng((self.seed % 2**32, epoch))
        return np.array_split(chance.permutation(len(self.learned.paths)), self.steps)

    def judged_pictures(self) -> Pictures:
        """All that judge. Raises DatasetError for one that cannot be read any more."""
        with ThreadPoolExecutor(self.workers) as pool, still_readable():
            return np.stack(list(pool.map(self.read, self.judged.paths)))


@contextlib.contextmanager
def batches(course: Course, first: int) -> Iterator[Iterator[Batch]]:
    """The batches from the step `first` on; asking for one raises DatasetError as above."""
    pool = ThreadPoolExecutor(course.workers, thread_name_prefix="whatsit")
    try:
        yield _read_ahead(course, first, pool)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _read_ahead(course: Course, first: int, pool: ThreadPoolExecutor) -> Iterator[Batch]:
    waiting: deque[Callable[[], Batch]] = deque()
    for epoch in range(first // course.steps, course.epochs):
        for place, rows in enumerate(course.rows(epoch)):
            if epoch * course.steps + place < first:
                continue
            waiting.append(_begun(course, epoch, rows, pool))
            if len(waiting) > _AHEAD:
                yield waiting.popleft()()
    while waiting:
        yield waiting.popleft()()


def _begun(
    course: Course, epoch: int, rows: NDArray[np.int64], pool: ThreadPoolExecutor
) -> Callable[[], Batch]:
    """Has the pictures of a step read; what it gives waits for them."""
    pending = [
        pool.submit(
            augment.seen,
            course.learned.paths[row],
            augment.View.drawn(course.seed, epoch, int(row)),
            course.size,
        )
        for row in rows
    ]

    def together() -> Batch:
        with still_readable():
            return np.stack([picture.result() for picture in pending]), course.learned.classes[rows]

    return together


@contextlib.contextmanager
def still_readable() -> Iterator[None]:
    """A picture that could be read before and cannot any more, as DatasetError."""
    try:
        yield
    except InputError as error:
        raise DatasetError(
            f"a picture that could be read before cannot be any more: {error.message}",
            hint="put it back; --resume then goes on",
        ) from error
