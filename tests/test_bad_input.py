"""One bad picture is one clear error; the others are classified, in their order."""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import CATS, ESPRESSO, Run
from make_pictures import damaged, encoded, png, turned
from PIL import Image

from whatsit import InputError, images

Program = Callable[..., Run]


@pytest.fixture(scope="module")
def tabby(cat: Path) -> Image.Image:
    with Image.open(cat) as opened:
        return opened.convert("RGB")


@pytest.fixture(scope="module")
def jpeg(tabby: Image.Image) -> bytes:
    return encoded(tabby, "JPEG", quality=92)


def answers(run: Run) -> list[dict]:
    """The objects of a `--json` run, whose standard error must be empty."""
    assert run.err == ""
    return [json.loads(line) for line in run.out.splitlines()]


# Files that cannot be classified: what is in them, and what is said of them.
KNOWN = "a JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF, JPEG 2000, PPM, QOI, ICO or HEIC file"
DAMAGED = "the file is damaged or cut short"
BAD_FILES = {
    "empty.jpg": (b"", "image-unreadable", f"is empty; expected {KNOWN}", ""),
    "text.jpg": (
        b"Not a picture.\n",
        "image-unreadable",
        f"is not a picture of a known kind; expected {KNOWN}",
        "",
    ),
    "header.jpg": (b"\xff\xd8\xff\xe0", "image-unreadable", "is no valid JPEG file", DAMAGED),
    "bomb.png": (
        png(60_000, 60_000),
        "image-too-large",
        "has 60,000 × 60,000 pixels; expected at most 178,956,970 pixels",
        "make a smaller copy first",
    ),
    "float.tif": (
        encoded(Image.new("F", (9, 9)), "TIFF"),
        "image-unsupported",
        "has pixels of 32 bits, which have no agreed range; expected 8 or 16 bits a channel",
        "",
    ),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_file_between_good_ones(name: str, tmp_path: Path, whatsit: Program, cat: Path) -> None:
    data, code, message, hint = BAD_FILES[name]
    path = tmp_path / name
    path.write_bytes(data)
    run = whatsit("--json", cat, path, cat)
    first, failed, last = answers(run)
    assert run.status == 1
    assert first["predictions"][0]["index"] in CATS
    assert last["predictions"] == first["predictions"]
    assert failed == {
        "path": str(path),
        "error": {"code": code, "message": f"{str(path)!r} {message}", "hint": hint},
    }


@pytest.mark.parametrize("kept", [0.999, 0.5, 0.05])
def test_cut_jpeg(kept: float, jpeg: bytes, tmp_path: Path, whatsit: Program) -> None:
    path = tmp_path / "cut.jpg"
    path.write_bytes(jpeg[: int(len(jpeg) * kept)])
    run = whatsit("--json", path)
    [failed] = answers(run)
    assert run.status == 1
    assert failed["error"]["code"] == "image-unreadable"
    assert failed["error"]["hint"] == DAMAGED


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("gone.jpg", "no file 'gone.jpg'", "check the spelling and the folder"),
        (
            "empty",
            "no pictures in the folder 'empty'; "
            "expected files with an ending such as .jpg, .png or .webp",
            "",
        ),
        ("*.none", "nothing matches '*.none'", ""),
    ],
)
def test_nothing_there(
    name: str,
    message: str,
    hint: str,
    tmp_path: Path,
    whatsit: Program,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    run = whatsit("--json", name)
    assert run.status == 1
    assert answers(run) == [
        {"path": name, "error": {"code": "image-not-found", "message": message, "hint": hint}}
    ]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_unreadable_file(jpeg: bytes, tmp_path: Path, whatsit: Program) -> None:
    path = tmp_path / "private.jpg"
    path.write_bytes(jpeg)
    path.chmod(0)
    [failed] = answers(whatsit("--json", path))
    assert failed["error"]["message"] == f"{str(path)!r} may not be read"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX")
def test_a_fifo_is_refused_and_not_waited_for(tmp_path: Path, whatsit: Program) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    [failed] = answers(whatsit("--json", tmp_path))
    assert failed["error"]["message"].endswith("is not a regular file; expected a picture file")
    assert "standard input" in failed["error"]["hint"]


def test_heic_without_the_extra(
    tmp_path: Path, whatsit: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    path = tmp_path / "phone.heic"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    run = whatsit("--json", path)
    [failed] = answers(run)
    assert run.status == 1
    assert failed["error"] == {
        "code": "image-unsupported",
        "message": f"{str(path)!r} is a HEIC picture, which this install cannot decode",
        "hint": "pip install 'whatsit[heif]'",
    }


# Odd files that can be classified: the cat stays a cat.
ODD_FILES: dict[str, Callable[[Image.Image], bytes]] = {
    "wrong extension.png": lambda cat: encoded(cat, "JPEG"),
    "progressive.jpg": lambda cat: encoded(cat, "JPEG", progressive=True),
    "cmyk.jpg": lambda cat: encoded(cat.convert("CMYK"), "JPEG"),
    "grey.jpg": lambda cat: encoded(cat.convert("L"), "JPEG"),
    "twelve megapixels.jpg": lambda cat: encoded(cat.resize((4000, 3000)), "JPEG"),
    "two pictures.mpo": lambda cat: encoded(cat, "MPO", save_all=True, append_images=[cat]),
    "grey and alpha.png": lambda cat: encoded(cat.convert("LA"), "PNG"),
    "palette with transparency.png": lambda cat: encoded(cat.quantize(255), "PNG", transparency=9),
    "16 bit.png": lambda cat: encoded(
        Image.fromarray(np.asarray(cat.convert("L")).astype(np.uint16) * 257), "PNG"
    ),
    "16 bit colour.png": lambda cat: png(
        cat.width,
        cat.height,
        bits=16,
        pixels=b"".join(
            b"\0" + bytes(level for byte in row for level in (byte, byte))
            for row in (cat.crop((0, y, cat.width, y + 1)).tobytes() for y in range(cat.height))
        ),
    ),
    "animated.gif": lambda cat: encoded(cat, "GIF", save_all=True, append_images=[cat.rotate(90)]),
    "animated.webp": lambda cat: encoded(
        cat, "WEBP", save_all=True, append_images=[cat.rotate(90)]
    ),
    "damaged exif.png": lambda cat: encoded(cat, "PNG", exif=b"Exif\0\0garbage"),
    "lab.tif": lambda cat: encoded(cat.convert("LAB"), "TIFF"),
    "cmyk.tif": lambda cat: encoded(cat.convert("CMYK"), "TIFF"),
    "upside down.tif": lambda cat: turned(cat, 3, "TIFF"),
    "icon.ico": lambda cat: encoded(cat, "ICO"),
}


def test_odd_files_are_classified(tabby: Image.Image, tmp_path: Path, whatsit: Program) -> None:
    for name, make in ODD_FILES.items():
        (tmp_path / name).write_bytes(make(tabby))
    run = whatsit("--json", tmp_path)
    found = {Path(a["path"]).name: a["predictions"][0]["index"] for a in answers(run)}
    assert run.status == 0
    assert sorted(found) == sorted(ODD_FILES)
    assert {name: index for name, index in found.items() if index not in CATS} == {}


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_all_eight_orientations_give_the_same_answer(
    kind: str, coffee: Path, tmp_path: Path, whatsit: Program
) -> None:
    with Image.open(coffee) as opened:
        upright = opened.convert("RGB")
    for orientation in range(1, 9):
        (tmp_path / f"{orientation}.{kind}").write_bytes(turned(upright, orientation, kind))
    (tmp_path / "list.txt").write_text("".join(f"{tmp_path}/{i}.{kind}\n" for i in range(1, 9)))
    found = [a["predictions"] for a in answers(whatsit("--json", f"@{tmp_path}/list.txt"))]
    assert [answer[0]["index"] for answer in found] == [ESPRESSO] * 8
    if kind == "PNG":  # a JPEG that is stored turned was not compressed in quite the same way
        assert found == [found[0]] * 8


@pytest.mark.parametrize("size", [(1, 1), (1, 20000), (20000, 1)])
def test_extreme_shapes_have_an_answer(
    size: tuple[int, int], tmp_path: Path, whatsit: Program
) -> None:
    (tmp_path / "thin.png").write_bytes(encoded(Image.new("RGB", size), "PNG"))
    for rule in ("crop", "stretch", "pad"):
        run = whatsit("--json", "--preprocess", rule, tmp_path)
        assert run.status == 0
        assert len(answers(run)[0]["predictions"]) == 5


NAMES = ["two words.jpg", "new\nline.jpg", "😀.jpg", "\x1b[31mred.jpg", "-k.jpg", b"\xff\xfe.jpg"]


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_names(name: str | bytes, jpeg: bytes, tmp_path: Path, whatsit: Program) -> None:
    path = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), os.fsencode(name))))
    path.write_bytes(jpeg)
    [answer] = answers(whatsit("--json", path))
    assert os.fsencode(answer["path"]) == os.fsencode(path)
    assert answer["predictions"][0]["index"] in CATS
    for style in ([], ["--csv"]):
        run = whatsit(*style, path)
        assert (run.status, run.err) == (0, "")


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
@pytest.mark.parametrize(
    ("name", "shown"),
    [("a\nb", r"a\nb"), ("\x1b[31m", r"\x1b[31m"), ("é😀", "é😀"), (b"\xff", r"\xff")],
)
def test_a_name_cannot_steer_the_terminal(
    name: str | bytes, shown: str, jpeg: bytes, tmp_path: Path, whatsit: Program
) -> None:
    path = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), os.fsencode(name))))
    path.write_bytes(jpeg)
    assert whatsit(path).out.splitlines()[0].split("  ")[0] == f"{tmp_path}/{shown}"


