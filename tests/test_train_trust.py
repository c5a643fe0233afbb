"""Training calibrates by itself: the sets hold what they promise on pictures that it never saw."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import make_dataset
import make_networks
import numpy as np
import pytest
from conftest import Run
from PIL import Image

from whatsit import Bundle, Classifier, DatasetError, Verdict, datasets, zoo
from whatsit.datasets import trees
from whatsit.graph.head import find_head
from whatsit.measures import binomial_interval
from whatsit.report import training_page
from whatsit.train import Tuning, add, fit_few, fit_head, train
from whatsit.train.report import TrainingReport
from whatsit.trust import sets, tempered, trust_of

Program = Callable[..., Run]
PARENT = "mobilenet-v2-int8"
KINDS = make_dataset.KINDS
FLOWERS = Path(__file__).parents[2] / "shared" / "data" / "flowers"
TREE = "class,parent\nchecks,drawn\nrings,drawn\nstripes,drawn\ndots,drawn\nnoise,\n"
needs_flowers = pytest.mark.skipif(not FLOWERS.is_dir(), reason="no flowers here")


@pytest.fixture(scope="module")
def textures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a tree of its classes."""
    folder = make_dataset.write(tmp_path_factory.mktemp("made") / "textures", 16)
    (folder / "labels.csv").write_text(TREE)
    return folder


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset.write(tmp_path_factory.mktemp("made") / "others", 16, first=100)


@pytest.fixture(scope="module")
def taught(textures: Path, others: Path) -> TrainingReport:
    return train(textures, parent=PARENT, validation=others)


@pytest.fixture(scope="module")
def flowers(tmp_path_factory: pytest.TempPathFactory) -> TrainingReport:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WHATSIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        return train(FLOWERS / "train", parent=PARENT, validation=FLOWERS / "val")


def test_a_taught_bundle_is_calibrated(taught: TrainingReport) -> None:
    trust = trust_of(taught.bundle)
    assert trust is not None
    assert trust.data_set == "textures, each held out in turn"
    assert 20 <= trust.pictures <= 80
    assert trust.known.rule == "prototypes"
    assert trust.known.prototypes is not None
    assert trust.known.prototypes.tensor == find_head(taught.bundle).embedding
    assert not any("answers can be trusted" in note for note in taught.notes)


def test_what_is_reported_is_what_the_classifier_does(taught: TrainingReport, others: Path) -> None:
    check = taught.trust_check
    assert check is not None
    dataset = datasets.read(others)
    with Classifier(taught.bundle) as classifier:
        results = list(classifier.classify_many([row.path for row in dataset.rows]))
    held = [
        row.label in result.label_set for row, result in zip(dataset.rows, results, strict=True)
    ]
    assert (sum(held), len(held)) == (check.held.hits, check.held.total)
    assert np.mean([len(result.label_set) for result in results]) == pytest.approx(check.size)
    unknown = sum(result.verdict is Verdict.UNKNOWN for result in results)
    assert len(held) - unknown == check.accepted.hits


def test_the_evaluation_is_of_calibrated_scores(taught: TrainingReport, others: Path) -> None:
    """Also of those that went by way of their embeddings, to the last bit."""
    assert taught.evaluation is not None
    assert any("32 of 80 pictures" in note for note in taught.evaluation.notes)
    trust = trust_of(taught.bundle)
    assert trust is not None
    assert trust.temperature != 1
    with Classifier(taught.bundle) as own, Classifier(taught.bundle, raw=True) as raw:
        for answer in taught.evaluation.answers[::9]:
            path = others / answer.path
            expected = [(p.index, p.score) for p in own.classify(path).predictions]
            assert list(answer.ranked) == expected
            scores = raw.scorer()(path).scores
            assert tempered(scores, trust.temperature)[answer.ranked[0][0]] == answer.ranked[0][1]


def test_json(taught: TrainingReport) -> None:
    said = json.loads(json.dumps(taught.to_json()))["calibration"]
    assert set(said) == {"data_set", "pictures", "temperature", "rule", "held_out"}
    held = said["held_out"]
    assert held["coverage"] == 0.9
    assert held["held"]["total"] == 80
    assert set(held["error"]) == {"before", "after"}


