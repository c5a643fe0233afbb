"""From a source to an answer, by one picture, by many, and by many at a time."""

from __future__ import annotations

import dataclasses
import io
import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import make_heads
import make_models
import numpy as np
import pytest
from PIL import Image

import whatsit
from whatsit import Bundle, Classifier, Result, zoo
from whatsit._flatbuffer import pack_model, read_model
from whatsit.bundle import OutputSpec
from whatsit.graph import find_head
from whatsit.graph.read import Quantisation
from whatsit.scoring import TappedModel, tapped_program
from whatsit.sources import Source

CAT = zoo.GOLDEN / "cat.png"
PHOTOS = sorted(file for file in zoo.GOLDEN.iterdir() if file.suffix in (".jpg", ".png"))


@pytest.fixture(scope="module")
def model() -> Iterator[Classifier]:
    with whatsit.load(threads=1) as classifier:
        yield classifier


@pytest.fixture
def fake() -> Classifier:
    """Answers by brightness: 4 classes, 0 to 63 is dark."""
    graph = make_models.edges(target=make_models.Spec("scores", (1, 4), "float32"))
    bundle = Bundle.create(
        graph,
        name="fake",
        labels=["dark", "dim", "grey", "bright"],
        preprocess="stretch",
        mean=0,
        std=1,
    )
    return Classifier(bundle, runtime="fake")


def grey(level: int) -> np.ndarray:
    return np.full((8, 8, 3), level, np.uint8)


def idle_engines(classifier: Classifier) -> list[Any]:
    """The engines that are open and wait for a picture."""
    return [model._runtime for idle in classifier._models._idle.values() for model in idle]


def labels(result: Result) -> list[str]:
    return [prediction.label for prediction in result.predictions]


# ── one picture ──────────────────────────────────────────────────────────────────────────────


def test_a_cat_is_a_cat(model: Classifier) -> None:
    result = model.classify(CAT)
    assert result.path == str(CAT)
    assert result.model == model.bundle.name
    assert result.predictions[0].index in (281, 282, 285)  # tabby, tiger cat, Egyptian cat
    assert result.verdict in (whatsit.Verdict.SURE, whatsit.Verdict.AMBIGUOUS)
    assert list(result.timings_ms) == ["decode", "preprocess", "inference"]


def test_predictions_fall_by_score_and_carry_labels_and_synsets(model: Classifier) -> None:
    predictions = model.classify(CAT, top=1000).predictions
    scores = [prediction.score for prediction in predictions]
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) == pytest.approx(1, abs=0.01)
    names, synsets = model.bundle.labels.names, model.bundle.labels.synsets
    assert [p.label for p in predictions] == [names[p.index] for p in predictions]
    assert [p.synset for p in predictions] == [synsets[p.index] for p in predictions]


