"""One checked call of `batch`, from what an earlier run has left to the finished output."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from .. import sources
from ..classifier import Classifier
from . import facts, listing, local, tables
from . import job as jobs
from .answering import Task
from .items import Item
from .job import Job
from .locking import working_in
from .outputs import Output
from .places import Place
from .report import BatchReport, Note, Progress
from .writing import PART_ENDINGS

_MANY = 256  # errors in a row: no slip of the finger, and they are held in memory


@dataclass(frozen=True, slots=True)
class Source:
    """What is to be classified: the inputs, the column of tables, and what is carried of them."""

    inputs: tuple[str, ...]
    column: str | None
    carried: tuple[str, ...]

    def lists(self) -> list[str]:
        """The files among the inputs that name pictures, or hold them."""
        names = [text.removeprefix("@") for text in self.inputs if may_have_columns(text)]
        return [name for name in names if os.path.isfile(name)]


@dataclass(frozen=True, slots=True)
class Run:
    """A checked call of `batch`."""

    task: Task
    source: Source
    output: Output
    shard_rows: int | None
    engine: str
    address: str | None
    workers: int
    progress: Progress | None
    note: Note | None

    def done(self, classifier: Classifier, restart: bool, start: float) -> BatchReport:
        """Does it, from where an earlier run was stopped, and removes the job's folder."""
        folder = self.output.folder()
        jobs.check_ours(folder)
        with working_in(folder):
            job = self._job(folder, restart)
            resumed = job.pictures - sum(map(job.size, job.pending()))
            if resumed and self.note is not None:
                self.note(f"{resumed:,} of {job.pictures:,} were done before")
            task = replace(self.task, style=replace(self.task.style, carried=job.carried))
            began = time.perf_counter()
            from_cache = self._answered(job, task, classifier)
            answered_s = time.perf_counter() - began
            failures = self.output.put_errors(job)
            files = self.output.put(job, task.style.format())
            jobs.clear(folder)
        return BatchReport(
            out=tuple(files),
            pictures=job.pictures,
            failed=sum(failures.by_code.values()),
            by_code=dict(sorted(failures.by_code.items())),
            from_cache=from_cache,
            resumed=resumed,
            wall_s=time.perf_counter() - start,
            per_s=(job.pictures - resumed) / answered_s,
            errors=failures.path,
            examples=dict(sorted(failures.examples.items())),
        )

    def _job(self, folder: Place, restart: bool) -> Job:
        """What an earlier run has left to do, or all of it."""
        known = facts.of(
            self.task,
            self.source.inputs,
            lists=self.source.lists(),
            column=self.source.column,
            shard_rows=self.shard_rows,
        )
        job = None if restart else jobs.found(folder, known)
        if job is not None:
            return job
        items = listing.items(
            self.source.inputs, column=self.source.column, carry=self.source.carried
        )
        return jobs.begun(
            folder,
            known,
            _not_errors_alone(self.output.without_own(items)),
            shard_rows=self.shard_rows,
            ending=PART_ENDINGS[self.output.kind],
            carry=self.source.carried,
            listed=self._listed,
        )

    def _listed(self, pictures: int) -> None:
        if self.progress is not None:
            self.progress(pictures, None, 0)

    def _answered(self, job: Job, task: Task, classifier: Classifier) -> int:
        """Does the blocks that are pending, and returns how many answers the cache had."""
        if self.engine == "local":
            return local.run(
                job,
                task,
                classifier,
                workers=self.workers,
                progress=self.progress,
                note=self.note,
            )
        from . import cluster

        return cluster.run(job, task, address=self.address, progress=self.progress, note=self.note)


def _not_errors_alone(items: Iterator[Item]) -> Iterator[Item]:
    """`items`. Raises the first one's error where not one of them is a picture.

    An empty folder, or a list whose name was mistyped, must not take the place of a good output.
    """
    errors = []
    for item in items:
        errors.append(item)
        if item.error is None or len(errors) == _MANY:
            return itertools.chain(errors, items)
    for item in errors:
        if item.error is not None:
            raise item.error
    return iter(())


def may_have_columns(text: str) -> bool:
    """Whether an input is a table, or a list or a pattern by which there may be one."""
    return text.startswith("@") or tables.is_table(text) or bool(sources.MAGIC.search(text))
