"""Files of this machine become models with a name, or are refused with nothing left behind."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import make_models
import numpy as np
import pytest
from full_disk import largest_file, needs_limits

import whatsit
from whatsit import (
    Bundle,
    ModelDamaged,
    ModelNotFound,
    ModelUnsupported,
    ModelWithoutMetadata,
    UsageError,
    WhatsitError,
    _metadata,
    getting,
    storage,
    zoo,
)
from whatsit._metadata import Metadata
from whatsit.getting import probe
from whatsit.zoo import imported, locks

SHARED = Path(__file__).parents[2] / "shared"
QUANTISED = sorted((SHARED / "models").glob("*mobilenet*.tflite"))
needs_shared = pytest.mark.skipif(not QUANTISED, reason="the models beside the project are absent")

SMALL = make_models.pixels(1, 1, 1 / 255)  # three classes: how red, green and blue a picture is
NAMES = "red\ngreen\nblue\n"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    file = tmp_path / "colours.tflite"
    file.write_bytes(SMALL)
    return file


@pytest.fixture
def names(tmp_path: Path) -> Path:
    file = tmp_path / "names.txt"
    file.write_text(NAMES)
    return file


def foreign(graph: bytes = SMALL, labels: str = NAMES) -> bytes:
    """A file with TFLite Metadata and labels that this project did not make."""
    about = Metadata(name="foreign", mean=(0.0,), std=(1.0,), labels_file="classes.txt")
    return _metadata.write(graph, about, {"classes.txt": labels.encode()})


def zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def tarred(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


@contextmanager
def refused(kind: type[WhatsitError], *parts: str) -> Iterator[None]:
    """What is in the block fails with `kind`, says all `parts`, and leaves no model behind."""
    before = files_in_cache()
    with pytest.raises(kind) as caught:
        yield
    said = f"{caught.value.message}\n{caught.value.expected}\n{caught.value.hint}"
    assert [part for part in parts if part not in said] == [], said
    assert files_in_cache() == before


def files_in_cache() -> dict[str, bytes]:
    """Everything in the cache but the lock, which is empty."""
    folder = storage.cache_folder("models").parent
    files = [file for file in folder.rglob("*") if file.is_file() and file.name != ".lock"]
    return {str(file): file.read_bytes() for file in files}


# ── what becomes of a file ───────────────────────────────────────────────────────────────────


def test_a_bare_model_becomes_a_bundle(small: Path, names: Path, tmp_path: Path) -> None:
    got = getting.get(small, labels=names, preprocess="pad", license="MIT")
    assert (got.name, got.new, got.path) == ("colours", True, imported.path_of("colours"))
    assert got.notes == ()
    bundle = Bundle.read(got.path)
    assert bundle.labels.names == ("red", "green", "blue")
    assert str(bundle.preprocess) == "pad(bicubic)"
    assert bundle.metadata.license == "MIT"
    assert bundle.record["origin"] == {
        "source": "colours.tflite",
        "sha256": hashlib.sha256(SMALL).hexdigest(),
    }
    # The input's own scale and zero point: a real value is 1/255 of the pixel.
    assert bundle.metadata.mean == (0.0,)
    assert bundle.metadata.std == pytest.approx((255.0,))


def test_it_is_used_by_its_name(small: Path, names: Path, coffee: Path) -> None:
    getting.get(small, labels=names, name="paint")
    with whatsit.load("paint") as classifier:
        assert classifier.classify(coffee).predictions[0].label == "red"
    assert zoo.installed() == {"paint": imported.path_of("paint")}


def test_the_same_source_gives_the_same_bytes(
    small: Path, names: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = getting.get(small, labels=names).path.read_bytes()
    monkeypatch.setenv("WHATSIT_CACHE", str(tmp_path / "another"))
    assert getting.get(small, labels=names).path.read_bytes() == first


def test_a_model_with_metadata_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "foreign.tflite"
    file.write_bytes(foreign())
    got = getting.get(file)
    assert got.path.read_bytes() == foreign()
    assert "stretched" in got.notes[0]
    receipt = imported.receipt("foreign")
    assert receipt is not None
    assert receipt.sha256 == receipt.source_sha256 == hashlib.sha256(foreign()).hexdigest()
    assert receipt.notes == got.notes


def test_a_bundle_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "ours.tflite"
    file.write_bytes(make_models.bundle(SMALL, 3))
    assert getting.get(file).path.read_bytes() == file.read_bytes()


def test_what_is_asked_for_changes_a_model_with_metadata(tmp_path: Path, names: Path) -> None:
    file = tmp_path / "foreign.tflite"
    file.write_bytes(foreign(labels="a\nb\nc\n"))
    bundle = Bundle.read(getting.get(file, labels=names, preprocess="crop").path)
    assert bundle.labels.names == ("red", "green", "blue")
    assert str(bundle.preprocess) == "crop(1, bicubic)"
    kept = Bundle.read(getting.get(file, license="MIT", name="licensed").path)
    assert kept.labels.names == ("a", "b", "c")
    assert kept.metadata.name == "licensed"


def test_a_changed_bundle_names_its_parent_and_loses_its_measurements(tmp_path: Path) -> None:
    ours = Bundle.create(
        SMALL,
        name="ours",
        labels=["a", "b", "c"],
        preprocess="stretch",
        mean=0,
        std=255,
        facts={"accuracy": [{"top1": 99}], "remark": "kept"},
    )
    ours.write(tmp_path / "ours.tflite")
    bundle = Bundle.read(getting.get(tmp_path / "ours.tflite", preprocess="pad").path)
    assert bundle.record["parents"] == [{"sha256": ours.sha256}]
    assert bundle.record["remark"] == "kept"
    assert "accuracy" not in bundle.record


@pytest.mark.parametrize(("pack", "ending"), [(zipped, ".zip"), (tarred, ".tgz")])
def test_an_archive_gives_the_model_its_labels(
    pack: Callable[[dict[str, bytes]], bytes], ending: str, tmp_path: Path
) -> None:
    file = tmp_path / f"Paint box{ending}"
    file.write_bytes(pack({"x/colours.tflite": SMALL, "x/labels.txt": NAMES.encode()}))
    got = getting.get(file, preprocess="stretch")
    assert got.name == "Paint-box"
    bundle = Bundle.read(got.path)
    assert bundle.labels.names == ("red", "green", "blue")
    assert bundle.record["origin"]["member"] == "x/colours.tflite"
    assert bundle.record["origin"]["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()


def test_metadata_goes_before_labels_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "net.zip"
    file.write_bytes(zipped({"net.tflite": foreign(), "labels.txt": b"a\nb\nc"}))
    assert Bundle.read(getting.get(file).path).labels.names == ("red", "green", "blue")


def test_a_member_is_chosen(tmp_path: Path) -> None:
    file = tmp_path / "two.zip"
    file.write_bytes(zipped({"a.tflite": foreign(), "b.tflite": foreign(labels="x\ny\nz\n")}))
    with refused(ModelUnsupported, "'two.zip'", "2 models: a.tflite, b.tflite", "--member"):
        getting.get(file)
    got = getting.get(file, member="b.tflite")
    assert Bundle.read(got.path).labels.names == ("x", "y", "z")
    with refused(UsageError, "'two.zip': the archive holds no 'c.tflite'"):
        getting.get(file, member="c.tflite", force=True)
    (tmp_path / "one.tflite").write_bytes(foreign())
    with refused(UsageError, "'one.tflite': it is no archive", "drop --member"):
        getting.get(tmp_path / "one.tflite", member="a.tflite")


# ── mean and std ─────────────────────────────────────────────────────────────────────────────

UNIT = make_models.floats(1, 1)  # its scores are (pixel - mean) / std


def test_a_float_model_needs_its_mean_and_std(tmp_path: Path, names: Path) -> None:
    file = tmp_path / "float.tflite"
    file.write_bytes(UNIT)
    with refused(
        ModelWithoutMetadata,
        "model 'float': nothing says which mean and std it takes",
        "--mean and --std, of pixels from 0 to 255",
        "from -1 to 1: --mean 127.5 --std 127.5",
    ):
        getting.get(file, labels=names)
    bundle = Bundle.read(getting.get(file, labels=names, mean=0, std=255).path)
    assert (bundle.input.mean, bundle.input.std) == ((0.0,), (255.0,))


def test_wrong_mean_and_std_give_scores_that_are_no_probabilities(
    tmp_path: Path, names: Path
) -> None:
    file = tmp_path / "float.tflite"
    file.write_bytes(UNIT)
    with refused(ModelDamaged, "gives scores from", "probabilities from 0 to 1"):
        getting.get(file, labels=names, mean=0, std=1)


@pytest.mark.parametrize(
    ("mean", "std", "message"),
    [
        (127.5, None, "only one of mean and std"),
        (None, 127.5, "only one of mean and std"),
        (0, 0, "a mean of 0 and a std of 0"),
        (0, -1, "a mean of 0 and a std of -1"),
        (float("nan"), 1, "a mean of nan and a std of 1"),
        (0, float("inf"), "a mean of 0 and a std of inf"),
    ],
)
def test_mean_and_std_that_cannot_be(
    mean: float | None, std: float | None, message: str, small: Path
) -> None:
    with refused(UsageError, message):
        getting.get(small, mean=mean, std=std)


def quantised(scale: float, zero_point: int) -> bytes:
    """Three scores of 0 and a uint8 input that says what a pixel stands for."""
    source = make_models.Spec("image", (1, 1, 1, 3), "uint8", quantization=(scale, zero_point))
    schema = make_models.schema
    return make_models.build(
        [
            source,
            make_models.Spec("small", (1, 1, 1, 3), "float32"),
            make_models.Spec("zero", (3,), "float32", np.zeros(3, np.float32)),
            make_models.Spec("zeros", (1, 1, 1, 3), "float32"),
            make_models.Spec("shape", (2,), "int32", np.array([1, 3], np.int32)),
            make_models.Spec("scores", (1, 3), "float32"),
        ],
        [
            make_models.Op(schema.BuiltinOperator.DEQUANTIZE, (0,), (1,)),
            make_models.Op(
                schema.BuiltinOperator.MUL,
                (1, 2),
                (3,),
                schema.BuiltinOptions.MulOptions,
                schema.MulOptionsT(),
            ),
            make_models.Op(schema.BuiltinOperator.RESHAPE, (3, 4), (5,)),
        ],
        [0],
        [5],
    )


def test_a_quantised_input_says_itself_what_it_takes(tmp_path: Path, names: Path) -> None:
    file = tmp_path / "quantised.tflite"
    file.write_bytes(quantised(0.0078125, 128))  # the MobileNets of 2018
    bundle = Bundle.read(getting.get(file, labels=names).path)
    assert (bundle.metadata.mean, bundle.metadata.std) == ((128.0,), (128.0,))
    given = Bundle.read(getting.get(file, labels=names, mean=127.5, std=127.5, force=True).path)
    assert (given.metadata.mean, given.metadata.std) == ((127.5,), (127.5,))
    with refused(
        UsageError,
        "a mean of 0 and a std of 255, but its uint8 input takes pixels as they are, which is a "
        "mean of 128 and a std of 128",
        "leave out --mean and --std",
    ):
        getting.get(file, labels=names, mean=0, std=255, force=True)


# ── labels ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("content", "message", "hint"),
    [
        (b"a\nb\n", "it gives 3 scores, but there are 2 labels", "the background"),
        (b"a\nb\nc\nd\n", "it gives 3 scores, but there are 4 labels", ""),
        (b"a\n\nb\nc\n", "line 2 of the labels in", "none empty"),
        (b"", "line 1 of the labels in", "none empty"),
        (b"a\nb\xff\nc\n", "are no UTF-8: see line 2", "save the file again"),
        ("a\nb\nc\n".encode("utf-16"), "are no UTF-8: see line 1", ""),
        (b"a\nb\0\nc\n", "line 2 of the labels in", ""),
    ],
)
def test_labels_that_do_not_fit(
    content: bytes, message: str, hint: str, small: Path, tmp_path: Path
) -> None:
    (tmp_path / "labels.txt").write_bytes(content)
    with refused(ModelUnsupported, "model 'colours'", message, hint):
        getting.get(small, labels=tmp_path / "labels.txt")


@pytest.mark.parametrize(
    "content",
    [b"red\ngreen\nblue", b"\xef\xbb\xbfred\r\ngreen\r\nblue\r\n\r\n", b"red\ngreen\nblue\n\n\n"],
)
def test_labels_in_other_spellings(content: bytes, small: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_bytes(content)
    got = getting.get(small, labels=tmp_path / "labels.txt")
    assert Bundle.read(got.path).labels.names == ("red", "green", "blue")


def test_equal_names_are_told_apart_and_it_is_said(small: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("crane\nmaillot\ncrane\n")
    got = getting.get(small, labels=tmp_path / "labels.txt", preprocess="stretch")
    bundle = Bundle.read(got.path)
    assert bundle.labels.names == ("crane (0)", "maillot", "crane (2)")
    assert got.notes == (
        "several classes have the same name, and now their index behind it: crane",
    )
    assert bundle.record["decisions"] == list(got.notes)


def test_no_labels_at_all(small: Path, tmp_path: Path) -> None:
    with refused(
        ModelWithoutMetadata,
        "nothing says what its 3 classes are",
        "--labels FILE, one name a line",
    ):
        getting.get(small)
    with refused(ModelNotFound, "no file of labels"):
        getting.get(small, labels=tmp_path / "no-such.txt")
    with refused(UsageError, "is no regular file"):
        getting.get(small, labels=tmp_path)


@pytest.fixture(scope="module")
def thousand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an ImageNet network as others would give it out: bare, and with background."""
    folder = tmp_path_factory.mktemp("imagenet")
    data = zoo.open_builtin("mobilenet-v2-int8").data
    (folder / "net1000.tflite").write_bytes(make_models.bare(data))
    (folder / "net1001.tflite").write_bytes(make_models.padded(data, 1, 0))
    (folder / "last.tflite").write_bytes(make_models.padded(data, 0, 1))
    lines = [", ".join(lemmas) for lemmas in probe.imagenet_labels().lemmas]
    (folder / "1000.txt").write_text("\n".join(lines))
    (folder / "1001.txt").write_text("\n".join(["background", *lines]))
    (folder / "last.txt").write_text("\n".join([*lines, "nothing"]))
    (folder / "reversed.txt").write_text("\n".join(reversed(lines)))
    return folder


