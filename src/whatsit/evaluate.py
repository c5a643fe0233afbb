"""Runs a classifier over a data set, keeps every answer, and can be interrupted anywhere."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from . import datasets, machine, opening, zoo
from ._journal import Entry, Journal
from .classifier import Classifier
from .datasets import Dataset
from .errors import UsageError, WhatsitError
from .evaluation import Answer, Evaluation, Failure
from .labels import Labels
from .wording import percent

Progress = Callable[[int, int], None]  # (done, total)

LEAST_KEPT = 5  # classes of each answer
# Top-1 of indices that are one off, as they are and shifted: no model is so bad and then so good.
_NEARLY_NONE = 0.1
_FAR_BETTER = 0.4
_FEWEST_SHIFTED = 3  # pictures


@dataclass(frozen=True, slots=True)
class _Task:
    """The pictures that are classified, their true classes, and what makes the run this one."""

    dataset: Dataset
    truths: tuple[int, ...]
    fingerprint: str
    kept: int
    workers: int
    threads: int
    label_offset: int | None  # of labels that are indices


@dataclass(slots=True)
class _Remarks:
    """Notes for a person, told as they come and kept for the result."""

    tell: Callable[[str], None] | None
    told: list[str] = field(default_factory=list)

    def add(self, *texts: str) -> None:
        for text in texts:
            self.told.append(text)
            if self.tell is not None:
                self.tell(text)


def evaluate(
    classifier: Classifier,
    dataset: Dataset | str | os.PathLike[str],
    *,
    labels_by: str = "auto",
    label_offset: int | None = None,
    skip_unknown: bool = False,
    workers: int | None = None,
    ks: Sequence[int] = (1, 5),
    limit: int | None = None,
    seed: int = 0,
    resume: bool = True,
    progress: Progress | None = None,
    note: Callable[[str], None] | None = None,
) -> Evaluation:
    """The answers of `classifier` to every picture of `dataset`, a Dataset or what `opening` reads.

    A picture that cannot be read is a Failure among the answers. `labels_by`, `label_offset` and
    `skip_unknown` are those of datasets.truths; `ks` the k of Top-k to be asked for; `limit` takes
    that many pictures at random, the same for the same `seed`. Answers are kept in the cache
    folder as they come: the same call after an interruption goes on there, unless `resume` is
    False. `progress(done, total)` and `note(text)` are called on the way.

    Raises DatasetError, UsageError, and ModelError if the model itself fails.
    """
    if not ks or min(ks) < 1:
        raise UsageError(f"Top-k for {list(ks)}", expected="numbers from 1")
    remarks = _Remarks(note)
    if classifier.preprocess == classifier.bundle.preprocess:
        remarks.add(*classifier.bundle.notes)
    whole = opening.read(dataset)
    matched = known(
        whole,
        classifier.bundle.labels,
        labels_by=labels_by,
        label_offset=label_offset,
        skip_unknown=skip_unknown,
    )
    remarks.add(*whole.notes, *matched.notes)
    usable = matched.known
    places = [usable[i] for i in datasets.sampled(len(usable), limit, seed)]
    chosen = whole.only(places)
    workers = machine.cpu_count() if workers is None else workers
    at_once = workers if len(places) > 1 else min(workers, 1)  # as classify_many has it
    task = _Task(
        dataset=chosen,
        truths=tuple(index for i in places if (index := matched.indices[i]) is not None),
        fingerprint=chosen.fingerprint(),
        kept=max(LEAST_KEPT, *ks),
        workers=at_once,
        threads=classifier.threads_for(max(1, at_once)),
        label_offset=matched.offset,
    )
    return _run(classifier, task, tuple(ks), resume, progress, remarks)


def known(
    dataset: Dataset,
    labels: Labels,
    *,
    labels_by: str = "auto",
    label_offset: int | None = None,
    skip_unknown: bool = False,
) -> datasets.Matched:
    """datasets.truths, which knows the WordNet ids of ImageNet's classes where the model does not.

    Raises what datasets.truths raises.
    """
    by_synset = labels_by == "synset" or (labels_by == "auto" and dataset.labels_by == "synset")
    return datasets.truths(
        dataset,
        labels,
        labels_by=labels_by,
        label_offset=label_offset,
        skip_unknown=skip_unknown,
        imagenet=zoo.open_builtin(zoo.DEFAULT).labels if by_synset and not labels.synsets else None,
    )


def _run(
    classifier: Classifier,
    task: _Task,
    ks: tuple[int, ...],
    resume: bool,
    progress: Progress | None,
    remarks: _Remarks,
) -> Evaluation:
    total = len(task.truths)
    journal = Journal(_key(classifier, task), rows=total, classes=len(classifier.bundle.labels))
    if not resume:
        journal.forget()
    entries = journal.earlier() if resume else {}
    earlier = len(entries)
    if earlier:
        remarks.add(f"{earlier} of {total} were done before")
    start = time.perf_counter()
    with contextlib.closing(journal):
        failures = _classify(classifier, task, entries, journal, progress)
    wall_s = time.perf_counter() - start
    if journal.problem:
        remarks.add(f"the answers could not be kept for an interruption: {journal.problem}")
    journal.discard()
    return _result(classifier, task, ks, entries, failures, remarks, None if earlier else wall_s)


def _classify(
    classifier: Classifier,
    task: _Task,
    entries: dict[int, Entry],
    journal: Journal,
    progress: Progress | None,
) -> list[Failure]:
    """Adds the missing ones to `entries`; returns the pictures that failed."""
    rows = task.dataset.rows
    failures: list[Failure] = []
    pending = [place for place in range(len(rows)) if place not in entries]
    results = classifier.classify_many(
        (rows[place].path for place in pending), workers=task.workers, top=task.kept
    )
    for place, result in zip(pending, results, strict=True):
        if result.error is not None:
            path = task.dataset.place(rows[place])
            failures.append(Failure(path, told_of(result.error, rows[place].path, path)))
        else:
            ranked = tuple((p.index, p.score) for p in result.predictions)
            entries[place] = Entry(ranked, result.timings_ms)
            journal.add(place, entries[place])
        if progress is not None:
            progress(len(entries) + len(failures), len(rows))
    return failures


def told_of(error: WhatsitError, path: str, place: str) -> dict[str, str]:
    """The error's object, which names the picture by its place below the root alone."""
    said = error.to_json()
    return {part: text.replace(repr(path), repr(place)) for part, text in said.items()}


