"""A bundle is read, made and refused; every refusal says what is wrong and what would be right."""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import make_models
import numpy as np
import pytest
from make_models import Spec

import whatsit
from whatsit import Bundle, Labels, Preprocess, _metadata, zoo
from whatsit._metadata import Metadata

PIXELS = make_models.pixels(8, 8, scale=1 / 255)
IMAGE = Spec("image", (1, 8, 8, 3), "uint8", quantization=(1 / 255, 0))
SCORES = Spec("scores", (1, 2), "float32")
BY_CREATE = "`whatsit models get FILE --labels …` adds them: see docs/getting-models.md"
SHARED = Path(__file__).parents[2] / "shared" / "models"

needs_shared_models = pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/models")


def foreign(
    graph: bytes,
    labels: Sequence[str] = ("cat", "dog"),
    *,
    mean: tuple[float, ...] = (),
    std: tuple[float, ...] = (),
    files: dict[str, bytes] | None = None,
    labels_file: str | None = "labels.txt",
) -> bytes:
    """A model with TFLite Metadata and no record of ours."""
    metadata = Metadata(name="made by others", mean=mean, std=std, labels_file=labels_file)
    content = "".join(f"{label}\n" for label in labels).encode()
    return _metadata.write(graph, metadata, {"labels.txt": content} if files is None else files)


def refusal(data: bytes) -> whatsit.ModelError:
    with pytest.raises(whatsit.ModelError) as caught:
        Bundle.from_bytes(data, "m")
    return caught.value


def edges(source: Spec = IMAGE, target: Spec = SCORES, **counts: int) -> bytes:
    return foreign(make_models.edges(source, target, **counts), mean=(0.0,), std=(1.0,))


# ── what is read ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", zoo.catalogue())
def test_built_in_models_carry_labels_rule_and_record(name: str) -> None:
    bundle = zoo.open_builtin(name)
    assert bundle.output.classes == len(bundle.labels) == 1000
    assert bundle.labels.names[281] == "tabby"
    assert bundle.labels.synset(281) == "n02123045"
    assert bundle.preprocess.mode == "crop"
    assert bundle.notes == ()
    assert bundle.record["format"] == 1


def test_a_foreign_model_is_stretched_and_says_so() -> None:
    bundle = Bundle.from_bytes(foreign(make_models.edges(IMAGE, SCORES)), "m")
    assert bundle.labels.names == ("cat", "dog")
    assert bundle.preprocess == Preprocess("stretch", "legacy-bilinear")
    assert bundle.record == {}
    assert bundle.notes == (
        "the model says nothing about cropping: the whole picture is stretched to its input, "
        "bilinear, as MediaPipe does",
    )


@pytest.mark.parametrize(
    ("mean", "std"), [((127.5,), (127.5,)), ((123.0, 117.0, 104.0), (58.0, 57.0, 57.0))]
)
def test_a_float_model_brings_its_mean_and_std(
    mean: tuple[float, ...], std: tuple[float, ...]
) -> None:
    source = Spec("image", (1, 8, 6, 3), "float32")
    bundle = Bundle.from_bytes(foreign(make_models.edges(source, SCORES), mean=mean, std=std), "m")
    spec = bundle.input
    assert (spec.dtype, spec.height, spec.width) == ("float32", 8, 6)
    assert (spec.mean, spec.std) == (mean, std)


@pytest.mark.parametrize("shape", [(1, 2), (1, 1, 1, 2)])
def test_uint8_scores_bring_their_scale(shape: tuple[int, ...]) -> None:
    target = Spec("scores", shape, "uint8", quantization=(1 / 256, 3))
    output = Bundle.from_bytes(edges(target=target), "m").output
    assert (output.dtype, output.classes, output.scale, output.zero_point) == (
        "uint8",
        2,
        1 / 256,
        3,
    )


@pytest.mark.parametrize("text", ["\ufeffcat\r\ndog\r\n", "cat\ndog", " cat \ndog\n"])
def test_labels_of_any_editor_are_read(text: str) -> None:
    data = foreign(make_models.edges(IMAGE, SCORES), files={"labels.txt": text.encode()})
    assert Bundle.from_bytes(data, "m").labels.names == ("cat", "dog")


