"""Are the answers of a setting those that the model should give?"""

from __future__ import annotations

from collections.abc import Sequence

from ..bundle import Bundle
from ..engines import EITHER_LITERT
from ..runtimes import ISOLATED
from ..zoo import GOLDEN
from ..zoo.golden_answers import judge, recorded_for
from .turns import Question, Scores, TurnFailed, take, task_for
from .values import AS_LITERT, AS_RECORDED, Setting

_MOST_DIFFERENT = 20  # one picture in so many may differ: another engine rounds its own way


class Judge:
    """Knows what to ask a model, and what it should answer.

    A built-in model must give the recorded answers to the golden pictures, any other one those of
    LiteRT to the pictures that are measured with; `runtimes` are those that will be asked.
    """

    def __init__(
        self, model: str, bundle: Bundle, runtimes: Sequence[str], pictures: Sequence[str]
    ) -> None:
        self._asked: list[str] = []
        self._expected: list[Scores] = []
        self._trouble = ""
        self.kind = AS_LITERT
        answers = recorded_for(bundle)
        if answers is not None:
            self.kind = AS_RECORDED
            self._asked = [str(GOLDEN / picture) for picture in answers]
            self._expected = [
                tuple((int(i), float(s)) for i, s in best) for best in answers.values()
            ]
        elif not all(map(_is_litert, runtimes)):
            self._ask_litert(model, pictures)

    def questions(self, runtime: str) -> list[Question]:
        """What to ask of the model in `runtime`."""
        if self.kind == AS_LITERT and _is_litert(runtime):
            return []
        return [
            (picture, tuple(index for index, _ in best))
            for picture, best in zip(self._asked, self._expected, strict=True)
        ]

    def verdict(self, runtime: str, answers: Sequence[Scores]) -> str:
        """What Measurement.answers says of these answers to `questions`."""
        if self.kind == AS_LITERT and _is_litert(runtime):
            return self.kind
        if self._trouble:
            return self._trouble
        judged = [
            judge(dict(answer), expected)
            for expected, answer in zip(self._expected, answers, strict=True)
        ]
        wrong = sum(not agrees for _, agrees in judged)
        if wrong <= len(judged) // _MOST_DIFFERENT:
            return self.kind
        largest = max(difference for difference, _ in judged)
        what = "golden pictures" if self.kind == AS_RECORDED else "pictures, against LiteRT"
        return f"differs on {wrong} of {len(judged)} {what}, a score by up to {largest:.2f}"

    def _ask_litert(self, model: str, pictures: Sequence[str]) -> None:
        asked: list[Question] = [(picture, None) for picture in pictures]
        try:
            turn = take(task_for(Setting(model, ISOLATED, 1), pictures, asked))
        except TurnFailed as failed:
            self._trouble = f"not checked, since LiteRT fails: {failed.error['message']}"
            return
        self._asked = list(pictures)
        self._expected = list(turn.answers)


def _is_litert(runtime: str) -> bool:
    """Whether it is LiteRT itself, which there is nothing to hold against."""
    return runtime in EITHER_LITERT
