"""From a source to moments: order, threads, what is left out, what ends it, and a real clip."""

from __future__ import annotations

import gc
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import make_models
import make_videos
import numpy as np
import pytest
from conftest import CATS
from PIL import Image

import whatsit
from whatsit import Bundle, Classifier, streaming, zoo
from whatsit.errors import (
    ImageUnreadable,
    ModelDamaged,
    SourceUnavailable,
    UsageError,
    VideoUnreadable,
)
from whatsit.events import Event, Index
from whatsit.frames import Frame, SourceInfo
from whatsit.smoothing import Smoothing
from whatsit.streaming import Moment, ended, index, stream

pytest.importorskip("av")

NAMES = ["dark", "dim", "grey", "bright"]
STEP_MS = 40.0


@pytest.fixture
def fake() -> Iterator[Classifier]:
    """Answers by brightness: 0 to 63 is dark, which scores 0.9."""
    graph = make_models.edges(target=make_models.Spec("scores", (1, 4), "float32"))
    bundle = Bundle.create(graph, name="fake", labels=NAMES, preprocess="stretch", mean=0, std=1)
    with Classifier(bundle, runtime="fake") as classifier:
        yield classifier


class Grey:
    """A picture of one level, or what is raised in its place."""

    def __init__(self, level: int | Exception) -> None:
        self._level = level

    def rgb(self) -> np.ndarray:
        if isinstance(self._level, Exception):
            raise self._level
        return np.full((8, 8, 3), self._level, np.uint8)


class Given:
    """Frames of these levels, one each STEP_MS, in place of a video; None: it is lost there."""

    def __init__(
        self,
        levels: Sequence[int | Exception | None] | Iterator[int | Exception],
        *,
        live: bool = False,
        times_ms: Sequence[float] | None = None,
        duration_ms: float | None = None,
        failure: Exception | None = None,
    ) -> None:
        kind: Any = "camera" if live else "file"
        self.info = SourceInfo(kind, "given", live, 8, 8, 25.0, duration_ms, 0)
        self.dropped = self.damaged = self.reconnects = self.taken = 0
        self.closed = False
        self._levels = iter(levels)
        self._times_ms = itertools.count(0.0, STEP_MS) if times_ms is None else iter(times_ms)
        self._failure = failure

    def steps(self) -> Iterator[Frame | None]:
        return self

    def __iter__(self) -> Iterator[Frame | None]:
        return self

    def __next__(self) -> Frame | None:
        if self.closed:
            raise StopIteration
        try:
            level = next(self._levels)
        except StopIteration:
            if self._failure is not None:
                raise self._failure from None
            raise
        if level is None:
            self.reconnects += 1  # by the next frame
            return None
        self.taken += 1
        return Frame(next(self._times_ms), self.taken - 1, Grey(level), self.dropped)  # type: ignore[arg-type]

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Callable[[Given], Given]:
    """`opened(given)` makes it what is opened next."""

    def use(given: Given) -> Given:
        monkeypatch.setattr(streaming, "open_frames", lambda source, **options: given)
        return given

    return use


Opened = Callable[[Given], Given]


def labels(moments: Sequence[Moment]) -> list[str]:
    return [moment.result.predictions[0].label for moment in moments]


def told(moments: Sequence[Moment]) -> list[Event]:
    return [event for moment in moments for event in moment.events]


def shown(events: Sequence[Event]) -> list[tuple[str, str]]:
    return [(event.kind, event.segment.label) for event in events]


def segments(events: Sequence[Event]) -> list[tuple[str, float, float]]:
    return [(s.label, s.start_ms, s.end_ms) for s in ended(events)]


def facts(moment: Moment) -> tuple[Any, ...]:
    """All but the picture."""
    return (
        moment.time_ms,
        moment.result,
        moment.steady,
        moment.current,
        moment.events,
        moment.dropped,
    )