@needs_shared_models
@pytest.mark.parametrize(
    "name",
    [
        "mobilenet_v1_0.25_128_quant",
        "mobilenet_v2_1.0_224_quant",
        "tf2_mobilenet_v2_1.0_224_ptq",
    ],
)
def test_quantised_mobilenets_with_background_know_a_cat(name: str) -> None:
    with whatsit.load(SHARED / f"{name}.tflite") as model:
        assert model.bundle.notes
        assert len(model.bundle.labels) == 1001
        assert model.bundle.labels.names[0] == "background"
        result = model.classify(zoo.GOLDEN / "cat.png")
    assert result.model == name
    assert "cat" in result.predictions[0].label
    assert 281 <= result.predictions[0].index <= 287  # one later than without background


@needs_shared_models
def test_a_model_made_to_fail_is_refused() -> None:
    with pytest.raises(whatsit.ModelWithoutMetadata, match="'model_invoking_error'"):
        whatsit.load(SHARED / "model_invoking_error.tflite")


# ── what is refused ──────────────────────────────────────────────────────────────────────────


def test_without_metadata_the_hint_is_the_remedy() -> None:
    error = refusal(PIXELS)
    assert error.code == "model-without-metadata"
    assert error.message == (
        "model 'm': it has no TFLite Metadata, so its labels and preprocessing are unknown"
    )
    assert error.hint == BY_CREATE


@pytest.mark.parametrize(
    ("data", "message", "expected", "hint"),
    [
        (
            edges(inputs=2),
            "it has 2 inputs and 1 subgraphs",
            "one picture in, in one subgraph",
            "",
        ),
        (
            edges(inputs=0),
            "it has 0 inputs and 1 subgraphs",
            "one picture in, in one subgraph",
            "",
        ),
        (edges(outputs=2), "it has 2 outputs", "one score for each class", ""),
        (
            edges(Spec("image", (1, 3, 8, 8), "uint8")),
            "its input is [1, 3, 8, 8], channels first (NCHW)",
            "[1, height, width, 3]",
            "convert it again with channels last",
        ),
        (
            edges(Spec("image", (1, 8, 8, 1), "uint8")),
            "its input is [1, 8, 8, 1]",
            "[1, height, width, 3]",
            "",
        ),
        (
            edges(Spec("image", (4, 8, 8, 3), "uint8")),
            "its input is [4, 8, 8, 3]",
            "[1, height, width, 3]",
            "",
        ),
        (
            edges(Spec("image", (1, 8, 99999, 3), "uint8")),
            "its input is [1, 8, 99999, 3]",
            "[1, height, width, 3]",
            "",
        ),
        (
            edges(Spec("image", (192,), "uint8")),
            "its input is [192]",
            "[1, height, width, 3]",
            "",
        ),
        (
            edges(Spec("image", (1, 8, 8, 3), "int8")),
            "its input is int8",
            "uint8 or float32, as MediaPipe and LiteRT.js ask for",
            "quantise it again with uint8 edges; the weights may stay int8",
        ),
        (
            edges(target=Spec("scores", (1, 2), "int8")),
            "its output is int8",
            "uint8 or float32, as MediaPipe and LiteRT.js ask for",
            "quantise it again with uint8 edges; the weights may stay int8",
        ),
        (
            edges(target=Spec("scores", (1, 2), "int32")),
            "its output is int32",
            "uint8 or float32, as MediaPipe and LiteRT.js ask for",
            "quantise it again with uint8 edges; the weights may stay int8",
        ),
        (
            edges(target=Spec("boxes", (1, 7, 2), "float32")),
            "its output is [1, 7, 2]",
            "[1, classes]",
            "",
        ),
        (
            edges(target=Spec("scores", (1, 2), "uint8")),
            "its uint8 output has no scale",
            "a quantised output",
            "",
        ),
        (
            edges(target=Spec("scores", (1, 3), "float32")),
            "it gives 3 scores but names 2 classes",
            "one label for each score",
            "",
        ),
    ],
)
def test_what_cannot_be_run_is_refused(data: bytes, message: str, expected: str, hint: str) -> None:
    error = refusal(data)
    assert isinstance(error, whatsit.ModelUnsupported)
    assert (error.message, error.expected, error.hint) == (f"model 'm': {message}", expected, hint)


