"""A folder that fills up: each picture once, only when all of it is there."""

from __future__ import annotations

import itertools
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from whatsit import ImageUnreadable, SourceUnavailable, UsageError
from whatsit.frames import open_folder
from whatsit.sources import Source

Step = Callable[[], object]


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`between(step, step …)`: what happens to the folder in each wait between two looks."""

    def plan(*steps: Step | None) -> None:
        todo = iter(steps)

        def sleep(_: float) -> None:
            step = next(todo, None)
            if step is not None:
                step()

        monkeypatch.setattr(time, "sleep", sleep)
        clock = itertools.count()
        monkeypatch.setattr(time, "monotonic", lambda: next(clock))

    return plan


def names(found: Iterator[Source], folder: Path) -> list[str]:
    return [str(Path(source.path).relative_to(folder)) for source in found]


def watched(folder: Path, ticks: int = 30) -> list[str]:
    """What is given until there is nothing new for so many looks at the clock."""
    return names(open_folder(folder, patience_s=ticks), folder)


def test_what_is_there_comes_first_by_name(tmp_path: Path, between: Callable[..., None]) -> None:
    (tmp_path / "b").mkdir()
    for name in ("c.jpg", "a.PNG", "b/z.webp", "b/y.jpg", "notes.txt", "v.mp4"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "d.jpg").mkdir()
    between(None)
    assert watched(tmp_path) == ["a.PNG", "c.jpg", "b/y.jpg", "b/z.webp"]


def test_new_ones_come_once_and_only_when_written(
    tmp_path: Path, between: Callable[..., None]
) -> None:
    new = tmp_path / "new.jpg"
    seen: list[tuple[str, int]] = []
    between(
        None,
        lambda: new.write_bytes(b""),  # made
        None,  # empty still
        lambda: new.write_bytes(b"one"),
        lambda: new.write_bytes(b"one, two"),
        lambda: new.write_bytes(b"one, two, three"),
        None,
        lambda: new.write_bytes(b"another content"),  # it was given, and stays so
    )
    for source in open_folder(tmp_path, patience_s=40):
        seen.append((Path(source.path).name, Path(source.path).stat().st_size))
    assert seen == [("new.jpg", len("one, two, three"))]


def test_an_empty_file_is_given_once_it_has_stood_so(
    tmp_path: Path, between: Callable[..., None]
) -> None:
    new = tmp_path / "new.jpg"
    new.touch()
    looks: list[int] = []
    sizes: list[tuple[int, int]] = []
    waits: list[Step | None] = [lambda: looks.append(1)] * 6
    between(*waits, lambda: new.write_bytes(b"after all"), *waits)
    for source in open_folder(tmp_path, patience_s=60):
        sizes.append((len(looks), Path(source.path).stat().st_size))
    assert sizes == [(4, 0), (7, 9)]  # 2 s are four waits; none more than once


def test_a_file_written_anew_in_the_same_size_is_not_ready(
    tmp_path: Path, between: Callable[..., None]
) -> None:
    new = tmp_path / "new.jpg"
    new.write_bytes(b"aaa")
    times = iter(range(1, 5))
    given: list[str] = []

    def touch() -> None:
        assert not given
        os.utime(new, (1, 1000 + next(times)))

    between(touch, touch, touch)
    given += watched(tmp_path)
    assert given == ["new.jpg"]


def test_renamed_into_moved_in_and_removed(tmp_path: Path, between: Callable[..., None]) -> None:
    folder, outside = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    (outside / "sub").mkdir(parents=True)
    (outside / "sub" / "deep.jpg").write_bytes(b"x")
    (folder / "part.jpg.tmp").write_bytes(b"x")
    (folder / "gone.jpg").write_bytes(b"x")
    between(
        lambda: (folder / "gone.jpg").unlink(),
        lambda: (folder / "part.jpg.tmp").rename(folder / "whole.jpg"),
        None,
        lambda: shutil.move(outside / "sub", folder / "sub"),
    )
    assert watched(folder) == ["whole.jpg", "sub/deep.jpg"]


def test_a_name_that_went_may_come_back(tmp_path: Path, between: Callable[..., None]) -> None:
    picture = tmp_path / "a.jpg"
    picture.write_bytes(b"first")
    between(None, picture.unlink, lambda: picture.write_bytes(b"second"), None)
    assert watched(tmp_path, 30) == ["a.jpg", "a.jpg"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_links_are_followed_to_files_only(tmp_path: Path, between: Callable[..., None]) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "a.jpg").write_bytes(b"x")
    (folder / "link.jpg").symlink_to(tmp_path / "a.jpg")
    (folder / "dead.jpg").symlink_to(tmp_path / "none.jpg")
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe.jpg")
    between(None)
    assert watched(folder) == ["link.jpg"]


def test_a_sub_folder_that_may_not_be_listed_is_told_once(
    tmp_path: Path, between: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    usual = os.walk

    def walk(top: str, onerror: Callable[[OSError], object]) -> Iterator[object]:
        yield from usual(top)
        onerror(PermissionError(13, "Permission denied", str(tmp_path / "secret")))

    monkeypatch.setattr(os, "walk", walk)
    between(None)
    bad, good = open_folder(tmp_path, patience_s=30)
    assert Path(good.path).name == "a.jpg"
    assert isinstance(bad.error, ImageUnreadable)
    assert "secret': Permission denied" in bad.error.message


def test_what_cannot_be_listed_for_a_moment_is_not_given_again(
    tmp_path: Path, between: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    shares = [tmp_path / "share", tmp_path / "share 2"]
    for share in shares:
        share.mkdir()
        (share / "a.jpg").write_bytes(b"x")
    usual = os.walk

    def walk(top: str, onerror: Callable[[OSError], object]) -> Iterator[object]:
        yield next(usual(top))
        onerror(OSError(5, "Input/output error", str(shares[0])))
        yield from usual(shares[1])

    between(None, lambda: monkeypatch.setattr(os, "walk", walk), None, monkeypatch.undo, None)
    found = list(itertools.islice(open_folder(tmp_path, patience_s=60), 4))
    assert [Path(s.path).relative_to(tmp_path).as_posix() for s in found] == [
        "share/a.jpg",
        "share 2/a.jpg",
        "share",
    ]


def test_a_folder_that_goes_is_an_error(tmp_path: Path, between: Callable[..., None]) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    between(None, folder.rmdir)
    with pytest.raises(SourceUnavailable, match="there is no folder"):
        watched(folder)


def test_what_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match="there is no folder"):
        open_folder(tmp_path / "none")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is not a folder"):
        open_folder(tmp_path / "file")
    with pytest.raises(UsageError, match="poll_s of 0"):
        open_folder(tmp_path, poll_s=0)