@pytest.fixture(autouse=True)
def others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that other tests have left behind do not count."""
    monkeypatch.setattr(our_threads, "others", set(threading.enumerate()), raising=False)


def our_threads() -> list[str]:
    mine = set(threading.enumerate()) - our_threads.others  # type: ignore[attr-defined]
    return [t.name for t in mine if t.name.startswith(("whatsit", "frames of"))]


def all_threads_end() -> bool:
    """The one that reads a video may be busy for a moment more."""
    deadline = time.monotonic() + 30
    while our_threads() and time.monotonic() < deadline:
        time.sleep(0.005)
    return not our_threads()


# ── files ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_a_file_gives_each_frame_in_order_whatever_the_workers(
    fake: Classifier, opened: Opened, workers: int
) -> None:
    levels = [int(level) for level in np.random.default_rng(3).integers(0, 256, 60)]
    given = opened(Given(levels))
    moments = list(stream(fake, "x", workers=workers))
    assert labels(moments) == [NAMES[level // 64] for level in levels]
    assert [m.time_ms for m in moments] == [k * STEP_MS for k in range(60)]
    assert [m.frame.number for m in moments] == list(range(60))
    assert given.closed


def test_any_number_of_workers_tells_the_same(fake: Classifier, opened: Opened) -> None:
    levels = [200] * 40 + [30, 220] * 20 + [30] * 40

    def run(workers: int) -> list[tuple[Any, ...]]:
        opened(Given(levels))
        return [facts(moment) for moment in stream(fake, "x", workers=workers)]

    assert run(1) == run(2) == run(3)


def test_a_moment_has_the_frame_alone_the_mean_and_what_to_call_it(
    fake: Classifier, opened: Opened
) -> None:
    opened(Given([0] * 25 + [255] + [0] * 25))
    moments = list(stream(fake, "x", top=2))
    wrong = moments[25]
    assert wrong.result == fake.classify(np.full((8, 8, 3), 255, np.uint8), top=2)
    assert wrong.result.predictions[0].label == "bright"
    assert [p.label for p in wrong.steady] == ["dark", "bright"]
    assert wrong.steady[0].score > 0.7
    assert wrong.current is not None
    assert wrong.current.label == "dark"
    assert shown(told(moments)) == [("start", "dark"), ("end", "dark")]


def test_the_last_moment_of_a_file_ends_what_is_there(fake: Classifier, opened: Opened) -> None:
    opened(Given([0] * 25 + [255] * 25))
    moments = list(stream(fake, "x"))
    assert segments(told(moments)) == [("dark", 0, 1000), ("bright", 1000, 2000)]
    assert shown(moments[-1].events) == [("end", "bright")]
    assert len(moments) == 50


def test_frames_are_taken_no_faster_than_moments(fake: Classifier, opened: Opened) -> None:
    given = opened(Given(itertools.cycle([0, 255])))  # it never ends
    with stream(fake, "x", workers=3) as moments:
        for count in range(1, 40):
            next(moments)
            assert given.taken <= count + 3 * 3 + 1


def test_nothing_below_the_threshold_is_told(fake: Classifier, opened: Opened) -> None:
    opened(Given([0] * 50 + [0, 70, 140, 255] * 25))
    moments = list(stream(fake, "x", threshold=0.8))
    assert segments(told(moments)) == [("dark", 0, pytest.approx(2600, abs=200))]
    assert {p.label for m in moments for p in m.steady} == {"dark"}
    assert moments[-1].steady == ()
    assert all(p.score >= 0.8 for m in moments for p in (*m.steady, *m.result.predictions))


@pytest.mark.parametrize("key", ["dark", 0, ["dark"], iter(["dark"])])
def test_classes_that_may_not_be_answered_are_never_told(
    fake: Classifier, opened: Opened, key: Any
) -> None:
    opened(Given([0] * 50))
    moments = list(stream(fake, "x", deny=key, smoothing=Smoothing(enter=0.03, leave=0.02)))
    assert {label for _, label in shown(told(moments))} == {"dim", "grey", "bright"}
    assert all(p.label != "dark" for m in moments for p in (*m.steady, *m.result.predictions))


@pytest.mark.parametrize(
    "wrong",
    [
        {"top": 0},
        {"threshold": 1.5},
        {"workers": 0},
        {"workers": 5000},
        {"allow": ["purple"]},
        {"region": (0, 0, 2, 1)},
        {"rotation": 45},
    ],
)
def test_wrong_arguments_are_refused_before_the_source_is_opened(
    fake: Classifier, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any]
) -> None:
    monkeypatch.setattr(streaming, "open_frames", None)
    with pytest.raises(UsageError):
        stream(fake, "x", **wrong)


# ── what is left out, and what ends it ───────────────────────────────────────────────────────


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("kind", [ImageUnreadable, VideoUnreadable])
def test_a_frame_that_cannot_be_decoded_is_left_out_and_counted(
    fake: Classifier, opened: Opened, live: bool, kind: type[Exception]
) -> None:
    opened(Given([0, 0, kind("no"), 0], live=live))
    with stream(fake, "x") as moments:
        found = list(moments)
    assert [m.frame.number for m in found][:3] == [0, 1, 3]
    assert [m.dropped for m in found][:3] == [0, 0, 1]
    assert moments.dropped == 1


def test_if_no_frame_can_be_decoded_that_is_the_error(fake: Classifier, opened: Opened) -> None:
    opened(Given([VideoUnreadable("the first"), VideoUnreadable("the second")]))
    with pytest.raises(VideoUnreadable, match="the first"):
        list(stream(fake, "x"))


def test_of_frames_for_one_time_the_first_counts(fake: Classifier, opened: Opened) -> None:
    opened(Given([0, 255, 0, 0], times_ms=[0, 0, 40, 20]))
    moments = list(stream(fake, "x"))
    assert [m.time_ms for m in moments] == [0, 40]
    assert labels(moments) == ["dark", "dark"]


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("workers", [1, 3])
def test_what_was_seen_before_the_source_failed_is_told_first(
    fake: Classifier, opened: Opened, live: bool, workers: int
) -> None:
    given = opened(Given([0] * 30, live=live, failure=SourceUnavailable("it burns")))
    moments = stream(fake, "x", workers=workers)
    found: list[Moment] = []
    with pytest.raises(SourceUnavailable, match="it burns"):
        found.extend(moments)
    assert [m.frame.number for m in found][:30] == list(range(30))
    assert shown(told(found)) == [("start", "dark"), ("end", "dark")]
    assert given.closed


@pytest.mark.parametrize("live", [False, True])
def test_a_failing_model_ends_it(fake: Classifier, opened: Opened, live: bool) -> None:
    given = opened(Given(itertools.repeat(0), live=live))
    moments = stream(fake, "x")
    next(moments)

    def fail(batch: Any) -> Any:
        raise ModelDamaged("cannot run")

    runtime = whatsit.runtimes.fake.FakeRuntime
    original, runtime.run = runtime.run, lambda self, batch: fail(batch)  # type: ignore[method-assign]
    try:
        with pytest.raises(ModelDamaged, match="cannot run"):
            for _ in moments:
                pass
    finally:
        runtime.run = original  # type: ignore[method-assign]
    assert given.closed
    assert our_threads() == []


def test_no_frames_no_moments(fake: Classifier, opened: Opened) -> None:
    opened(Given([]))
    assert list(stream(fake, "x")) == []


# ── stopping early ───────────────────────────────────────────────────────────────────────────


def test_closing_stops_the_threads_and_lets_go_of_the_source(
    fake: Classifier, opened: Opened
) -> None:
    given = opened(Given(itertools.repeat(0)))
    moments = stream(fake, "x", workers=4)
    for _ in range(20):
        next(moments)
    assert our_threads() != []
    moments.close()
    assert our_threads() == []
    assert given.closed
    taken = given.taken
    time.sleep(0.02)
    assert given.taken == taken
    assert list(moments) == []
    moments.close()


def test_one_that_was_never_begun_can_be_closed(fake: Classifier, opened: Opened) -> None:
    given = opened(Given([0]))
    with stream(fake, "x"):
        pass
    assert given.closed


@pytest.mark.parametrize("begun", [False, True])
def test_one_that_nobody_closes_ends_with_its_last_reference(
    model: Classifier, clip: Path, begun: bool
) -> None:
    gc.disable()  # which would end it sooner or later
    try:
        moments = model.stream(clip, workers=2)
        if begun:
            next(moments)
        assert our_threads() != []
        del moments
        assert all_threads_end()
    finally:
        gc.enable()


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("after", [0, 1, 8, 9, 20, 49])  # 320 ms, the ninth, tells a start
def test_who_stops_early_gets_an_end_for_each_start(
    fake: Classifier, opened: Opened, live: bool, after: int
) -> None:
    opened(Given([0] * 20 + [255] * 40, live=live))
    moments = stream(fake, "x")
    events = told([next(moments) for _ in range(after)])
    events += moments.finish()
    assert moments.finish() == ()
    starts = [label for kind, label in shown(events) if kind == "start"]
    assert [label for kind, label in shown(events) if kind == "end"] == starts
    assert [e.time_ms for e in events] == sorted(e.time_ms for e in events)


# ── live ─────────────────────────────────────────────────────────────────────────────────────


def test_of_a_live_source_one_frame_is_taken_at_a_time(fake: Classifier, opened: Opened) -> None:
    given = opened(Given(itertools.repeat(0), live=True))
    with stream(fake, 0, workers=8) as moments:
        for count in range(1, 20):
            next(moments)
            assert given.taken == count
            assert our_threads() == []


def test_a_live_source_that_ends_gives_one_moment_more_for_its_ends(
    fake: Classifier, opened: Opened
) -> None:
    opened(Given([0] * 30, live=True))
    moments = list(stream(fake, 0))
    assert len(moments) == 31
    assert moments[-1].frame == moments[-2].frame
    assert moments[-1].time_ms == 1200
    assert segments(moments[-1].events) == [("dark", 0, 1200)]
    opened(Given([0] * 3, live=True))
    assert len(list(stream(fake, 0))) == 4  # it was short, so all of it counts


def test_drops_are_those_of_the_source(fake: Classifier, opened: Opened) -> None:
    given = opened(Given([0] * 5, live=True))
    with stream(fake, 0) as moments:
        assert next(moments).dropped == 0
        given.dropped = 7
        assert next(moments).dropped == 7
        assert moments.dropped == 7


def test_a_source_that_was_away_ends_what_was_there(fake: Classifier, opened: Opened) -> None:
    given = opened(Given([0] * 50, live=True))
    with stream(fake, 0) as moments:
        before = [next(moments) for _ in range(25)]
        given.reconnects = 1
        after = list(moments)
    assert shown(told(before)) == [("start", "dark")]
    assert segments(told(after)) == [("dark", 0, 960), ("dark", 1000, 2000)]


def test_a_loss_is_told_before_the_source_is_back(fake: Classifier, opened: Opened) -> None:
    given = opened(Given([0] * 25 + [None, None] + [0] * 25, live=True))
    with stream(fake, 0) as moments:
        before = [next(moments) for _ in range(25)]
        loss = next(moments)
        assert given.taken == 25
        assert moments.looked_at == 25
        after = list(moments)
    assert loss.frame is before[-1].frame
    assert loss.current is None
    assert shown(loss.events) == [("end", "dark")]
    assert (loss.time_ms, loss.events[0].time_ms) == (960, 960)
    assert segments(loss.events) == [("dark", 0, 960)]
    assert segments(told(after)) == [("dark", 1000, 2000)]
    assert len(after) == 26  # one for each frame, and the end: the second None told nothing


def test_a_loss_of_nothing_is_no_moment(fake: Classifier, opened: Opened) -> None:
    opened(Given([None, 0, 0, None], live=True))
    assert len(list(stream(fake, 0))) == 2


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("workers", [1, 3])
def test_no_frame_is_looked_at_from_the_limit_on(
    fake: Classifier, opened: Opened, live: bool, workers: int
) -> None:
    given = opened(Given(itertools.repeat(0), live=live, duration_ms=None if live else 9000.0))
    with stream(fake, "x", until_ms=1000, workers=workers) as moments:
        found = list(moments)
        made = moments.index(ended(told(found)))
    assert sorted({m.time_ms for m in found if m.frame is not None})[24] == 960
    assert max(m.frame.time_ms for m in found) == 960
    assert (made.frames, made.duration_ms) == (25, 1000)
    assert segments(told(found)) == [("dark", 0, 1000)]
    assert given.closed


@pytest.mark.parametrize("until_ms", [0, -1.0, float("nan"), float("inf")])
def test_a_limit_that_is_none(fake: Classifier, opened: Opened, until_ms: float) -> None:
    opened(Given([0]))
    with pytest.raises(UsageError, match="until_ms of"):
        stream(fake, "x", until_ms=until_ms)


# ── the index ────────────────────────────────────────────────────────────────────────────────


def test_an_index_says_what_appears_when(fake: Classifier, opened: Opened) -> None:
    opened(Given([0] * 25 + [255] * 50, duration_ms=3100.0))
    times: list[float] = []
    found = index(fake, "x", progress=times.append)
    assert [(s.label, s.start_ms, s.end_ms) for s in found.segments] == [
        ("dark", 0, 1000),
        ("bright", 1000, 3000),
    ]
    assert [(seen.label, seen.total_ms) for seen in found.labels] == [
        ("bright", 2000),
        ("dark", 1000),
    ]
    assert (found.source, found.model, found.frames) == ("given", "fake", 75)
    assert found.model_sha256 == fake.bundle.sha256
    assert found.duration_ms == 3100
    assert found.smoothing == Smoothing()
    assert times == [k * STEP_MS for k in range(75)]
    assert Index.from_json(found.to_json()) == found


def test_an_index_says_how_many_frames_were_dropped(fake: Classifier, opened: Opened) -> None:
    given = opened(Given([0] * 10, live=True))
    given.dropped = 7
    with stream(fake, 0) as moments:
        list(moments)
        found = moments.index([])
    assert (found.frames, found.frames_dropped) == (10, 7)
    assert Index.from_json(found.to_json()) == found


def test_without_a_stated_duration_it_is_the_end_of_the_last_frame(
    fake: Classifier, opened: Opened
) -> None:
    opened(Given([0] * 10))
    assert index(fake, "x").duration_ms == 400


# ── a real clip ──────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cat for 1.2 s, then an espresso: the pictures move a little, in H.264."""
    path = tmp_path_factory.mktemp("clips") / "walk.mp4"

    def pictures() -> Iterator[np.ndarray]:
        for name in ("cat.png", "coffee.png"):
            with Image.open(zoo.GOLDEN / name) as image:
                picture = image.convert("RGB").resize((400, 300))
            for k in range(30):
                yield np.asarray(picture.crop((k, k // 2, 352 + k, 240 + k // 2)))

    make_videos.write(path, pictures(), rate=25)
    return path


@pytest.fixture(scope="module")
def model() -> Iterator[Classifier]:
    with whatsit.load() as classifier:
        yield classifier


def test_a_real_clip_is_found_by_what_it_shows(model: Classifier, clip: Path) -> None:
    found = index(model, clip)
    assert found.frames == 60
    assert found.duration_ms == pytest.approx(2400, abs=50)
    for word, start_ms, end_ms in (("cat", 0, 1200), ("espresso", 1200, 2400)):
        seen = found.find(word)
        assert seen != []
        assert min(s.start_ms for s in seen) == pytest.approx(start_ms, abs=90)
        assert max(s.end_ms for s in seen) == pytest.approx(end_ms, abs=90)
    assert found.find("dog") == []
    assert {s.index for s in found.find("n02121808")} <= CATS  # domestic cat
    assert index(model, clip, workers=1) == found


def test_each_frame_is_answered_as_a_picture_is(model: Classifier, clip: Path) -> None:
    with stream(model, clip, top=3, region=(0.1, 0, 1, 1), rotation=180) as moments:
        found = list(itertools.islice(moments, 40))
    assert all_threads_end()
    for moment in found[::13]:
        pixels = moment.frame.image.rgb()
        assert pixels.shape == (240, 352, 3)
        assert moment.result == model.classify(pixels, top=3, region=(0.1, 0, 1, 1), rotation=180)


def test_every_so_often_is_enough(model: Classifier, clip: Path) -> None:
    moments = list(stream(model, clip, every_ms=400))
    assert [round(m.time_ms) for m in moments] == [0, 400, 800, 1200, 1600, 2000]
    found = index(model, clip, every_ms=400)
    assert found.every_ms == 400
    assert found.frames == 6
    assert found.find("cat")[0].start_ms == 0
    assert found.find("espresso")[0].start_ms == 1200


def test_the_method_of_the_model_gives_the_same(model: Classifier, clip: Path) -> None:
    own = [facts(m) for m in model.stream(clip, top=1)]
    assert own == [facts(m) for m in stream(model, clip, top=1)]


def test_a_file_that_is_no_video_is_refused_at_once(model: Classifier, tmp_path: Path) -> None:
    (tmp_path / "x.mp4").write_bytes(b"not a video" * 50)
    with pytest.raises(VideoUnreadable):
        stream(model, tmp_path / "x.mp4")
    with pytest.raises(SourceUnavailable):
        index(model, tmp_path / "missing.mp4")
    assert all_threads_end()