def test_every_kind_of_source_gives_the_same_answer(
    model: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(CAT.parent)
    with Image.open(CAT) as image:
        pixels = np.asarray(image.convert("RGB"))
        sources: list[Any] = [
            CAT,
            str(CAT),
            CAT.name,
            CAT.read_bytes(),
            io.BytesIO(CAT.read_bytes()),
            image,
            pixels,
            pixels[:, ::-1][:, ::-1],  # a view that is not contiguous
        ]
        answers = [model.classify(source).predictions for source in sources]
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.parametrize("top", [1, 3, 1000, 5000])
def test_top_limits_the_predictions(model: Classifier, top: int) -> None:
    assert len(model.classify(CAT, top=top).predictions) == min(top, 1000)


def test_threshold_leaves_only_what_scores_as_much(model: Classifier) -> None:
    everything = model.classify(CAT, top=1000).predictions
    floor = everything[2].score
    kept = model.classify(CAT, top=1000, threshold=floor).predictions
    assert kept == tuple(p for p in everything if p.score >= floor)
    assert len(kept) >= 3


def test_a_threshold_that_nothing_reaches_leaves_nothing(fake: Classifier) -> None:
    result = fake.classify(grey(0), threshold=0.95)
    assert result.predictions == ()
    assert result.error is None


def test_allow_gives_only_these_with_their_scores(model: Classifier) -> None:
    everything = {p.index: p.score for p in model.classify(CAT, top=1000).predictions}
    result = model.classify(CAT, allow=["tabby", 282, "n02124075"], top=10)
    assert {p.index: p.score for p in result.predictions} == {
        i: everything[i] for i in (281, 282, 285)
    }


def test_deny_gives_all_but_these(model: Classifier) -> None:
    denied = model.classify(CAT, deny=["n02121808"], top=1000)  # domestic cat
    assert not {281, 282, 283, 284, 285} & {p.index for p in denied.predictions}
    assert len(denied.predictions) == 1000 - 5


def test_a_lone_key_is_one_class_not_its_letters(fake: Classifier) -> None:
    assert labels(fake.classify(grey(0), allow="dim")) == ["dim"]  # type: ignore[arg-type]
    assert labels(fake.classify(grey(0), allow=2)) == ["grey"]  # type: ignore[arg-type]


def test_a_region_is_judged_alone(fake: Classifier) -> None:
    picture = grey(0)
    picture[:4, :4] = 255
    assert labels(fake.classify(picture, region=(0, 0, 0.5, 0.5), top=1)) == ["bright"]
    assert labels(fake.classify(picture, region=(0.5, 0.5, 1, 1), top=1)) == ["dark"]


def test_rotation_makes_a_turned_photo_upright(model: Classifier) -> None:
    with Image.open(CAT) as image:
        lying = image.convert("RGB").transpose(Image.Transpose.ROTATE_90)
    upright, turned = model.classify(CAT), model.classify(lying, rotation=90)
    assert turned.predictions[0].index == upright.predictions[0].index
    assert turned.predictions[0].score == pytest.approx(upright.predictions[0].score, abs=0.02)


def test_another_rule_replaces_that_of_the_bundle(model: Classifier) -> None:
    with whatsit.load(preprocess="stretch", threads=1) as other:
        assert str(other.preprocess) == "stretch(legacy-bilinear)"
        assert other.classify(CAT) != model.classify(CAT)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_number_of_threads_does_not_matter(model: Classifier, threads: int) -> None:
    with whatsit.load(threads=threads) as other:
        assert other.classify(CAT) == model.classify(CAT)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"top": 0}, "the top 0 classes"),
        ({"threshold": 1.5}, "a threshold of 1.5"),
        ({"threshold": float("nan")}, "a threshold of nan"),
        ({"allow": ["dark"], "deny": ["dim"]}, "both an allow list and a deny list"),
        ({"allow": ["unicorn"]}, "no class 'unicorn'"),
        ({"region": (0, 0, 2, 2)}, "(0, 0, 2, 2) is not a region"),
        ({"rotation": 45}, "cannot rotate by 45 degrees"),
    ],
)
def test_arguments_that_cannot_work_are_refused_before_a_picture_is_opened(
    fake: Classifier, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(whatsit.UsageError) as one:
        fake.classify("no such picture", **arguments)
    with pytest.raises(whatsit.UsageError) as many:
        fake.classify_many(["no such picture"], **arguments)
    assert one.value.message == many.value.message == message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"threads": 0}, "0 threads"),
        ({"preprocess": "zoom"}, "'zoom' is not a preprocessing rule"),
        ({"model": "resnet"}, "no built-in model 'resnet'"),
    ],
)
def test_a_classifier_that_cannot_be_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(whatsit.UsageError, match=message):
        whatsit.load(**arguments)


def test_a_path_is_told_from_a_name(tmp_path: Path) -> None:
    with pytest.raises(whatsit.ModelNotFound, match="no model file"):
        whatsit.load(tmp_path / "efficientnet-lite0-int8")
    with pytest.raises(whatsit.ModelNotFound, match="no model file"):
        whatsit.load("efficientnet-lite0-int8.tflite")


# ── float32 input ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("mean", "std"),
    [((0.0,), (255.0,)), ((-10.0,), (300.0,)), ((0.0, 1.0, 2.0), (255.0, 300.0, 400.0))],
)
def test_float_input_gets_the_normalised_picture(
    mean: tuple[float, ...], std: tuple[float, ...]
) -> None:
    from whatsit import _metadata

    metadata = _metadata.Metadata(mean=mean, std=std, labels_file="labels.txt")
    names = "".join(f"c{index}\n" for index in range(192)).encode()
    data = _metadata.write(make_models.floats(8, 8), metadata, {"labels.txt": names})
    picture = np.random.default_rng(3).integers(2, 256, (8, 8, 3), np.uint8)
    with Classifier(Bundle.from_bytes(data, "floats"), preprocess="stretch(box)") as model:
        answer = model.classify(picture, top=192)
    scores = {p.index: p.score for p in answer.predictions}
    expected = ((picture - np.array(mean)) / np.array(std)).ravel()
    np.testing.assert_allclose([scores[i] for i in range(192)], expected, rtol=1e-5, atol=1e-7)


