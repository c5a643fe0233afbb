"""Does the blocks of a job on Ray: this machine's cores, or those of all hosts of a cluster.

Ray Data reads the lists of the blocks, gives them to actors that hold the model, writes their parts
and does again what is lost with a host. The journal of a job is the same as without Ray.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Iterator

from ...errors import ExtraMissing, WhatsitError
from ..answering import Task
from ..job import Job
from ..report import Note, Progress

_NEEDED = {"ray": "Ray", "pyarrow": "pyarrow", "pandas": "pandas"}  # what Ray Data needs


def check_installed() -> None:
    """Raises ExtraMissing without Ray."""
    for package, name in _NEEDED.items():
        if importlib.util.find_spec(package) is None:
            raise ExtraMissing(
                f"the engine 'ray' needs {name}, which is not installed",
                hint="pip install 'whatsit[ray]'",
            )


def check(address: str | None = None) -> None:
    """Raises what would prevent a run, before the long work.

    ExtraMissing without Ray, UsageError for an address where no cluster answers.
    """
    check_installed()
    from . import session

    session.check_answers(address)


def run(
    job: Job,
    task: Task,
    *,
    address: str | None = None,
    progress: Progress | None = None,
    note: Note | None = None,
) -> int:
    """Does what is pending, and returns how many answers came from the caches of the hosts.

    Without an `address` RAY_ADDRESS is used, and without that Ray starts here and ends with the
    run. Where the caller has started Ray, it is used as it is. `progress` is called on a thread of
    its own.

    Raises what `check` does, WhatsitError where a host cannot do the job or Ray gives up, and what
    the local engine raises.
    """
    check(address)
    blocks = job.pending()
    if not blocks:
        return 0
    from . import flow, session
    from .hosts import Needs
    from .watching import watched

    with session.quiet(), session.connected(address, note):
        with _translated():
            needs = Needs.of(job, task, blocks)
            needs.check_hosts()
        with watched(job, blocks, progress, note), _translated():
            return flow.run(job, task, blocks, needs)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Raises our own error where there is one behind Ray's."""
    try:
        yield
    except Exception as error:  # Ray raises many kinds, some of them made on the spot
        own = _own(error)
        if own is error:
            raise
        if own is not None:
            raise own from None
        raise _failed(error) from error


def _own(error: BaseException) -> WhatsitError | None:
    """The error of ours that `error` comes from."""
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        link = waiting.pop()
        if isinstance(link, WhatsitError):
            # Ray makes a class of both kinds: its message is a traceback, its cause is ours
            cause = getattr(link, "cause", None)
            return cause if isinstance(cause, WhatsitError) else link
        if isinstance(link, BaseException) and link not in seen:
            seen.append(link)
            waiting += [link.__context__, link.__cause__, getattr(link, "cause", None)]
    return None


def _failed(error: Exception) -> WhatsitError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = lines[-1] if lines else type(error).__name__
    folder = os.path.join("session_latest", "logs")
    return WhatsitError(
        f"Ray gave up: {reason}",
        expected="hosts that stay until all is done",
        hint=f"the same command goes on; Ray's logs are in {folder} of its folder (/tmp/ray)",
    )
