"""Cameras, streams and pipes: only the newest frame, and back again after a loss."""

from __future__ import annotations

import errno
import io
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from whatsit import SourceUnavailable, UsageError, VideoUnreadable, WhatsitError, frames
from whatsit.frames import handing, open_frames, origin, reader, video

av = pytest.importorskip("av")
videos = pytest.importorskip("make_videos")
servers = pytest.importorskip("stream_server")

posix = pytest.mark.skipif(sys.platform == "win32", reason="pipes with names")
generates = pytest.mark.skipif(
    "lavfi" not in av.formats_available, reason="this PyAV generates no pictures"
)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Less patience than a network needs."""
    monkeypatch.setattr(reader, "FIRST_WAIT_S", 0.05)
    monkeypatch.setattr(video, "SILENCE_S", 30.0)


# the newest frame


@generates
def test_a_live_source_gives_the_newest_frame_and_counts_the_others() -> None:
    with open_frames("testsrc=rate=50:size=64x64", format="lavfi") as source:
        assert source.info == frames.SourceInfo(
            "stream", "testsrc=rate=50:size=64x64", True, 64, 64, 50.0, None, 0
        )
        found = []
        for _ in range(5):
            time.sleep(0.1)
            found.append(next(source))
    numbers = [frame.number for frame in found]
    assert numbers == sorted(set(numbers))
    assert found[-1].dropped > 0
    assert [frame.dropped for frame in found] == [
        frame.number - place for place, frame in enumerate(found)
    ]
    assert [frame.time_ms for frame in found] == pytest.approx([20 * n for n in numbers])


@generates
def test_frames_left_out_on_purpose_are_no_drops() -> None:
    with open_frames("testsrc=rate=50:size=64x64", format="lavfi", every_ms=100) as source:
        found = [next(source) for _ in range(4)]
    asked = [frame.number // 5 for frame in found]
    assert [frame.number for frame in found] == [5 * number for number in asked]
    # None, but where this machine was too busy even for these.
    assert found[-1].dropped == asked[-1] - 3


@generates
def test_all_frames_of_a_source_that_is_said_not_to_be_live() -> None:
    with open_frames("testsrc=rate=10:size=64x64:duration=2", format="lavfi", live=False) as source:
        assert [frame.number for frame in source] == list(range(20))
        assert source.dropped == 0


@generates
def test_a_wrong_generator_is_named() -> None:
    with pytest.raises(SourceUnavailable, match="'nosuch=1' cannot be opened"):
        open_frames("nosuch=1", format="lavfi")


@generates
def test_memory_stays_flat_over_a_long_stream() -> None:
    """Of Python's memory; what libav holds is measured by benchmarks/video.py."""
    with open_frames("testsrc=rate=1000:size=320x240", format="lavfi", live=False) as source:
        for _ in range(200):
            next(source).image.rgb()
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(1000):
            next(source).image.rgb()
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert after - before < 5_000_000  # of some 230 MB that came by


# streams


@pytest.mark.parametrize("kind", ["mjpeg", "ts", "tcp"])
def test_a_stream_that_stops_and_starts_again_is_picked_up(kind: str) -> None:
    notes: list[str] = []
    with (
        servers.StreamServer(kind) as server,
        open_frames(server.url, note=notes.append) as source,
    ):
        assert (source.info.kind, source.info.live) == ("stream", True)
        found = [next(source) for _ in range(5)]
        server.stop()
        again = threading.Timer(0.5, server.start)
        again.start()
        while source.reconnects == 0 or len(notes) < 2:
            found.append(next(source))
        again.join()
        found += [next(source) for _ in range(5)]
    times, numbers = [f.time_ms for f in found], [f.number for f in found]
    assert times == sorted(times)
    assert numbers == sorted(set(numbers))
    assert found[-1].image.rgb().shape == (64, 128, 3)
    lost, back = notes
    assert lost.startswith(repr(server.url))
    assert lost.endswith("; trying to connect again")
    assert back.startswith(f"{server.url!r} is back after ")