def test_float_input_without_normalisation_is_refused_with_the_remedy() -> None:
    graph = make_models.edges(Spec("image", (1, 8, 8, 3), "float32"), SCORES)
    error = refusal(foreign(graph))
    assert error.code == "model-without-metadata"
    assert error.message == (
        "model 'm': it takes float32 but does not say which mean and std to apply"
    )
    assert (error.expected, error.hint) == ("NormalizationOptions in its metadata", BY_CREATE)


@pytest.mark.parametrize(
    ("mean", "std", "shown"),
    [
        ((127.0,), (0.0,), "mean [127.0] and std [0.0]"),
        ((1.0, 2.0), (1.0, 2.0), "mean [1.0, 2.0] and std [1.0, 2.0]"),
        ((1.0,), (1.0, 2.0, 3.0), "mean [1.0] and std [1.0, 2.0, 3.0]"),
        ((1.0,), (float("nan"),), "mean [1.0] and std [nan]"),
        ((float("nan"),), (1.0,), "mean [nan] and std [1.0]"),
        ((float("inf"),), (1.0,), "mean [inf] and std [1.0]"),
    ],
)
def test_a_mean_and_std_that_cannot_be_applied_are_refused(
    mean: tuple[float, ...], std: tuple[float, ...], shown: str
) -> None:
    graph = make_models.edges(Spec("image", (1, 8, 8, 3), "float32"), SCORES)
    error = refusal(foreign(graph, mean=mean, std=std))
    assert error.message == f"model 'm': its {shown} cannot be applied"
    assert error.expected == "one or three of each, no std of 0"


@pytest.mark.parametrize(
    ("files", "labels_file", "code", "message"),
    [
        ({}, None, "model-without-metadata", "its metadata name no labels"),
        ({}, "labels.txt", "model-damaged", "its labels 'labels.txt' are not in the file"),
        (
            {"labels.txt": b"cat\n\xff\xfe\n"},
            "labels.txt",
            "model-damaged",
            "its labels are no UTF-8: see line 2",
        ),
        (
            {"labels.txt": b"\xef\xbb\xbf\ncat\n\xff\n"},  # three bytes that count for nothing
            "labels.txt",
            "model-damaged",
            "its labels are no UTF-8: see line 3",
        ),
    ],
)
def test_labels_that_cannot_be_read_are_refused(
    files: dict[str, bytes], labels_file: str | None, code: str, message: str
) -> None:
    graph = make_models.edges(IMAGE, SCORES)
    error = refusal(foreign(graph, files=files, labels_file=labels_file))
    assert (error.code, error.message) == (code, f"model 'm': {message}")


GOOD_RECORD = {"format": 1, "preprocess": "stretch", "classes": {"names": ["cat", "dog"]}}


@pytest.mark.parametrize(
    ("record", "code", "message"),
    [
        (b"{", "model-damaged", "its whatsit.json cannot be read"),
        (b"[" * 100_000, "model-damaged", "its whatsit.json cannot be read"),
        (b"\xff", "model-damaged", "its whatsit.json cannot be read"),
        (b"[1]", "model-unsupported", "its whatsit.json is of another format"),
        (b'{"format":1,"x":"\\ud800"}', "model-damaged", 'cannot be read: \'{"format": 1'),
        ({**GOOD_RECORD, "format": 2}, "model-unsupported", "is of another format"),
        ({**GOOD_RECORD, "preprocess": "zoom"}, "model-unsupported", "is not a preprocessing"),
        ({**GOOD_RECORD, "classes": {"names": ["cat"]}}, "model-unsupported", "name different"),
        ({**GOOD_RECORD, "classes": {"names": ["dog", "cat"]}}, "model-unsupported", "different"),
        ({**GOOD_RECORD, "classes": None}, "model-unsupported", "lists no classes"),
        ({**GOOD_RECORD, "classes": {}}, "model-unsupported", "classes cannot be read"),
        ({**GOOD_RECORD, "classes": {"names": 7}}, "model-unsupported", "classes cannot be read"),
        (
            {**GOOD_RECORD, "classes": {"names": ["cat", "dog"], "synsets": ["n1"]}},
            "model-unsupported",
            "lists 1 of something for 2 classes",
        ),
    ],
)
def test_a_record_that_cannot_be_used_is_refused(
    record: bytes | dict[str, object], code: str, message: str
) -> None:
    content = record if isinstance(record, bytes) else json.dumps(record).encode()
    files = {"labels.txt": b"cat\ndog\n", "whatsit.json": content}
    error = refusal(foreign(make_models.edges(IMAGE, SCORES), files=files))
    assert error.code == code
    assert error.message.startswith("model 'm': ")
    assert message in error.message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "model 'bad': the file is empty"),
        (b"What is in the picture?\n", "model 'bad': the file is no TFLite model"),
        (PIXELS[:100], "model 'bad': the model's tables cannot be read: "),
    ],
)
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "bad.tflite"
    file.write_bytes(content)
    with pytest.raises(whatsit.ModelDamaged) as caught:
        Bundle.read(file)
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize(
    "given",
    [
        {"name": "x\udcff"},
        {"license": "x\udcff"},
        {"author": "x\ud800"},
        {"labels": ["a", "b\udcff"]},
        {"facts": {"origin": {"source": "x\udcff"}}},
    ],
    ids=lambda given: next(iter(given)),
)
def test_text_that_cannot_be_written(given: dict[str, Any]) -> None:
    usual = {"name": "n", "labels": ["a", "b"], "preprocess": "pad", "mean": 0.0, "std": 1.0}
    with pytest.raises(whatsit.UsageError, match="is no text"):
        Bundle.create(make_models.edges(IMAGE, SCORES), **(usual | given))


