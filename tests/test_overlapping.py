"""Several threads at once, and results in order."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator

import pytest

from whatsit.overlapping import in_order

WORKERS = [1, 2, 5]


@pytest.mark.parametrize("workers", WORKERS)
def test_results_come_in_the_order_of_the_items(workers: int) -> None:
    def slow_at_first(item: int) -> int:
        time.sleep(0.02 if item == 0 else 0)
        return item * item

    assert list(in_order(slow_at_first, range(40), workers)) == [n * n for n in range(40)]


@pytest.mark.parametrize("workers", WORKERS)
def test_no_items_give_no_results(workers: int) -> None:
    assert list(in_order(str, [], workers)) == []


@pytest.mark.parametrize("workers", WORKERS)
def test_items_are_taken_only_as_fast_as_results(workers: int) -> None:
    taken = 0

    def endless() -> Iterator[int]:
        nonlocal taken
        while True:
            taken += 1
            yield taken

    results = in_order(int, endless(), workers, ahead=3)
    for _ in range(10):
        next(results)
    results.close()
    assert taken <= 10 + 3 * workers + 1


def test_one_worker_is_the_thread_of_the_caller() -> None:
    own = threading.get_ident()
    assert list(in_order(lambda _: threading.get_ident(), range(2), 1)) == [own, own]
    assert own not in in_order(lambda _: threading.get_ident(), range(2), 2)


@pytest.mark.parametrize("workers", WORKERS)
def test_an_error_comes_in_its_place_and_ends_the_rest(workers: int) -> None:
    results = in_order(lambda item: 1 // item, [1, 1, 0, 1], workers)
    assert [next(results), next(results)] == [1, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert list(results) == []


def test_closing_it_ends_its_threads() -> None:
    before = threading.active_count()
    results = in_order(int, itertools.count(), 3)
    next(results)
    assert threading.active_count() > before
    results.close()
    assert threading.active_count() == before
