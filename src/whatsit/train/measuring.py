"""The answers of a taught bundle to the pictures that were held out.

Their embeddings are known, since the backbone is the parent's. So a sample of them goes through the
whole bundle, and all embeddings through the rest of its graph, in the same engine. Where the sample
is answered alike both ways, to the last bit, so are the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from .. import datasets
from ..bundle import Bundle
from ..classifier import Classifier
from ..datasets import Dataset
from ..evaluate import LEAST_KEPT, evaluate, known
from ..evaluation import Answer, Evaluation, Ranked
from ..graph.head import tail_graph
from ..results import top_k
from ..runtimes import Graph, open_runtime
from ..trust import tempered, trust_of
from .head import Floats

Progress: TypeAlias = Callable[[int, int], None]  # (done, total)

SAMPLE = 32  # pictures: enough to say how fast the bundle is, too
_WORTH_SAMPLING = 2 * SAMPLE


def measure(
    bundle: Bundle,
    dataset: Dataset,
    vectors: Floats | None = None,
    *,
    runtime: str | None = None,
    ks: tuple[int, ...] = (1,),
    workers: int | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """What evaluate() gives for a data set whose labels are the names of the bundle's classes.

    `vectors` (N, D) are the embeddings of its pictures by the parent whose backbone the bundle
    has: then only a sample is timed, and the notes say so. Without them, or if the bundle
    answers the sample otherwise than by way of its embeddings, all pictures go through it.
    """
    with Classifier(bundle, runtime=runtime) as classifier:

        def answers(part: Dataset) -> Evaluation:
            return evaluate(
                classifier,
                part,
                labels_by="name",
                workers=workers,
                ks=ks,
                resume=False,
                progress=progress,
            )

        if vectors is not None and len(vectors) >= _WORTH_SAMPLING:
            rows = np.linspace(0, len(vectors) - 1, SAMPLE).astype(int).tolist()
            sample = answers(dataset.only(rows))
            every = _by_embedding(bundle, vectors, classifier.runtime, max(LEAST_KEPT, *ks))
            if [answer.ranked for answer in sample.answers] == [every[row] for row in rows]:
                return _joined(sample, rows, every, dataset, bundle)
        return answers(dataset)


def _by_embedding(bundle: Bundle, vectors: Floats, engine: str, kept: int) -> list[Ranked]:
    """The best classes of each embedding, with their scores as a classifier gives them."""
    trust = trust_of(bundle)
    found = []
    for scores in tail_scores(bundle, vectors, engine):
        # One by one, as a classifier has them: many at once may differ in the last bit.
        given = scores if trust is None else tempered(scores, trust.temperature)
        found.append(tuple((i, float(given[i])) for i in top_k(given, kept)))
    return found


def tail_scores(bundle: Bundle, vectors: Floats, engine: str) -> Floats:
    """The model's own scores (N, C), by what follows the embeddings (N, D) in its graph."""
    tail = tail_graph(bundle)
    runtime = open_runtime(Graph(bundle.name, tail.data, bundle.output), engine)
    try:
        return np.stack([runtime.run(tail.batch(vector))[0].copy() for vector in vectors])
    finally:
        runtime.close()


def _joined(
    sample: Evaluation, rows: list[int], every: list[Ranked], dataset: Dataset, bundle: Bundle
) -> Evaluation:
    timed = dict(zip(rows, sample.answers, strict=True))
    truths = known(dataset, bundle.labels, labels_by="name").indices
    answers = []
    for place, (row, truth) in enumerate(zip(dataset.rows, truths, strict=True)):
        assert truth is not None  # all labels are classes: `sample` has been answered
        own = timed.get(place)
        answers.append(
            own
            or Answer(dataset.place(row), truth, every[place], {}, datasets.size_bytes(row.path))
        )
    note = (
        f"{len(rows)} of {len(answers)} pictures went through the whole model, and were timed; of "
        "all, the embedding went through what follows it, with the same answers for those"
    )
    return replace(
        sample,
        answers=tuple(answers),
        fingerprint=dataset.fingerprint(),
        wall_s=None,
        notes=(*sample.notes, note),
    )
