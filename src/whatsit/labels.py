"""The classes of a model: index, unique display name, and WordNet where the model carries it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import ModelUnsupported, UsageError

_SYNSET = re.compile(r"n\d{8}")
_MOST_LEVELS = 100  # of a tree: WordNet has 18 above ImageNet's classes


@dataclass(frozen=True)
class Labels:
    """One name a class, in the order of the model's output.

    `parents` names what is directly above each class, and `tree` maps each such node to (name,
    parent or None); there is one root. With WordNet, `synsets` holds each class's id such as
    n02123045, `lemmas` all its names, and nodes have such ids too; in the tree of a taught model
    the name of a node is its id.
    """

    names: tuple[str, ...]
    synsets: tuple[str, ...] = ()
    lemmas: tuple[tuple[str, ...], ...] = ()
    parents: tuple[str, ...] = ()
    tree: Mapping[str, tuple[str, str | None]] = field(default_factory=dict)
    source: str = ""

    def __len__(self) -> int:
        return len(self.names)

    @classmethod
    def from_lines(cls, text: str) -> Labels:
        """One class a line, as TFLite Metadata has it.

        A name that occurs twice (ImageNet has two cranes) gets its index in brackets.
        """
        names = [line.strip() for line in text.removesuffix("\n").split("\n")]
        while len(set(names)) < len(names):  # again, should "crane (134)" have been there before
            seen = Counter(names)
            names = [n if seen[n] == 1 else f"{n} ({i})" for i, n in enumerate(names)]
        return cls(tuple(names))

    @classmethod
    def from_json(cls, classes: Mapping[str, Any]) -> Labels:
        """The `classes` object of our record. Raises ModelUnsupported if its parts do not fit."""
        try:
            labels = cls(
                names=tuple(map(str, classes["names"])),
                synsets=tuple(map(str, classes.get("synsets", ()))),
                lemmas=tuple(tuple(map(str, row)) for row in classes.get("lemmas", ())),
                parents=tuple(map(str, classes.get("parents", ()))),
                tree={
                    synset: (str(name), None if parent is None else str(parent))
                    for synset, (name, parent) in classes.get("tree", {}).items()
                },
                source=str(classes.get("source", "")),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelUnsupported(f"the record's classes cannot be read: {error!r}") from error
        for part in (labels.synsets, labels.lemmas, labels.parents):
            if part and len(part) != len(labels.names):
                raise ModelUnsupported(
                    f"the record lists {len(part)} of something for {len(labels.names)} classes"
                )
        return labels

    def to_json(self) -> dict[str, Any]:
        """The `classes` object of our record."""
        parts = {
            "names": self.names,
            "synsets": self.synsets,
            "lemmas": self.lemmas,
            "parents": self.parents,
            "tree": dict(self.tree),
            "source": self.source,
        }
        return {key: part for key, part in parts.items() if part}

    def synset(self, index: int) -> str | None:
        """The WordNet id of a class, or None where the model carries none."""
        return self.synsets[index] if self.synsets else None

    def ancestors(self, index: int) -> list[str]:
        """The ids of the nodes above a class, nearest first, up to the root.

        Raises ModelUnsupported for a tree of more than 100 levels, as only a damaged record has.
        """
        chain: list[str] = []
        node: str | None = self.parents[index] if self.parents else None
        while node is not None and node not in chain:  # a damaged record may hold a circle
            if len(chain) == _MOST_LEVELS:
                raise ModelUnsupported(
                    f"more than {_MOST_LEVELS} nodes lie above the class {self.names[index]!r}",
                    expected=f"a tree of at most {_MOST_LEVELS} levels",
                )
            chain.append(node)
            node = self.tree[node][1] if node in self.tree else None
        return chain

    @cached_property
    def below(self) -> Mapping[str, NDArray[np.int64]]:
        """The classes below each inner node of the tree, by its id."""
        found: dict[str, list[int]] = {}
        for index in range(len(self.names) if self.parents else 0):
            for node in self.ancestors(index):
                found.setdefault(node, []).append(index)
        return {node: np.array(indices, np.int64) for node, indices in found.items()}

    def find(self, key: int | str) -> list[int]:
        """The classes that `key` names: a display name, an index, a synset, or a node of the tree.

        The id of an inner node (n02084071, dog, or "citrus" in the tree of a taught model) names
        every class below it. A display name goes before it, and both before an index, should a
        class be called "7". Raises UsageError for no class.
        """
        text = str(key).strip()
        if not isinstance(key, int):
            for name in (text, text.casefold()):
                if name in self._by_name:
                    return [self._by_name[name]]
            if _SYNSET.fullmatch(text) and text in self.synsets:
                return [self.synsets.index(text)]
            if text and text in self.below:
                return [int(index) for index in self.below[text]]
        if isinstance(key, int) or (text.isdecimal() and len(text) < 10):
            if 0 <= int(key) < len(self.names):
                return [int(key)]
            raise UsageError(
                f"no class {text}", expected=f"an index from 0 to {len(self.names) - 1}"
            )
        raise UsageError(
            f"no class {text!r}",
            expected="an index, a display name or a WordNet id such as n02123045",
            hint=self._resembling(text),
        )

    def mask(
        self, allow: Iterable[int | str], deny: Iterable[int | str]
    ) -> NDArray[np.bool_] | None:
        """Which classes may be answered, (C,), or None for all of them."""
        allowed, denied = list(allow), list(deny)
        if allowed and denied:
            raise UsageError(
                "both an allow list and a deny list", expected="one of them", hint="drop one"
            )
        if not allowed and not denied:
            return None
        mask = np.full(len(self.names), not allowed)
        for key in allowed or denied:
            mask[self.find(key)] = bool(allowed)
        if not mask.any():
            raise UsageError("the deny list names every class", expected="at least one class left")
        return mask

    @cached_property
    def _by_name(self) -> dict[str, int]:
        """Names as they are, before names without their case: Cardigan is no cardigan."""
        exact = {name: index for index, name in enumerate(self.names)}
        return {name.casefold(): index for name, index in exact.items()} | exact

    def _resembling(self, text: str) -> str:
        """A hint with names like `text`, among display names and lemmas."""
        import difflib

        known = {name.casefold(): name for name in self.names}
        known |= {node.casefold(): node for node in self.below if not _SYNSET.fullmatch(node)}
        for name, lemmas in zip(self.names, self.lemmas, strict=False):
            known |= {lemma.casefold(): name for lemma in lemmas if lemma.casefold() not in known}
        close = difflib.get_close_matches(text.casefold(), known, n=3, cutoff=0.6)
        names = list(dict.fromkeys(known[match] for match in close))
        return f"did you mean {', '.join(map(repr, names))}?" if names else ""