def test_foreign_pictures_are_unknown(taught: TrainingReport, others: Path) -> None:
    foreign = [Image.new("RGB", (96, 96), colour) for colour in ("red", "white", "navy")]
    foreign.append(Image.open(next(zoo.GOLDEN.glob("*.jpg"))))
    with Classifier(taught.bundle) as classifier:
        verdicts = [classifier.classify(picture).verdict for picture in foreign]
    assert verdicts == [Verdict.UNKNOWN] * 4


def test_the_same_bytes_twice(taught: TrainingReport, textures: Path, others: Path) -> None:
    again = train(textures, parent=PARENT, validation=others, workers=1)
    assert again.bundle.data == taught.bundle.data


def test_few_shot(others: Path, tmp_path: Path) -> None:
    few = make_dataset.write(tmp_path / "few", 5)
    report = train(few, parent=PARENT, validation=others)
    trust = trust_of(report.bundle)
    assert trust is not None
    assert (trust.pictures, trust.known.rule) == (25, "prototypes")
    assert report.trust_check is not None
    assert report.trust_check.held.value > 0.8


def test_too_few_to_calibrate(tmp_path: Path) -> None:
    few = make_dataset.write(tmp_path / "few", 3)
    report = train(few, parent=PARENT)
    assert trust_of(report.bundle) is None
    assert report.trust_check is None
    assert report.to_json()["calibration"] is None
    assert any("`whatsit calibrate` does" in note for note in report.notes)


def test_an_addition(textures: Path, others: Path, tmp_path: Path) -> None:
    four = shutil.copytree(textures, tmp_path / "four")
    shutil.move(four / "stripes", tmp_path / "stripes")
    (four / "labels.csv").write_text(TREE.replace("stripes,drawn\n", ""))
    first = train(four, parent=PARENT).bundle
    report = add("stripes", tmp_path / "stripes", to=first, validation=others)
    before, trust = trust_of(first), trust_of(report.bundle)
    assert before is not None
    assert trust is not None
    assert trust.data_set == "stripes and what four remembered, each held out in turn"
    assert trust.known.prototypes is not None
    assert before.known.prototypes is not None
    assert (trust.known.prototypes.rows[:4] == before.known.prototypes.rows).all()
    assert trust.known.prototypes.tensor == find_head(report.bundle).embedding
    assert report.trust_check is not None
    assert report.trust_check.held.value > 0.8
    assert report.trust_check.accepted.value > 0.8
    assert report.bundle.labels.ancestors(4) == [""]
    again = add("stripes", tmp_path / "stripes", to=first, validation=others)
    assert again.bundle.data == report.bundle.data
    tree = tmp_path / "tree.csv"
    tree.write_text(TREE)
    placed = add("stripes", tmp_path / "stripes", to=first, tree=tree)
    assert placed.bundle.labels.ancestors(4) == ["drawn", ""]


def test_an_addition_to_what_was_not_calibrated(textures: Path, tmp_path: Path) -> None:
    few = make_dataset.write(tmp_path / "few", 3, kinds=KINDS[:4])
    report = add("stripes", textures / "stripes", to=train(few, parent=PARENT).bundle)
    assert trust_of(report.bundle) is None
    assert any("`whatsit calibrate` does" in note for note in report.notes)


def test_the_tree_of_the_folder_is_in_the_bundle(taught: TrainingReport) -> None:
    labels = Bundle.from_bytes(taught.bundle.data, "textures").labels
    assert labels.ancestors(KINDS.index("rings")) == ["drawn", ""]
    assert labels.ancestors(KINDS.index("noise")) == [""]
    assert labels.find("drawn") == [0, 1, 3, 4]


def test_a_branch_is_allowed_by_name(taught: TrainingReport, others: Path) -> None:
    with Classifier(taught.bundle) as classifier:
        result = classifier.classify(others / "noise" / "0100.png", allow=["drawn"])
    assert "noise" not in {p.label for p in result.predictions if p.score >= 0}


