"""Calibrates a bundle: labelled pictures say how far its scores can be trusted."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from . import datasets, machine, opening
from .bundle import Bundle
from .classifier import Classifier, Seen, open_bundle
from .datasets import Dataset, Matched
from .errors import DatasetError, InputError, ModelDamaged, ModelUnsupported
from .evaluate import known as matched
from .evaluate import told_of
from .evaluation import Failure
from .graph.head import find_head
from .measures import Rate, auroc
from .overlapping import in_order
from .sources import Source, expand
from .trust import ACCEPTANCE, RECORD, Trust, tempered, trust_of
from .trust.fitting import LEAST, Answers, fitted, known_by
from .trust.known import Known, Prototypes
from .trust.trial import Trial, tried
from .wording import counted

Progress = Callable[[str, int, int], None]  # (what is done, done, total)

MOST = 10_000  # pictures that are taken without being asked for a limit: more say the same again


@dataclass(frozen=True)
class Foreign:
    """How pictures that show nothing known fared, against the known ones.

    `rejected` are called unknown where a share ACCEPTANCE of the known are not; `auroc` is how
    often a known picture looks more known than a foreign one. The plain ones are the same by the
    score of the best class.
    """

    name: str
    rejected: Rate
    auroc: float
    plain_rejected: Rate
    plain_auroc: float

    def to_json(self) -> dict[str, Any]:
        """For --json: shares from 0 to 1."""
        return {
            "name": self.name,
            "rejected": self.rejected.to_json(),
            "auroc": round(self.auroc, 6),
            "by_best_score": {
                "rejected": self.plain_rejected.to_json(),
                "auroc": round(self.plain_auroc, 6),
            },
        }


@dataclass(frozen=True)
class Calibrated:
    """A bundle that knows how far its scores can be trusted, and how that was tried."""

    bundle: Bundle = field(repr=False)
    trust: Trust
    trial: Trial
    foreign: tuple[Foreign, ...]
    failures: tuple[Failure, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The object that `whatsit calibrate --json` prints."""
        return {
            "model": self.bundle.name,
            "model_sha256": self.bundle.sha256,
            "data_set": self.trust.data_set,
            "pictures": self.trust.pictures,
            "temperature": round(self.trust.temperature, 4),
            "rule": self.trust.known.rule,
            "trial": self.trial.to_json(),
            "foreign": [each.to_json() for each in self.foreign],
            "failures": [{"path": f.path, "error": dict(f.error)} for f in self.failures],
            "notes": list(self.notes),
        }


