"""Results to make reports of, and a reader of pages that knows no more than HTML."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path

import make_maps
from make_evaluations import answer, evaluation, grey_model
from PIL import Image

from whatsit import Explainer, Explanation, Faithfulness, zoo
from whatsit.benchmark import Benchmark, Failed, Measurement, Setting
from whatsit.choice import Candidate, Choice, Limits, decide
from whatsit.compare import Comparison, compare
from whatsit.doctor import Diagnosis, Evidence, Finding, Severity
from whatsit.evaluation import Evaluation, Failure
from whatsit.measures import Rate, Spread
from whatsit.train import Flip, LearningCurve, LeftOut, TrainingReport
from whatsit.train.curve import CurvePoint, Twice

VOID = {"meta", "link", "img", "br"}
NAMES = tuple("ant bee cat dog eel fox".split())
_NO_BREAKS = tuple(letter * 300 for letter in "abW")


@dataclass
class Page(HTMLParser):
    """What a page holds: every tag with its attributes, the text, the rows of each table."""

    html: str
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    text: str = ""
    tables: list[list[list[str]]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[str] = []
        self._cell: list[str] | None = None
        self.feed(self.html)
        self.close()
        self.wrong += [f"{tag} is not closed" for tag in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if len(dict(attrs)) < len(attrs):
            self.wrong.append(f"an attribute of {tag} stands twice")
        if tag not in VOID:
            self._open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self._cell = []

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.wrong.append(f"</{tag}> closes something else")
        if tag in ("td", "th") and self._cell is not None:
            words = " ".join("".join(self._cell).split())
            self.tables[-1][-1].append(words)
            self._cell = None

    def handle_data(self, data: str) -> None:
        if "style" in self._open and "svg" not in self._open:
            return
        self.text += data
        if self._cell is not None:
            self._cell.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def table(self, *first_cells: str) -> list[list[str]]:
        """The rows below the head of the one table whose head begins with these cells."""
        (found,) = [t for t in self.tables if t[0][: len(first_cells)] == list(first_cells)]
        return found[1:]


def some_evaluation(
    count: int = 40, *, names: Sequence[str] = NAMES, model: str = "made", seed: int = 1
) -> Evaluation:
    """Answers to the golden pictures, over and over: two of three right, mistakes in pairs."""
    chance = random.Random(seed)
    pictures = sorted(p for p in zoo.GOLDEN.iterdir() if p.suffix in (".png", ".jpg"))
    answers = []
    for number in range(count):
        truth = number % len(names)
        best = truth if chance.random() < 0.66 else (truth + 1 + number % 2) % len(names)
        answers.append(
            answer(
                f"{pictures[number % len(pictures)]}",
                truth,
                best,
                0.2 + 0.79 * chance.random(),
                classes=len(names),
                ms=chance.uniform(0.5, 2),
            )
        )
    broken = Failure(str(zoo.GOLDEN / "gone.jpg"), {"code": "x", "message": "no file", "hint": ""})
    return evaluation(answers, names=names, model=model, failures=[broken] if count else [])


def some_comparison() -> Comparison:
    """Two models on six pictures that are there and some that have gone since."""

    def answers(model: str, seed: int) -> Evaluation:
        chance = random.Random(seed)
        pictures = [*sorted(map(str, zoo.GOLDEN.glob("*.png"))), *(f"/gone/{i}" for i in range(30))]
        made = [answer(path, 0, chance.choice((0, 0, 1, 2)), 0.7) for path in pictures]
        return evaluation(made, model=model)

    return compare(answers("one", 1), answers("two", 2))


def some_diagnosis(count: int = 3, name: str = "animals") -> Diagnosis:
    """A leak, `count` suspects and two files that were never there."""
    golden = sorted(str(path) for path in zoo.GOLDEN.glob("*.*g"))
    folder = str(zoo.GOLDEN)
    suspects = tuple(
        Evidence(f"ant, but looks like {name}", (golden[i % len(golden)],), 0.5)
        for i in range(count)
    )
    gone = tuple(Evidence("no file", (f"{folder}/gone {i}.jpg",)) for i in range(2))
    return Diagnosis(
        dataset=name,
        kind="a folder for each class",
        parts=("train", "val"),
        pictures=8,
        classes={"bee": {"train": 5}, "ant": {"train": 2, "val": 1}},
        findings=(
            Finding(
                "leak",
                Severity.SERIOUS,
                "1 picture in more than one part",
                "Keep one.",
                (Evidence("the same file", (golden[0], golden[1])),),
            ),
            Finding("suspect-label", Severity.WARNING, f"{count} labels", "Look.", suspects),
            Finding("wrong-ending", Severity.NOTE, "2 files", "Know it.", gone),
        ),
        model=name,
        notes=(name,),
        root=folder,
    )


def spread(ms: float) -> Spread:
    return Spread(ms, ms * 0.96, ms * 1.1, ms * 1.4, 100)


def candidate(
    name: str, ms: float, megabytes: float, hits: int | None, total: int = 650
) -> Candidate:
    top1 = None if hits is None else Rate(hits, total)
    return Candidate(name, int(megabytes * 1e6), spread(ms), top1, "measured here on 650 pictures")


def some_choice(limits: Limits | None = None, *more: Candidate) -> Choice:
    """Six models much like the built-in ones."""
    six = [
        candidate("lite0-int8", 4.6, 5.3, 547),
        candidate("lite0-float16", 6.3, 9.5, 546),
        candidate("lite1-int8", 5.8, 6.3, 544),
        candidate("lite2-int8", 7.2, 7.0, 541),
        candidate("mobilenet-v2-int8", 3.9, 4.1, 518),
        candidate("mobilenet-v2-float16", 4.9, 7.2, 522),
    ]
    return choose_among([*six, *more], limits or Limits(max_latency_ms=6))


def choose_among(candidates: Sequence[Candidate], limits: Limits) -> Choice:
    return decide(
        candidates,
        limits,
        dataset="set",
        pictures=650,
        timing="one picture at a time",
        machine={"cpu": "one"},
    )


def measurement(model: str, ms: float, *, answers: str = "golden") -> Measurement:
    stages = {"decode": 0.2 * ms, "preprocess": 0.2 * ms, "inference": 0.59 * ms, "total": ms}
    return Measurement(
        setting=Setting(model, "litert", 2),
        model_sha256="0" * 64,
        model_bytes=5_300_000,
        load_ms=21.3,
        first_ms=9.8,
        stages={stage: spread(part) for stage, part in stages.items()},
        throughput_per_s=1500 / ms,
        workers=2,
        peak_memory_bytes=None if model == "big" else 112_000_000,
        answers=answers,
        noise=0.021,
    )


def some_benchmark(*measurements: Measurement, warnings: Sequence[str] = ()) -> Benchmark:
    """The given measurements, or two; and one setting that failed."""
    two = (measurement("small", 3.9), measurement("big", 12.5, answers="3 of 6 differ"))
    return Benchmark(
        machine={"cpu": "one", "memory_bytes": 2**34, "governor": None},
        made="2026-01-02T03:04:05+00:00",
        pictures="the golden pictures",
        measurements=measurements or two,
        warnings=tuple(warnings),
        failures=(Failed(Setting("x", "openvino", 1), {"code": "x", "message": "no engine"}),),
        reference=spread(10),
    )


def some_curve(*, crossed: bool = False, sure: bool = True) -> LearningCurve:
    """Right answers that rise by ten, six and three points."""
    points = (
        CurvePoint(25, (0.6, 0.66, 0.64, 0.7)),
        CurvePoint(50, (0.74, 0.76, 0.75, 0.75)),
        CurvePoint(100, (0.8, 0.82, 0.81)),
        CurvePoint(200, (0.84,)),
    )
    twice = Twice(400, 0.862, (0.845, 0.885)) if sure else None
    return LearningCurve(points, 250 if crossed else 200, 120, crossed, twice)


def some_training(
    evaluation: Evaluation | None = None,
    *,
    name: str = "animals",
    curve: LearningCurve | None = None,
    flips: int = 2,
) -> TrainingReport:
    """A model of the classes of an evaluation, or of a few-shot training without one."""
    names = NAMES if evaluation is None else evaluation.labels.names
    answers = () if evaluation is None else evaluation.answers
    right = sum(answer.right for answer in answers)
    flipped = tuple(
        Flip(answers[i % len(answers)].path, names[0], names[0], names[1])
        for i in range(flips if answers else 0)
    )
    return TrainingReport(
        bundle=replace(grey_model(), name=name),
        method="head",
        parent=name,
        pictures={each: 30 + place for place, each in enumerate(names)},
        accuracy=Rate(right, len(answers)) if answers else Rate(25, 30),
        accuracy_on=f"{name}/val",
        evaluation=evaluation,
        float_accuracy=Rate(right, len(answers)) if answers else None,
        flips=flipped,
        split={"seed": 7, "data_set": name, "train": {"pictures": 195, "sha256": "d" * 64}},
        recipe={"method": "head", "rule": "logistic", "strength": 0.05, "log_loss": 0.3333},
        left_out=(
            LeftOut(f"/pictures/{name}/ant/bad.jpg", f"'/pictures/{name}/ant/bad.jpg' is none"),
            LeftOut(f"/pictures/{name}/bee/copy.jpg", "it looks like another"),
        ),
        notes=(f"a note on {name}",),
        seconds={"embed": 4.0, "fit": 1.5, "store": 0.25},
        curve=curve,
    )


def some_history(epochs: int = 12) -> list[dict[str, float]]:
    """A training that gets better more and more slowly."""
    return [
        {
            "epoch": epoch,
            "loss": 0.5 + 1 / epoch,
            "validation_loss": 0.3 + 0.5 / epoch,
            "validation_accuracy": 0.95 - 0.1 / epoch,
        }
        for epoch in range(1, epochs + 1)
    ]


def some_finetuning(evaluation: Evaluation | None = None, name: str = "animals") -> TrainingReport:
    """All layers trained, over twelve epochs."""
    recipe = {"method": "finetune", "epochs": 12, "batch": 32, "history": some_history()}
    report = some_training(evaluation or some_evaluation(), name=name, flips=20)
    return replace(report, method="finetune", recipe=recipe)


def some_addition() -> TrainingReport:
    """One class more, without pictures to measure with."""
    report = some_training()
    return replace(
        report, accuracy=None, estimate=0.9, accuracy_on="an estimate", split={"seed": 0}
    )


def some_explanation(
    names: Sequence[str] = ("ant", "bee"), size: tuple[int, int] = (320, 200)
) -> tuple[Explanation, Faithfulness]:
    """Red and green, by other names."""
    image = Image.new("RGB", size, (160, 90, 20))
    with Explainer(make_maps.colours(), runtime="litert") as explainer:
        made = explainer.explain(image)
        test = explainer.faithfulness(made, orders=2)
    assert made.versus is not None
    target, versus = (
        replace(side, label=name)
        for side, name in zip((made.target, made.versus), names, strict=True)
    )
    return replace(made, target=target, versus=versus), test


def write_all(folder: Path) -> dict[str, Path]:
    """A page of each kind, in files."""
    from whatsit import report

    pages = {
        "evaluation": report.evaluation_page(some_evaluation()),
        "comparison": report.comparison_page(some_comparison()),
        "benchmark": report.benchmark_page(some_benchmark(warnings=["too noisy"])),
        "choice": report.choice_page(some_choice()),
        "training": report.training_page(some_training(some_evaluation(), curve=some_curve())),
        "finetuning": report.training_page(some_finetuning()),
        "explanation": report.explanation_page(*some_explanation()),
        "hostile explanation": report.explanation_page(*some_explanation(_NO_BREAKS[:2])),
        "hostile": report.evaluation_page(some_evaluation(60, names=_NO_BREAKS, model="m" * 300)),
    }
    for name, html in pages.items():
        report.save(html, folder / f"{name}.html")
    return {name: folder / f"{name}.html" for name in pages}
