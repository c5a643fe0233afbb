"""`whatsit watch`: videos made of the golden photos, live sources, folders, and how each ends."""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import av
import make_videos
import numpy as np
import pytest
from conftest import CATS, ESPRESSO, Run
from PIL import Image
from stream_server import StreamServer

import whatsit as package
from whatsit import zoo
from whatsit.cli import watch_text
from whatsit.events import Event, Index, Segment
from whatsit.smoothing import Smoothing

Program = Callable[..., Run]
COMMAND = [sys.executable, "-m", "whatsit", "watch"]
RATE = 10
# Pictures that libav makes itself, as a camera would: live, and without an end.
ENDLESS = ["--format", "lavfi", "testsrc2=size=128x96:rate=10"]
# Whatever the model makes of such pictures, something is told of each.
SOON = ["--json", "--smooth", "off", "--threshold", "0.01"]
posix = pytest.mark.skipif(os.name != "posix", reason="signals and pipes of POSIX")


def photo(name: str, size: tuple[int, int] = (320, 240)) -> make_videos.Pixels:
    with Image.open(zoo.GOLDEN / name) as file:
        return np.asarray(file.convert("RGB").resize(size))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cat for 1.5 s, then an espresso for 1.5 s."""
    path = tmp_path_factory.mktemp("clips") / "cat, then coffee.mp4"
    pictures = [photo("cat.png")] * 15 + [photo("coffee.png")] * 15
    make_videos.write(path, pictures, rate=RATE)
    return path


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cat for 200 s: much longer than anybody waits in these tests."""
    path = tmp_path_factory.mktemp("clips") / "long.mp4"
    cat = photo("cat.png", (128, 96))
    make_videos.write(path, (cat for _ in range(2000)), rate=RATE, options={"crf": "20"})
    return path


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def decoded(path: Path) -> list[tuple[int, Any]]:
    """Time in ms and RGB of each frame."""
    with av.open(str(path)) as container:
        return [
            (round(float(frame.time) * 1e3), frame.to_ndarray(format="rgb24"))
            for frame in container.decode(video=0)
        ]


# A file.


def test_lines(whatsit: Program, clip: Path) -> None:
    run = whatsit("watch", clip)
    assert (run.status, run.err) == (0, "")
    assert re.fullmatch(
        r"   0:00\.0  start  (tabby|Egyptian cat|tiger cat)  \d\d %\n"
        r"(.*cat.*\n|.*tabby.*\n)*"
        r"   0:01\.5  start  espresso  \d\d %\n"
        r"(.*\n)*"
        r"   0:03\.0  end    espresso  \d\d % over 1\.5 s\n",
        run.out,
    )
    assert len(run.out.splitlines()) % 2 == 0


def test_objects(whatsit: Program, clip: Path) -> None:
    run = whatsit("watch", clip, "--json")
    events = objects(run.out)
    assert (run.status, run.err) == (0, "")
    starts = [event for event in events if event["event"] == "start"]
    ends = [event for event in events if event["event"] == "end"]
    assert sorted(event["index"] for event in starts) == sorted(event["index"] for event in ends)
    assert events[0]["index"] in CATS
    assert starts[-1]["index"] == ends[-1]["index"] == ESPRESSO
    assert (ends[-1]["start_ms"], ends[-1]["end_ms"]) == (1500, 3000)
    assert {event["event"]: list(event) for event in events} == {
        "start": ["event", "time_ms", "start_ms", "index", "label", "score"],
        "end": "event time_ms start_ms end_ms index label score peak_score".split(),
    }
    assert [event["time_ms"] for event in events] == sorted(event["time_ms"] for event in events)


def test_they_are_those_of_the_library(whatsit: Program, clip: Path) -> None:
    run = whatsit("watch", clip, "--json", "-m", "mobilenet-v2-int8", "--every", "200ms")
    with package.load("mobilenet-v2-int8") as model:
        moments = list(model.stream(clip, every_ms=200))
    told = [json.loads(json.dumps(event.to_json())) for m in moments for event in m.events]
    assert objects(run.out) == told
    assert len(moments) == 15


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_workers_change_nothing(whatsit: Program, clip: Path, workers: int) -> None:
    one = whatsit("watch", clip, "--json", "--threads", 1, "--workers", 1)
    assert whatsit("watch", clip, "--json", "--threads", 1, "--workers", workers).out == one.out


