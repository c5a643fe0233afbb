from __future__ import annotations

import random
from collections import Counter, defaultdict

import pytest

from whatsit import UsageError
from whatsit.splits import folds, split

LABELS = ["a"] * 100 + ["b"] * 50 + ["c"] * 10


def test_the_parts_are_the_whole_and_do_not_overlap() -> None:
    parts = split(LABELS, seed=3)
    rows = [*parts.train, *parts.validation, *parts.test]
    assert sorted(rows) == list(range(len(LABELS)))


def test_each_class_is_parted_alike() -> None:
    parts = split(LABELS, fractions=(0.7, 0.1, 0.2))
    for part, share in ((parts.train, 0.7), (parts.validation, 0.1), (parts.test, 0.2)):
        counts = Counter(LABELS[row] for row in part)
        assert counts == {"a": 100 * share, "b": 50 * share, "c": 10 * share}


def test_the_seed_decides() -> None:
    assert split(LABELS, seed=1) == split(LABELS, seed=1)
    assert split(LABELS, seed=1) != split(LABELS, seed=2)


@pytest.mark.parametrize("seed", range(5))
def test_no_group_is_parted(seed: int) -> None:
    chance = random.Random(seed)
    groups = [chance.randrange(60) for _ in LABELS]  # groups of several classes, too
    parts = split(LABELS, groups, seed=seed)
    places = defaultdict(set)
    for name in ("train", "validation", "test"):
        for row in getattr(parts, name):
            places[groups[row]].add(name)
    assert all(len(names) == 1 for names in places.values())
    assert len(parts.test) == pytest.approx(0.2 * len(LABELS), abs=6)


def test_one_group_of_everything_is_learned_from() -> None:
    parts = split(["a", "b"] * 10, [0] * 20)
    assert (len(parts.train), len(parts.validation), len(parts.test)) == (20, 0, 0)


def test_a_class_of_one_picture_is_learned_from() -> None:
    labels = ["a"] * 20 + ["lonely"]
    for seed in range(10):
        assert 20 in split(labels, seed=seed).train


def test_without_a_validation_part() -> None:
    parts = split(LABELS, fractions=(0.8, 0.0, 0.2))
    assert (len(parts.train), len(parts.validation), len(parts.test)) == (128, 0, 32)


def test_folds() -> None:
    parts = folds(LABELS, count=5, seed=1)
    assert sorted(row for part in parts for row in part) == list(range(len(LABELS)))
    assert [Counter(LABELS[row] for row in part) for part in parts] == [
        {"a": 20, "b": 10, "c": 2}
    ] * 5


@pytest.mark.parametrize("fractions", [(0.5, 0.1, 0.1), (0.0, 0.5, 0.5), (1.2, -0.2, 0.0)])
def test_bad_fractions(fractions: tuple[float, float, float]) -> None:
    with pytest.raises(UsageError, match="parts of"):
        split(LABELS, fractions=fractions)


def test_groups_of_another_length() -> None:
    with pytest.raises(UsageError, match="2 groups for 160 rows"):
        split(LABELS, [0, 1])