@pytest.mark.parametrize(
    ("model", "labels", "note", "espresso"),
    [
        ("net1000", "1000.txt", "", 967),
        ("net1001", "1001.txt", "", 968),
        ("last", "last.txt", "", 967),
        ("net1001", "1000.txt", "1001 scores for 1000 labels: its first is 'background'", 968),
        ("last", "1000.txt", "1001 scores for 1000 labels: its last is 'background'", 967),
        ("net1000", "1001.txt", "1000 scores for 1001 labels: 'background' is left out", 967),
        ("net1000", "last.txt", "1000 scores for 1001 labels: 'nothing' is left out", 967),
        ("net1000", "imagenet", "taken to be the 1000 of ImageNet", 967),
        ("net1001", "imagenet", "its first is 'background', as the answers to known", 968),
    ],
)
def test_known_pictures_show_where_imagenet_begins(
    model: str, labels: str, note: str, espresso: int, thousand: Path, coffee: Path
) -> None:
    source = labels if labels == "imagenet" else thousand / labels
    rule = "crop(0.875, bicubic)"
    got = getting.get(thousand / f"{model}.tflite", labels=source, preprocess=rule)
    notes = [text for text in got.notes if "the same name" not in text]
    assert [note in text for text in notes] == ([True] if note else [])
    bundle = Bundle.read(got.path)
    assert bundle.record.get("decisions", []) == list(got.notes)
    assert bundle.labels.names[espresso].startswith("espresso")
    assert bundle.labels.synset(espresso) == ("n07920052" if labels == "imagenet" else None)
    if note:  # what was decided is right: the model itself says espresso there
        with whatsit.load(got.name) as classifier:
            assert classifier.classify(coffee).predictions[0].index == espresso