def test_a_loss_is_a_step_before_the_return() -> None:
    notes: list[str] = []
    with (
        servers.StreamServer("mjpeg") as server,
        open_frames(server.url, note=notes.append) as source,
    ):
        steps = source.steps()
        assert next(steps) is not None
        server.stop()
        while next(steps) is not None:
            pass
        assert (len(notes), source.reconnects) == (1, 0)
        server.start()
        assert next(steps) is not None  # told once
        assert source.reconnects == 1


def test_a_stream_that_falls_silent_is_left_for_a_new_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(video, "SILENCE_S", 0.5)
    notes: list[str] = []
    with (
        servers.StreamServer("mjpeg", stall_after=10) as server,
        open_frames(server.url, note=notes.append) as source,
    ):
        while len(notes) < 2:
            next(source)
        assert source.reconnects == 1
    assert notes[0] == f"{server.url!r} gave nothing for 0.5 s; trying to connect again"


def test_a_video_at_an_address_that_breaks_off(tmp_path: Path) -> None:
    videos.write(tmp_path / "v.mp4", videos.numbered(200), index_first=True)
    body = (tmp_path / "v.mp4").read_bytes()
    with servers.StreamServer("bytes", body=body, sent_bytes=len(body) // 2) as server:
        found: list[int] = []
        with open_frames(server.url) as source:
            numbers = (videos.number_of(frame.image.rgb()) for frame in source)
            with pytest.raises(SourceUnavailable, match="broke off"):
                found.extend(numbers)
    assert len(found) > 20
    assert found == list(range(len(found)))


def test_a_video_at_an_address_is_no_live_stream(tmp_path: Path) -> None:
    videos.write(tmp_path / "v.mp4", videos.numbered(30), index_first=True)
    body = (tmp_path / "v.mp4").read_bytes()
    with servers.StreamServer("bytes", body=body) as server, open_frames(server.url) as source:
        assert (source.info.kind, source.info.live) == ("stream", False)
        assert [videos.number_of(frame.image.rgb()) for frame in source] == list(range(30))
        assert source.reconnects == 0


def refused(source: str, message: str, **options: object) -> WhatsitError:
    with pytest.raises((SourceUnavailable, VideoUnreadable), match=message) as caught:
        open_frames(source, **options)  # type: ignore[arg-type]
    return caught.value


def test_an_address_that_refuses() -> None:
    with servers.StreamServer("mjpeg") as server:
        url = server.url
    error = refused(url, f"^'{url}': 127.0.0.1 refused the connection$")
    assert error.hint == "is the server running, and the port right?"
    refused(url.replace("http", "tcp"), "refused the connection")
    refused(url.replace("http", "rtsp"), "refused the connection")


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (404, "is not there: HTTP 404"),
        (401, "asks for a password"),
        (403, "is forbidden: HTTP 403"),
        (500, "Server returned 5XX"),
        (418, "Server returned 4XX"),
    ],
)
def test_an_address_that_says_no(status: int, message: str) -> None:
    with servers.StreamServer("mjpeg", status=status) as server:
        refused(server.url, message)


def test_an_address_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "SILENCE_S", 0.2)
    with servers.StreamServer("silent") as server:
        error = refused(server.url, f"^'{server.url}' gave nothing for 0.2 s$")
    assert error.hint == "is it switched on, and is something sent to this address?"


def test_an_address_of_something_else() -> None:
    with servers.StreamServer("bytes", body=b"<!doctype html><p>Log in" * 50) as server:
        error = refused(server.url, "is not a video of a known kind")
    assert isinstance(error, VideoUnreadable)


def test_an_address_that_closes_without_a_word() -> None:
    with servers.StreamServer("bytes") as server:
        refused(server.url, re.escape(server.url))


def test_a_host_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    opens(monkeypatch, OSError(errno.EIO, "Input/output error"))
    monkeypatch.setattr(socket, "getaddrinfo", raising(socket.gaierror("Name not known")))
    error = refused("rtsp://cam.exmaple/1", "there is no host 'cam.exmaple'")
    assert error.hint == "check the spelling and the network"


def test_a_network_without_a_way_there(monkeypatch: pytest.MonkeyPatch) -> None:
    opens(monkeypatch, OSError(errno.EHOSTUNREACH, "No route to host"))
    refused("rtsp://10.0.0.9/1", "no way to 10.0.0.9")


