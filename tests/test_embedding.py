from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import make_models
import numpy as np
import pytest
from PIL import Image

from whatsit import (
    Bundle,
    ImageNotFound,
    ImageUnreadable,
    ModelUnsupported,
    UsageError,
    doctor,
    embed,
    embedding,
    zoo,
)
from whatsit.classifier import load
from whatsit.doctor import looks
from whatsit.graph.head import last_layer

MODEL = "mobilenet-v2-int8"


@pytest.fixture
def pictures(tmp_path: Path, cat: Path, coffee: Path) -> list[Path]:
    copies = [tmp_path / "a.png", tmp_path / "b.png", tmp_path / "c.png"]
    for source, copy in zip((cat, coffee, cat), copies, strict=True):
        shutil.copy(source, copy)
    return copies


def test_the_last_layer_makes_the_models_answers_of_them(pictures: list[Path]) -> None:
    """The independent oracle: the model's own classes, from its own last layer."""
    bundle = zoo.open_builtin(MODEL)
    layer = last_layer(bundle)
    vectors = embed(bundle, pictures).vectors
    best = (vectors @ layer.weights.T + layer.bias).argmax(axis=1)
    with load(MODEL) as model:
        answers = [model.classify(path).predictions[0].index for path in pictures]
    assert best.tolist() == answers
    assert vectors.dtype == np.float32
    assert np.array_equal(vectors[0], vectors[2])


def test_the_number_of_workers_changes_nothing(pictures: list[Path]) -> None:
    one = embed(MODEL, pictures, workers=1, keep=False)
    three = embed(MODEL, pictures, workers=3, keep=False)
    assert np.array_equal(one.vectors, three.vectors)


def test_a_process_of_its_own_gives_the_same(pictures: list[Path]) -> None:
    here = embed(MODEL, pictures, keep=False)
    there = embed(MODEL, pictures, runtime="isolated", keep=False)
    assert np.array_equal(here.vectors, there.vectors)