def calibrate(
    model: Bundle | str | os.PathLike[str] | None,
    dataset: Dataset | str | os.PathLike[str],
    *,
    foreign: Sequence[str | os.PathLike[str]] = (),
    labels_by: str = "auto",
    label_offset: int | None = None,
    skip_unknown: bool = False,
    limit: int | None = None,
    seed: int = 0,
    workers: int | None = None,
    runtime: str | None = None,
    progress: Progress | None = None,
    note: Callable[[str], None] | None = None,
) -> Calibrated:
    """`model`, a bundle or what `load` takes, calibrated on the pictures of `dataset`.

    These must be pictures that it was not taught from, of its own classes. A picture that cannot be
    read is a Failure among the others. Pictures of `foreign` (files, folders or globs) show none of
    its classes; they change nothing, and say how well it notices that. `limit` takes that many at
    random (default: 10 000). `labels_by`, `label_offset` and `skip_unknown` are those of
    datasets.truths.

    Raises DatasetError for fewer than 20 pictures, UsageError, and ModelError if the model fails
    or nothing can be put into its file.
    """
    bundle = model if isinstance(model, Bundle) else open_bundle(model)
    bundle.normalisation()  # without which there is no `with_facts`, after all the work
    strangers = {os.fspath(place): _sources(place) for place in foreign}
    notes: list[str] = []

    def remark(*texts: str) -> None:
        for text in texts:
            notes.append(text)
            if note is not None:
                note(text)

    whole = opening.read(dataset, progress=progress)
    truths = matched(
        whole,
        bundle.labels,
        labels_by=labels_by,
        label_offset=label_offset,
        skip_unknown=skip_unknown,
    )
    remark(*whole.notes, *truths.notes)
    chosen, classes = _drawn(whole, truths, MOST if limit is None else limit, seed)
    if len(classes) < len(truths.known):
        remark(f"{len(classes)} of {len(truths.known)} pictures were drawn")
    remark(*bundle.notes)
    tensor = _tensor(bundle)
    plain = replace(bundle, record={k: v for k, v in bundle.record.items() if k != RECORD})
    with Classifier(plain, runtime=runtime, embeddings=tensor is not None) as classifier:
        look = _Look(classifier, workers, progress)
        others = {name: look.foreign(name, sources) for name, sources in strangers.items()}
        answers, failures = look.answers(chosen, classes)
    if bundle.output.dtype == "uint8":
        answers = replace(answers, coarse=True)
        remark("the model's scores have steps of 1/256: too coarse for a temperature, they stay")
    remark(*_missing(answers, bundle), *look.unread)
    known = _known(bundle, answers, whole.name, tensor, remark)
    trust = fitted(answers, bundle.labels, data_set=whole.name, tensor=tensor, known=known)
    trial = tried(
        answers,
        bundle.labels,
        tensor=tensor,
        known=known,
        seed=seed,
        progress=None if progress is None else functools.partial(progress, "Trying"),
    )
    return Calibrated(
        bundle=with_trust(bundle, trust),
        trust=trust,
        trial=trial,
        foreign=tuple(_compared(name, trust, answers, each) for name, each in others.items()),
        failures=tuple(failures),
        notes=tuple(notes),
    )


def _drawn(whole: Dataset, truths: Matched, most: int, seed: int) -> tuple[Dataset, list[int]]:
    """At most so many of the pictures whose class is known, and their classes."""
    usable = truths.known
    rows = [usable[i] for i in datasets.sampled(len(usable), most, seed)]
    return whole.only(rows), [index for row in rows if (index := truths.indices[row]) is not None]


def with_trust(bundle: Bundle, trust: Trust) -> Bundle:
    """The bundle with this calibration in its record, and the same graph."""
    return bundle.with_facts({RECORD: trust.to_json()})


class _Look:
    """Takes pictures to a classifier, several at a time."""

    def __init__(
        self, classifier: Classifier, workers: int | None, progress: Progress | None
    ) -> None:
        self._workers = machine.cpu_count() if workers is None else workers
        classifier.classify_many((), workers=self._workers)  # which checks their number
        self._score = classifier.scorer(workers=self._workers)
        self._progress = progress
        self.unread: list[str] = []  # remarks on foreign pictures

    def answers(self, dataset: Dataset, truths: Sequence[int]) -> tuple[Answers, list[Failure]]:
        """The model's scores and embeddings for labelled pictures. Raises DatasetError if few."""
        failures, seen, kept = [], [], []
        found = self._seen("Looking", [row.path for row in dataset.rows])
        for row, truth, each in zip(dataset.rows, truths, found, strict=True):
            if isinstance(each, InputError):
                place = dataset.place(row)
                failures.append(Failure(place, told_of(each, row.path, place)))
            else:
                seen.append(each)
                kept.append(truth)
        if len(kept) < LEAST:
            bad = f" ({len(failures)} cannot be read)" if failures else ""
            raise DatasetError(
                f"{len(kept)} pictures to calibrate with{bad}",
                expected=f"at least {LEAST}, better 500, that the model was not taught from",
            )
        return _joined(seen, kept), failures

    def foreign(self, name: str, sources: Sequence[Source]) -> Answers:
        """The same of pictures without a label; those that cannot be read do not count."""
        found = list(self._seen("Foreign", sources))
        seen = [each for each in found if isinstance(each, Seen)]
        if not seen:
            raise DatasetError(f"none of the foreign pictures in {name!r} can be read")
        if len(seen) < len(found):
            self.unread.append(
                f"{len(found) - len(seen)} of {len(found)} foreign pictures in {name!r} cannot be "
                "read and do not count"
            )
        return _joined(seen, [0] * len(seen))

    def _seen(self, what: str, sources: Sequence[str | Source]) -> Iterator[Seen | InputError]:
        def look(source: str | Source) -> Seen | InputError:
            try:
                return self._score(source.picture() if isinstance(source, Source) else source)
            except InputError as error:
                return error.with_traceback(None)  # whose frames would keep the picture alive

        for done, each in enumerate(in_order(look, sources, self._workers), 1):
            if self._progress is not None:
                self._progress(what, done, len(sources))
            yield each


