"""Work on several threads at once, its results in the order of what was asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

Item = TypeVar("Item")
Found = TypeVar("Found")


def in_order(
    function: Callable[[Item], Found], items: Iterable[Item], workers: int, *, ahead: int = 2
) -> Generator[Found, None, None]:
    """What `function` gives for each item, in order, found by `workers` threads.

    Items are taken only as fast as results are, so they may be endless: at most `ahead` for each
    worker wait to be yielded. One worker is the caller's own thread. What `function` raises is
    raised in its place and ends the rest. Close the generator to stop early.
    """
    if workers == 1:
        for item in items:
            yield function(item)
        return
    from concurrent.futures import ThreadPoolExecutor  # here, since one worker needs none

    pending: deque[Future[Found]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="whatsit")
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            while pending and (pending[0].done() or len(pending) > ahead * workers):
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
