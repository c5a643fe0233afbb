"""A taught bundle by way of the embeddings, against the whole of it: the same answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import make_dataset
import make_heads
import numpy as np
import pytest

from whatsit import Bundle, Evaluation, datasets, zoo
from whatsit.cli.summary import print_evaluation
from whatsit.datasets import Dataset
from whatsit.embedding import embed
from whatsit.graph import graft, tail_graph
from whatsit.report import evaluation as page
from whatsit.train import fit_head, measuring

PARENTS = ["mobilenet-v2-int8", "efficientnet-lite0-int8", "efficientnet-lite0-float16"]
FOREIGN = ["mobilenet_v1_0.25_128_quant", "tf2_mobilenet_v2_1.0_224_ptq"]


@pytest.fixture(scope="module")
def textures(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Sixty-five pictures, one more than it takes for a sample to be worth it."""
    folder = make_dataset.write(tmp_path_factory.mktemp("made") / "textures", 13)
    golden = [path for path in make_heads.GOLDEN if path.suffix == ".jpg"]
    for place, path in enumerate(golden[:10]):  # photographs among them
        kind = make_dataset.KINDS[place % len(make_dataset.KINDS)]
        (folder / kind / f"{place:04}.png").unlink()
        (folder / kind / path.name).write_bytes(path.read_bytes())
    return datasets.read(folder)


def taught(parent: Bundle, dataset: Dataset) -> tuple[Bundle, np.ndarray]:
    vectors = embed(parent, [row.path for row in dataset.rows], keep=False).vectors
    truth = [make_dataset.KINDS.index(row.label) for row in dataset.rows]
    fit = fit_head(vectors, truth, strengths=[0.1])
    names = list(make_dataset.KINDS)
    seen = fit.logits(vectors)
    return graft(parent, fit.weights, fit.bias, names, name="made", logits=seen), vectors


def measure(bundle: Bundle, dataset: Dataset, vectors: Any = None) -> Evaluation:
    return measuring.measure(bundle, dataset, vectors, runtime="litert", ks=(1, 5))


@pytest.mark.parametrize("name", PARENTS)
def test_the_answers_of_the_whole_bundle(name: str, textures: Dataset) -> None:
    bundle, vectors = taught(zoo.open_builtin(name), textures)
    short, whole = measure(bundle, textures, vectors), measure(bundle, textures)
    assert short.answers == whole.answers  # scores to the last bit
    assert (short.fingerprint, short.top(5)) == (whole.fingerprint, whole.top(5))
    assert (short.timed, whole.timed) == (measuring.SAMPLE, len(textures.rows))


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_model_in_a_process_of_its_own(name: str, textures: Dataset) -> None:
    bundle, vectors = taught(make_heads.read(name), textures)
    short = measuring.measure(bundle, textures, vectors)
    assert short.runtime == "isolated"
    assert short.timed == measuring.SAMPLE
    assert short.answers == measuring.measure(bundle, textures).answers


def other_rows(vectors: np.ndarray) -> np.ndarray:
    return vectors[::-1]


def a_little_off(vectors: np.ndarray) -> np.ndarray:
    return vectors * np.float32(1.01)


@pytest.mark.parametrize("harm", [other_rows, a_little_off])
def test_embeddings_of_another_backbone(textures: Dataset, harm: Any) -> None:
    bundle, vectors = taught(zoo.open_builtin(PARENTS[0]), textures)
    found = measure(bundle, textures, harm(vectors))
    assert found.timed == len(textures.rows)
    assert found.answers == measure(bundle, textures).answers


def test_another_tail_is_noticed(textures: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    parent = zoo.open_builtin(PARENTS[0])
    bundle, vectors = taught(parent, textures)
    weights = np.zeros((len(make_dataset.KINDS), vectors.shape[1]), np.float32)
    weights[0] = 0.01
    bias = np.zeros(len(weights), np.float32)
    logits = vectors @ weights.T
    wrong = graft(parent, weights, bias, list(make_dataset.KINDS), name="wrong", logits=logits)
    monkeypatch.setattr(measuring, "tail_graph", lambda _: tail_graph(wrong))
    assert measure(bundle, textures, vectors).timed == len(textures.rows)


def test_few_pictures_all_go_through_the_whole(textures: Dataset) -> None:
    bundle, vectors = taught(zoo.open_builtin(PARENTS[0]), textures)
    few = textures.only(list(range(20)))
    assert measure(bundle, few, vectors[:20]).timed == 20


def test_it_says_what_was_timed(
    textures: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, vectors = taught(zoo.open_builtin(PARENTS[0]), textures)
    short = measure(bundle, textures, vectors)
    assert short.wall_s is None
    assert short.pictures_per_s is None
    assert set(short.speed()) == {"decode", "preprocess", "inference", "total"}
    assert any("32 of 65 pictures" in note for note in short.notes)
    assert "32 of 65 pictures were" in page.page(short, None)
    short.save(tmp_path / "saved.json")
    again = Evaluation.read(tmp_path / "saved.json")
    assert again == short
    assert again.timed == 32
    untimed = short.only({answer.path for answer in short.answers if not answer.timings_ms})
    assert untimed.speed() == {}
    print_evaluation(untimed, "folders")
    assert "Top-1" in capsys.readouterr().out
