"""How good a model's answers were: every answer to a data set, and the numbers drawn from them."""

from __future__ import annotations

import json
import math
import os
from collections import Counter, defaultdict
from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from . import storage
from .calibration import Calibration
from .errors import DatasetError, UsageError, WhatsitError
from .labels import Labels
from .measures import Rate, Spread

STAGES = ("decode", "preprocess", "inference")
FORMAT = "whatsit-evaluation-2"

Ranked: TypeAlias = "tuple[tuple[int, float], ...]"  # classes as (index, score), best first


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said of one picture.

    `path` is below the root of the data set; `truth` is a class index of the model; `ranked` the
    best classes, at least five if there are; `size_bytes` that of the file, None if not known.
    `timings_ms` is empty if the picture was not timed.
    """

    path: str
    truth: int
    ranked: Ranked
    timings_ms: Mapping[str, float] = field(compare=False)
    size_bytes: int | None = None

    @property
    def right(self) -> bool:
        """Whether the best class is the true one."""
        return self.ranked[0][0] == self.truth


@dataclass(frozen=True, slots=True)
class Failure:
    """A picture, below the root, that could not be classified; `error`: code, message, hint."""

    path: str
    error: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One class: how many `pictures` it has, how often it was `answered`, and `correct` of both."""

    index: int
    name: str
    pictures: int
    correct: int
    answered: int

    @property
    def precision(self) -> Rate:
        """Of the pictures that were given this class, those that have it."""
        return Rate(self.correct, self.answered)

    @property
    def recall(self) -> Rate:
        """Of the pictures that have this class, those that were given it."""
        return Rate(self.correct, self.pictures)