@pytest.mark.parametrize(("model", "labels"), [("net1001", "last.txt"), ("last", "1001.txt")])
def test_labels_off_by_one_are_refused(model: str, labels: str, thousand: Path) -> None:
    with refused(ModelUnsupported, "its labels are off by one", "as known pictures show"):
        getting.get(thousand / f"{model}.tflite", labels=thousand / labels)


def test_a_foreign_model_with_labels_off_by_one(thousand: Path, tmp_path: Path) -> None:
    lines = (thousand / "last.txt").read_text()
    file = tmp_path / "off.tflite"
    file.write_bytes(foreign((thousand / "net1001.tflite").read_bytes(), lines))
    with refused(ModelUnsupported, "model 'off': its labels are off by one"):
        getting.get(file)


def test_a_foreign_model_with_a_label_too_few(thousand: Path, tmp_path: Path) -> None:
    file = tmp_path / "few.tflite"
    lines = (thousand / "1000.txt").read_text()
    file.write_bytes(foreign((thousand / "net1001.tflite").read_bytes(), lines))
    got = getting.get(file)
    assert Bundle.read(got.path).labels.names[0] == "background"
    assert "its first is 'background'" in got.notes[0]


def test_where_pictures_do_not_show_it_nothing_is_guessed(thousand: Path, tmp_path: Path) -> None:
    file = tmp_path / "blind.tflite"
    file.write_bytes(make_models.padded(make_models.pixels(9, 37, 1 / 255), 1, 1))  # 1001 scores
    with refused(
        ModelUnsupported,
        "it gives 1001 scores, but there are 1000 labels",
        "do not show which belongs to which",
        "'background'",
    ):
        getting.get(file, labels=thousand / "1000.txt")


