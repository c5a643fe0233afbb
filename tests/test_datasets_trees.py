"""A tree of classes beside the pictures: how it is read, and what is wrong with others."""

from __future__ import annotations

from pathlib import Path

import pytest

from whatsit import DatasetError, Labels, doctor
from whatsit.datasets import read, trees

FRUIT = ("cherry", "lemon", "lime", "orange")


def table(folder: Path, text: str, name: str = "labels.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


@pytest.fixture
def fruit(tmp_path: Path) -> Path:
    for name in FRUIT:
        (tmp_path / "fruit" / name).mkdir(parents=True)
        (tmp_path / "fruit" / name / "1.jpg").write_bytes(b"x")
    return tmp_path / "fruit"


ONE_ROOT = "class,parent\nlemon,citrus\nlime,citrus\norange,citrus\ncitrus,fruit\ncherry,fruit\n"


@pytest.mark.parametrize(
    "text",
    [
        ONE_ROOT,
        ONE_ROOT + "fruit,\n",
        ONE_ROOT.replace(",", ";").replace("\n", "\r\n"),
        "\ufeff\n" + ONE_ROOT.replace("class,parent", " Label , PARENT "),
        "parent,notes,class\ncitrus,yellow,lemon\ncitrus,,lime\ncitrus,,orange\n"
        "fruit,,citrus\nfruit,,cherry\n",
    ],
)
def test_one_root(tmp_path: Path, text: str) -> None:
    labels = trees.read(table(tmp_path, text, "tree.csv"), FRUIT)
    assert labels.names == FRUIT
    assert [labels.ancestors(index) for index in range(4)] == [
        ["fruit"],
        ["citrus", "fruit"],
        ["citrus", "fruit"],
        ["citrus", "fruit"],
    ]
    assert labels.tree == {"citrus": ("citrus", "fruit"), "fruit": ("fruit", None)}
    assert Labels.from_json(labels.to_json()) == labels


def test_several_tops_get_a_root(tmp_path: Path) -> None:
    text = "class,parent\nlemon,citrus\nlime,citrus\norange,citrus\ncherry,\n"
    labels = trees.read(table(tmp_path, text), FRUIT)
    assert labels.ancestors(0) == [""]
    assert labels.ancestors(1) == ["citrus", ""]
    assert labels.tree[""] == ("anything", None)
    assert {len(labels.below[node]) for node in ("", "citrus")} == {4, 3}
    assert Labels.from_json(labels.to_json()) == labels


def test_all_at_the_top(tmp_path: Path) -> None:
    labels = trees.read(table(tmp_path, "class,parent\na,\nb,\n"), ("a", "b"))
    assert [labels.ancestors(0), labels.ancestors(1)] == [[""], [""]]


def test_a_branch_is_named_by_its_name(tmp_path: Path) -> None:
    labels = trees.read(table(tmp_path, ONE_ROOT.replace("citrus", "7")), FRUIT)
    assert labels.find("7") == [1, 2, 3]  # before an index
    assert labels.find(1) == labels.find("lemon") == [1]
    assert labels.find("fruit") == [0, 1, 2, 3]
    with pytest.raises(Exception, match="no class 'frui'") as error:
        labels.find("frui")
    assert error.value.hint == "did you mean 'fruit'?"  # type: ignore[attr-defined]


def test_no_empty_name(tmp_path: Path) -> None:
    labels = trees.read(table(tmp_path, "class,parent\na,\nb,\n"), ("a", "b"))
    with pytest.raises(Exception, match="no class ''"):
        labels.find("")


def test_a_class_more(tmp_path: Path) -> None:
    labels = trees.with_class(trees.read(table(tmp_path, ONE_ROOT), FRUIT), "plum")
    assert labels.ancestors(4) == ["fruit"]
    assert labels.below["fruit"].tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(DatasetError, match="'citrus' is a node"):
        trees.with_class(labels, "citrus")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("\n \n", "is empty"),
        ("class,above\na,b\n", "the first line of .* is 'class,above'"),
        ("file,class,parent\n", "the first line of"),
        ("class,parent\n", "has no row for 'cherry', 'lemon', 'lime', 'orange'"),
        (ONE_ROOT.replace("lime,citrus\n", ""), "has no row for 'lime'$"),
        (ONE_ROOT.replace("lime", "lyme"), "has 'lyme', which the data set has not"),
        (ONE_ROOT + "melon,\n", "has 'melon', which"),
        (ONE_ROOT + "lime,cherry\n", "line 7 .* puts 'lime' below 'cherry', and it was below 'c"),
        (ONE_ROOT + "lime,\n", "line 7 .* puts 'lime' below nothing"),
        (ONE_ROOT.replace("cherry,fruit", "cherry,lime"), "something below the class 'lime'"),
        (
            ONE_ROOT + "fruit,food\nfood,citrus\n",
            "circle: 'citrus', 'fruit', 'food', 'citrus'",
        ),
        (ONE_ROOT + "fruit,fruit\n", "in a circle: 'fruit', 'fruit'"),
        (ONE_ROOT + "plum\n", "line 7 of .* has 1 columns"),
        (ONE_ROOT + ",fruit\n", "line 7 of .* has the class ''"),
        (ONE_ROOT + '"pl\num",fruit\n', "has the class"),
        (ONE_ROOT + '"plum,fruit\n', "cannot be read"),
    ],
)
def test_no_such_tree(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message) as error:
        trees.read(table(tmp_path, text, "tree.csv"), FRUIT)
    assert "tree.csv" in error.value.message
    assert error.value.expected