def test_a_broader_answer(taught: TrainingReport, tmp_path: Path) -> None:
    """Where the classes of a branch are as likely as each other, the branch is named."""
    tree = tmp_path / "tree.csv"
    tree.write_text("class,parent\nchecks,squares\nstripes,squares\ndots,\nnoise,\nrings,\n")
    trust = trust_of(taught.bundle)
    assert trust is not None
    judge = trust.at(trees.read(tree, KINDS), 0.9, 0.95)
    judge = dataclasses.replace(judge, set_limit=0.9, tree_limit=0.9)
    broader, probably = judge.in_tree(np.array([0.5, 0.02, 0.01, 0.02, 0.45], np.float32))
    assert broader is not None
    assert broader.id == "squares"
    assert broader.score == pytest.approx(0.95)
    assert probably is None
    # What all have in common says nothing; what is likelier than not lies below it.
    broader, probably = judge.in_tree(np.array([0.35, 0.2, 0.1, 0.05, 0.3], np.float32))
    assert broader is None
    assert probably is not None
    assert probably.id == "squares"


def test_a_tree_that_is_named_goes_first(textures: Path, tmp_path: Path) -> None:
    tree = tmp_path / "mine.csv"
    tree.write_text("label;parent\n" + "".join(f"{kind};all\n" for kind in KINDS))
    small = shutil.copytree(textures, tmp_path / "small")
    report = train(small, parent=PARENT, tree=tree)
    assert report.bundle.labels.ancestors(0) == ["all"]


def test_another_tree_is_refused_before_the_pictures_are_read(
    textures: Path, tmp_path: Path
) -> None:
    tree = tmp_path / "mine.csv"
    tree.write_text("class,parent\nchecks,drawn\n")
    with pytest.raises(DatasetError, match="has no row for 'dots', 'noise', 'rings', 'stripes'"):
        train(textures, parent=PARENT, tree=tree, progress=lambda *_: pytest.fail("it began"))


def test_the_outcome_is_of_other_layers() -> None:
    """Classes by chance: a layer that saw the picture would know, one that did not cannot."""
    chance = np.random.default_rng(3)
    vectors = chance.standard_normal((200, 300)).astype(np.float32)
    truth = np.arange(200) % 2
    for fit in (fit_head(vectors, truth), fit_few(vectors, truth)):
        assert fit.outcome is not None
        assert fit.outcome.logits.shape == (len(fit.outcome.rows), 2)
        assert (fit.outcome.truth == truth[fit.outcome.rows]).all()
        right = (fit.outcome.logits.argmax(axis=1) == fit.outcome.truth).mean()
        own = (fit.logits(vectors).argmax(axis=1) == truth).mean()
        assert right < 0.65 < 0.8 < own


def test_a_class_that_was_all_held_out_is_not_judged() -> None:
    chance = np.random.default_rng(3)
    vectors = chance.standard_normal((40, 8)).astype(np.float32)
    truth = np.array([0, 1] * 19 + [2, 2])
    groups = [*range(38), 38, 38]
    fit = fit_head(vectors, truth, groups=groups)
    assert fit.outcome is not None
    assert 2 not in fit.outcome.truth
    assert np.isneginf(fit.outcome.logits[:, 2]).any()


def test_all_layers(tmp_path: Path, others: Path) -> None:
    """By the pictures that judged the epochs, through the file as it is stored."""
    pytest.importorskip("torch")
    parent = make_networks.bundle(make_networks.Network(side=24, seed=1), rule="stretch(bilinear)")
    many = make_dataset.write(tmp_path / "many", 50)
    tuning = Tuning(epochs=2, batch=16, rate=0.02, device="cpu")
    report = train(many, method="finetune", parent=parent, validation=others, tuning=tuning)
    trust = trust_of(report.bundle)
    assert trust is not None
    assert (trust.pictures, trust.known.rule) == (25, "prototypes")
    assert trust.data_set == "many, held out of the training"
    assert trust.known.prototypes is not None
    assert trust.known.prototypes.tensor == find_head(report.bundle).embedding
    dataset = datasets.read(others)
    with Classifier(report.bundle) as classifier:
        results = list(classifier.classify_many([row.path for row in dataset.rows]))
    held = sum(
        row.label in found.label_set for row, found in zip(dataset.rows, results, strict=True)
    )
    assert report.trust_check is not None
    assert (held, 80) == (report.trust_check.held.hits, report.trust_check.held.total)
    more = make_dataset.write(tmp_path / "more", 30, first=300) / "rings"
    added = add("more", more, to=report.bundle)  # to a network that was fitted to its memory
    assert trust_of(added.bundle) is None


