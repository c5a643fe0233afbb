"""The way of the blocks through Ray Data: read, answered by actors that hold the model, written."""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.fs
import ray
import ray.data
from ray.data.block import BlockAccessor
from ray.data.datasource import Datasink

from ...errors import UsageError
from ..answering import Answering, Task
from ..job import Job, Part, parsed
from ..urls import is_url
from .hosts import Needs, alive

_NUMBER = re.compile(r"items-(\d+)\.jsonl$")
# Reading and writing take moments, but a process each: few of them keep up with many actors.
_ACTORS_A_WRITER = 8
_MOST_TASKS = 10_000  # beyond, a task reads several blocks: the driver keeps a record of each
# Pictures that an actor fetches at once, since each lets it wait; others are one a core.
_FROM_SERVERS = 4


def run(job: Job, task: Task, blocks: Sequence[int], needs: Needs) -> int:
    """Does `blocks`, and returns how many answers came from caches. Raises what Ray raises."""
    # The model travels once to each host, not with each actor.
    model, sink = ray.put(task.model), Parts(job, needs)
    filesystem, files = _files(job, blocks)
    actors = max(1, min(len(files), int(sum(host.cores for host in alive()))))
    at_once = max(1, actors // _ACTORS_A_WRITER)
    found = ray.data.read_binary_files(
        files,
        include_paths=True,
        filesystem=filesystem,
        override_num_blocks=min(len(files), _MOST_TASKS),
        # None of them takes a core: with one that is left, all actors and no reader would wait.
        ray_remote_args={"num_cpus": 0},
        concurrency=at_once,
    )
    answered = found.map_batches(
        Answerer,
        batch_size=1,
        batch_format="pyarrow",
        fn_constructor_args=(replace(task, model=b""), [model], needs),
        # All cores at once, those of hosts that join later, and fewer where a host goes.
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=None, initial_size=actors),
        num_cpus=1,
    )
    answered.write_datasink(sink, ray_remote_args={"num_cpus": 0}, concurrency=at_once)
    return sink.from_cache


class Answerer:
    """An actor: it holds the model, and answers a block at a time."""

    def __init__(self, task: Task, model: list[Any], needs: Needs) -> None:
        self._task = task
        self._model = model
        self._needs = needs
        self._answering: Answering | None = None

    def __call__(self, table: pa.Table) -> pa.Table:
        if self._answering is None:  # only here: of an error before, Ray keeps no more than a text
            self._needs.check_here()
            self._answering = Answering(replace(self._task, model=ray.get(self._model[0])))
        numbers, parts = [], []
        for path, content in zip(
            table["path"].to_pylist(), table["bytes"].to_pylist(), strict=True
        ):
            numbers.append(_number(path))
            items = parsed(content)
            at_once = _FROM_SERVERS if any(is_url(item.path) for item in items) else 1
            parts.append(pickle.dumps(self._answering.part(items, at_once)))
        return pa.table({"block": numbers, "part": pa.array(parts, pa.large_binary())})


class Parts(Datasink[int]):
    """Keeps the parts in the job's folder. `from_cache` counts, once all are kept."""

    def __init__(self, job: Job, needs: Needs) -> None:
        self._job = job
        self._needs = needs
        self.from_cache = 0

    def write(self, blocks: Iterable[Any], ctx: object) -> int:
        """On any host: Ray calls it again for what was lost, and the part is the same."""
        self._needs.check_job()
        from_cache = 0
        for block in blocks:
            table = BlockAccessor.for_block(block).to_arrow()
            for number, content in zip(
                table["block"].to_pylist(), table["part"].to_pylist(), strict=True
            ):
                part: Part = pickle.loads(content)
                self._job.store(number, part)
                from_cache += part.from_cache
        return from_cache

    def on_write_complete(self, write_result: Any) -> None:
        self.from_cache = int(sum(write_result.write_returns))  # pandas made numpy's of them


def _files(job: Job, blocks: Sequence[int]) -> tuple[pyarrow.fs.FileSystem, list[str]]:
    """Where the lists of the blocks are, and their names there."""
    names = [job.items_place(block).name for block in blocks]
    if not is_url(names[0]):
        return pyarrow.fs.LocalFileSystem(), [_checked(os.path.abspath(name)) for name in names]
    import fsspec

    filesystem, _ = fsspec.core.url_to_fs(names[0])
    paths = [fsspec.core.strip_protocol(name) for name in names]
    return pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(filesystem)), paths


def _checked(path: str) -> str:
    if not path.isprintable():  # so it has characters that Ray drops, or is no UTF-8
        raise UsageError(
            f"the output lies in a folder that Ray cannot read: {path!r}",
            expected="a name without line breaks, in UTF-8",
        )
    return path


def _number(path: str) -> int:
    found = _NUMBER.search(path)
    assert found, path
    return int(found[1])
