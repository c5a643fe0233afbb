"""Data sets as people have them: layouts, odd files, and which classes their labels mean."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
from pathlib import Path

import pytest
from make_pictures import damaged

from whatsit import DatasetError, Labels, UsageError, zoo
from whatsit.datasets import Dataset, Row, read, sampled, truths

SHARED = Path(__file__).parents[2] / "shared" / "data"

CLASSES = Labels(
    names=("tabby", "tiger cat", "crane (bird)", "crane (machine)", "espresso", "7"),
    synsets=tuple(f"n0000000{i}" for i in range(6)),
    lemmas=(
        ("tabby", "tabby cat"),
        ("tiger cat",),
        ("crane",),
        ("crane",),
        ("espresso", "caffè espresso"),
        ("7",),
    ),
)


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def listed(dataset: Dataset) -> list[tuple[str, str]]:
    """(path below the root with slashes, label) of each row."""
    return [(Path(r.path).relative_to(dataset.root).as_posix(), r.label) for r in dataset.rows]


def table(folder: Path, text: str | bytes, name: str = "labels.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refused(path: Path | str) -> DatasetError:
    with pytest.raises(DatasetError) as caught:
        read(path)
    return caught.value


def labelled(*labels: str, declared: bool = False) -> Dataset:
    """A data set with a picture for each label, in no folder at all."""
    from whatsit.datasets.base import kind_of_labels

    rows = tuple(Row(f"{i}.png", label) for i, label in enumerate(labels))
    return Dataset("made", Path("."), rows, kind_of_labels(labels), declared=declared)


# Folders.


def test_a_folder_for_each_class(tmp_path: Path) -> None:
    touch(tmp_path / "tabby/b.jpg", tmp_path / "tabby/a.PNG", tmp_path / "crane/deep/er/c.webp")
    touch(tmp_path / "tabby/.hidden.jpg", tmp_path / ".git/x.jpg", tmp_path / "tabby/.cache/y.jpg")
    touch(tmp_path / "tabby/notes.txt")
    found = read(tmp_path)
    assert listed(found) == [
        ("crane/deep/er/c.webp", "crane"),
        ("tabby/a.PNG", "tabby"),
        ("tabby/b.jpg", "tabby"),
    ]
    assert (found.name, found.labels_by, found.declared) == (tmp_path.name, "name", False)
    assert found.kind == "a folder for each class"
    assert found.notes == ()


def test_folders_by_index_and_by_synset(tmp_path: Path) -> None:
    touch(tmp_path / "a/0/x.jpg", tmp_path / "a/999/x.jpg")
    touch(tmp_path / "b/n01440764/x.jpg", tmp_path / "b/n02119789/x.jpg")
    touch(tmp_path / "c/n01440764/x.jpg", tmp_path / "c/tabby/x.jpg")
    assert [read(tmp_path / part).labels_by for part in "abc"] == ["index", "synset", "name"]


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    touch(tmp_path / "tabby/a.jpg", tmp_path / "loose.jpg", tmp_path / "other.png")
    (tmp_path / "nothing").mkdir()
    assert read(tmp_path).notes == (
        "left out, since they lie beside the folders, without a label: 2 of the pictures",
        "no pictures in 'nothing'",
    )


def test_a_class_folder_may_be_a_link(tmp_path: Path) -> None:
    touch(tmp_path / "elsewhere/a.jpg")
    (tmp_path / "set").mkdir()
    try:
        (tmp_path / "set" / "tabby").symlink_to(tmp_path / "elsewhere")
    except OSError:
        pytest.skip("no links here")
    assert listed(read(tmp_path / "set")) == [("tabby/a.jpg", "tabby")]


def test_the_name_of_a_part_says_of_what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path / "flowers/val/rose/a.jpg")
    assert read(tmp_path / "flowers" / "val").name == "flowers/val"
    monkeypatch.chdir(tmp_path / "flowers")
    assert read(".").name == "flowers"
    assert read(".").rows[0].path == os.path.join(".", "val", "rose", "a.jpg")


@pytest.mark.skipif(not SHARED.exists(), reason="needs ../shared")
def test_real_flowers() -> None:
    found = read(SHARED / "flowers" / "val")
    assert len(found) == 300
    assert {row.label for row in found.rows} == {
        "daisy", "dandelion", "roses", "sunflowers", "tulips"
    }  # fmt: skip


# Lists.


@pytest.mark.parametrize(
    "text",
    [
        "file,label\na.jpg,tabby\nsub/b.jpg,tiger cat\n",
        "file;label\r\na.jpg;tabby\r\nsub/b.jpg;tiger cat\r\n",
        "file\tlabel\na.jpg\ttabby\nsub/b.jpg\ttiger cat",
        "\ufefffile,label\na.jpg,tabby\n\n  \nsub/b.jpg,tiger cat\n",
        '"File" , "Label"\n"a.jpg","tabby"\n"sub/b.jpg","tiger cat"\n'.replace(" , ", ","),
        "id,label,file,more\n1,tabby,a.jpg,\n2,tiger cat,sub/b.jpg,x\n",
        "file,label\ra.jpg,tabby\rsub/b.jpg,tiger cat\r",
    ],
)
def test_csv(tmp_path: Path, text: str) -> None:
    table(tmp_path, text)
    for path in (tmp_path, tmp_path / "labels.csv"):
        found = read(path)
        assert listed(found) == [("a.jpg", "tabby"), ("sub/b.jpg", "tiger cat")]
        assert (found.name, found.labels_by, found.kind) == (tmp_path.name, "name", "labels.csv")


def test_csv_with_odd_names(tmp_path: Path) -> None:
    text = 'file,label\n"a, b.jpg","cat, tabby"\nчай 😀.jpg,\u2028é\n"say ""hi"".jpg",x\n'
    found = read(table(tmp_path, text, "mine.csv"))
    assert listed(found) == [("a, b.jpg", "cat, tabby"), ("чай 😀.jpg", "é"), ('say "hi".jpg', "x")]


def test_csv_by_index_and_by_synset(tmp_path: Path) -> None:
    index = read(table(tmp_path, "file,class_index\na.jpg,472\nb.jpg,0\n"))
    assert (index.labels_by, index.declared) == ("index", True)
    looks = read(table(tmp_path, "file,label\na.jpg,472\n"))
    assert (looks.labels_by, looks.declared) == ("index", False)
    synset = read(table(tmp_path, "file,label\na.jpg,n01440764\n"))
    assert synset.labels_by == "synset"


def test_an_absolute_path_in_a_list(tmp_path: Path) -> None:
    picture = tmp_path / "elsewhere" / "a.jpg"
    found = read(table(tmp_path, f'file,label\n"{picture}",tabby\n'))
    assert found.rows[0].path == str(picture)


def test_lines_that_repeat_others_count_once(tmp_path: Path) -> None:
    found = read(table(tmp_path, "file,label\na.jpg,x\nb.jpg,y\n./a.jpg,x\na.jpg,x\n"))
    assert listed(found) == [("a.jpg", "x"), ("b.jpg", "y")]
    assert found.notes == ("counted once, since they stand there more often: 2 lines",)


def test_a_picture_with_two_labels_is_refused(tmp_path: Path) -> None:
    error = refused(table(tmp_path, "file,label\na.jpg,x\nb.jpg,y\nsub/../a.jpg,z\n"))
    assert f"gives {str(tmp_path / 'a.jpg')!r} two labels, 'x' and 'z'" in error.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("\n \n", "is empty"),
        ("file,label\n", "lists no pictures"),
        ("a.jpg,tabby\nb.jpg,tabby\n", "the first line of "),
        ("file,name\na.jpg,tabby\n", "is 'file,name'"),
        ("file,label,class_index\na.jpg,tabby,3\n", "both a label and a class_index"),
        ("file,label\na.jpg\n", "line 2 of "),
        ("file,label\na.jpg,x\n,tabby\n", "has no file"),
        ("file,label\na.jpg,x\n\nb.jpg, \n", "has no label"),
        ("file,class_index\na.jpg,tabby\n", "has the class_index 'tabby'"),
        ("file,class_index\na.jpg,-1\n", "has the class_index '-1'"),
        ('file,label\n"a.jpg,x\nb.jpg,y\n', "cannot be read"),
        ("file,label\n".encode("utf-16"), "is no text in UTF-8"),
        ("file,label\ncafé.jpg,x\n".encode("latin-1"), "is no text in UTF-8"),
        ("file," + "x" * 200_000 + "\n", "the first line of "),
        ("file,label\na.jpg," + "x" * 200_000 + "\n", "cannot be read"),
    ],
)
def test_bad_lists(tmp_path: Path, text: str | bytes, message: str) -> None:
    error = refused(table(tmp_path, text))
    assert message in error.message
    assert "labels.csv" in error.message
    assert error.expected


def test_the_line_that_is_wrong_is_named(tmp_path: Path) -> None:
    error = refused(table(tmp_path, "file,label\n\na.jpg,x\nb.jpg\n"))
    assert error.message.startswith("line 4 of ")


@pytest.mark.parametrize("seed", range(100))
def test_any_damage_to_a_list_is_a_data_set_or_an_error_of_ours(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    text = (
        b'\xef\xbb\xbffile;label\r\n"a; b.jpg";n01440764\r\nb.jpg;7\r\n' * 3,
        b"ImageId,PredictionString\na,n03995372 85 1 499 272\nb,n03481172 1 2 3 4\n" * 3,
        b"ILSVRC2012_val_00000001.JPEG 65\nILSVRC2012_val_00000002.JPEG 970\n" * 3,
    )[seed % 3]
    name = ("labels.csv", "LOC_val_solution.csv", "val.txt")[seed % 3]
    (tmp_path / name).write_bytes(damaged(text, chance))
    with contextlib.suppress(DatasetError):
        found = read(tmp_path)
        assert len(found) > 0
        found.fingerprint()
        truths(found, CLASSES, skip_unknown=True)


# ImageNet.


def test_imagenet_in_folders_by_synset(tmp_path: Path) -> None:
    touch(tmp_path / "n01440764/ILSVRC2012_val_00000293.JPEG")
    assert listed(read(tmp_path)) == [
        ("n01440764/ILSVRC2012_val_00000293.JPEG", "n01440764"),
    ]


@pytest.mark.parametrize("folder", ["", "val/"])
def test_imagenet_with_val_txt(tmp_path: Path, folder: str) -> None:
    touch(tmp_path / f"{folder}ILSVRC2012_val_00000001.JPEG")
    text = "ILSVRC2012_val_00000001.JPEG 65\nILSVRC2012_val_00000002.JPEG\t970\r\n"
    table(tmp_path, text, "val.txt")
    found = read(tmp_path)
    assert listed(found) == [
        (f"{folder}ILSVRC2012_val_00000001.JPEG", "65"),
        (f"{folder}ILSVRC2012_val_00000002.JPEG", "970"),
    ]
    assert (found.labels_by, found.declared, found.kind) == ("index", True, "val.txt, zero-based")


@pytest.mark.parametrize("folder", ["", "ILSVRC/Data/CLS-LOC/val/"])
def test_imagenet_of_kaggle(tmp_path: Path, folder: str) -> None:
    touch(tmp_path / f"{folder}ILSVRC2012_val_00048981.JPEG")
    table(
        tmp_path,
        "ImageId,PredictionString\n"
        "ILSVRC2012_val_00048981,n03995372 85 1 499 272 \n"
        "ILSVRC2012_val_00037956,n03481172 131 0 499 254 n03481172 1 2 3 4 \n",
        "LOC_val_solution.csv",
    )
    found = read(tmp_path)
    assert listed(found) == [
        (f"{folder}ILSVRC2012_val_00048981.JPEG", "n03995372"),
        (f"{folder}ILSVRC2012_val_00037956.JPEG", "n03481172"),
    ]
    assert (found.labels_by, found.kind) == ("synset", "Kaggle's LOC_val_solution.csv")


def test_kaggle_with_two_classes_in_a_line(tmp_path: Path) -> None:
    text = "ImageId,PredictionString\na,n03995372 1 2 3 4 n03481172 1 2 3 4\n"
    assert "names 2 classes" in refused(table(tmp_path, text, "LOC_val_solution.csv")).message


def test_the_ground_truth_of_the_devkit_is_refused(tmp_path: Path) -> None:
    name = "ILSVRC2012_validation_ground_truth.txt"
    path = table(tmp_path, "490\n361\n171\n", name)
    touch(tmp_path / "ILSVRC2012_val_00000001.JPEG")
    for error in (refused(path), refused(tmp_path)):
        assert "another order than the usual 0 to 999" in error.message
        assert "LOC_val_solution.csv" in error.hint
    touch(tmp_path / "n01440764/ILSVRC2012_val_00000293.JPEG")
    assert len(read(tmp_path)) == 1  # the folders say it all


def test_a_text_file_of_something_else(tmp_path: Path) -> None:
    error = refused(table(tmp_path, "a.jpg 3\nhello world\n", "val.txt"))
    assert "line 2 of " in error.message
    assert error.expected == "a picture and a class index"
    assert len(read(table(tmp_path, "file,label\na.jpg,x\n", "mine.txt"))) == 1


# What is no data set.


def test_no_data_set(tmp_path: Path, cat: Path) -> None:
    assert refused(tmp_path / "gone").message == f"no data set {str(tmp_path / 'gone')!r}"
    assert refused(cat).hint == "`whatsit classify` says what is in it"
    (tmp_path / "a").mkdir()
    assert "is empty" in refused(tmp_path / "a").message
    (tmp_path / "a" / "tabby").mkdir()
    assert "no pictures in the folders" in refused(tmp_path / "a").message
    touch(tmp_path / "pictures.zip", tmp_path / "b" / "x.jpg", tmp_path / "b" / "y.jpg")
    assert refused(tmp_path / "pictures.zip").hint == "unpack any other archive first"
    assert "the 2 pictures" in refused(tmp_path / "b").message
    assert refused("a\0b").message == "no data set 'a\\x00b'"
    for error in (refused(tmp_path / "b"), refused(tmp_path / "a")):
        assert error.expected == "a folder for each class, or a labels.csv with file,label"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path: Path) -> None:
    touch(tmp_path / "tabby/a.jpg", tmp_path / "crane/a.jpg")
    (tmp_path / "crane").chmod(0)
    try:
        assert "Permission denied" in refused(tmp_path).message
    finally:
        (tmp_path / "crane").chmod(0o700)


# The fingerprint and the sample.


def test_the_fingerprint_is_of_pictures_and_labels(tmp_path: Path) -> None:
    touch(tmp_path / "one/tabby/a.jpg", tmp_path / "one/tabby/b.jpg")
    first = read(tmp_path / "one").fingerprint()
    assert read(tmp_path / "one").fingerprint() == first
    shutil.copytree(tmp_path / "one", tmp_path / "moved")  # keeps the times
    assert read(tmp_path / "moved").fingerprint() == first
    shutil.move(tmp_path / "moved/tabby", tmp_path / "moved/cat")
    assert read(tmp_path / "moved").fingerprint() != first
    (tmp_path / "one/tabby/a.jpg").write_bytes(b"longer")
    second = read(tmp_path / "one").fingerprint()
    (tmp_path / "one/tabby/a.jpg").unlink()
    assert len({first, second, read(tmp_path / "one").fingerprint()}) == 3


def test_the_place_of_a_picture_is_the_same_from_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, outside = tmp_path / "set", tmp_path / "other" / "c.png"
    inside.mkdir()
    (inside / "labels.csv").write_text(
        f"file,label\na/1.png,x\n{inside / 'b.png'},x\n{outside},x\n../d.png,x\n"
    )
    expected = ["a/1.png", "b.png", outside.as_posix(), "../d.png"]
    for folder, name in (
        (tmp_path, "set"),
        (inside, "."),
        (inside, "labels.csv"),
        (inside, "../set"),
    ):
        monkeypatch.chdir(folder)
        for path in (name, os.path.abspath(name)):
            found = read(path)
            assert [found.place(row) for row in found.rows] == expected
            assert found.absolute_root == str(inside)


def test_the_fingerprint_of_missing_files(tmp_path: Path) -> None:
    found = read(table(tmp_path, "file,label\ngone.jpg,x\n"))
    before = found.fingerprint()
    touch(tmp_path / "gone.jpg")
    assert found.fingerprint() != before


def test_a_sample_is_the_same_for_the_same_seed() -> None:
    assert sampled(1000, 20, 1) == sampled(1000, 20, 1) != sampled(1000, 20, 2)
    assert sampled(1000, 20, 1) == sorted(set(sampled(1000, 20, 1)))
    assert sampled(5, None) == sampled(5, 5) == sampled(5, 9) == [0, 1, 2, 3, 4]


# Which class a label means.


@pytest.mark.parametrize(
    ("label", "index"),
    [
        ("tabby", 0),
        ("Tiger_Cat", 1),
        ("tiger  cat", 1),
        ("tabby_cat", 0),
        ("CAFFÈ ESPRESSO", 4),
        ("crane (bird)", 2),
        ("Crane_(machine)", 3),
        ("7", 5),
    ],
)
def test_by_name(label: str, index: int) -> None:
    assert truths(labelled(label, "tabby"), CLASSES).indices == (index, 0)


def test_by_index_and_by_synset() -> None:
    assert truths(labelled("0", "05", "3"), CLASSES).indices == (0, 5, 3)
    assert truths(labelled("n00000004"), CLASSES).indices == (4,)


def test_digits_that_name_a_class_are_not_guessed() -> None:
    eight = Labels(tuple("70123456"))
    both = labelled("7", "0")
    with pytest.raises(DatasetError, match="could be indices too") as caught:
        truths(both, eight)
    assert caught.value.expected == "--labels-by name or --labels-by index"
    assert truths(both, eight, labels_by="name").indices == (0, 1)
    assert truths(both, eight, labels_by="index").indices == (7, 0)
    assert truths(labelled("7", "0", declared=True), eight).indices == (7, 0)
    assert truths(both, Labels(tuple("01234567"))).indices == (7, 0)  # the same either way


def test_an_ambiguous_name_is_refused_and_named() -> None:
    with pytest.raises(DatasetError) as caught:
        truths(labelled("tabby", "Crane"), CLASSES)
    assert caught.value.message == (
        "the label 'Crane' could be 'crane (bird)' (class 2) or 'crane (machine)' (class 3)"
    )
    left = truths(labelled("tabby", "Crane"), CLASSES, skip_unknown=True)
    assert left.indices == (0, None)
    assert left.known == [0]


def test_names_that_differ_by_case_alone() -> None:
    labels = Labels(("Cardigan", "cardigan"))
    assert truths(labelled("cardigan", "Cardigan"), labels).indices == (1, 0)
    with pytest.raises(DatasetError, match="'CARDIGAN' could be 'Cardigan'"):
        truths(labelled("CARDIGAN"), labels)


def test_labels_that_the_model_lacks() -> None:
    with pytest.raises(DatasetError) as caught:
        truths(labelled("tabby", "tabbi", "b", "c", "d", "e", "f"), CLASSES)
    error = caught.value
    assert error.message == (
        "6 of 7 labels name no class of the model: 'b', 'c', 'd', 'e', 'f' and 1 more"
    )
    assert error.hint == "did you mean 'tabbi': 'tabby'? --skip-unknown leaves them out"
    with pytest.raises(DatasetError, match="no class 'nothing'") as caught:
        truths(labelled("nothing", "nothing"), CLASSES, skip_unknown=True)
    assert "skip" not in caught.value.hint  # it would leave nothing


def test_only_what_is_really_alike_is_meant() -> None:
    animals = Labels(("ram", "hen"), lemmas=(("ram", "tup"), ("hen",)), synsets=("n1", "n2"))
    with pytest.raises(DatasetError) as caught:
        truths(labelled("tulip", "hen"), animals)
    assert "did you mean" not in caught.value.hint


def test_long_labels_are_shortened(tmp_path: Path) -> None:
    endless = "x" * 100_000
    for make in (
        lambda: truths(labelled(endless, "tabby"), CLASSES),
        lambda: truths(labelled("a"), Labels((f"{endless}1", f"{endless}2"))),
        lambda: read(table(tmp_path, f"file,class_index\na.jpg,{endless}\n")),
        lambda: read(table(tmp_path, f"file,label\na.jpg,{endless}\na.jpg,b\n")),
    ):
        with pytest.raises(DatasetError) as caught:
            make()
        assert len(caught.value.message + caught.value.hint + caught.value.expected) < 600


@pytest.mark.parametrize("index", ["tench", "-1", "472.0"])
def test_a_class_index_is_a_whole_number(tmp_path: Path, index: str) -> None:
    error = refused(table(tmp_path, f"file,class_index\na.jpg,{index}\n"))
    assert error.message.endswith(f"has the class_index {index!r}")
    assert error.expected == "a whole number from 0"


def test_an_offset_is_hinted_at_only_where_it_helps() -> None:
    for labels in (("1", "7"), ("tench", "6")):
        with pytest.raises(DatasetError) as caught:
            truths(labelled(*labels), CLASSES, labels_by="index")
        assert ("--label-offset" in caught.value.hint) == ("6" in labels)


def test_an_empty_name_is_not_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="empty name"):
        read("")


def test_the_files_of_a_data_set(tmp_path: Path) -> None:
    listed = table(tmp_path, "file,label\na.jpg,x\nb.jpg,y\n")
    found = read(listed)
    assert found.files == [str(listed), str(tmp_path / "a.jpg"), str(tmp_path / "b.jpg")]
    assert found.only([0]).files == found.files


def test_unknown_labels_can_be_left_out() -> None:
    found = truths(labelled("tabby", "x", "espresso", "x", "y"), CLASSES, skip_unknown=True)
    assert found.indices == (0, None, 4, None, None)
    assert found.notes == (
        "left out, since the model lacks their labels: 3 of 5 pictures ('x', 'y')",
    )


def test_the_parts_of_a_data_set_are_no_classes() -> None:
    with pytest.raises(DatasetError) as caught:
        truths(labelled("train", "val"), CLASSES)
    assert caught.value.hint == "these look like parts: give one of them"


def test_an_index_beyond_the_classes() -> None:
    with pytest.raises(DatasetError) as caught:
        truths(labelled("1", "6"), CLASSES)
    assert caught.value.message == "1 of 2 labels name no class of the model: '6'"
    assert caught.value.expected == "an index from 0 to 5"
    assert "--label-offset -1" in caught.value.hint
    assert truths(labelled("1", "6"), CLASSES, label_offset=-1).indices == (0, 5)
    with pytest.raises(DatasetError) as caught:
        truths(labelled("0", "6"), CLASSES, label_offset=-1)
    assert caught.value.expected == "an index from 1 to 6"


def test_a_synset_of_another_model() -> None:
    with pytest.raises(DatasetError) as caught:
        truths(labelled("n00000004", "n99999999"), CLASSES)
    assert caught.value.expected == "WordNet ids of the model"
    with pytest.raises(DatasetError, match="the model carries none"):
        truths(labelled("n00000004"), Labels(("a", "b")))
    assert truths(labelled("n00000004"), Labels(("x", "n00000004"))).indices == (1,)


def test_wrong_arguments() -> None:
    with pytest.raises(UsageError, match="labels by 'color'"):
        truths(labelled("tabby"), CLASSES, labels_by="color")
    with pytest.raises(UsageError, match="a label offset for labels by name"):
        truths(labelled("tabby"), CLASSES, label_offset=1)


# The models with 1001 classes.


def background(*names: str) -> Labels:
    return Labels(("background", *names))


def test_the_background_class_shifts_indices() -> None:
    model = background(*(f"c{i}" for i in range(1000)))
    found = truths(labelled("0", "999", declared=True), model)
    assert found.indices == (1, 1000)
    assert "class 0 of the data set is the model's class 1" in found.notes[0]
    assert truths(labelled("0", "999"), model, label_offset=0).indices == (0, 999)
    assert truths(labelled("1", "1000"), model) == truths(
        labelled("1", "1000"), model, label_offset=0
    )
    assert truths(labelled("0"), Labels(tuple(f"c{i}" for i in range(1001)))).indices == (0,)


def test_a_part_of_a_data_set_means_what_the_whole_does() -> None:
    model = background(*(f"c{i}" for i in range(1000)))
    counts_like_the_model = labelled("1", "7", "1000")
    part = counts_like_the_model.only([0, 1])
    assert truths(part, model).indices == (1, 7)
    assert truths(part.only([1]), model).indices == (7,)
    assert truths(labelled("1", "7"), model).indices == (2, 8)


def test_numbers_that_no_class_can_have() -> None:
    for text in ("9" * 5000, "٣x", "-1"):
        with pytest.raises(DatasetError):
            truths(labelled(text), CLASSES, labels_by="index")


def imagenet() -> Labels:
    return zoo.open_builtin(zoo.DEFAULT).labels


def test_synsets_for_a_model_that_has_imagenet_but_no_ids() -> None:
    known = imagenet()
    lists = background(*(", ".join(lemmas) for lemmas in known.lemmas))
    found = truths(labelled("n01440764", "n15075141"), lists, imagenet=known)
    assert found.indices == (1, 1000)
    assert "carries no WordNet ids" in found.notes[0]
    assert truths(labelled("n01440764"), Labels(known.names), imagenet=known).indices == (0,)
    shuffled = Labels(tuple(reversed(known.names)))
    with pytest.raises(DatasetError, match="the model carries none"):
        truths(labelled("n01440764"), shuffled, imagenet=known)


def test_every_name_of_imagenet_is_found() -> None:
    known = imagenet()
    assert truths(labelled(*known.names), known).indices == tuple(range(1000))
    folders = labelled(*(name.replace(" ", "_").upper() for name in known.names))
    found = truths(folders, known, skip_unknown=True)
    wrong = {i for i, index in enumerate(found.indices) if index != i}
    assert {known.names[i].casefold() for i in wrong} == set()
    for key in ("crane", "maillot", "Cardigan"):
        with pytest.raises(DatasetError, match="could be"):
            truths(labelled(key), known)