def test_a_scheme_that_nobody_knows() -> None:
    error = refused("foo://x", "'foo://x' cannot be opened: Protocol not found")
    assert error.expected == "http, https, rtsp, rtmp, srt, tcp or udp"


def test_passwords_are_never_shown() -> None:
    with servers.StreamServer("mjpeg", status=404) as server:
        url = server.url.replace("//", "//me:secret@")
        error = refused(url, re.escape(server.url.replace("//", "//me:***@")))
    assert "secret" not in str(error.to_json())


# cameras; only libav's own open() is stood in for


def raising(error: Exception) -> Callable[..., object]:
    def fail(*_: object, **__: object) -> object:
        raise error

    return fail


def opens(monkeypatch: pytest.MonkeyPatch, *answers: Exception | Path) -> list[dict[str, object]]:
    """libav gives these, one a call, and then the last again; each call's options are kept."""
    calls: list[dict[str, object]] = []
    usual, todo = av.open, list(answers)

    def stand_in(target: object, **options: object) -> object:
        calls.append({"target": target, **options})
        answer = todo.pop(0) if len(todo) > 1 else todo[0]
        if isinstance(answer, Exception):
            raise answer
        return usual(str(answer))

    monkeypatch.setattr(av, "open", stand_in)
    return calls


@pytest.mark.skipif(sys.platform != "linux", reason="cameras that are files")
@pytest.mark.parametrize("source", ["/dev/video9", 9, "9"])
def test_a_camera_that_is_missing(source: str | int) -> None:
    if Path("/dev/video9").exists():
        pytest.skip("this machine has ten cameras")
    error = refused(source, "^there is no camera '/dev/video9'$")  # type: ignore[arg-type]
    assert error.hint.startswith(("cameras here: /dev/video", "no camera is connected"))


@pytest.mark.parametrize(
    ("number", "message", "hint"),
    [
        (errno.EBUSY, "is in use by another program", "close the program that has it"),
        (errno.EACCES, "this program may not use the camera", "group video"),
        (errno.EPERM, "this program may not use the camera", "privacy settings"),
        (errno.ENODEV, "gives no pictures", "camera"),
        (errno.ENOTTY, "gives no pictures", "camera"),
        (errno.EIO, "cannot be opened: Input/output error", "plugged in"),
    ],
)
def test_a_camera_that_cannot_be_had(
    monkeypatch: pytest.MonkeyPatch, number: int, message: str, hint: str
) -> None:
    opens(monkeypatch, OSError(number, os.strerror(number)))
    assert hint in refused("/dev/video0", message, format="v4l2").hint


def test_a_screen_that_cannot_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    opens(monkeypatch, OSError(errno.EIO, "Input/output error"))
    refused(":9.0", "the screen ':9.0' cannot be seen: Input/output error", format="x11grab")


