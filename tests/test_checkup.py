"""The model doctor: every kind of fault once, made by other code than its own."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import make_models
import make_patients as ill
import numpy as np
import pytest
from make_patients import EIGHT_BITS, MODEL
from PIL import Image, ImageOps

import whatsit
from whatsit import Bundle, UsageError, _metadata, zoo
from whatsit.checkup import Checkup, Severity, checkup, recorded, specimen
from whatsit.checkup.fixing import Plan, mend
from whatsit.checkup.hypotheses import SOFTMAX_AGAIN, countings, deviations
from whatsit.checkup.naming import CAUSES
from whatsit.checkup.ways import Range, Way

COFFEE, CAT = zoo.GOLDEN / "coffee.png", zoo.GOLDEN / "cat.png"
DOCS = Path(__file__).parents[1] / "docs" / "model-doctor.md"


def against(tmp_path: Path, value: Any, photo: Path = COFFEE, model: str = EIGHT_BITS) -> Checkup:
    """The doctor on what another program wrote down."""
    result = tmp_path / "result.json"
    result.write_text(value if isinstance(value, str) else json.dumps(value))
    return checkup(model, [photo], against=result)


def mended(tmp_path: Path, data: bytes, **options: Any) -> tuple[Checkup, Bundle]:
    """The doctor on a file, and the file that it wrote, which must be a bundle."""
    path = tmp_path / "ill.tflite"
    path.write_bytes(data)
    found = checkup(path, fix=True, **options)
    assert found.repaired is not None
    return found, Bundle.from_bytes(found.repaired, "mended")


def taken_by_mediapipe(bundle: Bundle, photo: Path = COFFEE) -> str:
    """MediaPipe's first class for a photo; skips where it is not installed."""
    mediapipe = pytest.importorskip("mediapipe")
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.ImageClassifierOptions(
        base_options=BaseOptions(model_asset_buffer=bundle.data), max_results=1
    )
    with vision.ImageClassifier.create_from_options(options) as judge:
        pixels = np.asarray(Image.open(photo).convert("RGB"))
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=pixels)
        return str(judge.classify(image).classifications[0].categories[0].category_name)


def first_class(bundle: Bundle, photo: Path = COFFEE) -> str:
    with whatsit.Classifier(bundle) as classifier:
        return classifier.classify(photo).predictions[0].label


# ── clean ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("model", [MODEL, EIGHT_BITS])
def test_a_built_in_model_is_well(model: str) -> None:
    found = checkup(model)
    assert found.findings == ()
    assert not found.serious
    assert found.upshot == "Nothing wrong was found."


@pytest.mark.parametrize("kept", [1000, 5])
@pytest.mark.parametrize("digits", [17, 6, 3])
def test_the_same_answers_agree(tmp_path: Path, kept: int, digits: int) -> None:
    answer = ill.scores(EIGHT_BITS, ill.pixels(COFFEE))
    value = {k: round(v, digits) for k, v in ill.top(answer, ill.names(), kept).items()}
    found = against(tmp_path, value)
    assert found.causes == ()
    assert found.upshot == "They agree on 1 picture."


def test_calibrated_scores_agree(tmp_path: Path) -> None:
    scores = ill.scores(EIGHT_BITS, ill.pixels(COFFEE)).astype(float)
    answer = np.maximum(scores, 1e-30) ** (1 / 1.6)
    found = against(tmp_path, (answer / answer.sum()).tolist())
    assert found.causes == ()
    assert any("at a temperature of 1.6" in note for note in found.notes)


def test_two_quantisations_of_one_network_differ_a_little() -> None:
    found = checkup(EIGHT_BITS, [COFFEE], against=MODEL)
    assert {finding.severity for finding in found.findings} <= {Severity.NOTE}


def test_two_networks_are_told_as_such() -> None:
    found = checkup(EIGHT_BITS, [CAT], against="efficientnet-lite0-int8")
    assert not found.serious
    assert set(found.causes) <= {"other-network", "small-difference"}


# ── faults on the way of a picture ───────────────────────────────────────────────────────────


def stretched() -> Any:
    image = Image.open(COFFEE).convert("RGB")
    return np.asarray(image.resize((224, 224), Image.Resampling.BICUBIC))


def scaled(mean: float, std: float) -> Any:
    """Pixels as an input of scale 1/128 and zero point 127 sees them after (p - mean) / std."""
    real = (ill.pixels(COFFEE).astype(float) - mean) / std
    return np.clip(np.rint(real * 128 + 127), 0, 255).astype(np.uint8)


