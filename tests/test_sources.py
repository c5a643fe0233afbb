from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from whatsit import ImageNotFound, ImageUnreadable, InputError
from whatsit.sources import Source, expand


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with pictures and other files in it; none has bytes."""
    for name in ("b.jpg", "a.PNG", "notes.txt", "sub/c.webp", "sub/deep/d.jpeg", "[x].jpg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "none").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def paths(*inputs: str) -> list[str]:
    return [source.path.replace(os.sep, "/") for source in expand(inputs)]


def only_error(text: str) -> InputError:
    """The error of an input that stands for nothing else."""
    [source] = expand([text])
    assert source.error is not None
    with pytest.raises(type(source.error)):
        source.picture()
    return source.error


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("b.jpg", ["b.jpg"]),
        ("notes.txt", ["notes.txt"]),  # who names a file means it
        ("missing.jpg", ["missing.jpg"]),  # found out when it is opened
        ("-", ["-"]),
        ("sub", ["sub/c.webp", "sub/deep/d.jpeg"]),
        (".", ["./[x].jpg", "./a.PNG", "./b.jpg", "./sub/c.webp", "./sub/deep/d.jpeg"]),
        ("*.jpg", ["[x].jpg", "b.jpg"]),
        ("**/*.jpeg", ["sub/deep/d.jpeg"]),
        ("[ab].*", ["a.PNG", "b.jpg"]),
        ("[x].jpg", ["[x].jpg"]),  # a file of that very name wins over the pattern
        ("s*", ["s*"]),  # a pattern means files
    ],
)
def test_expand(tree: Path, text: str, expected: list[str]) -> None:
    assert paths(text) == expected


def test_order_is_that_of_the_inputs(tree: Path) -> None:
    assert paths("b.jpg", "sub", "a.PNG", "b.jpg") == [
        "b.jpg",
        "sub/c.webp",
        "sub/deep/d.jpeg",
        "a.PNG",
        "b.jpg",
    ]


def test_pictures_are_found_only_as_they_are_asked_for(tree: Path) -> None:
    def endless():
        while True:
            yield "b.jpg"

    found = expand(endless())
    assert [next(found).path for _ in range(3)] == ["b.jpg"] * 3


def test_a_list(tree: Path) -> None:
    lines = b"\xef\xbb\xbfb.jpg\r\n\n  \n@x\nsub/*.webp\n[x].jpg\nlast.jpg"
    (tree / "list.txt").write_bytes(lines)
    assert paths("@list.txt") == ["b.jpg", "@x", "sub/c.webp", "[x].jpg", "last.jpg"]


def test_a_list_on_standard_input(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"b.jpg\na.PNG\n")))
    assert paths("@-") == ["b.jpg", "a.PNG"]


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
def test_a_list_of_names_that_are_no_utf8(tree: Path) -> None:
    (tree / "list.txt").write_bytes(b"\xff\xfe.jpg\n")
    assert [os.fsencode(path) for path in paths("@list.txt")] == [b"\xff\xfe.jpg"]


def test_a_picture_given_as_a_list_is_only_wrong_names(tree: Path) -> None:
    (tree / "list.txt").write_bytes(b"\x89PNG\0*\n\0?\n")
    assert paths("@list.txt") == [os.fsdecode(b"\x89PNG\0*"), "\0?"]


def test_a_file_whose_name_begins_with_at(tree: Path) -> None:
    (tree / "@home.jpg").touch()
    assert paths("@home.jpg") == ["@home.jpg"]


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("none", ImageNotFound, "no pictures in the folder 'none'"),
        ("*.gif", ImageNotFound, "nothing matches '*.gif'"),
        ("@gone.txt", ImageUnreadable, "cannot read the list 'gone.txt': No such file"),
        ("@none", ImageUnreadable, "cannot read the list 'none': "),
        ("@b.jpg", ImageNotFound, "the list '@b.jpg' is empty"),
    ],
)
def test_what_stands_for_no_picture(
    tree: Path, text: str, kind: type[InputError], message: str
) -> None:
    error = only_error(text)
    assert type(error) is kind
    assert error.message.startswith(message)


def test_a_folder_that_cannot_be_listed(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Tests may run as root, whom no permission stops.
    real = os.scandir

    def scandir(path: str) -> object:
        if os.path.basename(path) == "deep":
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = list(expand(["sub"]))
    assert [source.error is None for source in found] == [True, False]
    assert isinstance(found[1].error, ImageUnreadable)
    assert found[1].error.message.endswith(": Permission denied")


def test_links_to_folders_are_not_followed(tree: Path) -> None:
    (tree / "sub" / "loop").symlink_to(tree, target_is_directory=True)
    assert paths("sub") == ["sub/c.webp", "sub/deep/d.jpeg"]


def test_standard_input_is_a_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(b"picture"))
    monkeypatch.setattr(sys, "stdin", stream)
    assert Source("-").picture() is stream.buffer