def test_the_page(taught: TrainingReport) -> None:
    page = training_page(taught)
    check = taught.trust_check
    assert check is not None
    assert "How far its answers can be trusted" in page
    assert f"{100 * check.held.value:.1f}" in page
    few = dataclasses.replace(taught, trust_check=None)
    assert "How far its answers can be trusted" not in training_page(few)


def test_mediapipe_takes_a_bundle_with_a_tree(taught: TrainingReport) -> None:
    pytest.importorskip("mediapipe")
    from mediapipe import Image as Picture
    from mediapipe import ImageFormat
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.ImageClassifierOptions(BaseOptions(model_asset_buffer=taught.bundle.data))
    pixels = np.zeros((224, 224, 3), np.uint8)
    with vision.ImageClassifier.create_from_options(options) as classifier:
        answer = classifier.classify(Picture(image_format=ImageFormat.SRGB, data=pixels))
    rows = answer.classifications[0].categories
    assert {row.category_name for row in rows} == set(KINDS)


@needs_flowers
def test_flowers_are_covered_as_promised(flowers: TrainingReport) -> None:
    """Of 300 pictures that had no part in it. The limits come from about 400, which chance chose
    too: the interval is that of both.
    """
    dataset = datasets.read(FLOWERS / "val")
    trust = trust_of(flowers.bundle)
    assert trust is not None
    names = flowers.bundle.labels.names
    truth = np.array([names.index(row.label) for row in dataset.rows])
    with Classifier(flowers.bundle) as classifier:
        score = classifier.scorer()
        scores = np.stack([score(row.path).scores for row in dataset.rows])
    places = sets.places(scores, truth)
    count = int(1 / (1 / len(places) + 1 / trust.pictures))
    for coverage in (0.8, 0.9, 0.95, 0.99):
        share = (places <= sets.limit(trust.places, coverage)).mean()
        low, high = binomial_interval(count, coverage)
        assert low / count <= share <= high / count


@needs_flowers
def test_flowers_are_accepted_and_textures_are_not(flowers: TrainingReport, others: Path) -> None:
    check = flowers.trust_check
    assert check is not None
    assert check.accepted.value > 0.9
    with Classifier(flowers.bundle) as classifier:
        results = classifier.classify_many(sorted(others.glob("*/*.png")))
        unknown = [result.verdict is Verdict.UNKNOWN for result in results]
    assert np.mean(unknown) > 0.8


def test_the_command_takes_a_tree(whatsit: Program, others: Path, tmp_path: Path) -> None:
    tree, output = tmp_path / "tree.csv", tmp_path / "t.tflite"
    tree.write_text(TREE)
    run = whatsit("train", others, "-m", PARENT, "--tree", tree, "-o", output)
    assert run.status == 0
    assert Bundle.read(output).labels.ancestors(0) == ["drawn", ""]
    (line,) = [line for line in run.out.splitlines() if line.startswith("Likely set")]
    assert "(90 % promised), with 1." in line
    assert len(line) <= 80


def test_the_command_refuses_another_tree(whatsit: Program, others: Path, tmp_path: Path) -> None:
    tree = tmp_path / "tree.csv"
    tree.write_text("class,parent\nchecks,dots\ndots,checks\n")
    run = whatsit("train", others, "-m", PARENT, "--tree", tree, "-o", tmp_path / "t.tflite")
    assert run.status == 1
    assert "something below the class 'checks'" in run.err
    assert "hint" in run.err
    assert not (tmp_path / "t.tflite").exists()