FAULTS: dict[str, tuple[str, Callable[[], Any]]] = {
    "bgr": ("channels-swapped", lambda: ill.pixels(COFFEE)[..., ::-1]),
    "0 to 1": ("mean-std", lambda: scaled(0, 255)),
    "signed": ("int8-edges", lambda: ill.pixels(COFFEE) ^ 128),
    "stretch": ("stretch-crop", stretched),
    "nearest": ("resize-filter", lambda: ill.pixels(COFFEE, filter_=0)),
    "turned": ("turned", lambda: np.rot90(ill.pixels(COFFEE), -1)),
    "mirrored": ("mirrored", lambda: ill.pixels(COFFEE)[:, ::-1]),
    "negative": ("inverted", lambda: 255 - ill.pixels(COFFEE)),
    "grey": (
        "grey",
        lambda: np.repeat(
            np.asarray(Image.fromarray(ill.pixels(COFFEE)).convert("L"))[..., None], 3, 2
        ),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_by_five_scores(tmp_path: Path, fault: str) -> None:
    code, made = FAULTS[fault]
    found = against(tmp_path, ill.top(ill.scores(EIGHT_BITS, made()), ill.names()))
    assert found.causes == (code,)
    assert found.serious
    assert found.trials[0].apart > 2 * found.trials[1].apart
    assert found.findings[0].fix


def test_a_mean_and_std_of_no_known_kind(tmp_path: Path) -> None:
    """All scores show it; two numbers can be fitted to five of them without being the cause."""
    answer = ill.scores(MODEL, scaled(95, 80))
    assert against(tmp_path, answer.tolist(), model=MODEL).causes == ("mean-std",)
    answer = ill.scores(EIGHT_BITS, scaled(95, 80))
    assert "mean-std" not in against(tmp_path, ill.top(answer, ill.names())).causes


def test_a_mean_and_std_fitted_to_five_scores_of_another_decoder(tmp_path: Path) -> None:
    """No pixel is more than a level off, and a mean and std fit these scores to within rounding."""
    photo = zoo.GOLDEN / "camera.png"
    pixels = ill.pixels(photo)
    noise = np.random.default_rng(2).integers(-1, 2, pixels.shape)
    answer = ill.scores(MODEL, np.clip(pixels + noise, 0, 255).astype(np.uint8))
    found = against(tmp_path, ill.top(answer, ill.names()), photo=photo, model=MODEL)
    assert found.causes in ((), ("small-difference",))
    assert not found.serious


def test_three_faults_of_a_usual_script(tmp_path: Path) -> None:
    """What cv2.imread and cv2.resize do, without a colour conversion."""
    image = np.asarray(Image.open(COFFEE).convert("RGB"))[..., ::-1].astype(float)
    rows, columns = ((np.arange(224) + 0.5) * side / 224 - 0.5 for side in image.shape[:2])
    upper, left = rows.astype(int), columns.astype(int)
    down, right = (rows - upper)[:, None, None], (columns - left)[None, :, None]
    above = image[upper][:, left] * (1 - right) + image[upper][:, left + 1] * right
    below = image[upper + 1][:, left] * (1 - right) + image[upper + 1][:, left + 1] * right
    pixels = np.rint(above * (1 - down) + below * down).astype(np.uint8)
    found = against(tmp_path, ill.scores(EIGHT_BITS, pixels).tolist())
    assert set(found.causes) == {"channels-swapped", "stretch-crop", "resize-filter"}


def test_an_ignored_exif_turn(tmp_path: Path) -> None:
    photo = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(COFFEE).convert("RGB").save(photo, exif=exif, quality=95)
    answer = ill.scores(EIGHT_BITS, ill.pixels(photo))
    assert against(tmp_path, ill.top(answer, ill.names()), photo).causes == ("exif-ignored",)
    upright = ImageOps.exif_transpose(Image.open(photo))
    answer = ill.scores(EIGHT_BITS, ill.pixels(upright))
    assert against(tmp_path, ill.top(answer, ill.names()), photo).causes == ()


def test_softmax_twice(tmp_path: Path) -> None:
    powers = np.exp(ill.scores(EIGHT_BITS, ill.pixels(COFFEE)))
    found = against(tmp_path, (powers / powers.sum()).tolist())
    assert found.causes == ("softmax-twice",)


@pytest.mark.parametrize("shift", [1, -1])
@pytest.mark.parametrize("form", ["list", "zero at the end that was filled", "entries", "names"])
def test_all_scores_one_off(tmp_path: Path, shift: int, form: str) -> None:
    scores = np.roll(ill.scores(EIGHT_BITS, ill.pixels(COFFEE)).astype(float), shift)
    if form.startswith("zero"):
        scores[0 if shift > 0 else -1] = 0
    value: Any = scores.tolist()
    if form == "entries":
        value = [{"index": i, "score": score} for i, score in enumerate(value)]
    if form == "names":
        value = dict(zip(ill.names(), value, strict=True))
    assert against(tmp_path, value).causes == ("labels-shifted",)


@pytest.mark.parametrize("shift", [1, -1])
def test_all_scores_of_a_few_classes_one_off(shift: int) -> None:
    """Also where the first class is the one that went round."""
    from whatsit.checkup.answers import Entry, Recorded
    from whatsit.checkup.comparing import fit, usable
    from whatsit.checkup.matching import of_recorded

    patient = specimen.examine(make_models.bundle(make_models.floats(1, 1), 3), "few")
    for first in range(3):
        ours = np.full(3, 0.05)
        ours[first] = 0.9
        entries = tuple(Entry(float(s), i) for i, s in enumerate(np.roll(ours, shift)))
        answer = Recorded(None, entries, complete=True)
        (target,) = of_recorded([answer], patient, 0.0, "r.json").targets
        counting = "-1" if shift > 0 else "+1"
        assert usable(target, counting)
        assert fit([ours], [target], counting).mean < 1e-9


@pytest.mark.parametrize("shift", [1, -1])
def test_labels_that_are_one_off(tmp_path: Path, shift: int) -> None:
    answer, labels = ill.scores(EIGHT_BITS, ill.pixels(COFFEE)), ill.names()
    moved = labels[-shift:] + labels[:-shift]
    if shift > 0:
        assert against(tmp_path, ill.top(answer, moved)).causes == ("labels-shifted",)
    best = [int(i) for i in np.argsort(-answer)[:5]]
    by_both = [{"index": i, "label": moved[i], "score": float(answer[i])} for i in best]
    found = against(tmp_path, by_both)
    assert found.causes == ("labels-shifted",)
    assert any("is called" in line for line in found.findings[0].evidence)


def test_indices_that_are_one_off(tmp_path: Path) -> None:
    answer = ill.scores(EIGHT_BITS, ill.pixels(COFFEE))
    by_index = {str(i + 1): float(answer[i]) for i in np.argsort(-answer)[:5]}
    assert against(tmp_path, by_index).causes == ("labels-shifted",)


def test_labels_in_another_order(tmp_path: Path) -> None:
    answer, labels = ill.scores(EIGHT_BITS, ill.pixels(COFFEE)), sorted(ill.names())
    best = [int(i) for i in np.argsort(-answer)[:5]]
    value = [{"index": i, "label": labels[i], "score": float(answer[i])} for i in best]
    assert against(tmp_path, value).causes == ("labels-differ",)


def test_what_a_picture_cannot_show_is_said(tmp_path: Path) -> None:
    square = tmp_path / "square.png"
    Image.open(COFFEE).crop((100, 0, 500, 400)).convert("L").save(square)
    answer = ill.scores(EIGHT_BITS, ill.pixels(square)[..., ::-1])  # grey: no fault to be seen
    found = against(tmp_path, answer.tolist(), square)
    assert found.causes == ()
    (note,) = [note for note in found.notes if "would not show" in note]
    assert "all are square" in note
    assert "all are grey" in note


def test_one_label_alone_is_too_little(tmp_path: Path) -> None:
    answer = ill.scores(EIGHT_BITS, ill.pixels(CAT)[..., ::-1])
    right = ill.scores(EIGHT_BITS, ill.pixels(CAT))
    found = against(tmp_path, {"label": ill.names()[int(right.argmax())]}, CAT)
    assert found.causes == ()
    wrong = int(np.argsort(-answer)[40])
    found = against(tmp_path, json.dumps(ill.names()[wrong]), CAT)
    assert found.serious
    assert not {"channels-swapped", "mean-std"} >= set(found.causes)


def test_several_pictures_found_by_their_names(tmp_path: Path) -> None:
    lines = [
        json.dumps(
            {
                "path": f"/elsewhere/{photo.name}",
                "predictions": [
                    {"label": label, "score": score}
                    for label, score in ill.top(
                        ill.scores(EIGHT_BITS, ill.pixels(photo)[..., ::-1]), ill.names()
                    ).items()
                ],
            }
        )
        for photo in (COFFEE, CAT)
    ]
    lines.append(json.dumps({"path": "gone.jpg", "error": {"code": "x"}}))
    result = tmp_path / "result.jsonl"
    result.write_text("\n".join(lines))
    found = checkup(EIGHT_BITS, [CAT, COFFEE], against=result)
    assert (found.causes, found.pictures) == (("channels-swapped",), 2)
    assert any("failed there" in note for note in found.notes)


# ── files ────────────────────────────────────────────────────────────────────────────────────


def test_missing_normalization_options(tmp_path: Path) -> None:
    data = ill.described(ill.graph(MODEL, entry=False), ill.names())
    found, bundle = mended(tmp_path, data)
    assert found.causes == ("no-normalization",)
    assert (bundle.input.mean, bundle.input.std) == ((127.5,), (127.5,))
    assert first_class(bundle) == "espresso"
    assert taken_by_mediapipe(bundle) == "espresso"


def test_a_wrong_mean_and_std_beside_the_right_file(tmp_path: Path) -> None:
    data = ill.described(ill.graph(MODEL, entry=False), ill.names(), mean=[0], std=[255])
    found, bundle = mended(tmp_path, data, pictures=[COFFEE], against=MODEL)
    assert found.causes == ("mean-std",)
    assert (bundle.input.mean, bundle.input.std) == ((127.5,), (127.5,))


@pytest.mark.parametrize(("mean", "std"), [(0, 1), (0.5, 0.5), (127.5, 0), (1, 255 * 255)])
def test_a_mean_and_std_that_no_picture_can_mean(tmp_path: Path, mean: float, std: float) -> None:
    data = ill.described(ill.graph(MODEL, entry=False), ill.names(), mean=[mean], std=[std])
    found, bundle = mended(tmp_path, data)
    assert found.causes == ("mean-std",)
    assert first_class(bundle) == "espresso"


def test_int8_edges(tmp_path: Path) -> None:
    data = ill.described(ill.graph(EIGHT_BITS, entry=False), ill.names())
    found, bundle = mended(tmp_path, data)
    assert found.causes == ("int8-edges",)
    assert bundle.input.dtype == "uint8"
    ours, theirs = (whatsit.Classifier(each) for each in (bundle, zoo.open_builtin(EIGHT_BITS)))
    with ours, theirs:
        expected = theirs.classify(CAT, top=1000).predictions
        assert [p.index for p in ours.classify(CAT, top=1000).predictions] == [
            p.index for p in expected
        ]
    assert taken_by_mediapipe(bundle) == "espresso"


def test_duplicate_and_blank_labels(tmp_path: Path) -> None:
    labels = ill.names()
    labels[3], labels[8] = labels[4], ""
    found, bundle = mended(tmp_path, ill.described(ill.graph(MODEL), labels, mean=[0], std=[1]))
    assert {"duplicate-labels", "blank-labels"} <= set(found.causes)
    assert any("classes 3, 4" in line for f in found.findings for line in f.evidence)
    assert len(set(bundle.labels.names)) == 1000
    assert bundle.labels.names[8] == "class 8"
    assert taken_by_mediapipe(bundle) == "espresso"


@pytest.mark.parametrize("shift", [1, -1])
def test_labels_of_a_file_that_are_one_off(tmp_path: Path, shift: int) -> None:
    labels = ill.names()
    moved = labels[-shift:] + labels[:-shift]
    data = ill.described(ill.graph(MODEL), moved, mean=[0], std=[1])
    found, bundle = mended(tmp_path, data)
    assert found.causes == ("labels-shifted",)
    assert list(bundle.labels.names) == labels


def test_labels_of_a_file_that_are_those_of_another(tmp_path: Path) -> None:
    labels = ill.names()
    data = ill.described(ill.graph(EIGHT_BITS), labels[-1:] + labels[:-1])
    found, bundle = mended(tmp_path, data, pictures=[CAT], against=EIGHT_BITS)
    assert found.causes == ("labels-shifted",)
    assert first_class(bundle) == "espresso"


@pytest.mark.parametrize("extra", [1, -1])
def test_labels_that_are_too_many_or_too_few(tmp_path: Path, extra: int) -> None:
    if extra > 0:
        body, labels = ill.graph(MODEL), ["background", *ill.names()]
    else:
        body = make_models.padded(ill.graph(MODEL), 1, 0)
        labels = ill.names()
    found, bundle = mended(tmp_path, ill.described(body, labels, mean=[0], std=[1]))
    assert found.causes[0] == "label-count"
    assert first_class(bundle) == "espresso"
    assert taken_by_mediapipe(bundle) == "espresso"


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (ill.names()[:-1], [*ill.names()[:-1], "class 999"]),
        (ill.names()[1:], ["class 0", *ill.names()[1:]]),
        ([*ill.names(), "more"], ill.names()),
        ([*ill.names(), ""], ill.names()),
    ],
    ids=["without the last", "without the first", "one more", "an empty line more"],
)
def test_a_name_too_few_or_too_many_where_pictures_show_which(
    tmp_path: Path, labels: list[str], expected: list[str]
) -> None:
    found, bundle = mended(tmp_path, ill.described(ill.graph(MODEL), labels, mean=[0], std=[1]))
    assert found.causes[0] == "label-count"
    assert list(bundle.labels.names) == expected
    changed = {*labels, *expected} - ({*labels} & {*expected}) - {""}
    assert all(any(repr(name) in note for note in found.notes) for name in changed)