def test_a_thousand_names_of_something_else(thousand: Path) -> None:
    with refused(ModelUnsupported, "it gives 1001 scores, but there are 1000 labels"):
        getting.get(thousand / "net1001.tflite", labels=thousand / "reversed.txt")


def test_a_model_that_recognises_nothing_is_noted(thousand: Path, tmp_path: Path) -> None:
    file = tmp_path / "blind.tflite"
    file.write_bytes(make_models.padded(make_models.pixels(9, 37, 1 / 255), 1, 1))
    got = getting.get(file, labels=thousand / "1001.txt", preprocess="stretch")
    assert (
        "of 6 known pictures it recognises none: are its mean, std and labels right?" in got.notes
    )


def test_imagenet_for_a_model_of_three(small: Path) -> None:
    with refused(ModelUnsupported, "it gives 3 scores, but there are 1000 labels"):
        getting.get(small, labels="imagenet")


def test_two_files_of_labels_that_both_fit(tmp_path: Path, names: Path) -> None:
    file = tmp_path / "two.zip"
    both = {"labels.txt": NAMES.encode(), "classes.txt": b"x\ny\nz\n"}
    file.write_bytes(zipped({"net.tflite": SMALL} | both))
    with refused(ModelUnsupported, "'labels.txt'", "'classes.txt'", "--labels FILE"):
        getting.get(file)
    bundle = Bundle.read(getting.get(file, labels=names).path)
    assert bundle.labels.names == ("red", "green", "blue")
    file.write_bytes(zipped({"net.tflite": foreign()} | both))  # which has its own
    assert getting.get(file, force=True).new


