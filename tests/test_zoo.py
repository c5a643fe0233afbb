"""The built-in models are the files that the catalogue describes."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import make_models
import pytest

import whatsit
from whatsit import Bundle, zoo

NAMES = list(zoo.catalogue())


def test_the_default_comes_first() -> None:
    assert NAMES[0] == zoo.DEFAULT


def test_every_model_file_is_in_the_catalogue() -> None:
    folder = Path(zoo.__file__).parent
    assert {file.stem for file in folder.glob("*.tflite")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_catalogue_describes_the_file(name: str) -> None:
    entry = zoo.catalogue()[name]
    data = entry.path.read_bytes()
    assert hashlib.sha256(data).hexdigest() == entry.sha256
    assert len(data) == entry.size_bytes
    bundle = zoo.open_builtin(name)
    assert bundle.name == name
    assert bundle.output.classes == entry.classes == 1000
    assert (bundle.input.height, bundle.input.width) == entry.input
    assert str(bundle.preprocess) == entry.preprocess
    assert bundle.input.dtype == "uint8"  # the resized picture is the tensor
    assert bundle.output.dtype == "float32"
    assert entry.licence


@pytest.mark.parametrize("name", NAMES)
def test_accuracy_comes_with_its_interval_and_data_set(name: str) -> None:
    rows = zoo.catalogue()[name].accuracy
    assert rows
    for row in rows:
        assert row["data_set"]
        assert row["pictures"] > 0
        low, high = row["top1_interval"]
        assert 0 < low <= row["top1"] <= high <= 100
        assert row["top1"] <= row["top5"] <= 100


@pytest.mark.parametrize("name", NAMES)
def test_tensor_names_are_such_that_every_reader_takes_them(name: str) -> None:
    from whatsit import _metadata

    layout = _metadata.read_layout(zoo.catalogue()[name].path.read_bytes())
    assert all(";" not in tensor.name for tensor in (*layout.inputs, *layout.outputs))


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(whatsit.UsageError) as caught:
        zoo.open_builtin("resnet50")
    assert caught.value.message == "no built-in model 'resnet50'"
    assert caught.value.expected == f"one of {', '.join(NAMES)}, or a path that ends in .tflite"


@pytest.fixture
def copied_zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder from which the default model is now read, as it was shipped."""
    source = zoo.catalogue()[zoo.DEFAULT].path
    monkeypatch.setattr(zoo, "_FOLDER", tmp_path)
    (tmp_path / source.name).write_bytes(source.read_bytes())
    assert zoo.open_builtin(zoo.DEFAULT).path == tmp_path / source.name
    return tmp_path / source.name


def altered(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1  # one bit of one weight
    file.write_bytes(data)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:100_000])


def another(file: Path) -> None:
    file.write_bytes(make_models.bundle(make_models.pixels(8, 8), 192))


def no_model(file: Path) -> None:
    file.write_bytes(make_models.pixels(8, 8))


@pytest.mark.parametrize("harm", [altered, cut, another, no_model, Path.unlink])
def test_a_file_that_is_not_the_shipped_one_is_refused(copied_zoo: Path, harm: object) -> None:
    harm(copied_zoo)  # type: ignore[operator]
    with pytest.raises(whatsit.ModelDamaged) as caught:
        whatsit.load()
    assert caught.value.message == (
        f"the built-in model {zoo.DEFAULT!r} is not the file that was shipped"
    )
    assert caught.value.expected == f"sha256 {zoo.catalogue()[zoo.DEFAULT].sha256}"
    assert caught.value.hint == "pip install --force-reinstall whatsit"


def test_built_in_is_what_has_the_same_bytes() -> None:
    bundle = zoo.open_builtin(zoo.DEFAULT)
    assert zoo.is_builtin(Bundle.from_bytes(bundle.data, "under another name"))
    assert not zoo.is_builtin(dataclasses.replace(bundle, data=bundle.data + b"\0"))


@pytest.mark.parametrize("content", [None, "", "{}", '{"models": [{"name": "x"}]}'])
def test_a_broken_catalogue_is_our_error(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is not None:
        (tmp_path / "catalogue.json").write_text(content)
    monkeypatch.setattr(zoo, "_FOLDER", tmp_path)
    with pytest.raises(whatsit.ModelDamaged, match="the catalogue of the built-in models"):
        zoo.catalogue.__wrapped__()