@pytest.mark.parametrize("place", [3, 500, 950, 997])
def test_a_name_that_is_missing_in_between_is_not_guessed(tmp_path: Path, place: int) -> None:
    path, labels = tmp_path / "ill.tflite", ill.names()
    del labels[place]
    path.write_bytes(ill.described(ill.graph(MODEL), labels, mean=[0], std=[1]))
    found = checkup(path, fix=True)
    assert found.repaired is None
    finding = found.finding("label-count")
    assert finding is not None
    assert not finding.mended
    assert finding.evidence[-1] == "nobody can know which name is missing"
    assert "--labels FILE" in finding.fix


@pytest.mark.parametrize("count", [190, 191, 193])
def test_labels_of_other_classes_are_not_guessed(tmp_path: Path, count: int) -> None:
    path, labels = tmp_path / "ill.tflite", [f"c{index}" for index in range(count)]
    path.write_bytes(
        ill.described(make_models.floats(8, 8), labels, mean=[0], std=[255], rule="stretch")
    )
    assert checkup(path, fix=True).repaired is None
    whole = [f"name {index}" for index in range(192)]
    repaired = checkup(path, fix=True, labels=whole).repaired
    assert repaired is not None
    assert list(Bundle.from_bytes(repaired, "mended").labels.names) == whole


