"""The whole examination, file by file and then all together."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from .. import embedding, opening
from ..bundle import Bundle
from ..classifier import open_bundle
from ..errors import UsageError
from ..graph.head import find_head
from ..wording import counted
from . import alike, classes, parts, stray, suspects, twins
from .files import Facts, examine_all
from .neighbours import Floats
from .parts import Part
from .values import Diagnosis, Evidence, Finding, Picture, Severity

Progress = Callable[[str, int, int], None]  # (what, done, total)

_ORDER = list(Severity)
_TOO_MANY = 0.25  # of the labels to be called wrong one by one
_MOST_UNLIKE = 20  # pictures that are named as unlike all others
# code → severity, title for a count, advice
_OF_A_FILE: Mapping[str, tuple[Severity, str, str]] = {
    "unreadable": (
        Severity.SERIOUS,
        "{} that cannot be read",
        "Get them again, or remove them: they are left out of everything.",
    ),
    "damaged": (
        Severity.SERIOUS,
        "{} damaged inside",
        "They open, but a part of the picture is garbage: get them again.",
    ),
    "wrong-ending": (
        Severity.NOTE,
        "{} whose name says another format",
        "whatsit goes by the content; other programs may not.",
    ),
    "odd-kind": (Severity.NOTE, "{} of an unusual kind", "They are converted when opened."),
    "tiny": (Severity.NOTE, "{} of very few pixels", "A model sees little of them."),
    "narrow": (
        Severity.NOTE,
        "{} much longer than wide",
        "A model sees the middle, or all squeezed.",
    ),
    "one-colour": (Severity.WARNING, "{} of one colour only", "There is nothing to learn in them."),
    "turned": (Severity.NOTE, "{} turned by EXIF", "whatsit turns them upright; others may not."),
}


def check(
    path: str | os.PathLike[str],
    *,
    against: str | os.PathLike[str] | None = None,
    model: Bundle | str | os.PathLike[str] | None = None,
    embeddings: bool = True,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Diagnosis:
    """What is wrong with the data set at `path`: its files, classes, copies and labels.

    `path` may be whatever `opening` reads. A folder that holds train, val or test is checked part
    by part, and for pictures that are in two of them; so is a second data set, `against`. `model`
    (default: the starter) makes the embeddings that wrong labels are found by; without
    `embeddings` those are not looked for.
    Raises DatasetError if there is nothing to check, UsageError if both data sets are the same,
    ModelError for a model without embeddings.
    """
    if workers is not None and workers < 1:
        raise UsageError(f"{workers} workers", expected="at least 1")
    say = progress or (lambda what, done, total: None)
    bundle = None
    if embeddings:
        bundle = model if isinstance(model, Bundle) else open_bundle(model)
        find_head(bundle)  # before the long work: raises for a model without embeddings
    places = [opening.located(path, progress=say)]
    own = every = parts.read(places[0])
    if against is not None:
        places.append(opening.located(against, progress=say))
        every = parts.apart(own, parts.read(places[1]))
    pictures = [picture for part in every for picture in part.pictures()]
    facts = examine_all(
        [picture.path for picture in pictures],
        workers=workers,
        progress=lambda done, total: say("reading the pictures", done, total),
    )
    notes = [note for place in places for note in place.notes]
    notes += [
        note
        for part in every
        for note in part.dataset.notes
        if not part.in_folders and note not in notes
    ]
    vectors = None
    if bundle is not None:
        vectors, problem = _vectors(bundle, facts, workers, say)
        notes += [f"the embeddings could not be kept: {problem}"] if problem else []
    pairs = _pairs(facts, vectors, say)
    counts = _counts(pictures)
    left = [
        (part, stray.unused(part.dataset.root, _paths(part))) for part in every if part.in_folders
    ]
    empty = [(part.name, name) for part, found in left for name in found.empty]
    found = [
        *_of_files(facts),
        *alike.findings(pictures, pairs),
        *classes.findings(counts, empty, [part.name for part in every]),
        *_unused(found for _, found in left),
    ]
    ranked: list[suspects.Suspect] = []
    if vectors is not None:
        ranked, more = _labels(pictures, vectors, pairs)
        found += more
    return Diagnosis(
        dataset=own[0].dataset.name if len(own) == 1 else parts.name_of(places[0]),
        kind=own[0].dataset.kind,
        parts=tuple(part.name for part in every),
        pictures=len(pictures),
        classes=counts,
        findings=tuple(sorted(found, key=lambda each: _ORDER.index(each.severity))),
        suspicion=tuple((pictures[each.place].path, each.suspicion) for each in ranked),
        model="" if bundle is None else bundle.name,
        root=parts.root_of(every),
        notes=tuple(notes),
    )


def _paths(part: Part) -> frozenset[str]:
    return frozenset(part.dataset.files)


def _counts(pictures: Sequence[Picture]) -> dict[str, dict[str, int]]:
    """class → part → pictures."""
    counts: dict[str, dict[str, int]] = {}
    for (label, part), count in Counter((p.label, p.part) for p in pictures).items():
        counts.setdefault(label, {})[part] = count
    return dict(sorted(counts.items()))


def _vectors(
    bundle: Bundle, facts: Sequence[Facts], workers: int | None, say: Progress
) -> tuple[Floats, str]:
    """(N, D), a row of NaN for a picture that cannot be read; why they were not kept, if so."""
    readable = [place for place, each in enumerate(facts) if each.error is None]
    made = embedding.embed(
        bundle,
        [facts[place].path for place in readable],
        workers=workers,
        progress=lambda done, total: say("comparing what they show", done, total),
    )
    vectors = np.full((len(facts), made.vectors.shape[1]), np.nan, np.float32)
    vectors[readable] = made.vectors
    return vectors, made.problem


def _pairs(facts: Sequence[Facts], vectors: Floats | None, say: Progress) -> list[twins.Pair]:
    """Same files first; of those, one looks for all."""
    exact = twins.same_bytes([each.sha256 for each in facts])
    copies = {pair.second for pair in exact}
    seen = {
        place: each.seen
        for place, each in enumerate(facts)
        if each.seen is not None and place not in copies
    }
    return exact + twins.same_looks(
        seen, vectors, lambda done, total: say("looking for copies", done, total)
    )


def _of_files(facts: Sequence[Facts]) -> Iterator[Finding]:
    cases: dict[str, list[Evidence]] = defaultdict(list)
    for each in facts:
        if each.error is not None:
            about = {"error": each.error.to_json()}
            cases["unreadable"].append(Evidence(each.error.message, (each.path,), facts=about))
        if each.damage:
            cases["damaged"].append(Evidence(each.damage, (each.path,)))
        for code, text in each.remarks:
            cases[code].append(Evidence(text, (each.path,)))
    for code, (severity, title, advice) in _OF_A_FILE.items():
        if cases[code]:
            count = counted(len(cases[code]), "file")
            yield Finding(code, severity, title.format(count), advice, tuple(cases[code]))


def _unused(found: Iterator[stray.Unused]) -> Iterator[Finding]:
    hidden, pictures, others = [], [], []
    for each in found:
        hidden += [Evidence("hidden", (path,)) for path in each.hidden]
        pictures += [
            Evidence("a picture, but its name has no ending of one", (path,))
            for path in each.pictures
        ]
        pictures += [
            Evidence("lies beside the folders of the classes, without a label", (path,))
            for path in each.loose
        ]
        others += [Evidence("no picture", (path,)) for path in each.others]
        others += [Evidence("a link to a folder, which is not followed", (p,)) for p in each.links]
    if pictures:
        yield Finding(
            "unused-picture",
            Severity.WARNING,
            f"{counted(len(pictures), 'picture')} that are not used",
            "Give them an ending such as .jpg, or put them into the folder of their class.",
            tuple(pictures),
        )
    if others or hidden:
        yield Finding(
            "stray-file",
            Severity.NOTE,
            f"{counted(len(others) + len(hidden), 'other file')} in the folders",
            "They are ignored.",
            tuple(others + hidden),
        )


def _labels(
    pictures: Sequence[Picture], vectors: Floats, pairs: Sequence[twins.Pair]
) -> tuple[list[suspects.Suspect], list[Finding]]:
    """The ranking by suspicion; findings of labels and of pictures unlike the others."""
    names = sorted({picture.label for picture in pictures})
    numbers = {name: number for number, name in enumerate(names)}
    groups = twins.grouped(len(pictures), ((pair.first, pair.second) for pair in pairs))
    ranked = suspects.suspects(vectors, [numbers[p.label] for p in pictures], groups)
    found = []
    cases = tuple(
        Evidence(
            f"{names[each.label]}, but looks like {names[each.other]}: so are {each.agree} of the "
            f"{each.neighbours} most alike",
            (pictures[each.place].path,),
            each.suspicion,
            {"label": names[each.label], "looks_like": names[each.other]},
        )
        for each in ranked
        if each.probable
    )
    if cases:
        found.append(_suspect_labels(cases, len(ranked)))
    far = suspects.unlike(vectors)[:_MOST_UNLIKE]
    if far:
        found.append(
            Finding(
                "unlike-others",
                Severity.NOTE,
                f"{counted(len(far), 'picture')} unlike all others",
                "Do they belong here?",
                tuple(
                    Evidence(
                        f"among {pictures[place].label}", (pictures[place].path,), 1 - closeness
                    )
                    for place, closeness in far
                ),
            )
        )
    return ranked, found


def _suspect_labels(cases: tuple[Evidence, ...], judged: int) -> Finding:
    title = f"{counted(len(cases), 'label')} that may be wrong"
    advice = "Look at them, the most suspicious first; unusual pictures are among them."
    if len(cases) > _TOO_MANY * judged:
        title = f"{len(cases):,} of {counted(judged, 'picture')} look like another class"
        advice = "Many labels are wrong, or the classes differ in what the model does not see."
    return Finding("suspect-label", Severity.WARNING, title, advice, cases)
