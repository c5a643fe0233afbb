"""Classes are found by name, index and WordNet id, and never by guessing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import whatsit
from whatsit import Labels, ModelUnsupported, zoo

SMALL = Labels(
    names=("crane (bird)", "Cardigan", "cardigan", "crane (machine)", "7"),
    synsets=("n02012849", "n02113186", "n02963159", "n03126707", "n00000007"),
    lemmas=(("crane",), ("Cardigan", "Welsh corgi"), ("cardigan",), ("crane",), ("seven",)),
    parents=("n01503061", "n02084071", "n04371563", "n03699975", "n00001740"),
    tree={
        "n00001740": ("entity", None),
        "n00015388": ("animal", "n00001740"),
        "n01503061": ("bird", "n00015388"),
        "n02084071": ("dog", "n00015388"),
        "n04371563": ("sweater", "n00001740"),
        "n03699975": ("machine", "n00001740"),
    },
)


@pytest.fixture(scope="module")
def imagenet() -> Labels:
    return zoo.open_builtin(zoo.DEFAULT).labels


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("crane (bird)", [0]),
        ("  CRANE (Machine) ", [3]),
        ("Cardigan", [1]),  # the dog: case tells it from the sweater
        ("cardigan", [2]),
        (0, [0]),
        ("3", [3]),
        ("7", [4]),  # a name goes before an index
        (np.int64(3), [3]),
        ("n02012849", [0]),
        ("n02084071", [1]),  # an inner node: dog
        ("n00015388", [0, 1]),  # animal
        ("n00001740", [0, 1, 2, 3, 4]),  # entity
    ],
)
def test_find(key: Any, found: list[int]) -> None:
    assert SMALL.find(key) == found


@pytest.mark.parametrize("key", [5, -1, "5", "999999999"])
def test_an_index_beyond_the_classes_is_refused(key: int | str) -> None:
    with pytest.raises(whatsit.UsageError) as caught:
        SMALL.find(key)
    assert caught.value.message == f"no class {key}"
    assert caught.value.expected == "an index from 0 to 4"


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("cran (bird)", "did you mean 'crane (bird)', 'crane (machine)'?"),
        ("welsh corgy", "did you mean 'Cardigan'?"),
        ("crane", "did you mean 'crane (bird)'"),
        ("n99999999", ""),
        ("zzzzzz", ""),
        ("", ""),
        ("1" * 5000, ""),
    ],
)
def test_an_unknown_name_is_refused_with_those_that_resemble_it(key: str, hint: str) -> None:
    with pytest.raises(whatsit.UsageError) as caught:
        SMALL.find(key)
    assert caught.value.message == f"no class {key!r}"
    assert caught.value.expected == "an index, a display name or a WordNet id such as n02123045"
    assert caught.value.hint.startswith(hint)
    assert bool(caught.value.hint) == bool(hint)


def test_a_bool_is_no_surprise() -> None:
    assert SMALL.find(True) == [1]


def test_imagenet_names_are_unique_and_found(imagenet: Labels) -> None:
    assert len(set(imagenet.names)) == 1000
    assert [imagenet.find(name) for name in imagenet.names] == [[i] for i in range(1000)]
    assert [imagenet.find(synset) for synset in imagenet.synsets] == [[i] for i in range(1000)]


def test_the_synset_of_dog_names_the_dogs_of_imagenet(imagenet: Labels) -> None:
    dogs = imagenet.find("n02084071")
    assert dogs == list(range(151, 269))


def test_ancestors_lead_from_near_to_far(imagenet: Labels) -> None:
    names = [imagenet.tree[synset][0] for synset in imagenet.ancestors(281)]
    assert names[0] == "domestic cat"
    assert names[-1] == "entity"


def test_a_circle_in_the_tree_ends() -> None:
    labels = Labels(names=("a",), synsets=("n00000001",), parents=("n2",), tree={"n2": ("b", "n2")})
    assert labels.ancestors(0) == ["n2"]


def test_a_tree_without_end_is_refused() -> None:
    """A record has room for a million levels, and each class would be asked for all of them."""
    tree = {str(level): ("node", str(level + 1)) for level in range(100)}
    labels = Labels(("a", "b"), parents=("0", "1"), tree=tree)
    assert labels.ancestors(1) == [str(level) for level in range(1, 101)]
    with pytest.raises(ModelUnsupported, match="more than 100 nodes lie above the class 'a'"):
        labels.ancestors(0)


def test_without_wordnet_there_are_no_ancestors_and_no_synsets() -> None:
    labels = Labels(("a", "b"))
    assert (labels.ancestors(0), labels.synset(1)) == ([], None)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("cat\ndog\n", ("cat", "dog")),
        ("cat\ndog", ("cat", "dog")),
        (" cat \n\tdog\n", ("cat", "dog")),
        ("crane\ndog\ncrane\n", ("crane (0)", "dog", "crane (2)")),
        ("Cardigan\ncardigan", ("Cardigan", "cardigan")),
        ("crane\ncrane\ncrane (0)\n", ("crane (0) (0)", "crane (1)", "crane (0) (2)")),
        ("???\n???\n", ("??? (0)", "??? (1)")),
    ],
)
def test_a_name_that_occurs_twice_gets_its_index(text: str, names: tuple[str, ...]) -> None:
    assert Labels.from_lines(text).names == names


def test_json_and_back() -> None:
    assert Labels.from_json(SMALL.to_json()) == SMALL


def test_json_leaves_out_what_is_not_known() -> None:
    assert Labels(("a", "b")).to_json() == {"names": ("a", "b")}


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ({}, "cannot be read"),
        ({"names": None}, "cannot be read"),
        ({"names": ["a"], "tree": {"n1": "xyz"}}, "cannot be read"),
        ({"names": ["a"], "tree": [1]}, "cannot be read"),
        ({"names": ["a"], "lemmas": [1]}, "cannot be read"),
        ({"names": ["a"], "parents": ["n1", "n2"]}, "lists 2 of something for 1 classes"),
        ({"names": ["a"], "lemmas": [["a"], ["b"]]}, "lists 2 of something for 1 classes"),
    ],
)
def test_a_record_whose_parts_do_not_fit_is_refused(classes: dict[str, Any], message: str) -> None:
    with pytest.raises(whatsit.ModelUnsupported, match=message):
        Labels.from_json(classes)


def test_a_tree_of_strange_values_harms_nobody() -> None:
    labels = Labels.from_json({"names": ["a"], "parents": [["x"]], "tree": {"n1": ["b", ["c"]]}})
    assert labels.ancestors(0) == ["['x']"]


@pytest.mark.parametrize(
    ("allow", "deny", "answerable"),
    [
        ([0, "cardigan"], [], [0, 2]),
        (["n00015388"], [], [0, 1]),
        ([], ["n00015388", 4], [2, 3]),
        ([0, 0, "crane (bird)"], [], [0]),
    ],
)
def test_mask(allow: list[int | str], deny: list[int | str], answerable: list[int]) -> None:
    mask = SMALL.mask(allow, deny)
    assert mask is not None
    assert np.flatnonzero(mask).tolist() == answerable


def test_no_lists_are_no_mask() -> None:
    assert SMALL.mask([], []) is None


@pytest.mark.parametrize(
    ("allow", "deny", "message"),
    [
        ([0], [1], "both an allow list and a deny list"),
        ([], ["n00001740"], "the deny list names every class"),
        (["unicorn"], [], "no class 'unicorn'"),
        ([], [99], "no class 99"),
    ],
)
def test_lists_that_cannot_work_are_refused(
    allow: list[int | str], deny: list[int | str], message: str
) -> None:
    with pytest.raises(whatsit.UsageError, match=message):
        SMALL.mask(allow, deny)
