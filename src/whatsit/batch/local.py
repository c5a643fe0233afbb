"""Does the blocks of a job in this process: decoding and inference overlapped on all cores."""

from __future__ import annotations

import contextlib
import itertools

from ..classifier import Classifier
from .answering import Answering, Row, Task
from .job import Job
from .report import Note, Progress


def run(
    job: Job,
    task: Task,
    classifier: Classifier,
    *,
    workers: int,
    progress: Progress | None = None,
    note: Note | None = None,
) -> int:
    """Does what is pending, and returns how many answers came from the cache.

    The workers go on across the borders of blocks, so that none of them waits for the others.
    """
    blocks = job.pending()
    done = job.pictures - sum(map(job.size, blocks))
    failed = sum(lines.count(b"\n") for lines in job.errors())
    from_cache = 0
    if progress is not None:
        progress(done, job.pictures, failed)
    with Answering(task, classifier) as answering:
        items = (item for block in blocks for item in job.items(block))
        with contextlib.closing(answering.rows(items, workers)) as found:
            for block in blocks:
                rows: list[Row] = []
                for row in itertools.islice(found, job.size(block)):
                    rows.append(row)
                    done += 1
                    failed += row.result.error is not None
                    if progress is not None:
                        progress(done, job.pictures, failed)
                part = answering.made(rows)
                job.store(block, part)
                from_cache += part.from_cache
    if answering.problem and note is not None:
        note(f"the cache of answers was not used: {answering.problem}")
    return from_cache
