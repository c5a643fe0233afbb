"""What has no end of its own is ended by signals and by the clock, without losing a step."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator

import pytest

from whatsit.cli import stopping
from whatsit.cli.stopping import Stop

SIGNALS = [signal.SIGINT, signal.SIGTERM]


class Steps(Iterator[int]):
    """Rising numbers, and the last one twice once `end` was called."""

    def __init__(self) -> None:
        self.number = 0
        self.ended = threading.Event()
        self.over = False

    def end(self) -> None:
        self.ended.set()

    def __next__(self) -> int:
        if self.over:
            raise StopIteration
        self.over = self.ended.wait(0.01)
        self.number += 1
        return self.number


def waiting_for_ever() -> Iterator[int]:
    yield 1
    while True:
        time.sleep(0.05)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_the_source_whose_last_step_is_given(number: int) -> None:
    steps, seen = Steps(), []
    with Stop() as stop:
        for step in stop.until(steps, end=steps.end):
            seen.append(step)
            if step == 3:
                signal.raise_signal(number)
    assert stop.number == number
    assert seen == list(range(1, steps.number + 1))
    assert steps.over


def test_a_signal_between_steps_gives_up_the_next_one() -> None:
    steps, seen = Steps(), []
    with Stop() as stop:
        for step in stop.until(steps):
            signal.raise_signal(signal.SIGINT)
            seen.append(step)  # what is worked on is finished
    assert (seen, steps.number, stop.number) == ([1], 1, signal.SIGINT)


def test_a_signal_while_waiting() -> None:
    seen = []
    with Stop() as stop:
        for step in stop.until(waiting_for_ever()):
            seen.append(step)
            threading.Timer(0.2, signal.raise_signal, [signal.SIGINT]).start()
    assert (seen, stop.number) == ([1], signal.SIGINT)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time in s, as `stopping` sees it."""
    now = [100.0]
    monkeypatch.setattr(stopping.time, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize("second", SIGNALS)
def test_a_second_signal_is_not_waited_for(clock: list[float], second: int) -> None:
    with Stop():
        signal.raise_signal(signal.SIGINT)
        clock[0] += 0.5
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(second)


def test_a_signal_that_comes_twice_at_once_is_one(clock: list[float]) -> None:
    steps, seen = Steps(), []
    with Stop() as stop:
        for step in stop.until(steps, end=steps.end):
            seen.append(step)
            if step == 3:
                signal.raise_signal(signal.SIGINT)
                clock[0] += 0.02
                signal.raise_signal(signal.SIGINT)
                clock[0] += 0.4
                signal.raise_signal(signal.SIGTERM)
    assert stop.number == signal.SIGINT
    assert seen == list(range(1, steps.number + 1))


def test_the_other_half_of_a_signal_is_awaited(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        signal.raise_signal(signal.SIGINT)  # would end the program

    monkeypatch.setattr(stopping.time, "sleep", sleep)
    with Stop() as stop:
        signal.raise_signal(signal.SIGINT)
        assert list(stop.until(iter([1]))) == []
    assert waits == pytest.approx([0.1])


def test_a_signal_before_the_first_step() -> None:
    steps = Steps()
    with Stop() as stop:
        signal.raise_signal(signal.SIGTERM)
        assert list(stop.until(steps, end=steps.end)) == [1]
        assert list(stop.until(iter([1, 2]))) == []
    assert stop.number == signal.SIGTERM


@pytest.mark.parametrize("source", [Steps, waiting_for_ever])
def test_the_clock(source: type[Steps]) -> None:
    steps, seen = source(), []
    with Stop() as stop:
        for step in stop.until(steps, seconds=0.2):
            seen.append(step)
    assert seen[0] == 1
    assert stop.number is None


def test_the_clock_ends_the_source() -> None:
    steps = Steps()
    with Stop() as stop:
        seen = list(stop.until(steps, seconds=0.1, end=steps.end))
    assert seen == list(range(1, steps.number + 1))
    assert stop.number is None


def test_what_ends_by_itself_is_left_alone() -> None:
    with Stop() as stop:
        assert list(stop.until(iter([1, 2]), seconds=60)) == [1, 2]
    assert stop.number is None


def test_an_interrupt_of_somebody_else_is_passed_on() -> None:
    def steps() -> Iterator[int]:
        yield 1
        raise KeyboardInterrupt

    with Stop() as stop, pytest.raises(KeyboardInterrupt):
        list(stop.until(steps()))


def test_signals_that_were_ignored_stay_so() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Stop() as stop:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
        assert stop.number is None
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_handlers_are_given_back() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with Stop():
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_another_thread_has_no_signals() -> None:
    seen: list[int] = []

    def run() -> None:
        steps = Steps()
        with Stop() as stop:
            seen.extend(stop.until(steps, seconds=0.1, end=steps.end))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
    assert seen