def _shifted(answers: Sequence[Answer], offset: int) -> str:
    """A note where all indices seem to be one off: nearly nothing is right, and then most is."""
    if not answers:
        return ""
    right = {
        by: sum(answer.ranked[0][0] == answer.truth + by for answer in answers) / len(answers)
        for by in (-1, 0, 1)
    }
    by = max((-1, 1), key=lambda by: right[by])
    if right[0] > _NEARLY_NONE or right[by] < _FAR_BETTER or len(answers) < _FEWEST_SHIFTED:
        return ""
    return (
        f"Top-1 is {percent(right[0])}, and would be {percent(right[by])} if every index were one "
        f"{'higher' if by > 0 else 'lower'}: if the data set counts from another number than the "
        f"model, `whatsit evaluate --label-offset {offset + by}`"
    )


def _result(
    classifier: Classifier,
    task: _Task,
    ks: tuple[int, ...],
    entries: dict[int, Entry],
    failures: list[Failure],
    remarks: _Remarks,
    wall_s: float | None,
) -> Evaluation:
    bundle = classifier.bundle
    answers = tuple(
        Answer(
            task.dataset.place(row),
            truth,
            entries[place].ranked,
            entries[place].timings_ms,
            datasets.size_bytes(row.path),
        )
        for place, (row, truth) in enumerate(zip(task.dataset.rows, task.truths, strict=True))
        if place in entries
    )
    if task.label_offset is not None and (shifted := _shifted(answers, task.label_offset)):
        remarks.add(shifted)
    return Evaluation(
        model=bundle.name,
        model_sha256=bundle.sha256,
        model_bytes=len(bundle.data),
        runtime=classifier.runtime,
        preprocess=str(classifier.preprocess),
        dataset=task.dataset.name,
        fingerprint=task.fingerprint,
        labels=bundle.labels,
        answers=answers,
        failures=tuple(failures),
        notes=tuple(remarks.told),
        machine=machine.facts(),
        wall_s=wall_s,
        workers=task.workers,
        threads=task.threads,
        ks=ks,
        root=task.dataset.absolute_root,
    )


def _key(classifier: Classifier, task: _Task) -> str:
    """Names the run: whatever could change an answer or its time makes another one."""
    parts = (
        classifier.bundle.sha256,
        str(classifier.preprocess),
        classifier.runtime,
        classifier.raw,
        task.fingerprint,
        task.kept,
        task.workers,
        task.threads,
        machine.facts()["versions"],
    )
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
