"""Video files as frames: order, times, colours, how they lie, and damage."""

from __future__ import annotations

import gc
import io
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from whatsit import UsageError, VideoUnreadable, frames
from whatsit.frames import open_frames, picture

av = pytest.importorskip("av")
videos = pytest.importorskip("make_videos")

KINDS = {
    "clip.mp4": {},
    "clip.mov": {},
    "clip.mkv": {},
    "clip.webm": {"codec": "libvpx-vp9"},
    "clip.avi": {"codec": "mpeg4", "options": {"qscale": "2"}},
    "clip.ts": {},
    "clip.flv": {},
    "clip.h264": {"kind": "h264"},
    "clip.mjpeg": {"codec": "mjpeg", "kind": "mjpeg", "pixels": "yuvj420p"},
}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifty numbered pictures, 25 a second."""
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    videos.write(path, videos.numbered(50))
    return path


@pytest.mark.parametrize("name", KINDS)
def test_every_frame_comes_in_order_with_its_time(tmp_path: Path, name: str) -> None:
    videos.write(tmp_path / name, videos.numbered(30), **KINDS[name])
    with open_frames(tmp_path / name) as source:
        found = list(source)
    assert [videos.number_of(frame.image.rgb()) for frame in found] == list(range(30))
    assert [frame.number for frame in found] == list(range(30))
    # FLV and Matroska tell times in whole milliseconds.
    expected = pytest.approx([40.0 * number for number in range(30)], abs=1)
    assert [frame.time_ms for frame in found] == expected
    assert {frame.dropped for frame in found} == {0}


def test_what_the_source_is(clip: Path) -> None:
    with open_frames(str(clip)) as source:
        info = source.info
    assert info == frames.SourceInfo("file", str(clip), False, 128, 64, 25.0, 2000.0, 0)


def test_times_are_those_of_a_video_with_a_changing_rate(tmp_path: Path) -> None:
    times = [0, 40, 50, 300, 1000, 1001, 5000]
    videos.write(tmp_path / "v.mp4", videos.numbered(len(times)), times_ms=times)
    with open_frames(tmp_path / "v.mp4") as source:
        assert [frame.time_ms for frame in source] == pytest.approx(times, abs=0.1)


def test_one_frame_each_so_many_milliseconds(tmp_path: Path) -> None:
    times = [0, 40, 120, 190, 200, 210, 390, 410, 1000, 1040]
    videos.write(tmp_path / "v.mp4", videos.numbered(len(times)), times_ms=times)
    with open_frames(tmp_path / "v.mp4", every_ms=200) as source:
        found = [(round(frame.time_ms), frame.number, frame.dropped) for frame in source]
    assert found == [(0, 0, 0), (200, 4, 0), (410, 7, 0), (1000, 8, 0)]


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv"])
def test_rounded_times_do_not_shift_the_grid(tmp_path: Path, name: str) -> None:
    videos.write(tmp_path / name, videos.numbered(90), rate=30)
    with open_frames(tmp_path / name, every_ms=500) as source:
        assert [frame.number for frame in source] == [0, 15, 30, 45, 60, 75]


def test_sound_beside_the_pictures_is_left_aside(tmp_path: Path) -> None:
    videos.write(tmp_path / "v.mp4", videos.numbered(25), sound=True)
    with open_frames(tmp_path / "v.mp4") as source:
        assert [round(frame.time_ms) for frame in source] == list(range(0, 1000, 40))


def test_a_file_object_is_read_and_left_open(clip: Path) -> None:
    with io.BytesIO(clip.read_bytes()) as file, clip.open("rb") as other:
        for given, name in ((file, "<file object>"), (other, str(clip))):
            with open_frames(given) as source:
                assert (source.info.kind, source.info.name) == ("file", name)
                assert len(list(source)) == 50
            assert not given.closed


@pytest.mark.parametrize("name", ["12:30.mp4", "a b#ü%20.mp4", "concat:x.mp4", "-"])
def test_odd_names_are_files(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / name).write_bytes(clip.read_bytes())
    monkeypatch.chdir(tmp_path)
    with open_frames(Path(name)) as source:
        assert source.info.name == name
        assert len(list(source)) == 50


@pytest.mark.skipif(sys.platform != "linux", reason="names that are no text")
def test_a_name_that_is_no_utf_8(clip: Path, tmp_path: Path) -> None:
    name = str(tmp_path / "v\udcff.mp4")
    Path(name).write_bytes(clip.read_bytes())
    with open_frames(name) as source:
        assert len(list(source)) == 50


def test_a_file_address_is_a_file(clip: Path) -> None:
    with open_frames(clip.as_uri()) as source:
        assert (source.info.kind, source.info.live) == ("file", False)


# how it lies


@pytest.fixture(scope="module")
def photo(cat: Path) -> np.ndarray:
    with Image.open(cat) as image:
        return np.asarray(image.convert("RGB").resize((192, 128)))


def shown(video: bytes) -> tuple[frames.SourceInfo, np.ndarray]:
    with open_frames(io.BytesIO(video)) as source:
        return source.info, next(source).image.rgb()


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_turned_videos_stand_upright(photo: np.ndarray, degrees: int) -> None:
    stored = np.ascontiguousarray(np.rot90(photo, degrees // 90))  # anticlockwise
    info, pixels = shown(
        videos.turned(videos.encoded([stored] * 3, "mp4"), videos.MATRICES[degrees])
    )
    assert pixels.shape == photo.shape
    assert (info.width, info.height, info.rotation) == (192, 128, degrees)
    assert np.abs(pixels.astype(int) - photo).mean() < 4
    # no other way of turning it is nearly as close
    assert np.abs(pixels[::-1, ::-1].astype(int) - photo).mean() > 20


def test_a_mirrored_video_is_mirrored_back(photo: np.ndarray) -> None:
    stored = np.ascontiguousarray(photo[:, ::-1])
    info, pixels = shown(videos.turned(videos.encoded([stored] * 3), videos.MIRRORED))
    assert np.abs(pixels.astype(int) - photo).mean() < 4
    assert info.rotation == 0


# colours

COLOURS = [
    (255, 0, 0),
    (0, 255, 0),
    (0, 0, 255),
    (255, 255, 255),
    (0, 0, 0),
    (200, 100, 50),
    (30, 90, 180),
]


@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize(
    ("space", "size"),
    [(1, (320, 240)), (5, (1280, 720)), (9, (320, 240)), (2, (1280, 720)), (2, (720, 576))],
    ids=["709", "601", "2020", "unnamed HD", "unnamed SD"],
)
def test_colours_are_those_of_the_videos_own_space(
    tmp_path: Path, space: int, size: tuple[int, int], full: bool
) -> None:
    for colour in COLOURS:
        path = tmp_path / "v.mp4"
        videos.of_colour(path, colour, size=size, space=space, full=full)
        with open_frames(path) as source:
            pixels = next(source).image.rgb()
        assert np.abs(pixels.reshape(-1, 3).astype(int) - colour).max() <= 3


def test_transparent_parts_lie_on_white(tmp_path: Path) -> None:
    image = Image.new("RGBA", (32, 32), (0, 0, 0, 0))
    image.paste((255, 0, 0, 255), (0, 0, 16, 32))
    image.save(tmp_path / "v.gif", save_all=True, append_images=[image.rotate(90)], disposal=2)
    with open_frames(tmp_path / "v.gif") as source:
        pixels = next(source).image.rgb()
    assert pixels[16, 4].tolist() == [255, 0, 0]
    assert pixels[16, 28].tolist() == [255, 255, 255]


def test_a_picture_is_converted_once_and_cannot_be_written_to(clip: Path) -> None:
    with open_frames(clip) as source:
        image = next(source).image
    assert image.rgb() is image.rgb()
    assert not image.rgb().flags.writeable
    assert image.rgb().flags.c_contiguous


def test_odd_sides_are_cut_as_they_should(tmp_path: Path) -> None:
    pictures = [each[:, :99] for each in videos.numbered(2, height=51)]
    videos.write(tmp_path / "v.mkv", pictures, codec="ffv1", pixels="bgr0")
    with open_frames(tmp_path / "v.mkv") as source:
        assert (next(source).image.rgb() == pictures[0]).all()


def test_frames_outlive_the_source_and_convert_in_any_thread(clip: Path) -> None:
    with open_frames(clip) as source:
        found = list(source)
    numbers: dict[int, int] = {}

    def convert(part: list[frames.Frame]) -> None:
        for frame in part:
            numbers[frame.number] = videos.number_of(frame.image.rgb())

    threads = [threading.Thread(target=convert, args=(found[start::4],)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers == {number: number for number in range(50)}


def test_converting_lets_other_threads_run(tmp_path: Path) -> None:
    """While one thread converts a large frame, this one counts: the lock of Python is free."""
    videos.write(tmp_path / "v.mp4", [np.zeros((2160, 3840, 3), np.uint8)])
    with av.open(str(tmp_path / "v.mp4")) as container:
        frame = next(container.decode(video=0))
    picture.VideoPicture(frame, picture.Turn()).rgb()
    converting = False
    done = False

    def convert() -> None:
        nonlocal converting, done
        for _ in range(100):  # a busy machine may run this thread alone for a while
            image = picture.VideoPicture(frame, picture.Turn())
            converting = True
            image.rgb()
            converting = False
            if seen:
                break
        done = True

    usual = sys.getswitchinterval()
    sys.setswitchinterval(60)  # so that nobody is made to let go of it
    seen = 0
    try:
        thread = threading.Thread(target=convert)
        thread.start()
        while not done:
            seen += converting
            time.sleep(0)
        thread.join()
    finally:
        sys.setswitchinterval(usual)
    assert seen > 0


# damage


def rich(count: int) -> Iterator[np.ndarray]:
    """Numbered pictures with much in them, so that most of a file's bytes are theirs."""
    chance = np.random.default_rng(0)
    for number in videos.numbered(count):
        yield np.concatenate([number, chance.integers(0, 255, (64, 128, 3), np.uint8)])


