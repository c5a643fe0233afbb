"""Annotated videos: read back by libav, their times, colours and letters."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import av
import full_disk
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from whatsit import (
    ExtraMissing,
    Prediction,
    UsageError,
    WhatsitError,
    annotate,
    lettering,
    zoo,
)
from whatsit.annotate import Annotator, check
from whatsit.annotate.drawing import drawn
from whatsit.frames import SourceInfo
from whatsit.wording import shown

Rgb = NDArray[np.uint8]
ROWS = [Prediction(281, "tabby", 0.62), Prediction(285, "Egyptian cat", 0.31)]
GREY = 128


def info(fps: float | None = 25.0) -> SourceInfo:
    return SourceInfo("file", "a.mp4", False, 320, 240, fps, None, 0)


def grey(width: int = 320, height: int = 240) -> Rgb:
    return np.full((height, width, 3), GREY, np.uint8)


def read(path: Path) -> list[tuple[float, Rgb]]:
    """Time in ms and RGB of each frame."""
    with av.open(str(path)) as container:
        return [
            (float(frame.pts * frame.time_base) * 1e3, frame.to_ndarray(format="rgb24"))
            for frame in container.decode(video=0)
        ]


def write(path: Path, times_ms: list[float], picture: Rgb | None = None) -> None:
    with Annotator(path, info()) as annotator:
        for time_ms in times_ms:
            annotator.add(grey() if picture is None else picture, time_ms, ROWS)


# The file.


def test_the_times_are_those_of_the_source(tmp_path: Path) -> None:
    times_ms = [0.0, 33.4, 500.0, 501.0, 2000.0, 2733.3]
    write(tmp_path / "a.mp4", times_ms)
    assert [time for time, _ in read(tmp_path / "a.mp4")] == pytest.approx(times_ms, abs=0.02)
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"  # what every player can show
        # The last frame lasts as long as the one before it.
        assert float(stream.duration * stream.time_base) == pytest.approx(3.4666, abs=0.001)


def test_the_first_frame_stands_from_the_beginning(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", [700.0, 800.0])
    assert [round(time) for time, _ in read(tmp_path / "a.mp4")] == [0, 800]


def test_frames_of_one_time_are_kept_apart(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", [0.0, 40.0, 40.0, 30.0, 80.0])
    times = [time for time, _ in read(tmp_path / "a.mp4")]
    assert len(times) == 5
    assert times == sorted(set(times))


def test_a_lone_frame_lasts_as_the_source_says(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", [0.0])
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert float(stream.duration * stream.time_base) == pytest.approx(0.04, abs=0.001)


@pytest.mark.parametrize("rgb", [(200, 30, 40), (20, 160, 60), (30, 60, 200)])
def test_colours_are_kept(tmp_path: Path, rgb: tuple[int, int, int]) -> None:
    """By the matrix of BT.709, which the file says that it has."""
    picture = np.full((720, 1280, 3), rgb, np.uint8)
    write(tmp_path / "a.mp4", [0.0], picture)
    with av.open(str(tmp_path / "a.mp4")) as container:
        frame = next(container.decode(video=0))
        assert (frame.colorspace, frame.color_range) == (1, 1)
        planes = frame.to_ndarray()  # (H * 3 / 2, W): Y, then U and V
    y, u, v = (int(planes[row, 700]) for row in (600, 720 + 160, 900 + 160))
    red, blue = y + 1.793 * (v - 128) * 219 / 255, y + 2.112 * (u - 128) * 219 / 255
    decoded = [(level - 16) * 255 / 219 for level in (red, blue)]
    assert decoded == pytest.approx([rgb[0], rgb[2]], abs=6)


@pytest.mark.parametrize("size", [(321, 241), (320, 241), (33, 21), (16, 16), (2, 2), (1, 1)])
def test_odd_and_tiny_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    write(tmp_path / "a.mp4", [0.0, 40.0], grey(*size))
    ((_, picture), _) = read(tmp_path / "a.mp4")
    assert picture.shape[1::-1] == (size[0] + size[0] % 2, size[1] + size[1] % 2)
    if size[0] > 300:
        assert abs(int(picture[-1, -1].mean()) - GREY) < 8  # no black line


def test_a_frame_of_another_size_is_fitted_in(tmp_path: Path) -> None:
    with Annotator(tmp_path / "a.mp4", info()) as annotator:
        annotator.add(grey(), 0, [])
        annotator.add(grey(240, 320), 40, [])
    first, second = (picture for _, picture in read(tmp_path / "a.mp4"))
    assert first.shape == second.shape
    assert second[120, 160].mean() > 100  # the picture
    assert second[120, 5].mean() < 30  # beside it


@pytest.mark.parametrize("fps", [None, 90_000.0, 0.001])
def test_a_rate_that_is_not_known(tmp_path: Path, fps: float | None) -> None:
    with Annotator(tmp_path / "a.mp4", info(fps)) as annotator:
        annotator.add(grey(), 0, [])
    assert len(read(tmp_path / "a.mp4")) == 1


# Whole or not at all.


@pytest.mark.parametrize("error", [KeyboardInterrupt, WhatsitError("lost"), BrokenPipeError])
def test_what_was_seen_before_an_error_is_a_good_file(tmp_path: Path, error: BaseException) -> None:
    def run() -> None:
        with Annotator(tmp_path / "a.mp4", info()) as annotator:
            annotator.add(grey(), 0, ROWS)
            annotator.add(grey(), 40, ROWS)
            raise error

    with pytest.raises(type(error) if isinstance(error, BaseException) else error):
        run()
    assert len(read(tmp_path / "a.mp4")) == 2
    assert os.listdir(tmp_path) == ["a.mp4"]


def test_the_file_takes_its_place_when_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"before")
    with Annotator(path, info()) as annotator:
        annotator.add(grey(), 0, ROWS)
        assert path.read_bytes() == b"before"
    assert len(read(path)) == 1
    assert annotator.frames == 1


def test_without_a_frame_there_is_no_file(tmp_path: Path) -> None:
    with Annotator(tmp_path / "a.mp4", info()) as annotator:
        pass
    assert annotator.frames == 0
    assert os.listdir(tmp_path) == []


@full_disk.needs_limits
def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"before")
    noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)

    def run() -> None:
        with Annotator(path, info()) as annotator:
            for number in range(60):
                annotator.add(noise, number * 40, ROWS)

    with full_disk.largest_file(100_000), pytest.raises(WhatsitError, match="cannot write"):
        run()
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["a.mp4"]


@full_disk.needs_limits
def test_a_disk_that_is_full_at_the_end(tmp_path: Path) -> None:
    def run() -> None:
        with Annotator(tmp_path / "a.mp4", info()) as annotator:
            annotator.add(grey(), 0, ROWS)

    with full_disk.largest_file(100), pytest.raises(WhatsitError, match="cannot write"):
        run()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["a.avi", "a", "mp4", ""])
def test_other_endings_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="a video") as caught:
        check(tmp_path / name if name else name)
    assert caught.value.expected == "a name that ends in .mp4"


def test_a_folder_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(WhatsitError, match="no such folder"):
        Annotator(tmp_path / "no" / "a.mp4", info())


def test_pyav_is_an_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ExtraMissing) as caught:
        check(tmp_path / "a.mp4")
    assert caught.value.hint == "pip install 'whatsit[video]'"


def test_an_ffmpeg_without_h264(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(annotate, "_CODEC", "no-such-codec")
    with pytest.raises(WhatsitError, match=r"cannot write H\.264"):
        check(tmp_path / "a.mp4")


# What is drawn.

SIZES = [(160, 120), (320, 240), (1280, 720), (1920, 1080), (1080, 1920)]


def changed(image: Image.Image, before: Rgb) -> Rgb:
    """Where the picture was drawn on."""
    return np.asarray(np.any(np.asarray(image) != before, axis=2))


@pytest.mark.parametrize("size", SIZES)
def test_labels_stand_in_the_upper_left_corner(size: tuple[int, int]) -> None:
    before = grey(*size)
    where = changed(drawn(before, ROWS), before)
    rows, columns = np.flatnonzero(where.any(axis=1)), np.flatnonzero(where.any(axis=0))
    assert rows[-1] < size[1] / 2
    assert 0 < columns[0] < size[0] / 10
    assert columns[-1] < size[0]
    assert before.min() == GREY  # which the model may still be looking at


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("level", [0, 128, 255])
def test_letters_can_be_read_on_any_ground(size: tuple[int, int], level: int) -> None:
    """By the contrast that WCAG 2 asks of text, 4.5 to 1."""
    before = np.full((size[1], size[0], 3), level, np.uint8)
    unit = max(12, round(min(size) / 22))
    rows, columns = slice(unit * 2 // 3, unit * 3 // 2), slice(unit, 4 * unit)
    ground = np.asarray(drawn(before, [Prediction(0, " ", 0.5)]))[rows, columns, 0]
    letters = np.asarray(drawn(before, [Prediction(0, "HHHHH", 0.5)]))[rows, columns, 0]
    assert (luminance(letters.max()) + 0.05) / (luminance(ground.max()) + 0.05) >= 4.5


def luminance(level: int) -> float:
    share = int(level) / 255
    return share / 12.92 if share <= 0.04045 else float(((share + 0.055) / 1.055) ** 2.4)


def test_letters_grow_with_the_picture() -> None:
    heights = []
    for size in SIZES[1:4]:
        before = grey(*size)
        where = changed(drawn(before, ROWS[:1]), before)
        heights.append(int(where.any(axis=1).sum()))
    assert heights[0] >= 12
    assert heights[1] == pytest.approx(3 * heights[0], rel=0.15)
    assert heights[2] == pytest.approx(1.5 * heights[1], rel=0.15)


@pytest.mark.parametrize("size", SIZES)
def test_a_long_label_is_cut(size: tuple[int, int]) -> None:
    long = "Staffordshire bullterrier, " * 20
    before = grey(*size)
    short = changed(drawn(before, [Prediction(0, "x", 0.5)]), before)
    cut = changed(drawn(before, [Prediction(0, long, 0.5)]), before)
    assert np.array_equal(short.any(axis=0), cut.any(axis=0))  # the panel is as wide
    assert np.array_equal(short.any(axis=1), cut.any(axis=1))


def test_numbers_are_not_drawn_over_by_labels() -> None:
    before = grey()
    short = np.asarray(drawn(before, [Prediction(0, "x", 0.5)]))
    cut = np.asarray(drawn(before, [Prediction(0, "W" * 99, 0.5)]))
    right = slice(174, 220)
    assert np.array_equal(short[:, right], cut[:, right])


@pytest.mark.parametrize(
    "label",
    ["Käsespätzle", "ñandú", "кошка", "猫", "ねこ", "حمار وحشي", "🐱", "a\nb", "\x1b[31m", ""],
)
def test_any_label_is_drawn(label: str) -> None:
    text, font = lettering.writable(shown(label), "class 281", 20)
    assert lettering.has(font, text)  # and no box in place of a letter
    assert text in (
        label,
        label.encode("unicode_escape").decode(),
        "class 281",
        "Kasespatzle",
        "nandu",
    )
    assert drawn(grey(), [Prediction(281, label, 0.5)]).size == (320, 240)


def test_without_other_fonts_accents_go_and_a_number_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lettering, "_FONTS", ("no-such-font.ttf",))
    assert lettering.writable("Käsespätzle", "class 1", 20)[0] == "Kasespatzle"
    assert lettering.writable("猫", "class 7", 20)[0] == "class 7"
    assert lettering.writable("tabby", "class 7", 20)[0] == "tabby"


def test_a_bar_for_each_score() -> None:
    before = grey()
    wide, narrow, none = (
        np.asarray(drawn(before, [Prediction(0, "x", score)]).convert("HSV"))[..., 1] > 120
        for score in (1.0, 0.5, 0.0)
    )
    assert narrow.any(axis=0).sum() == pytest.approx(wide.any(axis=0).sum() / 2, abs=1)
    assert not none.any()


def test_three_rows_at_most_and_none_without_predictions() -> None:
    many = [Prediction(index, "x", 0.2) for index in range(9)]
    assert np.array_equal(np.asarray(drawn(grey(), many)), np.asarray(drawn(grey(), many[:3])))
    assert np.array_equal(np.asarray(drawn(grey(), [])), grey())


def test_a_mirror_swaps_the_picture_and_not_the_letters(tmp_path: Path) -> None:
    with Image.open(zoo.GOLDEN / "cat.png") as file:
        cat = np.asarray(file.convert("RGB").resize((320, 240)))
    for mirror in (False, True):
        with Annotator(tmp_path / f"{mirror}.mp4", info(), mirror=mirror) as annotator:
            annotator.add(cat, 0, ROWS)
            annotator.add(cat[:, ::-1] if mirror else cat, 40, [])
    ((_, plain), _), ((_, mirrored), _) = read(tmp_path / "False.mp4"), read(tmp_path / "True.mp4")
    below = slice(80, 240)
    difference = plain[below].astype(int) - mirrored[below, ::-1]
    assert np.abs(difference).mean() < 4  # what H.264 loses
    letters = [picture[4:50, 4:200].mean(axis=2) > 190 for picture in (plain, mirrored)]
    assert (letters[0] & letters[1]).sum() > 0.8 * letters[0].sum()
