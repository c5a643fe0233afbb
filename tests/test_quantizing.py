"""quantize(): what is compared on which pictures, what goes into the record, what is refused."""

from __future__ import annotations

from pathlib import Path

import make_networks
import numpy as np
import pytest
from make_networks import Network
from PIL import Image
from test_graph_quantize import photos

import whatsit
from whatsit import BelowFloor, Bundle, DatasetError, ModelError, ModelUnsupported, UsageError, zoo
from whatsit.measures import Rate
from whatsit.quantizing import default_name, quantize
from whatsit.quantizing.pictures import MOST, read

FLOATS = make_networks.bundle(Network(), "net-float32")


def folder(place: Path, count: int, seed: int = 1) -> Path:
    """A folder of different photos, as PNG: the very pixels."""
    place.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(photos(count, seed=seed)):
        Image.fromarray(picture).save(place / f"{number:03}.png")
    return place


def labelled(place: Path, count: int, seed: int = 2) -> Path:
    """A folder for each class, by what the float model answers: it is always right."""
    with whatsit.Classifier(FLOATS) as classifier:
        for number, picture in enumerate(photos(count, seed=seed)):
            name = classifier.classify(picture).predictions[0].label
            (place / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(place / name / f"{number:03}.png")
    return place


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder(tmp_path_factory.mktemp("many"), 80)


def test_without_labels_held_out_pictures_are_asked_for_the_same_answer(many: Path) -> None:
    made = quantize(FLOATS, [str(many)])
    assert (made.calibrated, made.comparison.pictures) == (64, 16)
    assert made.held_out
    assert not made.labelled
    assert made.agreement.total == 16
    assert made.lost_points == pytest.approx(100 * (1 - made.agreement.value))
    assert made.comparison.first.top(1) == Rate(16, 16)  # its answers are the truth
    assert made.floor_points == 100 / 16  # one picture
    assert made.accepted
    assert made.bundle.input.dtype == "uint8"
    assert made.bundle.name == "net-int8"


def test_the_record_says_where_it_comes_from(many: Path) -> None:
    parent = Bundle.create(
        make_networks.graph(Network()),
        name="net",
        labels=["c0", "c1", "c2", "c3"],
        preprocess="crop(0.9, bicubic)",
        mean=127,
        std=128,
        facts={
            "licence": "CC0",
            "split": {"seed": 3},
            "accuracy": [{"top1": 99}],
            "parents": [{"name": "weights", "sha256": "0"}],
        },
        description="four things",
        author="me",
        license="CC0-1.0",
        license_text="Do as you like.",
    )
    bundle = quantize(parent, [str(many)], name="small").bundle
    assert bundle.labels.names == parent.labels.names
    assert bundle.preprocess == parent.preprocess
    assert bundle.metadata.license == "CC0-1.0"
    assert bundle.metadata.author == "me"
    assert b"Do as you like." in bundle.data
    assert bundle.record["parents"] == [
        {"name": "weights", "sha256": "0"},
        {"name": "net", "sha256": parent.sha256},
    ]
    assert bundle.record["split"] == {"seed": 3}
    assert "accuracy" not in bundle.record  # that was the parent's
    assert bundle.record["quantization"]["calibration_pictures"] == 64
    assert bundle.record["quantization"]["agreement"]["pictures"] == 16
    assert (bundle.metadata.mean, bundle.metadata.std) == ((127.0,), (128.0,))


def test_the_same_pictures_give_the_same_bytes(many: Path) -> None:
    first, second = (quantize(FLOATS, given).bundle for given in ([str(many)], many))
    assert first.data == second.data


def test_with_labels_the_change_of_top1_counts(many: Path, tmp_path: Path) -> None:
    data = labelled(tmp_path / "data", 50)
    made = quantize(FLOATS, [str(many)], data=data)
    assert made.labelled
    assert made.held_out
    assert made.calibrated == 80
    assert made.comparison.first.top(1) == Rate(50, 50)
    row = made.bundle.record["accuracy"][0]
    assert row["pictures"] == 50
    assert row["top1"] == pytest.approx(100 * made.comparison.top1[1].value)
    assert row["top1_change_from_parent"] == pytest.approx(-made.lost_points)
    assert made.comparison.second.model_sha256 == made.bundle.sha256
    assert made.comparison.second.model_bytes == len(made.bundle.data)


def test_labelled_pictures_that_calibrate_too_are_told(many: Path, tmp_path: Path) -> None:
    data = labelled(tmp_path / "data", 12)
    told: list[str] = []
    made = quantize(FLOATS, [str(data)], data=data, note=told.append)
    assert not made.held_out
    assert "12 of the labelled pictures calibrate too, which flatters" in told
    assert made.notes == tuple(told)


def test_float16_needs_no_calibration_pictures(tmp_path: Path) -> None:
    made = quantize(FLOATS, to="float16", data=labelled(tmp_path, 12))
    assert made.calibrated == 0
    assert made.lost_points == 0
    assert made.bundle.name == "net-float16"


def test_float16_without_labels_agrees_on_all_the_pictures(many: Path) -> None:
    made = quantize(FLOATS, [str(many)], to="float16")
    assert (made.calibrated, made.comparison.pictures) == (0, 80)
    assert made.agreement.value == 1
    assert made.held_out


def test_a_foreign_float32_model_becomes_one_that_takes_bytes(many: Path) -> None:
    mean, std = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
    parent = make_networks.with_normalisation(
        make_networks.bundle(Network(floats_in=True)), mean, std
    )
    for kind in ("int8", "float16"):
        made = quantize(parent, [str(many)], to=kind)
        assert made.bundle.input.dtype == "uint8"
        assert made.agreement.value >= 0.9
        assert str(made.bundle.preprocess) == str(parent.preprocess)


def test_what_loses_too_much_is_refused_and_written_if_forced(many: Path, tmp_path: Path) -> None:
    grey = tmp_path / "grey"  # calibrated on near black: everything brighter is cut off
    grey.mkdir()
    for number, picture in enumerate(photos(20)):
        Image.fromarray(picture // 60).save(grey / f"{number}.png")
    made = quantize(FLOATS, [str(grey)], data=labelled(tmp_path / "data", 60), floor_points=0.5)
    assert made.lost_points > 0.5
    assert not made.accepted
    with pytest.raises(BelowFloor, match=r"net-int8 loses \d.*points of Top-1") as caught:
        made.write(tmp_path / "x.tflite")
    assert caught.value.expected == "at most 0.5 points"
    assert not (tmp_path / "x.tflite").exists()
    made.write(tmp_path / "x.tflite", force=True)
    assert Bundle.read(tmp_path / "x.tflite").record["accuracy"]
    assert made.to_json()["accepted"] is False


# ── pictures ─────────────────────────────────────────────────────────────────────────────────


def test_what_is_no_use_is_left_out_and_said(tmp_path: Path) -> None:
    place = folder(tmp_path, 12)
    (place / "torn.jpg").write_bytes(b"\xff\xd8\xff no picture")
    (place / "copy.png").write_bytes((place / "003.png").read_bytes())
    Image.new("RGB", (16, 16), "red").save(place / "red.png")
    told: list[str] = []
    made = quantize(FLOATS, [str(place)], note=told.append)
    assert made.calibrated == 12
    assert {Path(row.path).name for row in made.left_out} == {
        "torn.jpg",
        "copy.png",
        "red.png",
    } or {Path(row.path).name for row in made.left_out} == {"torn.jpg", "003.png", "red.png"}
    assert "left out of the calibration pictures: 3" in told
    assert any("both calibrate and compare" in text for text in told)
    assert not made.held_out


@pytest.mark.parametrize(
    ("count", "message"),
    [(0, "no picture to calibrate with"), (1, "1 picture to"), (9, "9 pictures to calibrate")],
)
def test_too_few_pictures_are_refused(tmp_path: Path, count: int, message: str) -> None:
    with pytest.raises(DatasetError, match=message) as caught:
        quantize(FLOATS, [str(folder(tmp_path, count))])
    assert "at least 10 different photos" in caught.value.expected


def test_pictures_of_a_single_colour_are_refused(tmp_path: Path) -> None:
    for number in range(20):
        Image.new("RGB", (16, 16), (number, 9, 9)).save(tmp_path / f"{number}.png")
    with pytest.raises(DatasetError, match=r"no picture.*left out: 20.*of a single colour"):
        quantize(FLOATS, [str(tmp_path)])


def test_of_many_pictures_some_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST == 500
    monkeypatch.setattr("whatsit.quantizing.pictures.MOST", 16)
    found = read(FLOATS, [str(folder(tmp_path, 30))], least=10, held_out=True)
    assert len(found.paths) == 20
    assert "20 of 30 calibration pictures were drawn" in found.notes[0]
    assert read(FLOATS, [str(tmp_path)], least=10, held_out=True).paths == found.paths


def test_the_pictures_are_prepared_as_a_classifier_does(cat: Path, tmp_path: Path) -> None:
    """The model whose scores are its pixels sees the same ones."""
    import make_models

    side = 16
    pixels = Bundle.from_bytes(
        make_models.bundle(make_models.pixels(side, side, 1 / (255 * side * side * 3)), 768), "p"
    )
    (prepared,) = read(pixels, [str(cat)], least=1, held_out=False).prepared.values()
    with whatsit.Classifier(pixels, runtime="litert") as classifier:
        result = classifier.classify(cat, top=768)
    scores = np.zeros(768)
    for prediction in result.predictions:
        scores[prediction.index] = prediction.score
    assert np.abs(scores * 255 * 768 - prepared.ravel()).max() < 0.01


# ── refusals ─────────────────────────────────────────────────────────────────────────────────


def test_int8_models_and_unknown_operators_are_refused_by_name(many: Path) -> None:
    with pytest.raises(ModelUnsupported, match=r"'mobilenet-v2-int8'.*quantised already"):
        quantize("mobilenet-v2-int8", [str(many)])
    from whatsit.graph.read import Op

    odd = make_networks.bundle(Network(between=Op.HARD_SWISH), "odd")
    with pytest.raises(ModelUnsupported, match=r"model 'odd': .* operator HARD_SWISH"):
        quantize(odd, [str(many)])
    assert quantize(odd, [str(many)], to="float16").agreement.value == 1


@pytest.mark.parametrize("field", ["inputs", "outputs"])
def test_a_damaged_graph_is_an_error_of_its_own(many: Path, field: str) -> None:
    from dataclasses import replace

    from whatsit._flatbuffer import pack_model, read_model

    model = read_model(FLOATS.data)
    setattr(model.subgraphs[0].operators[1], field, [])
    with pytest.raises(ModelError, match="'net-float32'"):
        quantize(replace(FLOATS, data=pack_model(model)), [str(many)])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"to": "int4"}, "no kind 'int4'"),
        ({"floor_points": -1}, "a floor of -1 points"),
        ({"floor_points": float("nan")}, "a floor of nan points"),
        ({"calibration": []}, "no calibration pictures"),
        ({"calibration": [], "to": "float16"}, "no calibration pictures"),
        ({"calibration": ["-"]}, "on standard input"),
    ],
)
def test_wrong_arguments(many: Path, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        quantize(FLOATS, **{"calibration": [str(many)], **arguments})  # type: ignore[arg-type]


def test_a_data_set_of_other_classes_is_refused_before_the_work(many: Path, tmp_path: Path) -> None:
    said: list[str] = []
    with pytest.raises(DatasetError, match="'zebra'"):
        quantize(FLOATS, [str(many)], data=folder(tmp_path / "zebra", 3).parent, say=said.append)
    assert not any("layers" in text for text in said)


@pytest.mark.parametrize(
    ("parent", "name"),
    [("a-float32", "a-int8"), ("a-float16", "a-int8"), ("a", "a-int8"), ("a_float32", "a-int8")],
)
def test_default_names(parent: str, name: str) -> None:
    assert default_name(parent, "int8") == name


# ── everywhere ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["int8", "float16"])
@pytest.mark.parametrize("runtime", ["litert", "isolated", "openvino", "mediapipe"])
def test_it_runs_everywhere(many: Path, kind: str, runtime: str) -> None:
    parent = make_networks.with_normalisation(
        make_networks.bundle(Network(floats_in=True)), (120.0, 110.0, 100.0), (60.0, 60.0, 60.0)
    )
    bundle = quantize(parent, [str(many)], to=kind).bundle
    picture = photos(1, seed=9)[0]
    with whatsit.Classifier(parent) as classifier:
        expected = {p.index: p.score for p in classifier.classify(picture).predictions}
    if runtime == "mediapipe":
        pytest.importorskip("mediapipe")
        from test_mediapipe import categories, judge

        with judge(bundle.data) as classifier:
            found = {row.index: row.score for row in categories(classifier, picture)}
    else:
        if runtime == "openvino":
            pytest.importorskip("openvino")
        with whatsit.Classifier(bundle, runtime=runtime) as classifier:
            found = {p.index: p.score for p in classifier.classify(picture).predictions}
    assert found.keys() == expected.keys()
    assert max(abs(found[i] - expected[i]) for i in found) < 0.05


def test_a_float16_model_of_the_package_stays_what_it_is(cat: Path, coffee: Path) -> None:
    """Read as float32 and written as float16 again: the same answers, about the same size."""
    made = quantize("mobilenet-v2-float16", [str(cat), str(coffee)], to="float16")
    assert made.agreement == Rate(2, 2)
    assert made.notes == ("its weights are float16 already: the copy is no smaller",)
    assert abs(len(made.bundle.data) - len(made.parent.data)) < 20_000
    assert made.bundle.labels.synsets == made.parent.labels.synsets
    assert made.bundle.record["licence"] == made.parent.record["licence"]
    assert zoo.open_builtin("mobilenet-v2-float16").sha256 == made.parent.sha256