def test_a_background_class_too_many_is_dropped(tmp_path: Path) -> None:
    labels = ["background", *(f"c{index}" for index in range(192))]
    body = make_models.floats(8, 8)
    _, bundle = mended(tmp_path, ill.described(body, labels, mean=[0], std=[255], rule="stretch"))
    assert list(bundle.labels.names) == labels[1:]


def test_names_that_were_made_up_are_told(tmp_path: Path) -> None:
    found, bundle = mended(tmp_path, make_models.floats(8, 8))
    assert bundle.labels.names[2] == "class 2"
    assert any("'class 0'" in note and "--labels" in note for note in found.notes)
    assert found.to_json()["notes"] == list(found.notes)


@pytest.mark.parametrize(("mean", "std"), [(0, 255), (127.5, 255)])
def test_a_mean_and_std_that_cost_little_are_a_warning(
    tmp_path: Path, mean: float, std: float
) -> None:
    path = tmp_path / "ill.tflite"
    body, labels = ill.graph("efficientnet-lite0-float16", entry=False), ill.names()
    path.write_bytes(ill.described(body, labels, mean=[mean], std=[std]))
    found = checkup(path)
    (finding,) = found.findings
    assert (finding.code, finding.severity) == ("mean-std", Severity.WARNING)
    assert "--mean 127.5 --std 127.5" in finding.fix
    _, bundle = mended(tmp_path, path.read_bytes(), mean=127.5, std=127.5)
    assert (bundle.input.mean, bundle.input.std) == ((127.5,), (127.5,))
    assert checkup(path, mean=127.5, std=127.5).findings == ()