def test_a_file_cut_short_says_so() -> None:
    data = zoo.catalogue()[zoo.DEFAULT].path.read_bytes()
    error = refusal(data[:1000])
    assert error.message == (
        "model 'm': the model's tables cannot be read: the file is damaged or cut short"
    )


def test_a_built_in_model_cut_short_is_refused() -> None:
    data = zoo.catalogue()[zoo.DEFAULT].path.read_bytes()
    for size in (len(data) // 3, len(data) - 20):
        with pytest.raises(whatsit.ModelDamaged) as caught:
            Bundle.from_bytes(data[:size], "m")
        said = f"{caught.value.message}; {caught.value.hint}"
        assert "the file is damaged or cut short" in said


def test_a_missing_file_says_where_models_are(tmp_path: Path) -> None:
    with pytest.raises(whatsit.ModelNotFound) as caught:
        Bundle.read(tmp_path / "none.tflite")
    assert caught.value.message == f"no model file {str(tmp_path / 'none.tflite')!r}"
    assert caught.value.hint == "`whatsit models` lists the built-in ones"


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(whatsit.ModelDamaged) as caught:
        Bundle.read(tmp_path)
    assert caught.value.message == (
        f"the model {str(tmp_path)!r} is no file, or one of more than 1 GiB"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="no FIFOs there")
def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.tflite")
    with pytest.raises(whatsit.ModelDamaged, match="is no file"):
        Bundle.read(tmp_path / "pipe.tflite")


def test_a_giant_file_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "giant.tflite"
    with file.open("wb") as stream:
        stream.truncate((1 << 30) + 1)  # a hole: it takes no room
    with pytest.raises(whatsit.ModelDamaged, match="more than 1 GiB"):
        Bundle.read(file)


def test_a_name_that_no_file_can_have_is_refused() -> None:
    with pytest.raises(whatsit.ModelError):
        Bundle.read("nul\0.tflite")


# ── what is made ─────────────────────────────────────────────────────────────────────────────


def made(graph: bytes = PIXELS, **changes: object) -> Bundle:
    arguments = {
        "name": "tiny",
        "labels": [f"class {index}" for index in range(192)],
        "preprocess": "crop(0.9, lanczos)",
        "mean": 127.0,
        "std": 128.0,
        "facts": {"origin": "a test", "accuracy": [{"top1": 12.5}]},
        "license": "Apache-2.0",
    }
    return Bundle.create(graph, **{**arguments, **changes})  # type: ignore[arg-type]


def test_create_gives_what_it_was_told() -> None:
    bundle = made()
    assert bundle.preprocess == Preprocess("crop", "lanczos", 0.9)
    assert bundle.labels.names[191] == "class 191"
    assert (bundle.metadata.mean, bundle.metadata.std) == ((127.0,), (128.0,))
    assert bundle.metadata.license == "Apache-2.0"
    assert bundle.record["origin"] == "a test"
    assert bundle.record["accuracy"] == [{"top1": 12.5}]


def test_same_arguments_give_the_same_bytes() -> None:
    assert made().data == made().data


def test_create_on_a_bundle_again_changes_nothing() -> None:
    assert made(made().data).data == made().data


def test_the_record_of_another_bundle_does_not_overrule_the_arguments() -> None:
    again = made(made().data, facts=made().record, preprocess="stretch")
    assert again.preprocess.mode == "stretch"
    assert again.record["preprocess"] == "stretch(legacy-bilinear)"  # in full, lest defaults change
    assert again.record["origin"] == "a test"


def test_labels_file_holds_one_class_a_line() -> None:
    lines = _metadata.read_files(made().data)["labels.txt"].decode().split("\n")
    assert (len(lines), lines[0], lines[191], lines[192]) == (193, "class 0", "class 191", "")


def test_everything_about_the_classes_comes_back() -> None:
    labels = Labels(
        names=("Ente", "Katze"),
        synsets=("n01846331", "n02121620"),
        lemmas=(("duck",), ("cat", "true cat")),
        parents=("n01845132", "n02120997"),
        tree={"n01845132": ("anseriform bird", None), "n02120997": ("feline", None)},
        source="by hand",
    )
    bundle = made(make_models.edges(IMAGE, SCORES), labels=labels)
    assert bundle.labels == labels


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"std": 0.0}, whatsit.UsageError, "a mean of 127 and a std of 0"),
        ({"std": -1.0}, whatsit.UsageError, "a std of -1"),
        ({"mean": float("inf")}, whatsit.UsageError, "a mean of inf and a std of 128"),
        ({"std": float("nan")}, whatsit.UsageError, "a std of nan"),
        ({"labels": ["a"]}, whatsit.ModelUnsupported, "gives 192 scores but names 1 classes"),
        ({"labels": ["a\nb"] * 192}, whatsit.UsageError, "a class name of several lines"),
        ({"preprocess": "zoom"}, whatsit.UsageError, "'zoom' is not a preprocessing rule"),
        ({"graph": b"no model"}, whatsit.ModelDamaged, "model 'tiny': the file is no TFLite"),
        ({"graph": PIXELS[:300]}, whatsit.ModelDamaged, "model 'tiny': the model's tables"),
    ],
)
def test_create_refuses_what_makes_no_bundle(
    changes: dict[str, object], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        made(**changes)


def test_write_and_read_give_the_same_bundle(tmp_path: Path) -> None:
    made().write(tmp_path / "tiny.tflite")
    again = Bundle.read(tmp_path / "tiny.tflite")
    assert again.data == made().data
    assert (again.name, again.path) == ("tiny", tmp_path / "tiny.tflite")
    assert again.sha256 == hashlib.sha256(again.data).hexdigest()


def test_write_leaves_nothing_else_behind(tmp_path: Path) -> None:
    target = tmp_path / "tiny.tflite"
    target.write_bytes(b"older")
    made().write(target)
    assert [file.name for file in tmp_path.iterdir()] == ["tiny.tflite"]


def test_a_failed_write_leaves_the_older_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: object, target: object) -> None:
        raise OSError("no space left")

    target = tmp_path / "tiny.tflite"
    target.write_bytes(b"older")
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(whatsit.WhatsitError, match="no space left"):
        made().write(target)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [
        ("tiny.tflite", b"older")
    ]


def test_a_made_model_runs(tmp_path: Path) -> None:
    made(preprocess="stretch").write(tmp_path / "tiny.tflite")
    with whatsit.load(tmp_path / "tiny.tflite") as model:
        best = model.classify(np.full((8, 8, 3), 51, np.uint8)).predictions[0]
    assert (best.label, best.score) == ("class 0", pytest.approx(0.2))


def test_files_inside_are_stored_as_other_programs_expect() -> None:
    bundle = made(license_text="Take it.")
    with zipfile.ZipFile(io.BytesIO(bundle.data)) as archive:
        assert archive.namelist() == ["labels.txt", "whatsit.json", "LICENSE.txt"]
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
    # The archive's end names the place of its directory, from the start of the whole file.
    directory = int.from_bytes(bundle.data[-6:-2], "little")
    assert bundle.data[directory : directory + 4] == b"PK\x01\x02"


def test_compressed_files_inside_are_refused() -> None:
    files = _metadata.read_files(made().data)
    graph = made().data[: made().data.index(b"PK\x03\x04")]
    stream = io.BytesIO(graph)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    with pytest.raises(whatsit.ModelDamaged, match="files inside the model are compressed"):
        Bundle.from_bytes(stream.getvalue(), "m")
