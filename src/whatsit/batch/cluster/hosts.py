"""What a host must have and see before it may do a part of a job."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ... import machine
from ...engines import EITHER_LITERT
from ...errors import InputError, WhatsitError
from ..answering import Task
from ..items import Item
from ..job import RECORD, Job
from ..opener import Opener
from ..places import Place

_PATIENCE_S = 60.0  # a host may have to start a process first
_NOT_THERE = re.compile(r"No module named '([\w.]+)'")


@dataclass(frozen=True, slots=True)
class Needs:
    """What the host that began the job has: versions, working folder, the job, some pictures."""

    host: str
    versions: Mapping[str, str | None]
    working_folder: str
    place: Place
    record: str  # its sha256
    samples: tuple[Item, ...]

    @classmethod
    def of(cls, job: Job, task: Task, blocks: Sequence[int]) -> Needs:
        """What this host has, with some pictures of the `blocks` that it can read."""
        return cls(
            platform.node(),
            _versions(task.runtime not in EITHER_LITERT),
            os.getcwd(),
            job.place,
            _digest(job.place),
            tuple(_samples(job, blocks)),
        )

    def check_here(self) -> None:
        """Raises WhatsitError unless this host can do the job; works in its folder from now on."""
        self._check_versions()
        self.check_job()
        self.place.join("part").check_writable()
        self._check_pictures()

    def check_job(self) -> None:
        """Raises WhatsitError unless this host sees the job as it was begun."""
        with contextlib.suppress(OSError):  # where it is missed, the names below are, too
            os.chdir(self.working_folder)
        try:
            seen = _digest(self.place)
        except WhatsitError:
            seen = ""
        if seen != self.record:
            raise _unfit(
                f"it does not see {self.place.name!r} as {self.host} does",
                expected="an output under the same path or URL on every host",
                hint="a folder that all hosts share, or a bucket",
            )

    def check_hosts(self) -> None:
        """Raises WhatsitError unless every host of the cluster can do the job.

        Those that join later check themselves.
        """
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as Only

        check = ray.remote(num_cpus=0)(_problem)
        asked = [
            (host, check.options(scheduling_strategy=Only(host.key, soft=False)).remote(self))
            for host in alive()
            if host.cores
        ]
        for host, answer in asked:
            error = _answer(answer, host.name)
            if error is not None:
                raise error

    def _check_versions(self) -> None:
        own = _versions("openvino" in self.versions)
        for name, version in self.versions.items():
            here = own.get(name)
            if here != version:
                raise _unfit(
                    f"its {name} is {here or 'missing'}, that of {self.host} {version}",
                    expected="the same on every host, or their answers would differ",
                )

    def _check_pictures(self) -> None:
        with Opener() as opener:
            for item in self.samples:
                try:
                    opener.read(item)
                except InputError as error:
                    raise _unfit(
                        f"it cannot read a picture that {self.host} can: {error.message}",
                        expected="pictures under the same path or URL on every host",
                        hint="a folder that all hosts share, or a bucket",
                    ) from error


@dataclass(frozen=True, slots=True)
class Host:
    """One of a cluster, by Ray's key, with a name that a person knows."""

    key: str
    name: str
    cores: float


def alive() -> list[Host]:
    """The hosts of the cluster."""
    import ray

    nodes: Callable[[], list[dict[str, Any]]] = ray.nodes
    found = []
    for node in nodes():
        if node["Alive"]:
            name, address = node["NodeManagerHostname"], node["NodeManagerAddress"]
            shown = name if name == address else f"{name} ({address})"
            found.append(Host(node["NodeID"], shown, node["Resources"].get("CPU", 0)))
    return found


def _problem(needs: Needs) -> WhatsitError | None:
    """What prevents this host from doing the job. A task of Ray's."""
    try:
        needs.check_here()
    except WhatsitError as error:
        return type(error)(error.message, expected=error.expected, hint=error.hint)
    return None


def _answer(answer: Any, host: str) -> WhatsitError | None:
    """What a host has said, or what it means that it could not."""
    import ray
    from ray.exceptions import GetTimeoutError, RayError

    try:
        said = ray.get(answer, timeout=_PATIENCE_S)
    except GetTimeoutError:
        return WhatsitError(
            f"the host {host} does not answer",
            expected=f"an answer within {_PATIENCE_S:g} s",
            hint="`ray status` says how the cluster is",
        )
    except (RayError, RuntimeError) as error:
        missing = _NOT_THERE.search(str(error))
        if not missing:
            raise
        return WhatsitError(
            f"the host {host} lacks the Python package {missing[1].partition('.')[0]!r}",
            expected="whatsit on every host, in the environment in which Ray was started",
            hint="pip install 'whatsit[ray]' there, then start Ray anew",
        )
    assert said is None or isinstance(said, WhatsitError)
    return said


def _unfit(message: str, *, expected: str, hint: str = "") -> WhatsitError:
    return WhatsitError(
        f"the host {platform.node()} cannot take part: {message}", expected=expected, hint=hint
    )


def _versions(with_openvino: bool) -> dict[str, str | None]:
    """Of what decides answers."""
    versions = machine.facts()["versions"]
    assert isinstance(versions, dict)
    found = {n: v for n, v in versions.items() if with_openvino or n != "openvino"}
    return {**found, "architecture": platform.machine()}


def _digest(place: Place) -> str:
    """Raises WhatsitError where there is no job."""
    return hashlib.sha256(place.join(RECORD).read()).hexdigest()


def _samples(job: Job, blocks: Sequence[int]) -> Iterator[Item]:
    """The first and the last pictures of what is to be done that this host can read."""
    with Opener() as opener:
        for block in dict.fromkeys((blocks[0], blocks[-1])):
            items = job.items(block)
            for item in dict.fromkeys((0, len(items) - 1)):
                with contextlib.suppress(InputError):
                    opener.read(items[item])
                    yield items[item]
