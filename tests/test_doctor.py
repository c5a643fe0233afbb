"""The doctor finds what was planted, and nothing where nothing was."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from make_faults import COPIES, DAMAGE, FLOWERS, put, saved, texture, textures
from make_pictures import turned
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from whatsit import DatasetError, UsageError, datasets, doctor, embedding, zoo
from whatsit.doctor import classes, jpeg, neighbours, suspects, twins
from whatsit.doctor.looks import seen

needs_flowers = pytest.mark.skipif(not FLOWERS.is_dir(), reason="needs ../shared/data/flowers")
SERIOUS = doctor.Severity.SERIOUS


def check(root: Path, **options: object) -> doctor.Diagnosis:
    """Without a model, unless told otherwise."""
    return doctor.check(root, **{"embeddings": False, **options})  # type: ignore[arg-type]


def cases(diagnosis: doctor.Diagnosis, code: str) -> tuple[doctor.Evidence, ...]:
    found = diagnosis.finding(code)
    return () if found is None else found.cases


def files(diagnosis: doctor.Diagnosis, *codes: str) -> set[str]:
    return {path for code in codes for case in cases(diagnosis, code) for path in case.paths}


def codes(diagnosis: doctor.Diagnosis) -> set[str]:
    return {finding.code for finding in diagnosis.findings}


def test_a_good_data_set_has_no_findings(tmp_path: Path) -> None:
    textures(tmp_path, {"a": 12, "b": 12})
    diagnosis = check(tmp_path)
    assert diagnosis.findings == ()
    assert not diagnosis.serious
    assert diagnosis.classes == {"a": {tmp_path.name: 12}, "b": {tmp_path.name: 12}}
    assert diagnosis.pictures == 24


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_files_are_found(tmp_path: Path, name: str) -> None:
    made = textures(tmp_path, {"a": 3, "b": 3})
    Path(made[1]).write_bytes(DAMAGE[name](Path(made[1]).read_bytes()))
    diagnosis = check(tmp_path)
    assert files(diagnosis, "unreadable", "damaged") == {made[1]}
    assert diagnosis.serious


@pytest.mark.parametrize(
    "options",
    [
        {"progressive": True},
        {"optimize": True},
        {"optimize": True, "quality": 5},
        {"quality": 100, "subsampling": 0},
        {"restart_marker_blocks": 3},
        {"optimize": True, "subsampling": 0},
        {"comment": b"\xff\x3c" * 40},
    ],
    ids=str,
)
@pytest.mark.parametrize("shown", ["texture", "white", "grey", "flower.jpg"])
def test_whole_jpeg_files_are_not_called_damaged(shown: str, options: dict[str, object]) -> None:
    pictures = {
        "texture": lambda: texture(1),
        "grey": lambda: Image.new("L", (900, 900), 128),
        "white": lambda: Image.new("RGB", (900, 900), "white"),
    }
    make = pictures.get(shown, lambda: Image.open(zoo.GOLDEN / shown).convert("RGB"))
    file = io.BytesIO()
    make().save(file, "JPEG", **options)
    assert jpeg.damage(file.getvalue()) == ""
    assert jpeg.damage(file.getvalue() + b"trailing bytes, as phones write them \xff\x01") == ""


def test_pictures_of_every_kind_are_not_called_damaged(tmp_path: Path) -> None:
    image = texture(1)
    for number, (kind, ending) in enumerate(
        [("PNG", "png"), ("GIF", "gif"), ("BMP", "bmp"), ("TIFF", "tif"), ("WEBP", "webp")]
    ):
        put(tmp_path / "a" / f"{number}.{ending}", saved(texture(number), kind))
    put(tmp_path / "b" / "turned.jpg", turned(image, 6, "JPEG"))
    diagnosis = check(tmp_path)
    assert files(diagnosis, "unreadable", "damaged") == set()
    assert [case.text for case in cases(diagnosis, "turned")] == [
        "turned by its EXIF, which other programs may ignore"
    ]


def test_a_png_whose_checksum_is_wrong_is_damaged(tmp_path: Path) -> None:
    image = texture(1)
    text = PngInfo()
    text.add_text("Title", "a cloud")
    file = io.BytesIO()
    image.save(file, "PNG", pnginfo=text)
    bad = put(tmp_path / "a" / "bad.png", file.getvalue().replace(b"a cloud", b"a clown"))
    put(tmp_path / "b" / "good.png", saved(texture(2), "PNG"))
    assert files(check(tmp_path), "damaged", "unreadable") == {bad}


def test_a_gif_that_is_damaged_behind_its_first_frame_is_damaged(tmp_path: Path) -> None:
    textures(tmp_path, {"a": 2, "b": 2})
    file = io.BytesIO()
    texture(1).save(file, "GIF", save_all=True, append_images=[texture(2)], duration=100)
    whole = file.getvalue()
    second = whole.rindex(b"\x21\xf9\x04")  # the control block of the second frame
    bad = {
        put(tmp_path / "a" / f"{kept}.gif", whole[: second + kept]) for kept in (1, 4, 9, 12, 20)
    }
    diagnosis = check(tmp_path)
    assert files(diagnosis, "damaged") == bad
    assert all("cannot be read" in case.text for case in cases(diagnosis, "damaged"))


def test_a_large_picture_gives_no_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    textures(tmp_path, {"a": 2, "b": 2})
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 160 * 100)  # warnings are errors here
    put(tmp_path / "a" / "large.png", saved(texture(9), "PNG"))
    assert files(check(tmp_path), "damaged", "unreadable") == set()


def test_odd_files_are_notes(tmp_path: Path) -> None:
    textures(tmp_path, {"a": 10, "b": 10})
    odd = {
        "wrong-ending": put(tmp_path / "a" / "png.jpg", saved(texture(91), "PNG")),
        "tiny": put(tmp_path / "a" / "tiny.png", saved(texture(92, 20, 20), "PNG")),
        "narrow": put(tmp_path / "a" / "narrow.png", saved(texture(93, 500, 60), "PNG")),
        "odd-kind": put(tmp_path / "a" / "cmyk.jpg", saved(texture(94).convert("CMYK"))),
        "one-colour": put(
            tmp_path / "a" / "blue.png", saved(Image.new("RGB", (99, 99), "blue"), "PNG")
        ),
    }
    diagnosis = check(tmp_path)
    assert codes(diagnosis) == odd.keys()
    for code, path in odd.items():
        assert files(diagnosis, code) == {path}
    assert not diagnosis.serious


def test_animations_and_16_bits_are_noted(tmp_path: Path) -> None:
    frames = [texture(number) for number in (1, 2)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    put(tmp_path / "a" / "moves.gif", file.getvalue())
    deep = Image.fromarray((np.asarray(texture(3).convert("L")).astype(np.uint16)) * 257)
    put(tmp_path / "b" / "deep.png", saved(deep, "PNG"))
    texts = [case.text for case in cases(check(tmp_path), "odd-kind")]
    assert texts == [
        "animated, of which the first frame is used",
        "of 16 bits a channel, which are made 8",
    ]


@pytest.mark.parametrize("name", COPIES)
@pytest.mark.parametrize("shown", ["texture", "cat.png", "flower.jpg", "temple.jpg"])
def test_copies_are_found(tmp_path: Path, name: str, shown: str) -> None:
    image = texture(500) if shown == "texture" else Image.open(zoo.GOLDEN / shown).convert("RGB")
    textures(tmp_path, {"a": 8, "b": 8})
    one = put(tmp_path / "a" / "one.jpg", saved(image))
    two = put(tmp_path / "a" / "two.jpg", COPIES[name](image))
    assert [set(case.paths) for case in cases(check(tmp_path), "repetition")] == [{one, two}]


def test_different_pictures_are_no_copies(tmp_path: Path) -> None:
    for name in ("camera.png", "cat.png", "coffee.png", "flower.jpg", "rocket.jpg", "temple.jpg"):
        with Image.open(zoo.GOLDEN / name) as image:
            width, height = image.size
            for half, box in enumerate(
                ((0, 0, width // 2, height), (width // 2, 0, width, height))
            ):
                part = image.convert("RGB").crop(box)
                put(tmp_path / name[:3] / f"{half}.png", saved(part, "PNG"))
    assert not {"repetition", "contradiction", "leak"} & codes(check(tmp_path))


def test_letters_of_few_pixels_are_no_copies_of_each_other(tmp_path: Path) -> None:
    digits = pytest.importorskip("sklearn.datasets").load_digits()
    for number, (pixels, label) in enumerate(zip(digits.images[:200], digits.target, strict=False)):
        image = Image.fromarray((pixels * 15).astype(np.uint8))
        put(tmp_path / str(label) / f"{number}.png", saved(image, "PNG"))
    shutil.copy(tmp_path / "0" / "0.png", tmp_path / "1" / "wrong.png")
    diagnosis = check(tmp_path)
    assert [len(case.paths) for case in cases(diagnosis, "contradiction")] == [2]
    assert "repetition" not in codes(diagnosis)


def test_the_same_picture_in_two_classes_and_in_two_parts(tmp_path: Path) -> None:
    made = textures(tmp_path / "train", {"a": 10, "b": 10})
    textures(tmp_path / "val", {"a": 3, "b": 3}, seed=100)
    put(tmp_path / "train" / "b" / "again.jpg", Path(made[0]).read_bytes())
    put(tmp_path / "val" / "b" / "again.jpg", COPIES["darker"](texture(12)))  # b/1 of train
    put(tmp_path / "val" / "b" / "other.jpg", COPIES["mirrored"](texture(3)))  # a/2 of train
    diagnosis = check(tmp_path)
    assert diagnosis.parts == ("train", "val")
    assert diagnosis.dataset == tmp_path.name
    leaks = [sorted(case.facts["parts"]) for case in cases(diagnosis, "leak")]
    assert leaks == [["train", "val"]] * 2
    conflicts = cases(diagnosis, "contradiction")
    assert [sorted(case.facts["labels"]) for case in conflicts] == [["a", "b"]] * 2
    assert conflicts[0].facts["same_file"]
    assert "as a and as b" in conflicts[0].text
    assert diagnosis.serious


def test_two_data_sets_against_each_other(tmp_path: Path) -> None:
    made = textures(tmp_path / "one", {"a": 10, "b": 10})
    textures(tmp_path / "two", {"a": 3, "b": 3}, seed=100)
    assert "leak" not in codes(check(tmp_path / "one", against=tmp_path / "two"))
    shutil.copy(made[4], tmp_path / "two" / "a" / "x.jpg")
    diagnosis = check(tmp_path / "one", against=tmp_path / "two")
    assert files(diagnosis, "leak") == {made[4], str(tmp_path / "two" / "a" / "x.jpg")}


def test_a_data_set_against_itself_is_refused(tmp_path: Path) -> None:
    textures(tmp_path, {"a": 2, "b": 2})
    with pytest.raises(UsageError, match="are the same data set"):
        check(tmp_path, against=tmp_path)


def test_the_same_data_set_is_known_however_its_path_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    textures(tmp_path / "set", {"a": 2, "b": 2})
    monkeypatch.chdir(tmp_path)
    for one, other in (("set", tmp_path / "set"), (tmp_path / "set", "./set/../set")):
        with pytest.raises(UsageError, match="are the same data set"):
            check(Path(one), against=other)


def test_lists_of_one_folder_that_share_a_picture_are_compared(tmp_path: Path) -> None:
    textures(tmp_path, {"a": 3, "b": 3})
    one = put(tmp_path / "one.csv", b"file,label\na/0.jpg,a\nb/0.jpg,b\n")
    two = put(tmp_path / "two.csv", b"file,label\na/0.jpg,a\nb/1.jpg,b\n")
    assert len(cases(check(Path(one), against=two), "leak")) == 1


def test_a_class_may_be_called_test(tmp_path: Path) -> None:
    textures(tmp_path, {"test": 3, "rest": 3})
    assert check(tmp_path).classes.keys() == {"test", "rest"}


def test_classes_that_are_empty_small_uneven_or_spelt_twice(tmp_path: Path) -> None:
    textures(tmp_path, {"rose": 30, "Rose ": 5, "lone": 1})
    (tmp_path / "empty").mkdir()
    diagnosis = check(tmp_path)
    found = {finding.code: [case.text for case in finding.cases] for finding in diagnosis.findings}
    assert found == {
        "empty-class": [f"empty in {tmp_path.name}"],
        "one-picture": ["lone"],
        "few-pictures": ["Rose : 5"],
        "uneven-classes": ["rose: 30", "lone: 1"],
        "alike-names": ["'Rose ' (5), 'rose' (30)"],
    }
    assert diagnosis.finding("alike-names").severity is SERIOUS  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "names",
    [("काम", "कम"), ("C", "C#", "C++"), ("+1", "-1"), ("0.5", "05"), ("1 1", "11"), ("A.", "A+")],
)
def test_names_that_signs_tell_apart_are_not_alike(names: tuple[str, ...]) -> None:
    counts = {name: {"all": 20} for name in names}
    assert classes.findings(counts, [], ["all"]) == []


@pytest.mark.parametrize(
    "names",
    [
        ("golden retriever", "Golden_Retriever", "golden-retriever", "goldenretriever"),
        ("class 1", "Class_1"),
        ("caf\u00e9", "cafe\u0301", " Café"),
        ("ﬁsh", "fish"),
        ("St. Bernard", "st bernard"),
    ],
)
def test_names_of_other_spelling_are_alike(names: tuple[str, ...]) -> None:
    (finding,) = classes.findings({name: {"all": 20} for name in names}, [], ["all"])
    assert finding.code == "alike-names"
    assert finding.cases[0].facts["classes"] == sorted(names)


def test_one_class_alone_and_a_class_of_one_part(tmp_path: Path) -> None:
    textures(tmp_path / "one", {"a": 12})
    assert codes(check(tmp_path / "one")) == {"one-class"}
    textures(tmp_path / "two" / "train", {"a": 12, "b": 12})
    textures(tmp_path / "two" / "val", {"a": 3, "c": 3}, seed=50)
    diagnosis = check(tmp_path / "two")
    texts = [case.text for case in cases(diagnosis, "part-without-class")]
    assert texts == ["b is not in val", "c is not in train"]


def test_what_is_not_used_is_said(tmp_path: Path) -> None:
    textures(tmp_path, {"a": 10, "b": 10})
    unused = {
        put(tmp_path / "a" / "no ending", saved(texture(70))),
        put(tmp_path / "beside.jpg", saved(texture(71))),
    }
    stray = {
        put(tmp_path / "a" / ".hidden.jpg", saved(texture(72))),
        put(tmp_path / "a" / "Thumbs.db", b"x"),
        os.path.join(tmp_path, ".git", ""),
    }
    put(tmp_path / ".git" / "config", b"x")
    diagnosis = check(tmp_path)
    assert files(diagnosis, "unused-picture") == unused
    assert files(diagnosis, "stray-file") == stray
    assert diagnosis.pictures == 20


def test_a_list_with_a_missing_file(tmp_path: Path) -> None:
    made = textures(tmp_path, {"a": 2, "b": 2})
    lines = [f"{os.path.relpath(path, tmp_path)},{Path(path).parent.name}" for path in made]
    put(tmp_path / "labels.csv", "\n".join(["file,label", *lines, "gone.jpg,ä,ö"[:-2]]).encode())
    diagnosis = check(tmp_path)
    (case,) = cases(diagnosis, "unreadable")
    assert case.facts["error"]["code"] == "image-not-found"
    assert "ä" in diagnosis.classes


@pytest.mark.parametrize("content", [(), ("a",), ("x.jpg",)])
def test_where_there_are_no_pictures_the_error_says_so(
    tmp_path: Path, content: Iterable[str]
) -> None:
    for name in content:
        if "." in name:
            put(tmp_path / name, saved(texture(1)))
        else:
            (tmp_path / name).mkdir()
    with pytest.raises(DatasetError):
        check(tmp_path)


def test_a_thousand_classes_of_two(tmp_path: Path) -> None:
    small = [saved(texture(number, 40, 40)) for number in range(20)]
    for number in range(1000):
        for each in range(2):
            data = small[(2 * number + each) % 20]
            put(tmp_path / f"class {number}" / f"{each}.jpg", data)
    diagnosis = check(tmp_path)
    assert len(cases(diagnosis, "contradiction")) == 20
    assert len(cases(diagnosis, "few-pictures")) == 1000


def test_groups_keep_copies_together(tmp_path: Path) -> None:
    made = textures(tmp_path, {"a": 6, "b": 6})
    made += [put(tmp_path / "b" / "x.jpg", COPIES["cropped"](texture(2)))]  # a/1
    made += [put(tmp_path / "b" / "y.jpg", COPIES["mirrored"](texture(2)))]
    made += [put(tmp_path / "b" / "bad.jpg", b"no picture")]
    numbers = doctor.groups(made)
    assert numbers == [*range(12), 1, 1, 12]
    by_row = doctor.groups(datasets.read(tmp_path))
    assert sorted(map(by_row.count, set(by_row))) == [1] * 12 + [3]
    vectors = embedding.embed(None, made).vectors
    assert doctor.groups(made, vectors=vectors) == numbers


def test_more_copies_than_neighbours_are_one_group(tmp_path: Path) -> None:
    made = [put(tmp_path / f"{n}.jpg", saved(texture(1)) + bytes(n)) for n in range(40)]
    made += [
        put(tmp_path / f"white {n}.png", saved(Image.new("L", (50, 50), 255), "PNG"))
        for n in (1, 2)
    ]
    assert doctor.groups(made) == [0] * 40 + [1, 1]
    vectors = embedding.embed(None, made).vectors
    assert doctor.groups(made, vectors=vectors) == [0] * 40 + [1, 1]


def test_groups_are_joined_through_others() -> None:
    assert twins.grouped(6, [(4, 5), (0, 2), (2, 4)]) == [0, 1, 0, 2, 0, 0]


def test_neighbours_are_those_of_the_whole_table() -> None:
    rows = neighbours.unit(np.random.default_rng(0).normal(size=(2500, 8)).astype(np.float32))
    near, scores = neighbours.nearest([rows], rows, 3)
    table = rows @ rows.T
    np.fill_diagonal(table, -9)
    expected = np.argsort(-table, axis=1)[:, :3]
    assert (near == expected).mean() > 0.999  # but for ties
    np.testing.assert_allclose(scores, -np.sort(-table, axis=1)[:, :3], rtol=1e-4, atol=1e-5)


def made_vectors(labels: list[int], seed: int = 0) -> np.ndarray:
    """Vectors that lie about the middle of their class."""
    chance = np.random.default_rng(seed)
    middles = chance.normal(size=(max(labels) + 1, 64))
    return (middles[labels] + 0.8 * chance.normal(size=(len(labels), 64))).astype(np.float32)


def test_swapped_labels_are_the_most_suspicious() -> None:
    truth = [number % 4 for number in range(400)]
    given = list(truth)
    swapped = random.Random(1).sample(range(400), 20)
    for place in swapped:
        given[place] = (truth[place] + 1) % 4
    ranked = suspects.suspects(made_vectors(truth), given, range(400))
    assert {each.place for each in ranked[:20]} == set(swapped)
    assert all(each.probable and each.other == truth[each.place] for each in ranked[:20])
    assert sum(each.probable for each in ranked) <= 22
    assert len(ranked) == 400


def test_classes_of_few_pictures_and_unreadable_ones_are_not_judged() -> None:
    labels = [0] * 20 + [1] * 20 + [2] * 4
    vectors = made_vectors(labels)
    vectors[3] = np.nan
    places = {each.place for each in suspects.suspects(vectors, labels, range(44))}
    assert places == set(range(40)) - {3}
    assert suspects.suspects(vectors[:20], labels[:20], range(20)) == []


def test_copies_do_not_vouch_for_each_other() -> None:
    truth = [number % 2 for number in range(100)]
    vectors = made_vectors(truth)
    vectors[0:20:2] = vectors[0]  # ten copies of one picture, all wrongly of class 1
    given = [1 if place < 20 else label for place, label in enumerate(truth)]
    groups = [0 if place in range(0, 20, 2) else place for place in range(100)]
    ranked = suspects.suspects(vectors, given, groups)
    assert {each.place for each in ranked[:10]} == set(range(0, 20, 2))


def test_a_picture_unlike_all_others() -> None:
    vectors = made_vectors([0] * 100)
    vectors[17] = -vectors[17]
    assert [place for place, _ in suspects.unlike(vectors)] == [17]


def test_where_most_are_the_same_none_is_called_unlike() -> None:
    vectors = np.repeat(made_vectors([0]), 100, axis=0)
    vectors[17] = -vectors[17]
    assert suspects.unlike(vectors) == []


def test_without_a_witness_no_label_is_called_wrong() -> None:
    alone = suspects.Suspect(place=0, label=0, other=1, suspicion=0.5, agree=0, neighbours=0)
    assert not alone.probable


def test_that_embeddings_could_not_be_kept_is_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    textures(tmp_path / "set", {"a": 3, "b": 3})
    monkeypatch.setenv("WHATSIT_CACHE", put(tmp_path / "no folder", b""))
    (note,) = doctor.check(tmp_path / "set").notes
    assert note.startswith("the embeddings could not be kept: ")


def drawing(colour: str, ground: str = "white") -> Image.Image:
    """A few shapes of one colour, of the same light whatever the colour."""
    image = Image.new("RGB", (200, 160), ground)
    draw = ImageDraw.Draw(image)
    draw.ellipse((20, 20, 90, 120), fill=colour)
    draw.rectangle((110, 40, 180, 60), fill=colour)
    draw.polygon([(100, 150), (150, 80), (190, 140)], fill=colour)
    return image


def test_what_differs_in_colour_alone_is_not_the_same_picture(tmp_path: Path) -> None:
    red, green = "#ff0000", "#008200"  # the same grey
    made = [
        put(tmp_path / f"{name} {colour}.png", saved(make(colour), "PNG"))
        for colour in (red, green)
        for name, make in (
            ("plain", lambda colour: Image.new("RGB", (99, 99), colour)),
            ("drawn", drawing),
        )
    ]
    assert doctor.groups(made) == [0, 1, 2, 3]


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_of_a_coloured_drawing_is_the_same_picture(tmp_path: Path, name: str) -> None:
    image = drawing("#d03010", "#f0e8c0")
    made = [put(tmp_path / "0.png", saved(image, "PNG")), put(tmp_path / "1", COPIES[name](image))]
    assert doctor.groups(made) == [0, 0]


def test_a_look_is_the_same_whatever_the_size() -> None:
    large, small = texture(1, 1280, 960), texture(1, 1280, 960).resize((320, 240))
    one = seen(saved(large, quality=95)).look.astype(int)  # decoded at a part of its size
    assert np.abs(one - seen(saved(small, quality=95)).look).max() <= 12


def test_json_has_everything_and_no_more_than_it_should(tmp_path: Path) -> None:
    made = textures(tmp_path, {"a": 10, "b": 10})
    put(tmp_path / "b" / "x.jpg", Path(made[0]).read_bytes())
    value = json.loads(json.dumps(doctor.check(tmp_path).to_json()))
    assert value["serious"] is True
    assert value["model"] == zoo.DEFAULT
    assert value["findings"][0]["code"] == "contradiction"
    assert value["findings"][0]["cases"][0]["paths"] == [made[0], str(tmp_path / "b" / "x.jpg")]
    assert len(value["suspicion"]) == 3  # a tenth of 21


@needs_flowers
def test_planted_faults_among_flowers(tmp_path: Path) -> None:
    chance = random.Random(0)
    for part, count in (("train", 60), ("val", 15)):
        for folder in sorted((FLOWERS / part).iterdir()):
            for path in chance.sample(sorted(folder.iterdir()), count):
                put(tmp_path / part / folder.name / path.name, path.read_bytes())
    names = sorted(os.listdir(tmp_path / "train"))
    train = sorted((tmp_path / "train").rglob("*.jpg"))
    chosen = iter(chance.sample(train, 60))
    broken = set()
    for name in [*DAMAGE] * 2:
        path = next(chosen)
        path.write_bytes(DAMAGE[name](path.read_bytes()))
        broken.add(str(path))
    copies = []
    for name in [*COPIES] * 2:
        path = next(chosen)
        copy = tmp_path / "val" / path.parent.name / f"copy of {path.name}"
        with Image.open(path) as image:
            copies.append({str(path), put(copy, COPIES[name](image.convert("RGB")))})
    swapped = set()
    for path, _ in zip(chosen, range(15), strict=False):  # 5 % of 300
        other = chance.choice([name for name in names if name != path.parent.name])
        swapped.add(str(shutil.move(path, tmp_path / "train" / other / f"moved {path.name}")))
    diagnosis = doctor.check(tmp_path)
    assert files(diagnosis, "unreadable", "damaged") == broken
    leaks = [set(case.paths) for case in cases(diagnosis, "leak")]
    assert sum(any(copy <= leak for leak in leaks) for copy in copies) >= 0.95 * len(copies)
    ranked = [path for path, _ in diagnosis.suspicion if "/train/" in Path(path).as_posix()]
    assert len(swapped & set(ranked[: len(ranked) // 10])) >= 0.8 * len(swapped)