def test_a_part_of_it(whatsit: Program, clip: Path) -> None:
    events = objects(whatsit("watch", clip, "--json", "--for", "1s").out)
    assert {event["index"] for event in events} <= CATS
    assert events[-1]["event"] == "end"
    assert max(event["time_ms"] for event in events) == 1000
    assert max(event.get("end_ms", 0) for event in events) == 1000


@pytest.mark.parametrize(("rate", "frames"), [(30, 30), (5, 5)])
@pytest.mark.parametrize("workers", [1, 3])
def test_a_part_has_no_frame_beyond_it(
    whatsit: Program, tmp_path: Path, rate: int, frames: int, workers: int
) -> None:
    path, video, index = (tmp_path / name for name in ("v.mp4", "o.mp4", "i.json"))
    make_videos.write(path, [photo("cat.png", (128, 96))] * (2 * rate), rate=rate)
    options = ("--save", video, "--index", index, "--workers", workers)
    run = whatsit("watch", path, "--for", "1s", *options)
    assert run.out.startswith(f"{path}: 0:01.0, {frames} frames")
    assert len(decoded(video)) == frames
    found = Index.read(index)
    assert (found.frames, found.frames_dropped, found.duration_ms) == (frames, 0, 1000)


def test_a_video_shorter_than_the_least_is_told(whatsit: Program, tmp_path: Path) -> None:
    make_videos.write(tmp_path / "v.mp4", [photo("cat.png")], rate=RATE)
    events = objects(whatsit("watch", tmp_path / "v.mp4", "--json").out)
    assert events
    assert {event["index"] for event in events} <= CATS


def test_longer_than_it_is(whatsit: Program, clip: Path) -> None:
    whole, more = (whatsit("watch", clip, *for_) for for_ in ([], ["--for", "1h"]))
    assert whole == more


def test_what_the_picture_is_asked(whatsit: Program, clip: Path) -> None:
    run = whatsit("watch", clip, "--json", "--deny", ESPRESSO, "--threshold", 0.05)
    assert ESPRESSO not in {event["index"] for event in objects(run.out)}
    upside_down = whatsit("watch", clip, "--json", "--rotate", 180).out
    assert upside_down != whatsit("watch", clip, "--json").out
    assert whatsit("watch", clip, "--json", "--region", "0,0,0.3,0.3").out != upside_down


def test_without_smoothing_each_frame_is_for_itself(whatsit: Program, clip: Path) -> None:
    smooth, off = (
        objects(whatsit("watch", clip, "--json", *option).out)
        for option in ([], ["--smooth", "off"])
    )
    first = [event["time_ms"] for event in (smooth[0], off[0])]
    assert first[0] >= 300
    assert first[1] == 0


def test_nothing_seen_is_said(whatsit: Program, clip: Path) -> None:
    run = whatsit("watch", clip, "--threshold", 1)
    assert (run.status, run.out) == (0, "")
    assert run.err.startswith("note      no class was seen long enough")


def test_standard_input(clip: Path) -> None:
    with clip.open("rb") as file:
        done = subprocess.run(
            [*COMMAND, "-"], stdin=file, capture_output=True, text=True, check=True
        )
    assert "espresso" in done.stdout


def test_a_file_that_is_piped_in(tmp_path: Path) -> None:
    cat = photo("cat.png", (128, 96))
    data = make_videos.encoded((cat for _ in range(500)), "mpegts", rate=RATE)
    runs = [
        subprocess.run(
            [*COMMAND, "-", "--json", *live], input=data, capture_output=True, check=True
        )
        for live in ([], ["--no-live"])
    ]
    assert re.match(
        rb"note      \d+ of 500 frames were dropped, as they came too fast: ffmpeg -re sends",
        runs[0].stderr,
    )
    assert runs[1].stderr == b""
    assert {e["end_ms"] for e in objects(runs[1].stdout.decode()) if "end_ms" in e} == {50_000}


def test_a_file_can_be_played_at_its_own_pace(whatsit: Program, clip: Path) -> None:
    run = whatsit("watch", clip, "--json", "--live", "--for", "1s")
    assert run.status == 0
    assert max(event.get("end_ms", 0) for event in objects(run.out)) <= 1500


# --index.


