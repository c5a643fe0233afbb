"""Files that are no videos, each with its own message, and nothing on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from whatsit import (
    ExtraMissing,
    SourceUnavailable,
    UsageError,
    VideoUnreadable,
    WhatsitError,
    frames,
)
from whatsit.frames import open_frames

av = pytest.importorskip("av")
videos = pytest.importorskip("make_videos")


def jpeg(path: Path) -> Path:
    Image.new("RGB", (64, 64)).save(path, "JPEG")
    return path


def empty(path: Path) -> None:
    path.touch()


def text(path: Path) -> None:
    path.write_text("It is only a text, though a long one.\n" * 100)


def noise(path: Path) -> None:
    path.write_bytes(os.urandom(1000))


def zeros(path: Path) -> None:
    path.write_bytes(bytes(100_000))


def sound(path: Path) -> None:
    videos.write_sound(path)


def covered(path: Path) -> None:
    videos.write_sound(path, "libmp3lame")
    cover = jpeg(path.with_suffix(".jpg")).read_bytes()
    path.write_bytes(videos.with_cover(path.read_bytes(), cover))


def unfinished(path: Path) -> None:
    path.write_bytes(videos.without_index(videos.encoded(videos.numbered(5))))


def unknown_codec(path: Path) -> None:
    data = videos.encoded(videos.numbered(5))
    path.write_bytes(data.replace(b"avc1", b"zzzz").replace(b"avcC", b"zzzC"))


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty.mp4": (empty, "is empty"),
    "text.mp4": (text, "is not a video of a known kind"),
    "text.txt": (text, "is text, not a video"),
    "noise.mp4": (noise, "is not a video of a known kind"),
    "noise.ts": (noise, "is not a video of a known kind"),
    "zeros.mp4": (zeros, "is not a video of a known kind"),
    "zeros": (zeros, "is not a video of a known kind"),
    "sound.m4a": (sound, "has sound but no moving pictures"),
    "covered.mp3": (covered, "has sound but no moving pictures"),
    "picture.jpg": (jpeg, "is a picture, not a video"),
    "picture.mp4": (jpeg, "is a picture, not a video"),
    "unfinished.mp4": (unfinished, "has no index: the recording was cut off"),
    "unknown.mp4": (unknown_codec, "are coded in a way that this install cannot decode"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_video_says_why(
    tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    make, message = BAD[name]
    make(tmp_path / name)
    with pytest.raises(VideoUnreadable, match=message) as caught:
        open_frames(tmp_path / name)
    assert repr(str(tmp_path / name)) in caught.value.message
    assert (caught.value.code, caught.value.exit_status) == ("video-unreadable", 1)
    assert capfd.readouterr() == ("", "")  # libav's own words go nowhere


def test_damage_is_silent_too(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data = bytearray(videos.encoded(videos.numbered(50)))
    start, end = data.index(b"mdat") + 3000, data.index(b"moov") - 500
    data[start:end] = os.urandom(end - start)
    (tmp_path / "v.mp4").write_bytes(data)
    with open_frames(tmp_path / "v.mp4") as source:
        for frame in source:
            frame.image.rgb()
    assert capfd.readouterr() == ("", "")


def unavailable(source: object, message: str) -> WhatsitError:
    with pytest.raises(SourceUnavailable, match=message) as caught:
        open_frames(source)  # type: ignore[arg-type]
    assert (caught.value.code, caught.value.exit_status) == ("source-unavailable", 1)
    return caught.value


def test_a_missing_file(tmp_path: Path) -> None:
    error = unavailable(tmp_path / "none.mp4", r"^no file '.*none\.mp4'$")
    assert error.hint == "check the spelling and the folder"
    unavailable("a\0b.mp4", "cannot read")
    unavailable(tmp_path.as_uri() + "/none.mp4", "no file")


@pytest.mark.skipif(sys.platform == "win32" or os.getuid() == 0, reason="root may read all")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "v.mp4").write_bytes(b"x")
    (tmp_path / "v.mp4").chmod(0)
    error = unavailable(tmp_path / "v.mp4", "may not be read")
    assert error.hint == "change its permissions or run as its owner"


def test_a_file_that_the_system_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For root, who may read all."""
    (tmp_path / "v.mp4").write_bytes(b"x")
    monkeypatch.setattr("builtins.open", refuse)
    assert "permissions" in unavailable(tmp_path / "v.mp4", "may not be read").hint


def refuse(*_: object, **__: object) -> object:
    raise PermissionError(13, "Permission denied")


@pytest.mark.skipif(sys.platform == "win32", reason="devices that are files")
def test_a_device_that_is_none() -> None:
    error = unavailable("/dev/null", "^'/dev/null' is neither a file nor a camera$")
    assert error.hint.startswith(("no camera is connected", "cameras here: "))
    unavailable("/dev/zero", "is neither a file nor a camera")


@pytest.mark.parametrize("source", [True, -1, 1.5, None, b"x"])
def test_what_is_no_source(source: object) -> None:
    with pytest.raises(UsageError, match="a source "):
        open_frames(source)  # type: ignore[arg-type]


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        open_frames(tmp_path)


def test_without_pyav(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ExtraMissing, match="video needs PyAV") as caught:
        open_frames(tmp_path / "v.mp4")
    assert caught.value.hint == "pip install 'whatsit[video]'"
    assert next(frames.open_folder(tmp_path, poll_s=0.01, patience_s=0.01), None) is None


def test_importing_the_package_leaves_pyav_alone() -> None:
    import subprocess

    program = "import whatsit.frames, sys; sys.exit('av' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