@pytest.mark.parametrize("model", [MODEL, "efficientnet-lite0-float16"])
@pytest.mark.parametrize(("mean", "std"), [(127.5, 127.5), (127, 128)])
def test_the_right_mean_and_std_are_left_alone(
    tmp_path: Path, model: str, mean: float, std: float
) -> None:
    path = tmp_path / "well.tflite"
    path.write_bytes(
        ill.described(ill.graph(model, entry=False), ill.names(), mean=[mean], std=[std])
    )
    assert checkup(path).findings == ()


def test_progress_is_told(tmp_path: Path) -> None:
    heard: list[tuple[int, int | None, str]] = []
    result = tmp_path / "result.json"
    result.write_text(json.dumps(ill.scores(EIGHT_BITS, ill.pixels(COFFEE)[..., ::-1]).tolist()))
    checkup(EIGHT_BITS, [COFFEE], against=result, progress=lambda *step: heard.append(step))
    assert heard[0] == (0, None, "known pictures")
    counts = [done for done, _, _ in heard]
    assert counts == sorted(counts)
    assert counts[-1] > 10


def test_a_bare_graph_gets_all_that_it_lacks(tmp_path: Path) -> None:
    found, bundle = mended(tmp_path, ill.graph(MODEL, entry=False))
    assert "no-metadata" in found.causes
    assert any("ImageNet's 1,000" in note for note in found.notes)
    assert first_class(bundle) == "espresso"
    assert taken_by_mediapipe(bundle) == "espresso"


def test_what_is_said_of_it_goes_first(tmp_path: Path) -> None:
    labels = [f"c{index}" for index in range(192)]
    found, bundle = mended(tmp_path, make_models.floats(8, 8), labels=labels, mean=10.0, std=300.0)
    assert "no-metadata" in found.causes
    assert (bundle.input.mean, bundle.input.std) == ((10.0,), (300.0,))
    assert list(bundle.labels.names) == labels
    taken_by_mediapipe(bundle)


def test_compressed_files(tmp_path: Path) -> None:
    found, bundle = mended(tmp_path, ill.compressed(zoo.catalogue()[MODEL].path.read_bytes()))
    assert found.causes == ("files-compressed",)
    assert taken_by_mediapipe(bundle) == "espresso"


@pytest.mark.parametrize(
    ("constant", "value", "code"),
    [
        ("_RGB", 0, "not-rgb"),
        ("_IMAGE_PROPERTIES", 1, "not-rgb"),
        ("_MIN_PARSER_VERSION", "9.9.9", "parser-version"),
    ],
)
def test_metadata_that_mediapipe_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, constant: str, value: Any, code: str
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(_metadata, constant, value)
        data = ill.described(ill.graph(MODEL), ill.names(), mean=[0], std=[1])
    found, bundle = mended(tmp_path, data)
    assert found.causes == (code,)
    assert taken_by_mediapipe(bundle) == "espresso"