def test_an_index(whatsit: Program, clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "index.json"
    run = whatsit("watch", clip, "--index", path)
    assert (run.status, run.err) == (0, "")
    lines = run.out.splitlines()
    assert lines[0] == f"{clip}: 0:03.0, 30 frames"
    assert lines[2].split() == ["class", "in", "all", "from", "–", "to"]
    assert any(re.fullmatch(r"espresso +1\.5 s +0:01\.5 – 0:03\.0 *", line) for line in lines)
    assert lines[-1] == f"All of it is in {path}"
    index = Index.read(path)
    assert [segment.index for segment in index.find("espresso")] == [ESPRESSO]
    assert {segment.index for segment in index.find("feline")} & CATS
    assert (index.duration_ms, index.frames, index.source) == (3000, 30, str(clip))


def test_an_index_and_objects(whatsit: Program, clip: Path, tmp_path: Path) -> None:
    run = whatsit("watch", clip, "--index", tmp_path / "i.json", "--json")
    assert run.out == whatsit("watch", clip, "--json").out
    ends = [event for event in objects(run.out) if event["event"] == "end"]
    assert len(Index.read(tmp_path / "i.json").segments) == len(ends)


def test_an_index_of_a_part(whatsit: Program, clip: Path, tmp_path: Path) -> None:
    run = whatsit("watch", clip, "--index", tmp_path / "i.json", "--for", "0.8s")
    assert run.out.startswith(f"{clip}: 0:00.8, ")
    index = Index.read(tmp_path / "i.json")
    assert index.duration_ms == 800
    assert max(segment.end_ms for segment in index.segments) == 800


def test_an_index_of_nothing(whatsit: Program, clip: Path, tmp_path: Path) -> None:
    run = whatsit("watch", clip, "--index", tmp_path / "i.json", "--threshold", 1)
    assert "Nothing was seen for long enough to be told." in run.out
    assert Index.read(tmp_path / "i.json").segments == ()


def test_a_table_of_many_classes_and_times(capsys: pytest.CaptureFixture[str]) -> None:
    labels = package.load("mobilenet-v2-int8").bundle.labels
    segments = [
        Segment(3.7e6 + start, 3.7e6 + start + 900.0, index, "", None, 0.5, 0.9, 0.0)
        for index in range(40)
        for start in range(0, 6000, 1000)
    ]
    index = Index.of(
        segments,
        labels,
        source="a.mp4",
        model="m",
        model_sha256="",
        duration_ms=8e6,
        frames=9000,
        every_ms=None,
        smoothing=Smoothing(),
    )
    watch_text.print_index(index, "i.json")
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0] == "a.mp4: 2:13:20.0, 9,000 frames"
    assert lines.count(lines[7]) == 30
    assert lines[7].strip() == "… 2 more times"
    assert lines[-3:] == ["… and 10 more classes", "", "All of it is in i.json"]


# --save.


