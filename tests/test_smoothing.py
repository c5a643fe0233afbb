"""Scores made steady over time: against the formula, and on flicker."""

from __future__ import annotations

import math

import numpy as np
import pytest

from whatsit.errors import UsageError
from whatsit.smoothing import Smoother, Smoothing


def scores(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def means(smoothing: Smoothing, times_ms: list[float], rows: np.ndarray) -> np.ndarray:
    smoother = Smoother(smoothing, rows.shape[1])
    return np.stack([smoother.step(t, row) for t, row in zip(times_ms, rows, strict=True)])


# ── the mean ─────────────────────────────────────────────────────────────────────────────────


def test_each_frame_weighs_by_its_age() -> None:
    rng = np.random.default_rng(1)
    times = list(np.cumsum(rng.uniform(5, 400, 60)))
    rows = rng.random((60, 4)).astype(np.float32)
    found = means(Smoothing(time_s=0.5), times, rows)
    for k, now in enumerate(times):
        weights = np.exp((np.array(times[: k + 1]) - now) / 500)
        assert found[k] == pytest.approx(weights @ rows[: k + 1] / weights.sum(), abs=1e-6)


def test_one_frame_is_its_own_mean() -> None:
    row = scores(0.7, 0.2, 0.1)
    assert (Smoother(Smoothing(), 3).step(123.0, row) == row).all()


def test_what_does_not_change_stays_as_it_is_for_hours() -> None:
    smoother = Smoother(Smoothing(), 2)
    for k in range(100_000):
        found = smoother.step(k * 1000 / 30, scores(0.3, 0.6))
    assert found == pytest.approx([0.3, 0.6], abs=1e-6)
    assert found.dtype == np.float32


def test_a_class_that_may_not_be_answered_stays_below_all_others() -> None:
    rows = np.tile(scores(-1.0, 0.0), (50, 1))
    found = means(Smoothing(), [k * 40.0 for k in range(50)], rows)
    assert found[:, 0] == pytest.approx(-1)
    assert (found[:, 1] == 0).all()


@pytest.mark.parametrize("fps", [5, 10, 25, 30, 60])
def test_a_cut_is_noticed_at_the_same_time_whatever_the_frame_rate(fps: int) -> None:
    levels = Smoothing()
    cut_ms = 4000.0
    times = [k * 1000 / fps for k in range(8 * fps)]
    rows = np.array([[0.9, 0.0] if t < cut_ms else [0.0, 0.9] for t in times], np.float32)
    found = means(levels, times, rows)
    came = next(t for t, row in zip(times, found, strict=True) if row[1] >= levels.enter)
    went = next(t for t, row in zip(times, found, strict=True) if row[0] < levels.leave)
    # of a mean over continuous time: 0.9 · (1 - e^-t) = enter, 0.9 · e^-t = leave
    enters_ms = cut_ms - 500 * math.log(1 - levels.enter / 0.9)
    leaves_ms = cut_ms + 500 * math.log(0.9 / levels.leave)
    assert enters_ms - 1.01e3 / fps <= came <= enters_ms + 1.01e3 / fps
    assert leaves_ms - 1.01e3 / fps <= went <= leaves_ms + 1.01e3 / fps


def test_the_same_clip_at_10_and_30_frames_has_the_same_best_class_within_a_frame() -> None:
    def best(fps: int) -> dict[float, int]:
        times = [k * 1000 / fps for k in range(12 * fps)]
        rows = np.zeros((len(times), 3), np.float32)
        for row, t in zip(rows, times, strict=True):
            row[[0, 1, 0, 2][int(t / 3000)]] = 0.8
        return dict(zip(times, means(Smoothing(), times, rows).argmax(1), strict=True))

    dense = sorted(best(30).items())
    for t, index in best(10).items():
        assert index in {other for at, other in dense if abs(at - t) <= 101}


def test_a_single_wrong_frame_hardly_shows() -> None:
    rows = np.tile(scores(0.9, 0.05), (90, 1))
    rows[60] = [0.0, 1.0]
    found = means(Smoothing(), [k * 1000 / 30 for k in range(90)], rows)
    assert (found.argmax(1) == 0).all()
    assert found[:, 1].max() < Smoothing().leave


def test_two_classes_that_take_turns_share() -> None:
    rows = np.tile(np.array([[0.8, 0.1], [0.1, 0.8]], np.float32), (45, 1))
    found = means(Smoothing(), [k * 1000 / 30 for k in range(90)], rows)
    assert found[30:] == pytest.approx(0.45, abs=0.03)


def test_after_a_gap_the_past_is_forgotten_and_no_frame_rules() -> None:
    smoother = Smoother(Smoothing(), 2)
    for k in range(60):
        smoother.step(k * 33.0, scores(0.9, 0.0))
    assert smoother.step(12_000, scores(0.0, 0.8)) == pytest.approx([0, 0.8], abs=1e-3)
    # The first frame after it was a wrong one: the next three have the say.
    for k in range(1, 4):
        found = smoother.step(12_000 + k * 33, scores(0.9, 0.0))
    assert found[0] == pytest.approx(0.9 * 3 / 4, abs=0.05)


def test_what_is_forgotten_on_purpose_is_gone() -> None:
    smoother = Smoother(Smoothing(), 1)
    smoother.step(0, scores(1.0))
    smoother.forget()
    assert smoother.step(1, scores(0.2)) == pytest.approx([0.2])


def test_off_gives_each_frame_on_its_own() -> None:
    rows = np.random.default_rng(2).random((20, 3)).astype(np.float32)
    assert (means(Smoothing.off(), [k * 1.0 for k in range(20)], rows) == rows).all()


@pytest.mark.parametrize("time_ms", [1000.0, 999.9, 0.0, math.nan, math.inf])
def test_times_that_do_not_rise_are_refused_and_change_nothing(time_ms: float) -> None:
    smoother = Smoother(Smoothing(), 1)
    smoother.step(1000.0, scores(0.5))
    with pytest.raises(UsageError, match=r"a frame at .* ms after one at 1000.0 ms"):
        smoother.step(time_ms, scores(1.0))
    assert smoother.step(1000.5, scores(0.5)) == pytest.approx([0.5])


def test_scores_of_another_model_are_refused() -> None:
    with pytest.raises(UsageError, match="scores of shape"):
        Smoother(Smoothing(), 3).step(0, scores(0.1, 0.9))


# ── the parameters ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0.5s", 0.5), ("500ms", 0.5), ("2", 2), (" 1.5 S ", 1.5), (".25s", 0.25), ("0s", 0)],
)
def test_a_time_is_read_as_people_write_it(text: str, seconds: float) -> None:
    assert Smoothing.parse(text) == Smoothing(time_s=seconds)