def test_another_mean_for_each_colour(tmp_path: Path) -> None:
    """The scores of this graph are what it is fed."""
    labels = [f"c{index}" for index in range(192)]
    mean, std = (0.0, -10.0, -20.0), (300.0, 310.0, 320.0)
    data = ill.described(make_models.floats(8, 8), labels, mean=mean, std=std, rule="stretch")
    found, bundle = mended(tmp_path, data)
    assert "per-channel" in found.causes
    picture = np.full((8, 8, 3), (200, 201, 202), np.uint8)
    with whatsit.Classifier(bundle) as classifier:
        answer = {p.index: p.score for p in classifier.classify(picture, top=192).predictions}
    expected = (np.array([200, 201, 202]) - mean) / std
    assert [answer[i] for i in range(3)] == pytest.approx(expected, abs=1e-5)
    taken_by_mediapipe(bundle)


def test_channels_first(tmp_path: Path) -> None:
    """The scores are the pixels by channel, once the picture is put the other way round."""
    body = make_models.build(
        [
            make_models.Spec("image", (1, 3, 8, 8), "float32"),
            make_models.Spec("shape", (2,), "int32", np.array([1, 192], np.int32)),
            make_models.Spec("scores", (1, 192), "float32"),
        ],
        [make_models.Op(make_models.schema.BuiltinOperator.RESHAPE, (0, 1), (2,))],
        [0],
        [2],
    )
    labels = [f"c{index}" for index in range(192)]
    data = ill.described(body, labels, mean=[0], std=[255], rule="stretch")
    found, bundle = mended(tmp_path, data)
    assert "channels-first" in found.causes
    assert bundle.input.height == 8
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[0, 1, 2] = 255
    with whatsit.Classifier(bundle) as classifier:
        assert classifier.classify(picture).predictions[0].index == 2 * 64 + 1
    taken_by_mediapipe(bundle)


def test_logits_get_a_softmax(tmp_path: Path) -> None:
    body = make_models.floats(8, 8)
    labels = [f"c{index}" for index in range(192)]
    data = ill.described(body, labels, mean=[0], std=[1], rule="stretch")  # up to 255
    found, bundle = mended(tmp_path, data)
    assert "no-softmax" in found.causes
    with whatsit.Classifier(bundle) as classifier:
        answer = classifier.classify(COFFEE, top=192).predictions
    assert sum(p.score for p in answer) == pytest.approx(1, abs=1e-4)


def test_a_graph_that_wants_bgr_is_turned(tmp_path: Path) -> None:
    """Its answers to RGB are the right model's to BGR, which a GATHER makes."""
    wants_bgr, _ = mend(specimen.read(MODEL), Plan(swap=True))
    found, bundle = mended(tmp_path, wants_bgr.data, pictures=[CAT], against=MODEL)
    assert found.causes == ("channels-swapped",)
    with whatsit.load(MODEL, raw=True) as right, whatsit.Classifier(bundle) as ours:
        expected = {p.label: p.score for p in right.classify(CAT).predictions}
        answer = {p.label: p.score for p in ours.classify(CAT).predictions}
    assert answer == pytest.approx(expected, abs=1e-4)
    taken_by_mediapipe(bundle)


def test_what_was_measured_of_the_old_graph_is_left_out() -> None:
    before = zoo.open_builtin(MODEL)
    assert {"trust", "accuracy"} <= before.record.keys()
    bundle, done = mend(specimen.read(MODEL), Plan(swap=True))
    assert not {"trust", "accuracy"} & bundle.record.keys()
    assert any("whatsit calibrate" in line for line in done)
    assert bundle.record["parents"][-1]["sha256"] == before.sha256


def test_another_rule_of_cutting_is_written(tmp_path: Path) -> None:
    data = ill.described(ill.graph(MODEL), ill.names(), mean=[0], std=[1], rule="pad(bilinear)")
    found, bundle = mended(tmp_path, data, pictures=[COFFEE], against=MODEL)
    assert found.causes == ("stretch-crop",)
    assert str(bundle.preprocess) == "crop(0.875, bicubic)"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (make_models.edges(outputs=2), "several-outputs"),
        (make_models.edges(inputs=2), "several-inputs"),
        (make_models.edges(make_models.Spec("a;b", (1, 8, 8, 3), "uint8")), "semicolons"),
        (make_models.edges(make_models.Spec("a", (1, 8), "uint8")), "input-shape"),
        (make_models.edges(make_models.Spec("a", (1, 8, 8, 3), "int32")), "edge-type"),
        (make_models.edges(target=make_models.Spec("a", (3, 3, 3), "float32")), "output-shape"),
        (make_models.edges(target=make_models.Spec("a", (1, 3), "uint8")), "output-scale"),
    ],
)
def test_graphs_that_are_no_classifier_of_pictures(tmp_path: Path, data: bytes, code: str) -> None:
    path = tmp_path / "odd.tflite"
    path.write_bytes(data)
    found = checkup(path)
    assert code in found.causes
    assert found.serious