def test_an_annotated_video(whatsit: Program, clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    run = whatsit("watch", clip, "--save", path)
    assert run == whatsit("watch", clip)  # but for the file, nothing changes
    frames = decoded(path)
    assert [time for time, _ in frames] == [time for time, _ in decoded(clip)]
    before, after = photo("coffee.png").astype(int), frames[-1][1]
    assert np.abs(after[100:] - before[100:]).mean() < 6
    assert after[4:14, 150:160].mean() < before[4:14, 150:160].mean()  # the ground of the labels
    assert os.listdir(tmp_path) == ["out.mp4"]


def test_only_the_frames_that_were_looked_at(whatsit: Program, clip: Path, tmp_path: Path) -> None:
    whatsit("watch", clip, "--save", tmp_path / "o.mp4", "--every", "0.5s", "--for", "2s")
    assert [time for time, _ in decoded(tmp_path / "o.mp4")] == [0, 500, 1000, 1500]


def test_the_model_sees_nothing_mirrored(whatsit: Program, clip: Path, tmp_path: Path) -> None:
    plain = whatsit("watch", clip, "--json", "--save", tmp_path / "p.mp4")
    mirrored = whatsit("watch", clip, "--json", "--save", tmp_path / "m.mp4", "--mirror")
    assert mirrored == plain
    one, other = (decoded(tmp_path / name)[0][1].astype(int) for name in ("p.mp4", "m.mp4"))
    assert np.abs(one[100:] - other[100:, ::-1]).mean() < 4
    assert np.abs(one[100:] - other[100:]).mean() > 10


def test_a_picture_that_is_turned_is_saved_so(whatsit: Program, clip: Path, tmp_path: Path) -> None:
    whatsit("watch", clip, "--for", "1s", "--save", tmp_path / "o.mp4", "--rotate", 90)
    frames = [rgb.astype(int) for _, rgb in decoded(tmp_path / "o.mp4")]
    turned = photo("cat.png").astype(int).transpose(1, 0, 2)[:, ::-1]  # (W, H, 3), clockwise
    assert len(frames) == 10
    assert np.abs(frames[0][120:] - turned[120:]).mean() < 6


def test_an_input_is_never_replaced(whatsit: Program, clip: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.mp4"
    shutil.copy(clip, own)
    (tmp_path / "link.mp4").symlink_to(own)
    for option, target in (("--save", own), ("--save", tmp_path / "link.mp4"), ("--index", own)):
        run = whatsit("watch", own, option, target)
        assert run.status == 2
        assert "would replace a file that the run reads" in run.err
    assert own.read_bytes() == clip.read_bytes()


# What cannot work.


@pytest.mark.parametrize(
    ("options", "message", "expected"),
    [
        (["--every", "0"], "--every '0'", "a time above 0 such as 0.5s or 500ms"),
        (["--every", "abc"], "--every 'abc'", "a time above 0"),
        (["--every", "-1s"], "--every '-1s'", "a time above 0"),
        (["--every", "nan"], "--every 'nan'", "a time above 0"),
        (["--every", ""], "--every ''", "a time above 0"),
        (["--for", "0s"], "--for '0s'", "a time above 0"),
        (["--for", "1x"], "--for '1x'", "a time above 0"),
        (["--smooth", "-1"], "smoothing over '-1'", "a time from 0s to"),
        (["--smooth", "much"], "smoothing over 'much'", "a time from 0s to"),
        (["--size", "12"], "--size '12'", "width and height such as 1280x720"),
        (["--size", "0x9"], "--size '0x9'", "width and height"),
        (["--size", "640x480"], "a size or rate for", "neither, but for cameras"),
        (["--fps", "0"], "fps of 0", "a number above 0"),
        (["--fps", "abc"], "invalid value for '--fps'", "whatsit watch"),
        (["--fps", "25"], "a size or rate for", "neither, but for cameras"),
        (["--mirror"], "--mirror without --save", "--save FILE"),
        (["--save", "out.avi"], "a video 'out.avi'", "a name that ends in .mp4"),
        (["--save", ""], "--save with an empty name", "the name of a file"),
        (["--index", ""], "--index with an empty name", "the name of a file"),
        (["--save", "a.mp4", "--index", "a.mp4"], "--save and --index both write", "two files"),
        (["--top", "0"], "the top 0 classes", "at least 1"),
        (["--threshold", "2"], "a threshold of 2", "a probability"),
        (["--threshold", "0"], "a threshold of 0", "a probability above 0"),
        (["--threshold", "nan"], "a threshold of nan", "a probability"),
        (["--workers", "0"], "0 workers", "a number from 1"),
        (["--threads", "0"], "0 threads", "a number from 1"),
        (["--allow", "unicorn"], "unicorn", ""),
        (["--region", "1"], "'1' is not a region", "left,top,right,bottom"),
        (["--rotate", "45"], "45", "90"),
        (["--format", "no-such"], "the input format 'no-such' is not known", ""),
        (["--runtime", "no"], "no runtime 'no'", "one of"),
        (["more.mp4"], "unexpected extra argument", "whatsit watch"),
    ],
)
def test_wrong_usage(
    whatsit: Program,
    clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    message: str,
    expected: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    run = whatsit("watch", clip, *options)
    first, *others = run.err.splitlines()
    assert (run.status, run.out) == (2, "")
    assert first.startswith("error     ")
    assert message in first
    assert len(others) <= 2
    assert expected in "".join(others)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["--save", "--index"])
def test_a_target_that_cannot_be_written_is_said_before_the_work(
    whatsit: Program, tmp_path: Path, option: str
) -> None:
    run = whatsit("watch", "no-such-source.mp4", option, tmp_path / "no" / "x.mp4")
    assert run.status == 1
    assert "no such folder" in run.err.splitlines()[0]


def test_sources_that_are_not_there(whatsit: Program, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "empty.mp4").touch()
    for source, message in (
        ("no.mp4", "no file 'no.mp4'"),
        (tmp_path / "text.mp4", "is not a video of a known kind"),
        (tmp_path / "empty.mp4", "is empty"),
    ):
        run = whatsit("watch", source, "--save", tmp_path / "o.mp4", "--index", tmp_path / "i.json")
        assert (run.status, run.out) == (1, "")
        assert message in run.err.splitlines()[0]
        assert len(run.err.splitlines()) <= 3
    assert sorted(os.listdir(tmp_path)) == ["empty.mp4", "text.mp4"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="cameras of Linux")
@pytest.mark.parametrize("source", ["97", "/dev/video97"])
def test_a_camera_that_is_not_there(whatsit: Program, source: str) -> None:
    run = whatsit("watch", source)
    assert (run.status, run.out) == (1, "")
    assert run.err.splitlines()[0] == "error     there is no camera '/dev/video97'"
    assert run.err.splitlines()[-1].startswith("hint      ")


def test_a_video_that_is_cut_short_is_told_as_far_as_it_goes(
    whatsit: Program, clip: Path, tmp_path: Path
) -> None:
    path = tmp_path / "short.ts"
    with path.open("wb") as file:
        make_videos.write(file, [photo("cat.png")] * 20, kind="mpegts", rate=RATE)
    path.write_bytes(path.read_bytes()[:-3000])
    run = whatsit("watch", path, "--json")
    assert run.status == 0
    assert objects(run.out)[0]["index"] in CATS


# A folder that fills up.


@pytest.fixture
def started() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Runs the command beside the test, and ends what the test leaves."""
    children: list[subprocess.Popen[str]] = []

    def start(*arguments: object, **streams: Any) -> subprocess.Popen[str]:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
        child = subprocess.Popen([*COMMAND, *map(str, arguments)], text=True, **pipes)
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        child.communicate()


def interrupted(child: subprocess.Popen[str], number: int = signal.SIGINT) -> Run:
    child.send_signal(number)
    assert child.stdout is not None
    assert child.stderr is not None
    # Not by communicate(), which passes by what was read and not yet taken.
    out, err = child.stdout.read(), child.stderr.read()
    return Run(child.wait(60), out, err)


def line_of(stream: IO[str] | None) -> str:
    """The next line; the end of the stream if none comes, since the test would wait for ever."""
    assert stream is not None
    ready, _, _ = select.select([stream], [], [], 60)
    return stream.readline() if ready else ""


@posix
def test_pictures_as_they_come(
    started: Callable[..., subprocess.Popen[str]], cat: Path, coffee: Path, tmp_path: Path
) -> None:
    shutil.copy(cat, tmp_path / "b.png")
    child = started(tmp_path, "--json")
    first = json.loads(line_of(child.stdout))
    shutil.copy(coffee, tmp_path / "a.png")
    second = json.loads(line_of(child.stdout))
    assert [first["path"], second["path"]] == [str(tmp_path / name) for name in ("b.png", "a.png")]
    assert first["predictions"][0]["index"] in CATS
    assert second["predictions"][0]["index"] == ESPRESSO
    assert interrupted(child) == Run(0, "", "")


@posix
def test_a_bad_picture_among_them(
    started: Callable[..., subprocess.Popen[str]], cat: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    shutil.copy(cat, tmp_path / "b.png")
    child = started(tmp_path, "-k", 1)
    assert line_of(child.stdout) == f"{tmp_path / 'b.png'}  ambiguous: domestic cat\n"
    run = interrupted(child)
    assert run.status == 1
    assert f"error     {str(tmp_path / 'a.png')!r} is not a picture" in run.err


def test_an_empty_picture_is_answered(
    whatsit: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("whatsit.frames.folder._EMPTY_S", 0.5)
    (tmp_path / "a.png").touch()
    run = whatsit("watch", tmp_path, "--for", "1.5s", "--json")
    assert run.status == 1
    (answer,) = objects(run.out)
    assert answer["error"]["code"] == "image-unreadable"
    assert f"{str(tmp_path / 'a.png')!r} is empty" in answer["error"]["message"]


def test_a_folder_for_a_time(whatsit: Program, tmp_path: Path) -> None:
    assert whatsit("watch", tmp_path, "--for", "0.2s") == Run(0, "", "")


@pytest.mark.parametrize(
    "options",
    [
        ["--every", "1s"],
        ["--save", "a.mp4"],
        ["--save", "a.mp4", "--mirror"],
        ["--index", "a.json"],
        ["--smooth", "1s"],
        ["--workers", "2"],
        ["--live"],
        ["--format", "v4l2"],
        ["--size", "64x64"],
        ["--fps", "5"],
    ],
)
def test_what_a_folder_has_no_use_for(whatsit: Program, tmp_path: Path, options: list[str]) -> None:
    run = whatsit("watch", tmp_path, *options)
    assert run.status == 2
    assert run.err.startswith(f"error     {options[0]} with the folder")
    assert len(run.err.splitlines()) == 3


# How it ends.


@posix
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_file_that_is_interrupted(
    started: Callable[..., subprocess.Popen[str]],
    long_clip: Path,
    tmp_path: Path,
    number: int,
    status: int,
) -> None:
    video, index = tmp_path / "o.mp4", tmp_path / "i.json"
    child = started(long_clip, "--save", video, "--json", "--index", index, "--workers", 1)
    first = line_of(child.stdout)
    run = interrupted(child, number)
    events = objects(first + run.out)
    assert run.status == status
    assert run.err == (
        f"note      interrupted at {re.findall(r'0:[0-9.]+', run.err)[0]} of 3:20.0; "
        f"{video} has what was seen so far; {index} was not written\n"
    )
    counts = [sum(event["event"] == kind for event in events) for kind in ("start", "end")]
    assert counts[0] == counts[1] > 0
    frames = decoded(video)
    assert 4 <= len(frames) < 2000
    assert abs(frames[-1][0] - events[-1]["end_ms"]) <= 200
    assert os.listdir(tmp_path) == ["o.mp4"]


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_live_source_is_ended_so(
    started: Callable[..., subprocess.Popen[str]], tmp_path: Path, number: int
) -> None:
    video, index = tmp_path / "o.mp4", tmp_path / "i.json"
    options = (*SOON, "--save", video, "--index", index)
    child = started(*ENDLESS, *options)
    first = line_of(child.stdout)
    run = interrupted(child, number)
    events = objects(first + run.out)
    assert (run.status, but_for_drops(run.err)) == (0, "")
    assert len(events) % 2 == 0
    frames = decoded(video)
    found = Index.read(index)
    assert len(found.segments) == len(events) / 2
    assert abs(found.frames - len(frames)) <= 1
    assert sorted(os.listdir(tmp_path)) == ["i.json", "o.mp4"]


def but_for_drops(notes: str) -> str:
    """A busy machine has no time for all of the frames."""
    return re.sub(r"note      \d+ of \d+ frames? (was|were) dropped\n", "", notes)


@posix
def test_a_signal_that_comes_twice_loses_nothing(
    started: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    child = started(*ENDLESS, *SOON, "--index", tmp_path / "i.json")
    first = line_of(child.stdout)
    child.send_signal(signal.SIGINT)
    time.sleep(0.01)
    run = interrupted(child)
    events = objects(first + run.out)
    assert (run.status, but_for_drops(run.err)) == (0, "")
    assert len(Index.read(tmp_path / "i.json").segments) == len(events) / 2


def test_dropped_frames_are_told(whatsit: Program, tmp_path: Path) -> None:
    many = ["--format", "lavfi", "testsrc2=size=128x96:rate=2000"]
    path = tmp_path / "i.json"
    run = whatsit("watch", *many, "--for", "0.5s", "--index", path, "--json")
    note = re.fullmatch(r"note      ([\d,]+) of ([\d,]+) frames were dropped\n", run.err)
    assert run.status == 0
    assert note is not None
    dropped, frames = (int(text.replace(",", "")) for text in note.groups())
    found = Index.read(path)
    assert (found.frames_dropped, found.frames) == (dropped, frames - dropped)
    assert dropped > 0


def test_a_live_source_for_a_time(whatsit: Program, tmp_path: Path) -> None:
    options = ("--for", "1s", "--save", tmp_path / "o.mp4", "--index", tmp_path / "i.json")
    run = whatsit("watch", *ENDLESS, *options)
    assert (run.status, but_for_drops(run.err)) == (0, "")
    assert 2 <= len(decoded(tmp_path / "o.mp4")) <= 13
    assert Index.read(tmp_path / "i.json").duration_ms <= 1500


@posix
def test_a_source_that_is_lost_and_comes_back(
    started: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    lines = tmp_path / "lines"

    def there() -> int:
        """How many starts have no end yet."""
        kinds = [event["event"] for event in objects(lines.read_text())]
        return kinds.count("start") - kinds.count("end")

    with StreamServer("ts") as server, lines.open("w") as file:
        child = started(server.url, *SOON, "--every", "0.2s", stdout=file)
        assert waited_for(there)
        server.stop()
        assert "trying to connect again" in line_of(child.stderr)
        assert waited_for(lambda: not there())  # while nothing comes
        server.start()
        assert "is back after" in line_of(child.stderr)
        child.send_signal(signal.SIGINT)
        assert child.stderr is not None
        assert (but_for_drops(child.stderr.read()), child.wait(60)) == ("", 0)


def waited_for(reached: Callable[[], object]) -> bool:
    """Whether it comes to be, in a minute at most."""
    deadline_s = time.monotonic() + 60
    while not reached() and time.monotonic() < deadline_s:
        time.sleep(0.02)
    return bool(reached())


@posix
def test_a_wait_is_interrupted(started: Callable[..., subprocess.Popen[str]]) -> None:
    """A source that is lost gives no frames between which the end could be seen."""
    with StreamServer("ts") as server:
        child = started(server.url, *SOON, "--every", "0.2s")
        assert line_of(child.stdout)
        server.stop()
        line_of(child.stderr)
        assert interrupted(child).status == 0


@posix
def test_a_wait_ends_with_the_time(started: Callable[..., subprocess.Popen[str]]) -> None:
    with StreamServer("ts") as server:
        child = started(server.url, *SOON, "--for", "3s", "--every", "0.2s")
        assert line_of(child.stdout)
        server.stop()
        child.communicate(timeout=60)
    assert child.returncode == 0


PRINTING = [[], ["--json"], ["--index", "{}"], ["--save", "{}"]]


@posix
@pytest.mark.parametrize("options", PRINTING, ids=" ".join)
def test_a_reader_that_has_gone_is_no_error(clip: Path, tmp_path: Path, options: list[str]) -> None:
    target = str(tmp_path / "out.mp4")
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [*COMMAND, str(clip), *(text.format(target) for text in options)],
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")
    assert os.listdir(tmp_path) == (["out.mp4"] if "{}" in options else [])
    if "--save" in options:
        assert decoded(tmp_path / "out.mp4")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux")
@pytest.mark.parametrize("options", PRINTING, ids=" ".join)
def test_a_full_disk_is_said(clip: Path, tmp_path: Path, options: list[str]) -> None:
    target = str(tmp_path / "out.mp4")
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*COMMAND, str(clip), *(text.format(target) for text in options)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error     cannot write the results: No space left on device",
        "hint      is the disk full?",
    ]


# Words.


@pytest.mark.parametrize(
    ("time_ms", "text"),
    [
        (0, "0:00.0"),
        (1234, "0:01.2"),
        (59_949, "0:59.9"),
        (59_950, "1:00.0"),
        (61_000, "1:01.0"),
        (3_599_999, "1:00:00.0"),
        (3_723_400, "1:02:03.4"),
    ],
)
def test_a_time(time_ms: float, text: str) -> None:
    assert watch_text.clock(time_ms) == text


def test_a_line_has_no_code_of_its_label() -> None:
    segment = Segment(0.0, 900.0, 0, "a\x1b[31m\nb", None, 0.5, 0.9, 100.0)
    line = watch_text.event_line(Event("end", 1000.0, segment, 0.4))
    assert line == "   0:00.9  end    a\\x1b[31m\\nb  50 % over 0.9 s"


# The guide.


def test_the_programs_of_the_guide(
    clip: Path,
    whatsit: Program,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(clip, "clip.mp4")
    whatsit("watch", "clip.mp4", "--index", "clip.json")
    page = (Path(__file__).parents[1] / "docs" / "video.md").read_text(encoding="utf-8")
    search, moments = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(compile(search, "video.md", "exec"), {})
    assert re.match(r"espresso \d+", capsys.readouterr().out)
    exec(compile(moments, "video.md", "exec"), {})
    out = capsys.readouterr().out
    assert "2.5 s: espresso\n" in out
    assert "end espresso\n" in out