RICH = {"options": {"g": "5", "crf": "23"}}


def test_damage_in_the_middle_costs_only_frames_there(tmp_path: Path) -> None:
    data = bytearray(videos.encoded(rich(60), **RICH))
    middle = len(data) // 2
    data[middle - 4000 : middle + 4000] = bytes(8000)
    (tmp_path / "v.mp4").write_bytes(data)
    notes: list[str] = []
    with open_frames(tmp_path / "v.mp4", note=notes.append) as source:
        found = list(source)
        damaged = source.damaged
    numbers = [videos.number_of(frame.image.rgb()) for frame in found]
    assert damaged > 0
    assert numbers[:20] == list(range(20))
    assert numbers[-20:] == list(range(40, 60))
    assert numbers == [round(frame.time_ms / 40) for frame in found]
    assert 50 < len(found) <= 60 - damaged  # of some, the decoder says nothing at all
    assert found[-1].time_ms == pytest.approx(59 * 40)
    assert (found[0].dropped, found[-1].dropped) == (0, damaged)
    assert notes == [f"{str(tmp_path / 'v.mp4')!r}: {damaged} damaged frames left out"]


def test_a_file_cut_short_says_so(tmp_path: Path) -> None:
    videos.write(tmp_path / "v.mp4", rich(100), index_first=True, **RICH)
    data = (tmp_path / "v.mp4").read_bytes()
    (tmp_path / "v.mp4").write_bytes(data[: len(data) // 2])
    notes: list[str] = []
    with open_frames(tmp_path / "v.mp4", note=notes.append) as source:
        numbers = [videos.number_of(frame.image.rgb()) for frame in source]
    assert 30 < len(numbers) < 70
    assert numbers[:30] == list(range(30))
    assert any("though it says 4.0 s: it is damaged or cut short" in note for note in notes)


def test_nothing_in_it_can_be_decoded(tmp_path: Path) -> None:
    data = videos.encoded(rich(10), **RICH)
    start, end = data.index(b"mdat") + 4, data.index(b"moov") - 4
    (tmp_path / "v.mp4").write_bytes(data[:start] + bytes(end - start) + data[end:])
    with pytest.raises(VideoUnreadable, match=r"no picture of .*v\.mp4' can be decoded"):
        open_frames(tmp_path / "v.mp4")


# leaving it


def test_it_ends_when_it_is_closed(clip: Path) -> None:
    source = open_frames(clip)
    next(source)
    source.close()
    assert list(source) == []
    source.close()


def test_one_that_is_forgotten_ends_its_thread(clip: Path) -> None:
    source = open_frames(clip)
    (thread,) = (each for each in threading.enumerate() if each.name == f"frames of {clip}")
    del source
    gc.collect()
    thread.join(30)
    assert not thread.is_alive()


def test_frames_are_let_go_without_the_garbage_collector(clip: Path) -> None:
    """A cycle would keep the pixels of hundreds of them."""

    def kept() -> int:
        return sum(isinstance(each, av.VideoFrame) for each in gc.get_objects())

    gc.collect()
    before = kept()
    gc.disable()
    try:
        with open_frames(clip) as source:
            for frame in source:
                frame.image.rgb()
        del frame
        assert kept() - before <= 1  # an empty one
    finally:
        gc.enable()


def test_a_file_can_be_played_at_its_own_pace(clip: Path) -> None:
    began_s = time.monotonic()
    with open_frames(clip, live=True) as source:
        assert source.info.live
        found = list(source)
    assert time.monotonic() - began_s > 1.9  # never faster; of slower nothing is said
    assert found[-1].number == 49 == found[-1].dropped + len(found) - 1
    assert [frame.time_ms for frame in found] == pytest.approx([40 * f.number for f in found])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every_ms": 0}, "every_ms of 0"),
        ({"every_ms": float("nan")}, "every_ms of nan"),
        ({"fps": -1}, "fps of -1"),
        ({"patience_s": float("inf")}, "patience_s of inf"),
        ({"size": (0, 10)}, r"a size of \(0, 10\)"),
        ({"size": (640, 480)}, "a size or rate for"),
        ({"fps": 30}, "a size or rate for"),
        ({"format": "nosuch"}, "the input format 'nosuch' is not known here"),
    ],
)
def test_wrong_options_are_refused(clip: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_frames(clip, **options)


def test_raw_pixels_are_told_their_size(tmp_path: Path) -> None:
    path = tmp_path / "v.yuv"
    path.write_bytes(bytes(64 * 48 * 3 // 2) * 5)
    with open_frames(path, format="rawvideo", size=(64, 48), fps=10) as source:
        assert (source.info.width, source.info.height, source.info.fps) == (64, 48, 10)
        assert [frame.time_ms for frame in source] == [0, 100, 200, 300, 400]
