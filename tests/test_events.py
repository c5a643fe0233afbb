"""What comes and goes: on synthetic flicker, and the index that is searched."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from whatsit import Labels, zoo
from whatsit.errors import UsageError, WhatsitError
from whatsit.events import Event, Index, Segment, Timeline, Track
from whatsit.smoothing import Smoother, Smoothing

LABELS = Labels(("ant", "bee", "cow", "dog"))
LEVELS = Smoothing()
FPS = 30

Signal = Callable[[float], Sequence[float]]  # time in ms → the scores of four classes


def play(
    signal: Signal, seconds: float, *, fps: float = FPS, levels: Smoothing = LEVELS
) -> list[Event]:
    """All events of a video that scores so, with those of its end."""
    smoother, timeline = Smoother(levels, 4), Timeline(levels, LABELS)
    times = [k * 1000 / fps for k in range(round(seconds * fps))]
    events = []
    for t in times:
        scores = np.array(signal(t), np.float32)
        events += timeline.step(t, smoother.step(t, scores), scores)
    return events + timeline.finish(times[-1] + 1000 / fps)


def segments(events: Sequence[Event]) -> list[tuple[str, int, int]]:
    """Label, start and end of what has ended, in whole ms."""
    ends = [event.segment for event in events if event.kind == "end"]
    return sorted((s.label, round(s.start_ms), round(s.end_ms)) for s in ends)


def check_order(events: Sequence[Event], levels: Smoothing = LEVELS) -> None:
    """Time never goes back, and each start has its end before the class starts again."""
    assert [e.time_ms for e in events] == sorted(e.time_ms for e in events)
    there: dict[int, Segment] = {}
    for event in events:
        seen = event.segment
        if event.kind == "start":
            assert seen.index not in there
            there[seen.index] = seen
        else:
            began = there.pop(seen.index)
            assert began.start_ms == seen.start_ms <= seen.peak_ms <= seen.end_ms <= event.time_ms
            assert seen.end_ms - seen.start_ms >= levels.least_s * 1e3 - 1e-6
            assert seen.mean_score <= seen.peak_score
    assert not there


# ── flicker ──────────────────────────────────────────────────────────────────────────────────


def test_a_class_that_stays_comes_once_and_goes_with_the_video() -> None:
    events = play(lambda t: (0.9, 0, 0, 0), 5)
    assert [(e.kind, e.segment.label) for e in events] == [("start", "ant"), ("end", "ant")]
    assert segments(events) == [("ant", 0, 5000)]
    assert events[0].time_ms == pytest.approx(LEVELS.least_s * 1e3, abs=34)
    assert events[0].score == pytest.approx(0.9)


@pytest.mark.parametrize("fps", [10, 30, 60])
def test_a_cut_is_dated_to_the_frame(fps: int) -> None:
    events = play(lambda t: (0.9, 0, 0, 0) if t < 4000 else (0, 0.7, 0, 0), 8, fps=fps)
    check_order(events)
    assert segments(events) == [("ant", 0, 4000), ("bee", 4000, 8000)]


def test_classes_that_take_turns_each_frame_are_both_there_throughout() -> None:
    events = play(lambda t: (0.7, 0.2, 0, 0) if round(t * FPS / 1000) % 2 else (0.2, 0.7, 0, 0), 10)
    check_order(events)
    assert len(events) == 4
    assert {label for label, _, _ in segments(events)} == {"ant", "bee"}
    assert all(e.segment.start_ms < 700 for e in events if e.kind == "start")


def test_a_single_wrong_frame_is_no_event() -> None:
    events = play(lambda t: (0, 1, 0, 0) if 2000 <= t < 2033 else (0.9, 0, 0, 0), 5)
    assert segments(events) == [("ant", 0, 5000)]


def test_a_wrong_first_frame_is_no_event() -> None:
    events = play(lambda t: (0, 1, 0, 0) if t < 33 else (0.9, 0, 0, 0), 5)
    assert segments(events) == [("ant", 33, 5000)]


def test_a_flash_shorter_than_the_least_is_no_event() -> None:
    events = play(lambda t: (0, 1, 0, 0) if 2000 <= t < 2260 else (0.9, 0, 0, 0), 5)
    check_order(events)
    assert segments(events) == [("ant", 0, 5000)]


def test_a_slow_dissolve_hands_over_once() -> None:
    def dissolve(t: float) -> tuple[float, ...]:
        share = min(1.0, max(0.0, (t - 2000) / 3000))
        return (0.9 * (1 - share), 0.9 * share, 0, 0)

    events = play(dissolve, 8)
    check_order(events)
    # Frames reach `enter` at 2000 + 3000 · 0.3 / 0.9, and `leave` at 5000 - 3000 · 0.15 / 0.9.
    (_, _, gone), (_, came, _) = segments(events)
    assert len(events) == 4
    assert gone == pytest.approx(4500, abs=40)
    assert came == pytest.approx(3000, abs=40)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("level", [LEVELS.leave, 0.2, LEVELS.enter, 0.4])
def test_noise_around_a_level_makes_no_flood(seed: int, level: float) -> None:
    rng = np.random.default_rng(seed)
    noise = np.clip(level + 0.15 * rng.standard_normal(600), 0, 1)
    events = play(lambda t: (noise[round(t * FPS / 1000)], 0, 0, 0), 20)
    check_order(events)
    crossings = np.count_nonzero(np.diff(noise >= level))
    assert crossings > 200
    assert len(events) <= 6


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("levels", [LEVELS, Smoothing(0.2, 0.5, 0.1, 0.0), Smoothing.off()])
def test_whatever_the_scores_events_are_in_order_and_closed(seed: int, levels: Smoothing) -> None:
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.normal(0, 0.15, (900, 4)), axis=0)
    rows = (0.5 + 0.5 * np.sin(walk)) * (rng.random((900, 1)) > 0.1)

    def signal(t: float) -> Sequence[float]:
        return rows[round(t * FPS / 1000)]

    events = play(signal, 30, levels=levels)
    check_order(events, levels)
    assert events == play(signal, 30, levels=levels)
    for event in events:
        if event.kind == "end":  # scores against those of the frames in it
            seen = event.segment
            first, last = round(seen.start_ms * FPS / 1e3), round(seen.end_ms * FPS / 1e3)
            inside = rows[first:last, seen.index].astype(np.float32)
            assert seen.mean_score == pytest.approx(inside.mean(), abs=1e-5)
            assert seen.peak_score == pytest.approx(inside.max(), abs=1e-6)
            assert rows[round(seen.peak_ms * FPS / 1e3), seen.index] == pytest.approx(inside.max())


def test_off_tells_every_change() -> None:
    events = play(
        lambda t: (0.9, 0, 0, 0) if (t // 100) % 2 else (0, 0.9, 0, 0), 1, levels=Smoothing.off()
    )
    check_order(events, Smoothing.off())
    assert len(segments(events)) == 10


def test_several_classes_may_be_there_at_the_same_time() -> None:
    events = play(lambda t: (0.45, 0.45 if 1000 <= t < 3000 else 0, 0, 0), 5)
    assert segments(events) == [("ant", 0, 5000), ("bee", 1000, 3000)]


def test_a_short_dip_does_not_part_a_segment_and_a_long_one_does() -> None:
    for dip_ms, count in ((200, 1), (3000, 2)):
        events = play(lambda t, dip=dip_ms: (0 if 2000 <= t < 2000 + dip else 0.8, 0, 0, 0), 8)
        check_order(events)
        assert len(segments(events)) == count


# ── few frames ───────────────────────────────────────────────────────────────────────────────


def test_a_video_of_one_frame_shows_what_is_in_it() -> None:
    events = play(lambda t: (0.8, 0.1, 0, 0), 1 / FPS)
    assert segments(events) == [("ant", 0, 33)]
    assert [e.kind for e in events] == ["start", "end"]


def test_a_video_shorter_than_the_least_shows_what_is_in_it() -> None:
    assert segments(play(lambda t: (0.8, 0.1, 0, 0), 0.2)) == [("ant", 0, 200)]


def test_no_frames_no_events() -> None:
    timeline = Timeline(LEVELS, LABELS)
    assert timeline.finish(1000) == []
    assert timeline.lost() == []


def test_of_sparse_frames_each_counts_until_the_next() -> None:
    events = play(lambda t: (0, 0.9, 0, 0) if 4000 <= t < 6000 else (0.9, 0, 0, 0), 10, fps=0.5)
    check_order(events)
    assert segments(events) == [("ant", 0, 4000), ("ant", 6000, 10_000), ("bee", 4000, 6000)]


@pytest.mark.parametrize("time_ms", [100.0, 50.0, float("nan")])
def test_times_that_do_not_rise_are_refused(time_ms: float) -> None:
    timeline = Timeline(LEVELS, LABELS)
    timeline.step(100, np.zeros(4, np.float32))
    with pytest.raises(UsageError, match="after one at 100 ms"):
        timeline.step(time_ms, np.zeros(4, np.float32))


def test_without_the_frames_own_scores_the_mean_dates_the_segment() -> None:
    timeline = Timeline(LEVELS, LABELS)
    events = []
    for k in range(60):
        level = 0.9 if 20 <= k < 50 else 0.0
        events += timeline.step(k * 100.0, np.array([level, 0, 0, 0], np.float32))
    assert segments(events) == [("ant", 2000, 5000)]


# ── one video followed ───────────────────────────────────────────────────────────────────────


def follow(track: Track, start_ms: float, count: int, *scores: float) -> list[Event]:
    found: list[Event] = []
    for k in range(count):
        found += track.step(start_ms + k * 33.0, np.array(scores, np.float32)).events
    return found


def test_a_gap_ends_what_was_there_with_the_last_frame_and_begins_anew() -> None:
    track = Track(LEVELS, LABELS, gaps=True)
    events = follow(track, 0, 60, 0.9, 0, 0, 0)
    events += follow(track, 20_000, 60, 0.9, 0, 0, 0)
    events += track.finish(22_000)
    check_order(events)
    assert segments(events) == [("ant", 0, 59 * 33), ("ant", 20_000, 22_000)]


def test_a_reconnect_is_a_gap_however_short() -> None:
    track = Track(LEVELS, LABELS, gaps=True)
    events = follow(track, 0, 30, 0.9, 0, 0, 0)
    now = track.step(1500, np.array([0.4, 0.1, 0, 0], np.float32), gap=True)
    assert segments([*events, *now.events]) == [("ant", 0, 29 * 33)]
    assert now.steady[0].score == pytest.approx(0.4)  # nothing of before is in the mean
    assert now.current is None


def test_a_file_has_no_gaps() -> None:
    track = Track(LEVELS, LABELS)  # a recording of a screen has a frame only when it changes
    events = follow(track, 0, 30, 0.9, 0, 0, 0)
    events += follow(track, 20_000, 60, 0.9, 0, 0, 0)
    events += track.finish(22_000)
    assert segments(events) == [("ant", 0, 22_000)]


def test_a_slow_source_has_no_gaps_once_its_pace_is_known() -> None:
    track = Track(LEVELS, LABELS, gaps=True)
    events = []
    for k in range(10):
        events += track.step(k * 5000.0, np.array([0.9, 0, 0, 0], np.float32)).events
    events += track.finish(50_000)
    assert segments(events) == [("ant", 5000, 50_000)]


def test_one_that_is_looked_at_now_and_then_has_no_gaps() -> None:
    track = Track(LEVELS, LABELS, gaps=True, usual_ms=5000.0)
    events = [e for k in range(3) for e in follow(track, k * 5000.0, 1, 0.9, 0, 0, 0)]
    events += track.finish(15_000)
    assert segments(events) == [("ant", 0, 15_000)]


def test_the_name_stays_until_another_is_clearly_ahead() -> None:
    track = Track(Smoothing(0, 0.3, 0.15, 0), LABELS)

    def named(*scores: float) -> str | None:
        named.t += 33  # type: ignore[attr-defined]
        current = track.step(named.t, np.array(scores, np.float32)).current
        return current and current.label

    named.t = 0  # type: ignore[attr-defined]
    assert named(0.1, 0.1, 0, 0) is None
    assert named(0.4, 0.3, 0, 0) == "ant"
    assert named(0.35, 0.45, 0, 0) == "ant"
    assert named(0.31, 0.47, 0, 0) == "bee"
    assert named(0.45, 0.35, 0, 0) == "bee"
    assert named(0.4, 0.1, 0, 0) == "ant"
    assert named(0.1, 0.1, 0, 0) is None


def test_steady_predictions_are_the_best_of_the_mean_above_the_threshold() -> None:
    track = Track(Smoothing(), LABELS, top=2, threshold=0.2)
    now = track.step(0, np.array([0.25, 0.5, 0.15, 0.1], np.float32))
    assert [(p.index, p.label, p.score) for p in now.steady] == [
        (1, "bee", 0.5),
        (0, "ant", 0.25),
    ]
    now = track.step(1, np.array([0.05, 0.5, 0.15, 0.1], np.float32))
    assert [p.label for p in now.steady] == ["bee"]


@pytest.mark.parametrize(
    ("times", "usual_ms", "latest_ms", "end_ms"),
    [
        ([], 40, 1000, 0),
        ([0], 40, None, 40),
        ([0], 40, 30, 30),
        ([0, 100], 40, None, 200),
        ([0, 100], 40, 150, 150),
        ([0, 100], 40, 50, 100),
    ],
)
def test_the_last_frame_lasts_as_long_as_the_one_before(
    times: list[float], usual_ms: float, latest_ms: float | None, end_ms: float
) -> None:
    track = Track(LEVELS, LABELS, usual_ms=usual_ms)
    for t in times:
        track.step(t, np.zeros(4, np.float32))
    assert track.end_ms(latest_ms) == end_ms


def test_the_json_of_events() -> None:
    start, end = play(lambda t: (0.62, 0, 0, 0) if t < 2000 else (0, 0, 0, 0), 4)
    assert start.to_json() == {
        "event": "start",
        "time_ms": 300,
        "start_ms": 0,
        "index": 0,
        "label": "ant",
        "score": 0.62,
    }
    gone_ms = end.to_json()["time_ms"]
    assert 2000 < gone_ms < 3000
    assert end.to_json() == {
        "event": "end",
        "time_ms": gone_ms,
        "start_ms": 0,
        "end_ms": 2000,
        "index": 0,
        "label": "ant",
        "score": 0.62,
        "peak_score": 0.62,
    }


# ── the index ────────────────────────────────────────────────────────────────────────────────

BEAGLE, TABBY, MUG, KITE_BIRD = 162, 281, 504, 21


def index_of(labels: Labels, *shown: tuple[int, float, float]) -> Index:
    found = [
        Segment(a + 0.4, b + 0.4, i, labels.names[i], labels.synset(i), 0.51234567, 0.9, a + 1)
        for i, a, b in shown
    ]
    return Index.of(
        found,
        labels,
        source="walk.mp4",
        model="some-model",
        model_sha256="ab" * 32,
        duration_ms=60_000.4,
        frames=1800,
        every_ms=None,
        smoothing=LEVELS,
    )


@pytest.fixture(scope="module")
def walk() -> Index:
    return index_of(
        zoo.open_model("efficientnet-lite0-int8").labels,
        (TABBY, 20_000, 24_000),
        (BEAGLE, 1000, 3000),
        (BEAGLE, 30_000, 31_000),
        (MUG, 2000, 2500),
    )


@pytest.mark.parametrize(
    ("text", "starts"),
    [
        ("beagle", [1000, 30_000]),
        ("Beagle", [1000, 30_000]),
        (" dog ", [1000, 30_000]),
        ("hunting  dog", [1000, 30_000]),
        ("n02084071", [1000, 30_000]),  # dog
        ("N02088364", [1000, 30_000]),  # beagle
        ("tabby cat", [20_000]),  # another name of tabby
        ("cat", [20_000]),
        ("carnivore", [1000, 20_000, 30_000]),
        ("coffee mug", [2000]),
        ("mug", [2000]),
        ("horse", []),
        ("do", []),
        ("", []),
        ("  ", []),
        ("n99999999", []),
    ],
)
def test_find_by_label_wider_term_and_synset(walk: Index, text: str, starts: list[int]) -> None:
    assert [segment.start_ms for segment in walk.find(text)] == starts


def test_a_word_of_a_label_counts_only_where_nothing_has_that_name() -> None:
    index = index_of(Labels(("dog", "hot dog", "Dog house")), (0, 0, 1), (1, 2, 3), (2, 4, 5))
    assert [segment.label for segment in index.find("dog")] == ["dog"]
    assert [segment.label for segment in index.find("HOUSE dog")] == ["Dog house"]


def test_a_model_without_wordnet_is_searched_by_its_labels() -> None:
    index = index_of(Labels(("golden retriever", "cat")), (0, 0, 1000))
    assert len(index.find("retriever")) == 1
    assert index.find("dog") == []
    assert index.labels[0].ancestors == ()


def test_classes_are_listed_by_their_time_and_segments_by_their_start(walk: Index) -> None:
    assert [(seen.label, seen.total_ms, seen.segments) for seen in walk.labels] == [
        ("tabby", 4000, 1),
        ("beagle", 3000, 2),
        ("coffee mug", 500, 1),
    ]
    assert [segment.start_ms for segment in walk.segments] == [1000, 2000, 20_000, 30_000]
    assert ("n02084071", "dog") in walk.labels[1].ancestors


def test_an_index_goes_to_json_and_back(walk: Index, tmp_path: Path) -> None:
    assert Index.from_json(json.loads(json.dumps(walk.to_json()))) == walk
    walk.save(tmp_path / "index.json")
    assert Index.read(tmp_path / "index.json") == walk
    text = (tmp_path / "index.json").read_text(encoding="utf-8")
    assert json.loads(text)["segments"][0] == {
        "start_ms": 1000,
        "end_ms": 3000,
        "index": BEAGLE,
        "label": "beagle",
        "synset": "n02088364",
        "mean_score": 0.512346,
        "peak_score": 0.9,
        "peak_ms": 1001,
    }


def test_a_file_that_is_no_index_is_refused_by_its_name(walk: Index, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    whole = walk.to_json()
    for content in (
        b"",
        b"\xff\xfe\0",
        b"[]",
        b"{}",
        b'{"format": "whatsit-evaluation-2"}',
        json.dumps({**whole, "segments": [{}]}).encode(),
        json.dumps({**whole, "segments": 3}).encode(),
        json.dumps({**whole, "duration_ms": "long"}).encode(),
        json.dumps({**whole, "smoothing": {"time_s": -1}}).encode(),
        json.dumps({key: part for key, part in whole.items() if key != "labels"}).encode(),
    ):
        file.write_bytes(content)
        with pytest.raises(WhatsitError) as error:
            Index.read(file)
        assert repr(str(file)) in error.value.message
        assert "whatsit watch --index" in error.value.expected
    with pytest.raises(WhatsitError, match="cannot read the index"):
        Index.read(tmp_path / "missing.json")
