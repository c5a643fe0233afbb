"""The ImageNet label table that goes into each built-in model: tools/zoo/imagenet.json."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ZOO = Path(__file__).parents[1] / "tools" / "zoo"
ENTITY = "n00001740"


@pytest.fixture(scope="module")
def table() -> dict[str, Any]:
    columns: dict[str, Any] = json.loads((ZOO / "imagenet.json").read_bytes())
    return columns


def chain(table: dict[str, Any], index: int) -> list[str]:
    """Names from a class up to its root; a wnid met twice is a cycle."""
    names, seen = [], set()
    synset = table["parents"][index]
    while synset is not None:
        assert synset not in seen, f"class {index}: cycle at {synset}"
        seen.add(synset)
        name, synset = table["tree"][synset]
        names.append(name)
    return names


def test_the_file_is_small() -> None:
    assert (ZOO / "imagenet.json").stat().st_size < 150_000


@pytest.mark.parametrize("column", ["synsets", "names", "lemmas", "parents"])
def test_every_column_has_1000_classes(table: dict[str, Any], column: str) -> None:
    assert len(table[column]) == 1000


def test_class_order_is_the_synsets_ascending(table: dict[str, Any]) -> None:
    assert table["synsets"] == sorted(set(table["synsets"]))
    assert table["synsets"] == (ZOO / "imagenet_synsets.txt").read_text().split()
    assert all(re.fullmatch(r"n\d{8}", synset) for synset in table["synsets"])


# image-net.org's own numbers, known from every list of the ILSVRC 2012 classes.
@pytest.mark.parametrize(
    ("index", "synset", "name"),
    [
        (0, "n01440764", "tench"),
        (134, "n02012849", "crane (bird)"),
        (207, "n02099601", "golden retriever"),
        (264, "n02113186", "Cardigan (dog)"),
        (281, "n02123045", "tabby"),
        (340, "n02391049", "zebra"),
        (474, "n02963159", "cardigan (sweater)"),
        (517, "n03126707", "crane (machine)"),
        (638, "n03710637", "maillot (tights)"),
        (639, "n03710721", "maillot (tank suit)"),
        (657, "n03773504", "missile"),
        (744, "n04008634", "projectile"),
        (817, "n04285008", "sports car"),
        (836, "n04355933", "sunglass (lens)"),
        (837, "n04356056", "sunglasses"),
        (967, "n07920052", "espresso"),
        (985, "n11939491", "daisy"),
        (999, "n15075141", "toilet tissue"),
    ],
)
def test_known_classes(table: dict[str, Any], index: int, synset: str, name: str) -> None:
    assert (table["synsets"][index], table["names"][index]) == (synset, name)


def test_names_stay_unique_without_capitals_spaces_and_plurals(table: dict[str, Any]) -> None:
    plain = [re.sub(r"[\s'-]", "", name.casefold()).rstrip("es") for name in table["names"]]
    assert len({name.casefold() for name in table["names"]}) == 1000
    assert len(set(plain)) == 1000


def test_names_are_first_lemmas_but_for_a_word_in_brackets(table: dict[str, Any]) -> None:
    pairs = zip(table["names"], table["lemmas"], strict=True)
    changed = [name for name, lemmas in pairs if name != lemmas[0]]
    assert len(changed) == 7
    pairs = zip(table["names"], table["lemmas"], strict=True)
    assert all(re.fullmatch(re.escape(words[0]) + r"( \([\w ]+\))?", name) for name, words in pairs)


def test_lemmas_keep_the_order_of_the_imagenet_list(table: dict[str, Any]) -> None:
    assert table["lemmas"][0] == ["tench", "Tinca tinca"]
    assert table["lemmas"][281] == ["tabby", "tabby cat"]
    assert table["lemmas"][744] == ["projectile", "missile"]
    assert all(words and all(words) and "_" not in "".join(words) for words in table["lemmas"])


def test_every_class_descends_from_entity(table: dict[str, Any]) -> None:
    assert table["tree"][ENTITY] == ["entity", None]
    assert {chain(table, index)[-1] for index in range(1000)} == {"entity"}


def test_the_tree_holds_the_ancestors_of_classes_and_nothing_else(table: dict[str, Any]) -> None:
    tree = table["tree"]
    parents = {parent for _, parent in tree.values()} | set(table["parents"])
    assert parents - {None} == tree.keys()


@pytest.mark.parametrize(
    ("index", "ancestors"),
    [
        (281, ["domestic cat", "cat", "feline", "carnivore", "mammal", "animal"]),
        (207, ["retriever", "dog", "canine", "carnivore", "mammal", "animal"]),
        (817, ["car", "motor vehicle", "wheeled vehicle", "vehicle", "artifact"]),
        (967, ["coffee", "beverage", "food"]),
        (985, ["flower", "plant", "organism"]),
    ],
)
def test_ancestors_come_in_order(table: dict[str, Any], index: int, ancestors: list[str]) -> None:
    assert [name for name in chain(table, index) if name in ancestors] == ancestors


def test_another_wordnet_is_refused_and_nothing_written(tmp_path: Path) -> None:
    (tmp_path / "data.noun").write_text("00001740 03 n 01 entity 0 000 | WordNet 3.1 or so\n")
    out = tmp_path / "imagenet.json"
    script = str(ZOO / "labels.py")
    command = [sys.executable, script, "--wordnet", str(tmp_path), "--out", str(out)]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 1
    assert [line.split(":")[0] for line in run.stderr.splitlines()] == ["error", "expected", "hint"]
    assert not out.exists()