def test_bad_pictures_are_rows_of_nan(pictures: list[Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0 cut short")
    found = embed(MODEL, [pictures[0], broken, tmp_path / "none.png", pictures[1]])
    assert list(found.failures) == [1, 2]
    assert isinstance(found.failures[1], ImageUnreadable)
    assert isinstance(found.failures[2], ImageNotFound)
    assert np.isnan(found.vectors[[1, 2]]).all()
    assert np.isfinite(found.vectors[[0, 3]]).all()


def test_none(tmp_path: Path) -> None:
    found = embed(MODEL, [])
    assert found.vectors.shape == (0, 1280)


def test_progress(pictures: list[Path]) -> None:
    seen: list[tuple[int, int]] = []
    embed(MODEL, pictures, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def no_engine(*arguments: object, **options: object) -> None:
    raise AssertionError("an engine was opened")


def test_kept_ones_need_no_engine(pictures: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    first = embed(MODEL, pictures)
    monkeypatch.setattr(embedding, "open_runtime", no_engine)
    moved = pictures[0].rename(pictures[0].with_name("moved.png"))
    again = embed(MODEL, [pictures[1], moved])
    assert np.array_equal(again.vectors, first.vectors[[1, 0]])


def test_another_model_is_another_key(pictures: list[Path]) -> None:
    first = embed(MODEL, pictures).vectors
    second = embed("efficientnet-lite0-int8", pictures).vectors
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("harm", ["flipped", "cut", "garbage", "empty"])
def test_a_spoilt_cache_is_computed_again(pictures: list[Path], own_cache: Path, harm: str) -> None:
    first = embed(MODEL, pictures).vectors
    (file,) = (own_cache / "embeddings").iterdir()
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    spoilt = {"flipped": content, "cut": content[:700], "garbage": b"x" * 9000, "empty": b""}
    file.write_bytes(spoilt[harm])
    assert np.array_equal(embed(MODEL, pictures).vectors, first)
    assert np.array_equal(embed(MODEL, pictures).vectors, first)


def test_a_cache_that_cannot_be_written_is_said(pictures: list[Path], own_cache: Path) -> None:
    (own_cache / "embeddings").write_bytes(b"a file where the folder should be")
    found = embed(MODEL, pictures)
    assert found.problem
    assert np.isfinite(found.vectors).all()


def test_the_cache_is_bounded(
    pictures: list[Path], own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embed(MODEL, pictures[:1])
    (old,) = (own_cache / "embeddings").iterdir()
    monkeypatch.setattr("whatsit._vectors._MOST_BYTES", 100)
    embed(MODEL, pictures[1:])
    assert not old.exists()


def test_a_model_without_an_embedding(pictures: list[Path]) -> None:
    bundle = Bundle.from_bytes(make_models.bundle(make_models.pixels(8, 8), 192), "pixels")
    with pytest.raises(ModelUnsupported, match="pixels"):
        embed(bundle, pictures)


@pytest.mark.parametrize("workers", [0, -1, 5000])
def test_workers(workers: int) -> None:
    with pytest.raises(UsageError, match="workers"):
        embed(MODEL, [], workers=workers)


def test_a_lone_path(cat: Path) -> None:
    with pytest.raises(UsageError, match="a lone"):
        embed(MODEL, str(cat))


def test_a_file_that_changes_on_the_way_is_not_kept(
    pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, whole = embed(MODEL, pictures[:1], keep=False).vectors, pictures[0].read_bytes()
    read = embedding.inputs.read

    def changed(*arguments: object, **options: object) -> object:
        shutil.copy(pictures[1], pictures[0])
        return read(*arguments, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(embedding.inputs, "read", changed)
        embed(MODEL, pictures[:1])
    pictures[0].write_bytes(whole)
    assert np.array_equal(embed(MODEL, pictures[:1]).vectors, first)


def test_workers_end_before_their_engines(
    pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[str] = []
    close, shutdown = embedding._Backbone.close, embedding.ThreadPoolExecutor.shutdown

    def closed(self: embedding._Backbone) -> None:
        ended.append("engines")
        close(self)

    def shut(self: embedding.ThreadPoolExecutor, **options: bool) -> None:
        ended.append("workers")
        shutdown(self, **options)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(embedding._Backbone, "close", closed)
    monkeypatch.setattr(embedding.ThreadPoolExecutor, "shutdown", shut)
    with pytest.raises(KeyboardInterrupt) as caught:
        embed(MODEL, pictures, progress=stop)
    assert caught.tb is not None
    assert ended == ["workers", "engines"]


def test_what_is_opened_is_shown_and_looks_as_it_does_by_itself(
    pictures: list[Path], tmp_path: Path
) -> None:
    """A large JPEG is decoded smaller for its look; one picture comes from the cache."""
    large = tmp_path / "large.jpg"
    Image.effect_noise((1300, 900), 60).convert("RGB").save(large)
    small = tmp_path / "small.jpg"
    Image.open(pictures[0]).convert("RGB").resize((320, 240)).save(small)
    paths = [*map(str, pictures), str(small), str(large)]
    shown: dict[str, Any] = {}

    def show(path: str, image: Image.Image) -> None:
        shown[path] = doctor.seen_of(image)

    embed(MODEL, paths[1:2])
    embed(MODEL, paths, show=show)
    assert set(shown) == {*paths} - {paths[1]}
    assert shown[str(large)] is None
    known = {path: found for path, found in shown.items() if found is not None}
    assert str(small) in known
    for path, found in known.items():
        expected = looks.seen(path)
        assert np.array_equal(found.look, expected.look)
        assert (found.detailed, found.colour) == (expected.detailed, expected.colour)
    assert doctor.groups(paths, seen=known) == doctor.groups(paths) == [0, 1, 0, 0, 2]