def test_a_camera_without_this_size(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = opens(monkeypatch, OSError(errno.EINVAL, "Invalid argument"))
    refused("/dev/video0", "does not have this size or rate", format="v4l2", size=(9, 9), fps=15)
    assert calls[0]["options"] == {"video_size": "9x9", "framerate": "15"}


@pytest.mark.parametrize(
    ("platform", "source", "target", "kind"),
    [
        ("darwin", 0, "0", "avfoundation"),
        ("darwin", "video=FaceTime HD Camera", "FaceTime HD Camera", "avfoundation"),
        ("win32", "1", "1", "vfwcap"),
        ("win32", "video=Integrated Camera", "video=Integrated Camera", "dshow"),
    ],
)
def test_cameras_as_platforms_name_them(
    monkeypatch: pytest.MonkeyPatch, platform: str, source: str | int, target: str, kind: str
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    found = origin.find(source, format=None, size=None, fps=None)
    assert (found.target, found.format, found.live) == (target, kind, True)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    videos.write(tmp_path / "v.mp4", videos.numbered(10))
    return tmp_path / "v.mp4"


@pytest.mark.parametrize(
    ("steady_s", "last_s"),
    [(0.0, 0.05), (3600.0, 0.4)],
    ids=["begins anew once it was back", "goes on growing where it is lost at once"],
)
def test_a_camera_that_was_unplugged_is_awaited(
    monkeypatch: pytest.MonkeyPatch, clip: Path, steady_s: float, last_s: float
) -> None:
    monkeypatch.setattr(reader, "STEADY_S", steady_s)
    gone = OSError(errno.ENODEV, "No such device")
    opens(monkeypatch, clip, gone, gone, clip, gone)  # and gone it stays
    waits: list[float] = []
    usual = handing.Handing.sleep
    monkeypatch.setattr(
        handing.Handing, "sleep", lambda self, s: (waits.append(s), usual(self, s))[1]
    )
    notes: list[str] = []

    class Enough(Exception):
        pass

    def note(text: str) -> None:
        notes.append(text)
        if len(notes) == 3:
            raise Enough

    with open_frames("/dev/video0", format="v4l2", note=note) as source:
        assert source.info.kind == "camera"
        with pytest.raises(Enough):
            list(source)
        assert source.reconnects == 1
    assert [note.split("'")[-1].split(" 0.")[0] for note in notes] == [
        " ended; trying to connect again",
        " is back after",
        " ended; trying to connect again",
    ]
    assert waits[:4] == [0.05, 0.1, 0.2, last_s]


def test_patience_ends(monkeypatch: pytest.MonkeyPatch, clip: Path) -> None:
    opens(monkeypatch, clip, OSError(errno.ENODEV, "No such device"))
    source = open_frames("/dev/video0", format="v4l2", patience_s=0.3)
    with pytest.raises(SourceUnavailable, match=r"did not come back within 0\.3 s") as caught:
        list(source)
    assert caught.value.hint == "the last attempt: '/dev/video0' gives no pictures"
    assert list(source) == []


# pipes


def fill(path: Path, data: bytes) -> threading.Thread:
    thread = threading.Thread(target=path.write_bytes, args=(data,), daemon=True)
    thread.start()
    return thread


@posix
def test_a_named_pipe_is_live_and_ends(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    thread = fill(tmp_path / "pipe", videos.encoded(videos.numbered(30), "mpegts"))
    with open_frames(tmp_path / "pipe") as source:
        assert (source.info.kind, source.info.live) == ("pipe", True)
        found = list(source)
    thread.join()
    assert videos.number_of(found[-1].image.rgb()) == 29
    assert found[-1].number == 29 == found[-1].dropped + len(found) - 1


@posix
def test_all_of_a_pipe_is_had_by_asking(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    thread = fill(tmp_path / "pipe", videos.encoded(videos.numbered(30), "mpegts"))
    with open_frames(tmp_path / "pipe", live=False) as source:
        assert [videos.number_of(frame.image.rgb()) for frame in source] == list(range(30))
    thread.join()


@posix
def test_a_pipe_that_brings_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    thread = fill(tmp_path / "pipe", b"")
    with pytest.raises(VideoUnreadable, match="nothing came through"):
        open_frames(tmp_path / "pipe")
    thread.join()


@posix
def test_times_of_arrival_have_no_stated_duration(tmp_path: Path) -> None:
    data = videos.encoded(videos.numbered(60), "avi")  # whose header says how long it is
    for number, live in enumerate((True, False)):
        pipe = tmp_path / f"pipe{number}"
        os.mkfifo(pipe)
        thread = fill(pipe, data)
        with open_frames(pipe, live=live) as source:
            assert (source.info.duration_ms is None) == live
            list(source)
        thread.join()


@posix
@pytest.mark.parametrize("index_first", [False, True])
def test_an_mp4_through_a_pipe(tmp_path: Path, index_first: bool) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (30, 240, 320, 3), np.uint8)
    videos.write(tmp_path / "v.mp4", noise, index_first=index_first)  # too long for one read
    os.mkfifo(tmp_path / "pipe")
    thread = fill(tmp_path / "pipe", (tmp_path / "v.mp4").read_bytes())
    if index_first:
        with open_frames(tmp_path / "pipe", live=False) as source:
            assert len(list(source)) == 30
    else:
        with pytest.raises(VideoUnreadable, match=r"^no picture of '.*pipe' can be") as caught:
            open_frames(tmp_path / "pipe")
        assert "MPEG-TS or Matroska" in caught.value.expected
        assert "index at its end: give the path" in caught.value.hint
    thread.join()


PROGRAM = """
import sys
from whatsit.frames import open_frames, video
video.SILENCE_S = 600.0
with open_frames(sys.argv[1], live=eval(sys.argv[2])) as source:
    print(source.info.kind, source.info.live, sum(1 for _ in source))
"""


def piped(data: bytes | Path, live: bool | None = None) -> tuple[str, str]:
    command = [sys.executable, "-c", PROGRAM, "-", str(live)]
    if isinstance(data, Path):
        with data.open("rb") as file:
            done = subprocess.run(command, stdin=file, capture_output=True, text=True, check=False)
        return done.stdout, done.stderr
    ran = subprocess.run(command, input=data, capture_output=True, check=False)
    return ran.stdout.decode(), ran.stderr.decode()


def test_standard_input(tmp_path: Path) -> None:
    videos.write(tmp_path / "v.mp4", videos.numbered(20))
    stream = videos.encoded(videos.numbered(20), "matroska")
    assert piped(stream, live=False) == ("pipe False 20\n", "")
    assert piped(tmp_path / "v.mp4") == ("file False 20\n", "")  # redirected: a file as any other
    kind, live, _ = piped(stream)[0].split()
    assert (kind, live) == ("pipe", "True")
    assert "nothing came through '-'" in piped(b"")[1]


def test_a_terminal_is_no_video(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with (tmp_path / "typed").open("w+") as file:
        monkeypatch.setattr(sys, "stdin", file)
        monkeypatch.setattr(os, "isatty", lambda _: True)
        with pytest.raises(UsageError, match="standard input is a terminal"):
            open_frames("-")
    with pytest.raises(SourceUnavailable, match="standard input is closed"):
        open_frames("-")


def test_a_file_object_that_cannot_seek_is_a_pipe() -> None:
    class Socket(io.RawIOBase):
        def __init__(self) -> None:
            self._file = io.BytesIO(videos.encoded(videos.numbered(20), "mpegts"))

        def readable(self) -> bool:
            return True

        def read(self, size: int = -1) -> bytes:
            return self._file.read(min(size, 1000))

    with open_frames(Socket(), live=False) as source:  # type: ignore[arg-type]
        assert source.info.kind == "pipe"
        assert [videos.number_of(frame.image.rgb()) for frame in source] == list(range(20))


def test_a_file_object_that_gives_text_is_refused() -> None:
    with pytest.raises(UsageError, match="gives text"):
        open_frames(io.StringIO("a"))  # type: ignore[arg-type]


# Ctrl-C


def interrupted(source: str, reached: Callable[[], bool]) -> int:
    """The exit status of a program that waits for a source, for ten minutes if it may."""
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, source, "None"], stderr=subprocess.PIPE, text=True
    )
    try:
        while not reached():
            assert program.poll() is None
            time.sleep(0.01)
        time.sleep(0.2)
        program.send_signal(signal.SIGINT)
        _, error = program.communicate(timeout=60)
    finally:
        program.kill()
    assert error.rstrip().endswith("KeyboardInterrupt")
    return program.returncode


@posix
def test_ctrl_c_ends_the_wait_for_a_server_that_says_nothing() -> None:
    with servers.StreamServer("silent") as server:
        assert interrupted(server.url, lambda: server.connections > 0) == -signal.SIGINT


@posix
def test_ctrl_c_ends_the_wait_for_somebody_to_write_into_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    began = time.monotonic()
    # Nothing shows from outside that it waits, but that it has had the time to come so far.
    assert interrupted(str(tmp_path / "pipe"), lambda: time.monotonic() > began + 2) == -2


@posix
def test_ctrl_c_ends_a_running_stream() -> None:
    with servers.StreamServer("mjpeg") as server:
        assert interrupted(server.url, lambda: server.connections > 0) == -signal.SIGINT
