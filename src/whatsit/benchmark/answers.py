"""Are the answers of a setting those that the model should give?"""

from __future__ import annotations

from collections.abc import Sequence

from ..bundle import Bundle
from ..zoo import GOLDEN, catalogue
from ..zoo.golden_answers import judge, recorded
from .turns import Question, Scores, TurnFailed, take, task_for
from .values import Setting

_LITERT = ("litert", "isolated")  # LiteRT itself: there is nothing to hold it against
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
        self.kind = "litert"
        # By its bytes: the name may be that of a copy.
        names = [entry.name for entry in catalogue().values() if entry.sha256 == bundle.sha256]
        if names:
            self.kind = "golden"
            rows = recorded()[names[0]].items()
            self._asked = [str(GOLDEN / name) for name, _ in rows]
            self._expected = [tuple((int(i), float(s)) for i, s in best) for _, best in rows]
        elif any(runtime not in _LITERT for runtime in runtimes):
            self._ask_litert(model, pictures)

    def questions(self, runtime: str) -> list[Question]:
        """What to ask of the model in `runtime`."""
        if self.kind == "litert" and runtime in _LITERT:
            return []
        return [
            (picture, tuple(index for index, _ in best))
            for picture, best in zip(self._asked, self._expected, strict=True)
        ]

    def verdict(self, runtime: str, answers: Sequence[Scores]) -> str:
        """What Measurement.answers says of these answers to `questions`."""
        if self.kind == "litert" and runtime in _LITERT:
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
        what = "golden pictures" if self.kind == "golden" else "pictures, against LiteRT"
        return f"differs on {wrong} of {len(judged)} {what}, a score by up to {largest:.2f}"

    def _ask_litert(self, model: str, pictures: Sequence[str]) -> None:
        asked: list[Question] = [(picture, None) for picture in pictures]
        try:
            turn = take(task_for(Setting(model, "isolated", 1), pictures, asked))
        except TurnFailed as failed:
            self._trouble = f"not checked, since LiteRT fails: {failed.error['message']}"
            return
        self._asked = list(pictures)
        self._expected = list(turn.answers)