# ── models that do not run ───────────────────────────────────────────────────────────────────


def test_a_model_that_ends_its_process(tmp_path: Path, names: Path, cat: Path) -> None:
    """It gets no further than its own process, and is not installed."""
    file = tmp_path / "hostile.tflite"
    file.write_bytes(make_models.hostile())
    with refused(ModelDamaged, "crashed the process"):
        getting.get(file, labels=names)


@needs_shared
def test_the_broken_model_beside_the_project(names: Path) -> None:
    with refused(ModelUnsupported, "model 'model_invoking_error': its input is [1, 3]"):
        getting.get(SHARED / "models" / "model_invoking_error.tflite", labels=names)


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        (b"", ModelDamaged, "'x.tflite': it is empty"),
        (b"hello, world", ModelDamaged, "'x.tflite': it is neither a model nor an archive"),
        (SMALL[:200], ModelDamaged, "tables cannot be read"),
        (make_models.edges(outputs=2), ModelUnsupported, "it has 2 outputs"),
        (
            make_models.edges(target=make_models.Spec("scores", (1, (1 << 31) - 1), "float32")),
            ModelUnsupported,
            "its output is [1, 2147483647]",
        ),
        (zipped({"readme": b""}), ModelUnsupported, "'x.tflite': the archive holds no .tflite"),
        (zipped({"../x.tflite": SMALL}), ModelDamaged, "leads out of its folder"),
        (tarred({"x.tflite": SMALL})[:-20], ModelDamaged, "the archive cannot be read"),
        (zipped({"x.tflite": b"no model"}), ModelDamaged, "the file is no TFLite model"),
    ],
)
def test_what_is_no_model(
    content: bytes, kind: type[WhatsitError], message: str, tmp_path: Path, names: Path
) -> None:
    (tmp_path / "x.tflite").write_bytes(content)
    with refused(kind, message):
        getting.get(tmp_path / "x.tflite", labels=names)


# ── names and files ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["../x", "a/b", "x.tflite", ".x", "-x", "", "a b", "é", "x" * 101])
def test_names_that_cannot_be(name: str, small: Path, names: Path) -> None:
    with refused(UsageError, f"{name!r} cannot be the name of a model"):
        getting.get(small, labels=names, name=name)


@pytest.mark.parametrize("name", [zoo.DEFAULT, zoo.DEFAULT.upper()])
def test_the_name_of_a_built_in_model(name: str, small: Path, names: Path) -> None:
    with refused(UsageError, f"{name!r} is the name of a built-in model", "--name"):
        getting.get(small, labels=names, name=name)


@pytest.mark.parametrize(
    ("file", "name"),
    [("Net 1.tflite", "Net-1"), ("a.b.TAR.GZ", "a.b"), ("ü.zip", ""), ("x", "x"), ("-.tflite", "")],
)
def test_a_name_is_made_of_the_files(file: str, name: str, tmp_path: Path, names: Path) -> None:
    (tmp_path / file).write_bytes(foreign())
    if not name:
        with refused(UsageError, "no name for the model can be made of", "--name NAME"):
            getting.get(tmp_path / file)
    else:
        assert getting.get(tmp_path / file).name == name


@pytest.mark.parametrize("name", ["con", "NUL", "Com1.x", "x."])
def test_names_that_windows_does_not_take(name: str, small: Path, names: Path) -> None:
    with refused(UsageError, f"{name!r} cannot be the name of a model", "--name"):
        getting.get(small, labels=names, name=name)