def _joined(seen: Sequence[Seen], truths: Sequence[int]) -> Answers:
    vectors = [each.embedding for each in seen if each.embedding is not None]
    return Answers(
        scores=np.stack([each.scores for each in seen]),
        truth=np.array(truths, np.int64),
        vectors=np.stack(vectors) if vectors else None,
    )


def _tensor(bundle: Bundle) -> int | None:
    """The embedding; None for a model without one, which is judged by its scores alone."""
    try:
        return find_head(bundle).embedding
    except ModelUnsupported:
        return None


def _sources(place: str | os.PathLike[str]) -> list[Source]:
    """The pictures there, found before the long work. Raises what is wrong if there is none."""
    sources = list(expand([os.fspath(place)]))
    if all(source.error is not None for source in sources):
        for source in sources:
            source.picture()  # which raises it
    return sources


def _missing(answers: Answers, bundle: Bundle) -> list[str]:
    """A remark where the pictures are of fewer classes than chance would make of so many."""
    there = np.unique(answers.truth)
    if 2 * len(there) >= min(len(bundle.labels), len(answers.truth)):
        return []
    kinds = f"{len(there)} of {counted(len(bundle.labels), 'class')}"
    if len(there) == 1:
        kinds = f"one class of {len(bundle.labels)}, {bundle.labels.names[there[0]]!r}"
    return [f"the pictures are of {kinds}: what was measured holds for such pictures only"]


def _known(
    bundle: Bundle,
    answers: Answers,
    data_set: str,
    tensor: int | None,
    remark: Callable[[str], None],
) -> Known | None:
    """By what the bundle knows of other pictures than these, such as those it was taught from."""
    try:
        prototypes = _own_prototypes(bundle, answers, tensor)
    except ModelDamaged as error:
        remark(f"{error.message}; it is measured anew, without what was in it")
        return None
    if prototypes is None or prototypes.data_set == data_set:  # calibrated with them before
        return None
    return known_by(answers, len(bundle.labels), tensor, prototypes)


def _own_prototypes(bundle: Bundle, answers: Answers, tensor: int | None) -> Prototypes | None:
    """The means of classes in the bundle's record, if it has any.

    Raises ModelDamaged for what cannot be.
    """
    before = trust_of(bundle)
    prototypes = None if before is None else before.known.prototypes
    if prototypes is None or answers.vectors is None:
        return None
    if prototypes.rows.shape[1] != answers.vectors.shape[1]:
        raise ModelDamaged(
            f"model {bundle.name!r}: its calibration is of embeddings of another length"
        )
    if prototypes.tensor != tensor:
        raise ModelDamaged(f"model {bundle.name!r}: its calibration is of another tensor")
    return prototypes


def _compared(name: str, trust: Trust, answers: Answers, others: Answers) -> Foreign:
    """The known pictures against these; the former are those that the limits come from."""
    limit = trust.known.limit(ACCEPTANCE)
    near = trust.known.all(others.scores, others.vectors)
    best, other_best = (
        tempered(each.scores, trust.temperature).max(axis=1).astype(np.float64)
        for each in (answers, others)
    )
    plain = Known("score", np.sort(best))
    return Foreign(
        name=name,
        rejected=Rate(int((near < limit).sum()), len(near)),
        auroc=auroc(trust.known.scores, near),
        plain_rejected=Rate(int((other_best < plain.limit(ACCEPTANCE)).sum()), len(near)),
        plain_auroc=auroc(best, other_best),
    )