# Random damage: an answer or an InputError, nothing else.


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, which the program hides
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "JPEG2000"])
def test_random_damage(kind: str, tabby: Image.Image) -> None:
    chance = random.Random(kind)
    whole = turned(tabby.resize((120, 80)), 6, kind)
    for _ in range(40):
        with contextlib.suppress(InputError):
            assert images.open_image(damaged(whole, chance)).mode == "RGB"


def test_damaged_files_and_the_program(tabby: Image.Image, tmp_path: Path) -> None:
    """In a process of its own, to see also what libraries in C write to standard error."""
    chance = random.Random(0)
    small = tabby.resize((120, 80))
    wholes = {
        "jpg": encoded(small, "JPEG"),
        "png": encoded(small, "PNG"),
        "tif": encoded(small, "TIFF", compression="tiff_deflate"),
    }
    for number in range(60):
        for ending, whole in wholes.items():
            (tmp_path / f"{number:02}.{ending}").write_bytes(damaged(whole, chance))
    done = subprocess.run(
        [sys.executable, "-m", "whatsit", "--json", str(tmp_path)], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (1, "")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [Path(a["path"]).name for a in found] == sorted(p.name for p in tmp_path.iterdir())
    assert {a["error"]["code"] for a in found if "error" in a} <= {
        "image-unreadable",
        "image-too-large",
        "image-unsupported",
    }
