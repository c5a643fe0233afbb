"""What an unknown model answers to the golden pictures, and what that says of its classes.

A model of the 1000 ImageNet classes may put `background` before them, and then has 1001: pair it
with the wrong list of names, and every answer is the neighbour of the right one. The golden
pictures show which it is, since their classes are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from .. import zoo
from ..bundle import Bundle
from ..classifier import Classifier
from ..labels import Labels
from ..zoo.golden_answers import recorded

IMAGENET = 1000
_SURE = 0.5  # of what a sure and always right model would gain, one for each picture
_LEAD = 4.0  # times as much as the other way of counting gains
_CLEAR_SCORE = 0.1  # of the recorded answers: those below it are guesses
_SAME_NAMES = 0.8  # of 1000 lines; spelling and choice of synonyms differ from list to list


@dataclass(frozen=True)
class Answers:
    """The scores (P, C) for the golden pictures."""

    scores: NDArray[np.float32]

    def offset(self) -> int | None:
        """0 if class i of ImageNet is score i, 1 if it is score i + 1, None if it is not clear."""
        gains = [self._gain(offset) for offset in (0, 1)]
        best = int(np.argmax(gains))
        clear = gains[best] >= _SURE and gains[best] >= _LEAD * gains[1 - best]
        return best if clear else None

    def hits(self, offset: int) -> int:
        """Pictures that have an expected class among the first five."""
        first_five = np.argsort(-self.scores, axis=1, kind="stable")[:, :5] - offset  # (P, 5)
        return sum(
            bool(set(row.tolist()) & expected)
            for row, expected in zip(first_five, pictures().values(), strict=True)
        )

    def _gain(self, offset: int) -> float:
        """The probability that falls on expected classes, over all pictures."""
        classes = self.scores.shape[1]
        return sum(
            float(row[[i + offset for i in expected if i + offset < classes]].sum())
            for row, expected in zip(self.scores, pictures().values(), strict=True)
        )


@cache
def pictures() -> dict[str, set[int]]:
    """The golden pictures, and the classes that the default model clearly sees in each."""
    return {
        picture: {index for index, score in best if score >= _CLEAR_SCORE}
        for picture, best in recorded()[zoo.DEFAULT].items()
    }


def ask(bundle: Bundle) -> Answers:
    """Runs the model in a process of its own. Raises ModelError for one that fails."""
    classes = bundle.output.classes
    scores = np.zeros((len(pictures()), classes), np.float32)
    with Classifier(bundle, threads=1, runtime="isolated") as classifier:
        for row, name in enumerate(pictures()):
            result = classifier.classify(zoo.GOLDEN / name, top=classes)
            for prediction in result.predictions:
                scores[row, prediction.index] = prediction.score
    return Answers(scores)


def imagenet_labels() -> Labels:
    """The 1000 ImageNet classes, with their WordNet ids."""
    return zoo.open_builtin(zoo.DEFAULT).labels


def first_class(names: Sequence[str]) -> int | None:
    """The line (0 or 1) at which `names` begin to be those of ImageNet, None if they are not."""
    known = _known_names()
    for start in (0, 1):
        lines = names[start : start + IMAGENET]
        same = sum(bool(_words(line) & words) for line, words in zip(lines, known, strict=False))
        if same >= _SAME_NAMES * IMAGENET:
            return start
    return None


@cache
def _known_names() -> list[set[str]]:
    """For each class all that it may be called: display name, lemmas, WordNet id."""
    labels = imagenet_labels()
    return [
        _words(", ".join((name, *lemmas))) | {synset}
        for name, lemmas, synset in zip(labels.names, labels.lemmas, labels.synsets, strict=True)
    ]


def _words(line: str) -> set[str]:
    names = {part.strip().replace("_", " ").casefold() for part in line.split(",")}
    return {name.split(" (")[0] for name in names} | {line[:9]}