def test_a_model_that_dies_is_a_finding(tmp_path: Path) -> None:
    path = tmp_path / "hostile.tflite"
    path.write_bytes(make_models.bundle(make_models.hostile(), 3))
    found = checkup(path, [COFFEE], against=EIGHT_BITS)
    assert "cannot-run" in found.causes
    assert any("nothing could be compared" in note for note in found.notes)


@pytest.mark.parametrize("data", [b"", b"no model", b"\0" * 100, b"\x1c\0\0\0TFL3" + b"\xff" * 40])
def test_what_is_no_model_is_an_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.tflite"
    path.write_bytes(data)
    with pytest.raises(whatsit.ModelDamaged):
        checkup(path)


def test_a_cut_file_of_a_model_never_ends_in_a_traceback(tmp_path: Path) -> None:
    whole = zoo.catalogue()[MODEL].path.read_bytes()
    path = tmp_path / "cut.tflite"
    for share in (0.1, 0.5, 0.9, 0.999):
        path.write_bytes(whole[: int(len(whole) * share)])
        with contextlib.suppress(whatsit.ModelError):
            assert checkup(path).serious


# ── labelled pictures ────────────────────────────────────────────────────────────────────────


def test_low_accuracy_by_swapped_labels(tmp_path: Path) -> None:
    """Copies of two golden pictures, so labelled that the model's labels are one too high."""
    labels = ill.names()
    rows = []
    for number in range(14):  # as few as prove it
        photo = (COFFEE, CAT)[number % 2]
        index = (967, 285)[number % 2]
        path = tmp_path / f"{number}.png"
        small = Image.open(photo).convert("RGB").reduce(2)
        pixels = np.asarray(small).astype(int) + number % 5
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path)
        rows.append(f"{path.name},{labels[index - 1]}")
    (tmp_path / "labels.csv").write_text("file,label\n" + "\n".join(rows) + "\n")
    found = checkup(EIGHT_BITS, data=tmp_path)
    assert found.causes == ("labels-shifted",)
    assert found.labelled == 14
    assert found.accuracies[0].right < found.accuracies[1].right


# ── what programs write down ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "value",
    [
        {"tabby": 0.8, "tiger cat": 0.1},
        {"281": 0.8, "282": 0.1},
        [["tabby", 0.8], ["tiger cat", 0.1]],
        [[281, 0.8], [282, 0.1]],
        [["n02123045", "tabby", 0.8], ["n02123159", "tiger_cat", 0.1]],
        [[["n02123045", "tabby", 0.8], ["n02123159", "tiger_cat", 0.1]]],
        [{"label": "tabby", "score": 0.8}, {"label": "tiger cat", "score": 0.1}],
        [{"class": "tabby", "probability": 0.8}, {"class": "tiger cat", "probability": 0.1}],
        {"predictions": [{"index": 281, "label": "tabby", "score": 0.8}]},
        {"cat.png": {"tabby": 0.8, "tiger cat": 0.1}},
        {"results": [{"file": "cat.png", "top": [{"label": "tabby", "score": 0.8}]}]},
        {
            "classifications": [
                {
                    "categories": [{"index": 281, "score": 0.8, "categoryName": "tabby"}],
                    "headIndex": 0,
                }
            ]
        },
        {"path": "cat.png", "label": "tabby", "score": 0.8},
        {"path": "cat.png", "label": "tabby"},
        {"index": 281},
        "tabby",
        {"tabby": 80.0, "tiger cat": 10.0},
    ],
)
def test_forms_of_an_answer(tmp_path: Path, value: Any) -> None:
    path = tmp_path / "result.json"
    path.write_text(json.dumps(value))
    (answer,), _ = recorded.read(path)
    first = answer.entries[0]
    assert first.index == 281 or first.label in ("tabby", "n02123045")
    assert first.score is None or first.score == pytest.approx(0.8)