def test_a_model_that_gives_logits_is_refused() -> None:
    bundle = Bundle.from_bytes(make_models.bundle(make_models.pixels(8, 8), 192), "logits")
    with Classifier(bundle) as model, pytest.raises(whatsit.ModelDamaged) as caught:
        model.classify(grey(200))
    assert caught.value.message == "model 'logits' gives scores from 200 to 200"
    assert caught.value.hint == "the file is damaged, or its graph ends before the softmax"


# ── many pictures ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("workers", [None, 1, 2, 5])
def test_many_give_the_answers_of_one_in_order(model: Classifier, workers: int | None) -> None:
    pictures = PHOTOS * 3
    results = list(model.classify_many(pictures, workers=workers))
    assert results == [model.classify(picture) for picture in pictures]
    assert [result.path for result in results] == [str(picture) for picture in pictures]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_bad_picture_is_an_error_in_its_place(
    model: Classifier, workers: int, tmp_path: Path
) -> None:
    (tmp_path / "empty.jpg").touch()
    bad = [tmp_path / "missing.jpg", tmp_path / "empty.jpg", b"no picture", tmp_path]
    sources = [item for pair in zip(bad, itertools.repeat(CAT)) for item in pair]
    results = list(model.classify_many(sources, workers=workers))
    assert [type(result.error).__name__ for result in results[::2]] == [
        "ImageNotFound",
        "ImageUnreadable",
        "ImageUnreadable",
        "ImageUnreadable",
    ]
    assert [result.predictions for result in results[::2]] == [()] * 4
    assert {result.predictions[0].index for result in results[1::2]} == {
        model.classify(CAT).predictions[0].index
    }


def test_sources_of_the_command_line_are_taken_too(fake: Classifier) -> None:
    missing = whatsit.ImageNotFound("nothing there")
    results = list(fake.classify_many([Source(str(CAT)), Source("x*", missing)]))
    assert [result.path for result in results] == [str(CAT), "x*"]
    assert results[1].error is missing


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_an_endless_source_is_taken_only_as_fast_as_results(fake: Classifier, workers: int) -> None:
    taken = itertools.count()

    def pictures() -> Iterator[np.ndarray]:
        while True:
            yield grey(next(taken) % 256)

    results = fake.classify_many(pictures(), workers=workers)
    assert next(taken) == 0  # nothing yet
    for _ in range(10):
        next(results)
    assert next(taken) <= 10 + 2 * workers + 3
    results.close()  # type: ignore[attr-defined]


def test_no_pictures_give_no_results(fake: Classifier) -> None:
    assert list(fake.classify_many([])) == []


def test_no_workers_are_refused(fake: Classifier) -> None:
    with pytest.raises(whatsit.UsageError, match="0 workers"):
        fake.classify_many([], workers=0)


def test_leaving_early_ends_the_workers(fake: Classifier) -> None:
    before = threading.active_count()
    results = fake.classify_many((grey(level) for level in range(200)), workers=4)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


# ── several threads ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("runtime", ["litert", "isolated"])
def test_eight_threads_get_the_answers_of_one(runtime: str) -> None:
    graph = make_models.pixels(16, 16, scale=1 / 255)
    bundle = Bundle.from_bytes(make_models.bundle(graph, 768), "pixels")
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (20, 30, 3), np.uint8) for _ in range(20)]
    with Classifier(bundle, runtime=runtime, threads=1) as model:
        expected = [model.classify(picture) for picture in pictures]

        def all_of_them(_: int) -> list[Result]:
            return [model.classify(picture) for picture in pictures]

        with ThreadPoolExecutor(8) as pool:
            for answers in pool.map(all_of_them, range(8)):
                assert answers == expected


def test_eight_threads_agree_on_a_real_model(model: Classifier) -> None:
    expected = [model.classify(photo) for photo in PHOTOS]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(model.classify, PHOTOS * 4))
    assert answers == expected * 4


# ── the end ──────────────────────────────────────────────────────────────────────────────────


def test_a_closed_classifier_says_so(fake: Classifier) -> None:
    with fake:
        fake.classify(grey(0))
    with pytest.raises(whatsit.UsageError) as caught:
        fake.classify(grey(0))
    assert caught.value.message == "the classifier is closed"
    with pytest.raises(whatsit.UsageError, match="closed"):
        list(fake.classify_many([grey(0), grey(1)]))
    fake.close()