def test_a_name_that_differs_only_in_case(small: Path, names: Path) -> None:
    getting.get(small, labels=names)
    with refused(UsageError, "imported model 'colours', and 'Colours' differs only in case"):
        getting.get(small, labels=names, name="Colours")


@pytest.mark.parametrize("folder", [".", ".."])
def test_a_folder_is_no_model(folder: str) -> None:
    with refused(UsageError, f"{folder!r} is a folder"):
        getting.get(folder)


@pytest.mark.skipif(sys.platform != "linux", reason="its files have names of any bytes")
def test_a_file_whose_name_is_no_utf8(tmp_path: Path, names: Path) -> None:
    file = tmp_path / "bads\udcff.tflite"
    file.write_bytes(SMALL)
    got = getting.get(file, labels=names)
    assert (got.name, got.source) == ("bads", "bads\\xff.tflite")
    assert Bundle.read(got.path).record["origin"]["source"] == "bads\\xff.tflite"
    file.write_bytes(foreign())
    assert getting.get(file, force=True).new


def test_a_member_whose_name_is_no_utf8(tmp_path: Path, names: Path) -> None:
    file = tmp_path / "net.tgz"
    file.write_bytes(tarred({"m\udcff\udcfe.tflite": SMALL}))
    got = getting.get(file, labels=names, member="m\udcff\udcfe.tflite")
    assert Bundle.read(got.path).record["origin"]["member"] == "m\\xff\\xfe.tflite"


@pytest.mark.parametrize("license", ["x\udcff", "two\nlines"])
def test_a_license_that_is_no_text(license: str, small: Path, names: Path) -> None:
    with refused(UsageError, f"{license!r} is no name of a license", "one line of text"):
        getting.get(small, labels=names, license=license)


def test_the_same_again_and_another_under_its_name(
    tmp_path: Path, small: Path, names: Path
) -> None:
    first = getting.get(small, labels=names)
    again = getting.get(small, labels=names)
    assert (first.new, again.new) == (True, False)
    (tmp_path / "other.tflite").write_bytes(foreign())
    with refused(UsageError, "already an imported model 'colours'", "--force", "--name"):
        getting.get(tmp_path / "other.tflite", name="colours")
    assert getting.get(tmp_path / "other.tflite", name="colours", force=True).new
    assert imported.path_of("colours").read_bytes() == foreign()
    imported.check("colours")


@pytest.mark.parametrize("missing", ["no-such.tflite", "no/such", "no-such.zip"])
def test_a_file_that_is_not_there(missing: str) -> None:
    with refused(ModelNotFound, f"no model file {missing!r}"):
        getting.get(missing)


def test_a_word_that_is_nothing() -> None:
    with refused(UsageError, "no model and no file 'mobilenet_v1'", "whatsit models --all"):
        getting.get("mobilenet_v1")
    with refused(UsageError, "did you mean", "mobilenet_v1_1.0_224"):
        getting.get("mobilenet_v1_1.0_244")


def test_a_folder_and_a_file_too_large(tmp_path: Path, small: Path) -> None:
    with refused(UsageError, "is a folder"):
        getting.get(tmp_path)
    # As of a download that is too large, and with the same exit status.
    with refused(ModelUnsupported, f"is {len(SMALL)} bytes", "at most 100 bytes", "--max-size"):
        getting.get(small, max_bytes=100)


def test_the_hash_of_a_file_is_checked_too(small: Path, names: Path) -> None:
    good = hashlib.sha256(SMALL).hexdigest()
    with refused(ModelDamaged, f"has the sha256 {good}", f"sha256 {'0' * 64}"):
        getting.get(small, labels=names, sha256="0" * 64)
    with refused(UsageError, "'12ab' is no sha256"):
        getting.get(small, labels=names, sha256="12ab")
    assert getting.get(small, labels=names, sha256=good.upper()).new


def test_a_wrong_rule_is_said_before_anything_else(small: Path) -> None:
    with refused(UsageError, "'sideways' is not a preprocessing rule"):
        getting.get(small, preprocess="sideways")


def test_a_built_in_name_is_there_already() -> None:
    got = getting.get(zoo.DEFAULT, offline=True)
    assert (got.name, got.new, got.notes) == (zoo.DEFAULT, False, ("it is built in",))


@pytest.mark.parametrize(
    "options",
    [
        {"name": "mine"},
        {"member": "a"},
        {"labels": "/no-such"},
        {"mean": 0.0},
        {"std": 1.0},
        {"preprocess": "pad"},
        {"license": "MIT"},
        {"sha256": "zz"},
    ],
    ids=lambda options: next(iter(options)),
)
def test_a_built_in_model_stays_as_it_is(options: dict[str, Any]) -> None:
    message = f"the model {zoo.DEFAULT!r} is built in, and stays as it is"
    with refused(UsageError, message, "no other option", "whatsit models path"):
        getting.get(zoo.DEFAULT, **options)