def test_lists_of_scores(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    for value in ([0.1, 0.7, 0.2], [[0.1, 0.7, 0.2]], {"scores": [0.1, 0.7, 0.2]}):
        path.write_text(json.dumps(value))
        (answer,), _ = recorded.read(path)
        assert answer.complete
        assert [entry.score for entry in answer.entries] == [0.1, 0.7, 0.2]
    path.write_text(json.dumps([[0.1, 0.9], [0.6, 0.4]]))
    answers, _ = recorded.read(path)
    assert len(answers) == 2
    path.write_text(json.dumps({"logits": [-1.5, 7, 2]}))
    (answer,), _ = recorded.read(path)
    assert answer.logits


def test_the_csv_of_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "result.csv"
    path.write_text(
        "path,rank,index,label,score,verdict,error\n"
        "a.jpg,1,281,tabby,0.8,sure,\na.jpg,2,282,tiger cat,0.1,sure,\n"
        "b.jpg,,,,,,image-unreadable\n"
    )
    (answer,), _ = recorded.read(path)
    assert answer.path == "a.jpg"
    assert [entry.index for entry in answer.entries] == [281, 282]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n",
        "{",
        '{"a": [1,',
        "[]",
        "{}",
        "null",
        "true",
        "7",
        "[1]",
        "<html></html>",
        '[{"label": "a", "score": 1}, {"label": "b"}]',
        '[{"score": 0.5}]',
        "[NaN, 1]",
        "[1e99999999999999999999, 1]",
        '{"path": "a.jpg", "error": {"code": "x"}}',
        '[{"index": -1, "score": 1}]',
        "[[[[]]]]",
    ],
)
def test_what_is_no_answer_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "result.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=re.escape("result.json")) as caught:
        recorded.read(path)
    assert caught.value.expected


@pytest.mark.parametrize("cell", ["sNaN", "NaN", "inf", "1e9999999999999999999", "x" * 200_000])
def test_a_csv_without_a_number(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "result.csv"
    path.write_text(f"path,index,label,score\na.jpg,1,x,{cell}\n")
    with pytest.raises(UsageError, match=re.escape("result.csv")):
        recorded.read(path)


@pytest.mark.parametrize(
    "value", [{"rose": 0.9, "tulip": 0.1}, [0.25] * 4, {"index": 4000, "score": 1.0}]
)
def test_an_answer_of_another_model(tmp_path: Path, value: Any) -> None:
    with pytest.raises(UsageError):
        against(tmp_path, value)


def test_an_answer_to_another_picture_is_said_to_be_one(tmp_path: Path) -> None:
    answer = ill.top(ill.scores(EIGHT_BITS, ill.pixels(COFFEE)), ill.names())
    found = against(tmp_path, {"path": "C:\\photos\\owl.jpg", "predictions": answer})
    assert found.causes == ()
    assert any("names the picture owl.jpg, not coffee.png" in note for note in found.notes)


def test_no_more_pictures_than_fit_into_memory(tmp_path: Path) -> None:
    small = Image.open(COFFEE).convert("RGB").reduce(2)
    answer = ill.top(ill.scores(EIGHT_BITS, ill.pixels(small)), ill.names())
    for number in range(34):
        small.save(tmp_path / f"{number}.png", compress_level=1)
    result = tmp_path / "result.json"
    result.write_text(json.dumps({f"{number}.png": answer for number in range(34)}))
    found = checkup(EIGHT_BITS, against=result)
    assert (found.causes, found.pictures) == ((), 32)
    assert any("first 32 of 34" in note for note in found.notes)


def test_answers_without_their_pictures(tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    result.write_text(json.dumps({"path": "gone.jpg", "predictions": {"tabby": 0.9}}))
    with pytest.raises(UsageError, match="names no picture"):
        checkup(MODEL, against=result)
    result.write_text(
        json.dumps([{"path": "a.jpg", "label": "tabby"}, {"path": "b.jpg", "label": "tabby"}])
    )
    with pytest.raises(UsageError, match="holds no answer"):
        checkup(MODEL, [CAT], against=result)


# ── the table of codes ───────────────────────────────────────────────────────────────────────


def all_codes() -> set[str]:
    source = Path(whatsit.__file__).parent / "checkup"
    text = "\n".join(file.read_text(encoding="utf-8") for file in source.glob("*.py"))
    in_findings = re.findall(r'Finding\(\s*"([a-z0-9-]+)"', text)
    return set(in_findings) | set(CAUSES)


def test_every_code_is_documented() -> None:
    rows = re.findall(r"^\| (`[^|]+`) \|", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    documented = {code for row in rows for code in re.findall(r"`([a-z0-9-]+)`", row)}
    assert documented == all_codes()


def test_every_deviation_has_words() -> None:
    tensor = _metadata.TensorInfo("image", (1, 8, 8, 3), "uint8", 1 / 128, 127)
    base = Way("crop", "bicubic", 0.875)
    every = [
        *deviations(base, tensor, Range((127.5,), (127.5,)), turned=True),
        *countings(["by index", "by name", "+1", "-1"]),
        SOFTMAX_AGAIN,
    ]
    assert {each.code for each in every} <= CAUSES.keys()
    assert len({each.words for each in every}) == len(every)


def test_the_json_holds_everything(tmp_path: Path) -> None:
    found = against(
        tmp_path, ill.top(ill.scores(EIGHT_BITS, ill.pixels(COFFEE)[..., ::-1]), ill.names())
    )
    value = json.loads(json.dumps(found.to_json()))
    assert value["serious"] is True
    (finding,) = value["findings"]
    assert finding.keys() == {"code", "severity", "title", "evidence", "fix", "mended_by_fix"}
    assert value["trials"][0]["if"] == "as the model does it"