@dataclass(frozen=True, slots=True)
class Confusion:
    """Pictures of class `truth` that were taken for class `answer`."""

    truth: int
    answer: int
    count: int
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Evaluation:
    """The answers of one model to one data set, and what they were given with.

    `wall_s` is None where the run was interrupted and resumed, this is a part of it, or not all
    answers were timed. `ks` are
    the k of Top-k that were asked for; each answer keeps at least that many classes, if the model
    has them. `root` is the absolute path of the data set, `fingerprint` empty for a part of a run.
    """

    model: str
    model_sha256: str
    model_bytes: int
    runtime: str
    preprocess: str
    dataset: str
    fingerprint: str
    labels: Labels = field(repr=False)
    answers: tuple[Answer, ...] = field(repr=False)
    failures: tuple[Failure, ...] = field(repr=False)
    notes: tuple[str, ...]
    machine: Mapping[str, object] = field(repr=False)
    wall_s: float | None
    workers: int
    threads: int
    ks: tuple[int, ...] = (1, 5)
    root: str = field(default="", repr=False)

    def only(self, paths: Container[str]) -> Evaluation:
        """The part that is about these pictures."""
        answers = tuple(answer for answer in self.answers if answer.path in paths)
        failures = tuple(failure for failure in self.failures if failure.path in paths)
        if len(answers) + len(failures) == len(self.answers) + len(self.failures):
            return self
        return replace(self, answers=answers, failures=failures, wall_s=None, fingerprint="")

    def top(self, k: int) -> Rate:
        """How often the true class is among the k best. Raises UsageError beyond what was kept."""
        kept = min((len(answer.ranked) for answer in self.answers), default=k)
        if k < 1 or kept < min(k, len(self.labels)):
            raise UsageError(f"Top-{k} where {kept} were kept", expected=f"a k from 1 to {kept}")
        hits = sum(
            any(index == answer.truth for index, _ in answer.ranked[:k]) for answer in self.answers
        )
        return Rate(hits, len(self.answers))

    def per_class(self) -> list[ClassScore]:
        """One score for each class that has pictures or was answered, by index."""
        pictures = Counter(answer.truth for answer in self.answers)
        answered = Counter(answer.ranked[0][0] for answer in self.answers)
        correct = Counter(answer.truth for answer in self.answers if answer.right)
        return [
            ClassScore(i, self.labels.names[i], pictures[i], correct[i], answered[i])
            for i in sorted(pictures.keys() | answered.keys())
        ]

    def confusions(self) -> list[Confusion]:
        """Pairs of true and given class, the most frequent first, then by index."""
        paths: dict[tuple[int, int], list[str]] = defaultdict(list)
        for answer in self.answers:
            if not answer.right:
                paths[answer.truth, answer.ranked[0][0]].append(answer.path)
        order = sorted(paths, key=lambda pair: (-len(paths[pair]), pair))
        return [Confusion(*pair, len(paths[pair]), tuple(paths[pair])) for pair in order]

    def calibration(self, bins: int = 15) -> Calibration:
        """Scores of the best classes against how often they are right."""
        scores = [answer.ranked[0][1] for answer in self.answers]
        return Calibration.of(scores, [answer.right for answer in self.answers], bins=bins)

    def mistakes(self) -> list[Answer]:
        """The wrong answers, the surest first."""
        wrong = [answer for answer in self.answers if not answer.right]
        return sorted(wrong, key=lambda answer: (-answer.ranked[0][1], answer.path))

    @property
    def timed(self) -> int:
        """How many of the answers were timed."""
        return sum(bool(answer.timings_ms) for answer in self.answers)

    def speed(self) -> dict[str, Spread]:
        """The times of one picture, by stage and in total; empty if none was timed."""
        taken = [answer.timings_ms for answer in self.answers if answer.timings_ms]
        if not taken:
            return {}
        times = {stage: [each[stage] for each in taken] for stage in STAGES}
        times["total"] = [sum(parts) for parts in zip(*times.values(), strict=True)]
        return {stage: Spread.of(ms) for stage, ms in times.items()}

    @property
    def pictures_per_s(self) -> float | None:
        """Of the whole run, with all its workers; None where it was resumed."""
        done = len(self.answers) + len(self.failures)
        return done / self.wall_s if self.wall_s else None

    def to_json(self) -> dict[str, Any]:
        """The object that `whatsit evaluate --json` prints: numbers, without each answer."""
        names = self.labels.names
        per_s = self.pictures_per_s
        return {
            **self._head(),
            "pictures": len(self.answers),
            "accuracy": {f"top{k}": self.top(k).to_json() for k in self.ks},
            "calibration": self.calibration().to_json(),
            "speed_ms": {stage: spread.to_json() for stage, spread in self.speed().items()},
            "pictures_per_s": None if per_s is None else round(per_s, 2),
            "classes": [_class_json(score) for score in self.per_class()],
            "confusions": [
                {"truth": names[c.truth], "answer": names[c.answer], "count": c.count}
                for c in self.confusions()
            ],
            "mistakes": [
                {
                    "path": answer.path,
                    "truth": names[answer.truth],
                    "answer": names[answer.ranked[0][0]],
                    "score": round(answer.ranked[0][1], 6),
                }
                for answer in self.mistakes()
            ],
            "failures": self._failures_json(),
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes everything, with each answer, for `read`. Raises WhatsitError if it cannot."""
        value = {
            "format": FORMAT,
            **self._head(),
            "ks": self.ks,
            "wall_s": self.wall_s,
            "labels": self.labels.to_json(),
            "answers": [
                [a.path, a.truth, a.ranked, _times(a.timings_ms), a.size_bytes]
                for a in self.answers
            ],
            "failures": self._failures_json(),
        }
        with storage.whole_file(path) as file:
            file.write(json.dumps(value, separators=(",", ":")).encode() + b"\n")

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Evaluation:
        """What `save` wrote. Raises DatasetError for anything else."""
        name = os.fspath(path)
        try:
            with open(path, "rb") as file:
                value = json.load(file)
        except OSError as error:
            reason = error.strerror or error
            raise DatasetError(f"cannot read the evaluation {name!r}: {reason}") from error
        except (ValueError, RecursionError) as error:  # no text, no JSON, a name no file can have
            raise _no_evaluation(name, "it is not JSON") from error
        if not isinstance(value, dict) or "format" not in value:
            raise _no_evaluation(name, "it is JSON of something else")
        if value["format"] != FORMAT:
            raise _no_evaluation(name, f"its format is {value['format']!r:.60}, not {FORMAT!r}")
        try:
            return cls._parsed(value)
        except KeyError as error:
            raise _no_evaluation(name, f"it lacks {error.args[0]!r:.60}") from error
        except WhatsitError as error:
            raise _no_evaluation(name, error.message) from error
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise _no_evaluation(name, "its contents are not those of an evaluation") from error

    @classmethod
    def _parsed(cls, value: dict[str, Any]) -> Evaluation:
        labels = Labels.from_json(value["labels"])
        return cls(
            model=str(value["model"]),
            model_sha256=str(value["model_sha256"]),
            model_bytes=int(value["model_bytes"]),
            runtime=str(value["runtime"]),
            preprocess=str(value["preprocess"]),
            dataset=str(value["dataset"]),
            fingerprint=str(value["fingerprint"]),
            root=str(value["root"]),
            labels=labels,
            answers=tuple(_answer(*row, classes=len(labels)) for row in value["answers"]),
            failures=tuple(_failure(**row) for row in value["failures"]),
            notes=tuple(map(str, value["notes"])),
            machine=dict(value["machine"]),
            wall_s=None if value["wall_s"] is None else float(value["wall_s"]),
            workers=int(value["workers"]),
            threads=int(value["threads"]),
            ks=tuple(map(int, value["ks"])),
        )

    def _head(self) -> dict[str, Any]:
        """What was measured, and with what."""
        return {
            "model": self.model,
            "model_sha256": self.model_sha256,
            "model_bytes": self.model_bytes,
            "runtime": self.runtime,
            "preprocess": self.preprocess,
            "dataset": self.dataset,
            "root": self.root,
            "fingerprint": self.fingerprint,
            "workers": self.workers,
            "threads": self.threads,
            "machine": dict(self.machine),
            "notes": list(self.notes),
        }

    def _failures_json(self) -> list[dict[str, Any]]:
        return [{"path": f.path, "error": dict(f.error)} for f in self.failures]


def _no_evaluation(name: str, reason: str) -> DatasetError:
    return DatasetError(
        f"{name!r} is no saved evaluation: {reason}",
        expected="a file of `whatsit evaluate --save`",
    )


def parse_answer(
    ranked: list[Any], times: list[Any], classes: int
) -> tuple[Ranked, dict[str, float]]:
    """The best classes, and the times by stage, of an answer that was kept as JSON.

    Raises ValueError or TypeError for what no model of so many classes can have answered.
    """
    best = tuple((index, float(score)) for index, score in ranked)
    # Without any, it was not timed.
    timings_ms = {
        stage: float(ms) for stage, ms in zip(STAGES if times else (), times, strict=True)
    }
    if not best or not all(isinstance(i, int) and 0 <= i < classes for i, _ in best):
        raise ValueError(f"the classes {[index for index, _ in best]!r:.60}")
    if not all(0 <= score <= 1 for _, score in best):  # false for NaN
        raise ValueError(f"the scores {[score for _, score in best]!r:.60}")
    if not all(0 <= ms < math.inf for ms in timings_ms.values()):
        raise ValueError(f"the times {times!r:.60}")
    return best, timings_ms


def _times(timings_ms: Mapping[str, float]) -> list[float]:
    return [timings_ms[stage] for stage in STAGES] if timings_ms else []


def _answer(
    path: str, truth: int, ranked: list[Any], times: list[Any], size: int | None, *, classes: int
) -> Answer:
    """An answer of a saved file. Raises ValueError or TypeError if it is none."""
    best, timings_ms = parse_answer(ranked, times, classes)
    if not isinstance(truth, int) or not 0 <= truth < classes:
        raise ValueError(f"the class {truth!r} of {path!r}")
    return Answer(str(path), truth, best, timings_ms, None if size is None else int(size))


def _failure(path: str, error: dict[str, str]) -> Failure:
    return Failure(str(path), {part: str(error[part]) for part in ("code", "message", "hint")})


def _class_json(score: ClassScore) -> dict[str, Any]:
    return {
        "index": score.index,
        "name": score.name,
        "pictures": score.pictures,
        "correct": score.correct,
        "answered": score.answered,
        "precision": round(score.precision.value, 6) if score.answered else None,
        "recall": round(score.recall.value, 6) if score.pictures else None,
    }