def test_a_file_that_has_the_name_of_a_built_in_model(tmp_path: Path) -> None:
    file = tmp_path / zoo.DEFAULT
    file.write_bytes(foreign())
    assert getting.get(file, name="mine").new


# ── the models beside the project ────────────────────────────────────────────────────────────


@needs_shared
@pytest.mark.parametrize("file", QUANTISED, ids=lambda file: file.stem)
def test_quantised_mobilenets_from_file_and_archive(
    file: Path, tmp_path: Path, coffee: Path
) -> None:
    assert getting.get(file).path.read_bytes() == file.read_bytes()
    (tmp_path / "packed.tgz").write_bytes(tarred({f"m/{file.name}": file.read_bytes()}))
    assert getting.get(tmp_path / "packed.tgz").path.read_bytes() == file.read_bytes()
    with whatsit.load("packed") as classifier:
        assert classifier.classify(coffee).predictions[0].label == "espresso"


@needs_shared
def test_a_bare_mobilenet_of_2018_gets_our_classes(tmp_path: Path, coffee: Path) -> None:
    (tmp_path / "bare.tflite").write_bytes(make_models.bare(QUANTISED[0].read_bytes()))
    getting.get(tmp_path / "bare.tflite", labels="imagenet", mean=127.5, std=127.5)
    with whatsit.load("bare") as classifier:
        best = classifier.classify(coffee).predictions[0]
    assert (best.index, best.label, best.synset) == (968, "espresso", "n07920052")


@needs_shared
@pytest.mark.parametrize("file", QUANTISED[1:2], ids=lambda file: file.stem)
def test_first_answers_are_those_of_mediapipe(file: Path) -> None:
    mediapipe = pytest.importorskip("mediapipe")
    from mediapipe.tasks.python import BaseOptions, vision
    from PIL import Image

    getting.get(file, name="net")
    data = imported.path_of("net").read_bytes()
    options = vision.ImageClassifierOptions(
        base_options=BaseOptions(model_asset_buffer=data), max_results=1
    )
    pictures = sorted((SHARED / "data" / "imagenet-val-sample").glob("*.jpg"))[:40]
    with (
        whatsit.load("net") as classifier,
        vision.ImageClassifier.create_from_options(options) as judge,
    ):
        for picture in pictures:
            image = mediapipe.Image(
                image_format=mediapipe.ImageFormat.SRGB,
                data=np.asarray(Image.open(picture).convert("RGB")),
            )
            theirs = judge.classify(image).classifications[0].categories[0]
            ours = classifier.classify(picture).predictions
            # uint8 scores tie; which of two equal ones comes first is nobody's answer.
            assert theirs.index in {p.index for p in ours if p.score == ours[0].score}


# ── the folder of imported models ────────────────────────────────────────────────────────────


def test_an_altered_byte_is_found(small: Path, names: Path) -> None:
    path = getting.get(small, labels=names).path
    imported.check("colours")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    for act in (imported.check, zoo.open_model, whatsit.load):
        with pytest.raises(ModelDamaged) as caught:
            act("colours")
    assert "'colours'" in caught.value.message


def test_a_model_that_nobody_imported(small: Path, names: Path) -> None:
    path = getting.get(small, labels=names).path
    path.with_suffix(".json").write_text("{")
    with pytest.raises(ModelDamaged, match="nothing is known of how the model 'colours' came here"):
        imported.check("colours")
    assert zoo.open_model("colours").name == "colours"  # it may have been put there by hand
    assert getting.get(small, labels=names, force=True).new
    imported.check("colours")