def test_the_hint_names_the_class_that_was_meant(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as error:
        trees.read(table(tmp_path, ONE_ROOT.replace("lime", "lyme")), FRUIT)
    assert error.value.hint == "did you mean 'lime'?"


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot read"):
        trees.read(tmp_path / "none.csv", FRUIT)


def test_no_text(tmp_path: Path) -> None:
    (tmp_path / "tree.csv").write_bytes(b"class,parent\n\xff,b\n")
    with pytest.raises(DatasetError, match="no text in UTF-8") as error:
        trees.read(tmp_path / "tree.csv", FRUIT)
    assert error.value.expected == trees.COLUMNS


def test_a_very_deep_tree(tmp_path: Path) -> None:
    rows = [f"{n},{n + 1}\n" for n in range(100, 3000)]
    text = "class,parent\na,100\nb,100\n" + "".join(rows)
    with pytest.raises(DatasetError) as caught:
        trees.read(table(tmp_path, text), ("a", "b"))
    assert "more than 100 nodes lie above the class 'a'" in caught.value.message
    assert caught.value.expected == "a tree of at most 100 levels"


def test_a_folder_keeps_its_classes(fruit: Path) -> None:
    plain = read(fruit)
    path = table(fruit, ONE_ROOT)
    found = read(fruit)
    assert (found.rows, found.kind) == (plain.rows, plain.kind)
    assert (plain.tree_in, found.tree_in) == (None, path)
    assert str(path) in found.files
    assert found.only([0]).tree_in == path


def test_a_list_of_pictures_is_none(fruit: Path) -> None:
    table(fruit, "file,label,parent\nlemon/1.jpg,lemon,citrus\n")
    found = read(fruit)
    assert (len(found), found.tree_in) == (1, None)


def test_a_tree_alone_is_no_data_set(tmp_path: Path) -> None:
    path = table(tmp_path, ONE_ROOT)
    with pytest.raises(DatasetError):
        read(tmp_path)
    with pytest.raises(DatasetError, match="the first line of"):
        read(path)


def test_the_doctor_does_not_mind_it(fruit: Path) -> None:
    table(fruit, ONE_ROOT)
    table(fruit, "else\n", "notes.txt")
    found = doctor.check(fruit, embeddings=False).findings
    (stray,) = [each for each in found if each.code == "stray-file"]
    assert [Path(path).name for each in stray.cases for path in each.paths] == ["notes.txt"]