def test_off_is_read_and_written() -> None:
    assert Smoothing.parse("OFF") == Smoothing.off()
    assert str(Smoothing.off()) == "off"
    assert str(Smoothing.parse("500ms")) == "0.5s"


@pytest.mark.parametrize("text", ["", "soon", "-1s", "1m", "nan", "1e3", "٣s", "3601s", "1s 2s"])
def test_what_is_no_time_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(UsageError) as error:
        Smoothing.parse(text)
    assert repr(text) in error.value.message
    assert "0.5s" in error.value.expected
    assert "off" in error.value.expected


@pytest.mark.parametrize(
    "values",
    [
        {"time_s": -1},
        {"time_s": math.nan},
        {"least_s": math.inf},
        {"enter": 0.2, "leave": 0.3},
        {"enter": 1.1},
        {"leave": 0.0},
        {"enter": math.nan},
    ],
)
def test_levels_that_cannot_work_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        Smoothing(**values)


def test_a_threshold_raises_both_levels_and_never_lowers_them() -> None:
    levels = Smoothing(enter=0.3, leave=0.15)
    assert levels.at_least(0.1) == levels
    raised = levels.at_least(0.6)
    assert (raised.enter, raised.leave) == pytest.approx((0.6, 0.3))
    assert Smoothing.off().at_least(1.0).leave == pytest.approx(1.0)


def test_json_there_and_back() -> None:
    levels = Smoothing(0.7, 0.4, 0.2, 1.0)
    assert Smoothing.from_json(levels.to_json()) == levels
    with pytest.raises(KeyError):
        Smoothing.from_json({"time_s": 1})