@pytest.mark.parametrize("step", [0, 1, 2])
def test_a_replacement_that_is_killed_leaves_one_of_the_two(
    step: int, small: Path, names: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    getting.get(small, labels=names)
    old = imported.path_of("colours").read_bytes()
    (tmp_path / "other.tflite").write_bytes(foreign())
    steps = iter(range(9))
    whole_file = storage.whole_file

    def killed(path: Path) -> object:
        if next(steps) == step:
            raise KeyboardInterrupt
        return whole_file(path)

    monkeypatch.setattr(storage, "whole_file", killed)
    with pytest.raises(KeyboardInterrupt):
        getting.get(tmp_path / "other.tflite", name="colours", force=True)
    there = imported.path_of("colours").read_bytes()
    assert there == (foreign() if step == 2 else old)
    imported.check("colours")
    receipt = imported.receipt("colours")
    assert receipt is not None
    assert receipt.sha256 == hashlib.sha256(there).hexdigest()


@pytest.mark.parametrize("act", ["get", "remove"])
def test_a_receipt_without_its_model_is_swept_up(act: str, small: Path, names: Path) -> None:
    """As a kill leaves it between the two files."""
    getting.get(small, labels=names, name="orphan").path.unlink()
    assert zoo.installed() == {}
    path = getting.get(small, labels=names).path
    if act == "remove":
        path.with_name("orphan.json").write_text("{}")
        imported.remove("colours")
    assert not path.with_name("orphan.json").exists()


def test_a_model_cut_short_is_said_to_be_altered(small: Path, names: Path) -> None:
    path = getting.get(small, labels=names).path
    path.write_bytes(path.read_bytes()[:200])
    said = []
    for act in (imported.check, zoo.open_model, whatsit.load):
        with pytest.raises(ModelDamaged) as caught:
            act("colours")
        said.append(caught.value.to_json())
    assert said == [said[0]] * 3
    assert (
        said[0]["hint"] == "import it again from colours.tflite, with the same options and --force"
    )


def test_what_a_kill_left_is_swept_up(small: Path, names: Path, own_cache: Path) -> None:
    (own_cache / "models").mkdir()
    left = own_cache / "models" / ".colours.tflite.0123.partial"
    left.write_bytes(b"half")
    assert zoo.installed() == {}
    getting.get(small, labels=names)
    assert not left.exists()


def test_a_folder_that_cannot_be_written(small: Path, names: Path, own_cache: Path) -> None:
    (own_cache / "models").write_text("no folder")
    with refused(WhatsitError, "cannot write", "WHATSIT_CACHE"):
        getting.get(small, labels=names)


def test_remove_takes_the_receipt_along(small: Path, names: Path) -> None:
    getting.get(small, labels=names)
    imported.remove("colours")
    assert files_in_cache() == {}


@pytest.mark.parametrize("act", [imported.remove, imported.check])
def test_there_is_no_model_of_this_name(act: Callable[[str], object], own_cache: Path) -> None:
    (own_cache / "outside.tflite").write_bytes(b"")
    for name in ("colours", "../outside"):
        with refused(UsageError, f"no built-in model {name!r}", "`whatsit models`"):
            act(name)
    assert not (own_cache / "models").exists()
    (own_cache / "models").mkdir()
    with refused(UsageError, "no built-in model '../outside'"):
        act("../outside")


def test_remove_waits_for_whoever_installs(
    small: Path, names: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    getting.get(small, labels=names)
    receipt_path, free = imported._receipt_path, []

    def tried(name: str) -> Path:
        with open(imported.folder() / ".lock", "ab") as file:
            free.append(locks.try_lock(file))
        return receipt_path(name)

    monkeypatch.setattr(imported, "_receipt_path", tried)
    imported.remove("colours")
    assert free == [False]
    tried("colours")
    assert free == [False, True]


def test_a_model_that_goes_while_remove_waits(
    small: Path, names: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = getting.get(small, labels=names).path
    locked = imported._locked

    def late() -> AbstractContextManager[None]:
        path.unlink()
        return locked()

    monkeypatch.setattr(imported, "_locked", late)
    with pytest.raises(UsageError, match="no built-in model 'colours'"):
        imported.remove("colours")


@needs_limits
@pytest.mark.parametrize("room_bytes", [10, 10_000])  # too little for the receipt; for the model
def test_a_full_disk_leaves_no_receipt_without_its_model(room_bytes: int) -> None:
    data = bytes(100_000)
    receipt = imported.Receipt(hashlib.sha256(data).hexdigest(), len(data))
    with (
        refused(WhatsitError, "File too large", "WHATSIT_CACHE names another folder"),
        largest_file(room_bytes),
    ):
        imported.install("colours", data, receipt, force=False)


@needs_limits
@pytest.mark.parametrize("room_bytes", [10, 10_000])
def test_a_full_disk_keeps_the_model_that_was_there(
    room_bytes: int, small: Path, names: Path
) -> None:
    getting.get(small, labels=names)
    data = bytes(100_000)
    receipt = imported.Receipt(hashlib.sha256(data).hexdigest(), len(data))
    with refused(WhatsitError, "File too large"), largest_file(room_bytes):
        imported.install("colours", data, receipt, force=True)
    imported.check("colours")


def test_receipts_of_a_later_version_can_be_read(small: Path, names: Path) -> None:
    path = getting.get(small, labels=names).path.with_suffix(".json")
    content = json.loads(path.read_text())
    content["imports"][0]["mood"] = "good"
    path.write_text(json.dumps(content))
    imported.check("colours")