def test_closing_releases_every_engine(fake: Classifier) -> None:
    list(fake.classify_many([grey(level) for level in range(20)], workers=3))
    engines = idle_engines(fake)
    assert engines
    fake.close()
    assert all(engine.closed for engine in engines)


def test_an_engine_that_failed_is_not_used_again(
    fake: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    from whatsit.runtimes.fake import FakeRuntime

    fake.classify(grey(0))
    (engine,) = idle_engines(fake)

    def fail(self: FakeRuntime, batch: np.ndarray) -> np.ndarray:
        raise whatsit.ModelDamaged("it failed")

    with monkeypatch.context() as patch:
        patch.setattr(FakeRuntime, "run", fail)
        with pytest.raises(whatsit.ModelDamaged, match="it failed"):
            fake.classify(grey(0))
    assert engine.closed
    assert labels(fake.classify(grey(0), top=1)) == ["dark"]


@pytest.mark.parametrize("count", [0, -1, 1025, 99_999_999_999])
def test_a_count_that_is_a_slip_of_the_finger_is_refused(count: int, fake: Classifier) -> None:
    with pytest.raises(whatsit.UsageError, match="threads"):
        whatsit.load(threads=count)
    with pytest.raises(whatsit.UsageError) as caught:
        fake.classify_many([], workers=count)
    assert caught.value.message == f"{count} workers"
    assert caught.value.expected == "a number from 1 to 1024"


def test_an_unknown_runtime_is_refused_at_once() -> None:
    with pytest.raises(whatsit.UsageError, match="no runtime 'nonsense'"):
        whatsit.load(runtime="nonsense")


def test_errors_in_results_do_not_keep_pictures_alive(fake: Classifier) -> None:
    whole = io.BytesIO()
    Image.new("RGB", (64, 64)).save(whole, "BMP")
    (result,) = fake.classify_many([whole.getvalue()[:5000]])
    error: BaseException | None = result.error
    assert error is not None
    while error is not None:
        assert error.__traceback__ is None
        error = error.__cause__


def test_a_model_as_a_path_object_is_a_file() -> None:
    with pytest.raises(whatsit.ModelNotFound):
        whatsit.load(Path(zoo.DEFAULT))


def test_nothing_above_the_threshold_is_unknown(fake: Classifier) -> None:
    result = fake.classify(grey(0), threshold=0.95)
    assert (result.verdict, result.predictions) == (whatsit.Verdict.UNKNOWN, ())


@pytest.mark.parametrize("source", ["cat.png", b"bytes", CAT])
def test_a_lone_source_is_not_taken_for_many(source: Any, fake: Classifier) -> None:
    with pytest.raises(whatsit.UsageError, match="for many sources"):
        fake.classify_many(source)


def test_one_wrong_item_does_not_cost_the_others(fake: Classifier) -> None:
    wrong: list[Any] = [None, np.zeros((8, 8), np.uint8), io.StringIO("text"), 7]
    results = list(fake.classify_many([grey(0), *wrong, grey(255)], workers=2))
    assert labels(results[0])[0] == "dark"
    assert labels(results[-1])[0] == "bright"
    assert [type(r.error) for r in results[1:-1]] == [whatsit.ImageUnsupported] * len(wrong)


# ── embeddings ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", zoo.catalogue())
def test_with_embeddings_the_answers_are_the_same_to_the_last_bit(name: str) -> None:
    with whatsit.load(name, threads=1) as whole, whatsit.load(name, embeddings=True) as tapped:
        plain = [whole.classify(photo, top=1000) for photo in PHOTOS]
        both = [tapped.classify(photo, top=1000) for photo in PHOTOS]
    assert [r.predictions for r in both] == [r.predictions for r in plain]
    assert all(result.embedding is None for result in plain)
    vectors = np.array([result.embedding for result in both])
    assert np.array_equal(vectors, whatsit.embed(name, PHOTOS, keep=False).vectors)


def test_a_foreign_model_gives_embeddings_in_its_own_process(tmp_path: Path) -> None:
    copy = tmp_path / "copy.tflite"
    copy.write_bytes(zoo.open_builtin(zoo.DEFAULT).data + b"\0")  # no longer a file of ours
    with whatsit.load(copy, embeddings=True) as classifier:
        assert classifier.runtime == "isolated"
        result = classifier.classify(CAT)
    assert result.embedding is not None
    assert result.embedding.shape == (1280,)
    assert "embedding" not in result.to_json()


@pytest.mark.parametrize("kind", [*zoo.catalogue(), *make_heads.FOREIGN, *make_heads.KINDS])
def test_a_tap_gives_what_the_two_graphs_give(kind: str) -> None:
    """Embeddings of all types, in this process and in one of its own."""
    steps = {"int8": Quantisation.single(1 / 255, -128), "uint8": Quantisation.single(1 / 255, 0)}
    bundle = (
        make_heads.small(kind, embedding=steps.get(kind))
        if kind in make_heads.KINDS
        else make_heads.read(kind)
    )
    batches = make_heads.golden_batches(bundle)[:3]
    for runtime in ("litert", "isolated"):
        model = TappedModel(tapped_program(bundle, find_head(bundle).embedding), runtime, 1)
        found = [model.score(batch) for batch in batches]
        model.close()
        scores, vectors = (np.array(column) for column in zip(*found, strict=True))
        np.testing.assert_array_equal(scores, make_heads.answers(bundle, batches))
        np.testing.assert_array_equal(vectors, make_heads.embed(bundle, batches))


@pytest.mark.parametrize(
    ("tensor", "reason"),
    [
        (-1, "tensor -1 of the model cannot be read: the graph has no such tensor"),
        (99, "tensor 99 of the model cannot be read: the graph has no such tensor"),
        (0, "tensor 0 cannot be its embedding: it is of shape [1, 2, 2, 3], not one vector"),
        (1, "tensor 1 cannot be its embedding: it is of shape [2], not one vector"),
        (3, "tensor 3 of the model cannot be read: it is the graph's output already"),
        (5, "tensor 5 of the model cannot be read: it is not computed from the picture"),
        (6, "tensor 6 of the model cannot be read: it is not computed from the picture"),
        (7, "tensor 7 of the model cannot be read: it is not computed from the picture"),
    ],
)
def test_a_tensor_that_cannot_be_an_embedding_is_refused(tensor: int, reason: str) -> None:
    bundle = Bundle.from_bytes(make_models.bundle(make_models.forked(), 12), "tiny")
    assert tapped_program(bundle, 2).tap == OutputSpec("float32", 12)
    with pytest.raises(whatsit.ModelDamaged) as caught:
        tapped_program(bundle, tensor)
    assert caught.value.message == f"model 'tiny': {reason}"


@pytest.mark.parametrize("scales", [[], [0.0], [np.inf], [0.5, 0.25]], ids=str)
def test_an_embedding_without_a_single_scale_is_refused(scales: list[float]) -> None:
    bundle = make_heads.small("int8", embedding=Quantisation.single(1 / 255, -128))
    tensor = find_head(bundle).embedding
    model = read_model(bundle.data)
    model.subgraphs[0].tensors[tensor].quantization.scale = scales
    with pytest.raises(whatsit.ModelDamaged, match="embedding: it has no single scale"):
        tapped_program(dataclasses.replace(bundle, data=pack_model(model)), tensor)


def test_an_embedding_of_a_constant_is_none() -> None:
    data = make_models.bundle(make_heads.constant_embedding(), 2)
    with pytest.raises(whatsit.ModelUnsupported, match="it is not computed from the picture"):
        tapped_program(Bundle.from_bytes(data, "tiny"))


def test_a_model_without_an_embedding_is_refused(fake: Classifier) -> None:
    with pytest.raises(whatsit.ModelUnsupported, match="last layer"):
        Classifier(fake.bundle, runtime="fake", embeddings=True)


# ── all scores ───────────────────────────────────────────────────────────────────────────────


def test_a_scorer_gives_what_answer_ranks(model: Classifier) -> None:
    score = model.scorer(deny=["tabby"])
    seen = score(CAT)
    assert seen.scores.shape == (1000,)
    assert seen.scores[281] == -1
    expected = model.classify(CAT, deny=["tabby"], top=3, threshold=0.1)
    assert model.answer(seen, path=str(CAT), top=3, threshold=0.1) == expected


def test_a_scorer_refuses_a_bad_picture_and_bad_arguments(model: Classifier) -> None:
    with pytest.raises(whatsit.UsageError, match="no-such-class"):
        model.scorer(allow=["no-such-class"])
    with pytest.raises(whatsit.ImageUnreadable):
        model.scorer()(b"no picture")
