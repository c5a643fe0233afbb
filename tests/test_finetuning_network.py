"""The torch module computes what LiteRT computes, and gives its weights back to the graph."""

from __future__ import annotations

from typing import Any

import make_heads
import make_networks
import numpy as np
import pytest
from make_networks import Network as Kind

from whatsit import Bundle, ModelUnsupported, zoo
from whatsit._flatbuffer import pack_model, read_model
from whatsit.graph.plain import plain_graph
from whatsit.graph.read import Op, constant, only_graph
from whatsit.graph.remade import remade
from whatsit.runtimes import Graph, open_runtime

torch = pytest.importorskip("torch")

from whatsit.bundle import OutputSpec  # noqa: E402
from whatsit.train import Tuning, finetuning  # noqa: E402
from whatsit.train.finetuning.network import Network  # noqa: E402

KINDS = {
    "plain": Kind(),
    "pad": Kind(pads=True),
    "uneven side": Kind(side=15),
    "float input": Kind(floats_in=True),
    "separate activations": Kind(fused=False),
    "dense layer on a map": Kind(flattens=True),
    "convolution for a dense layer": Kind(squeezes=True),
    "max pool": Kind(between=Op.MAX_POOL_2D),
    "average pool": Kind(between=Op.AVERAGE_POOL_2D),
}


def plain(bundle: Bundle) -> Bundle:
    form = plain_graph(bundle)
    return remade(bundle, form.graph, name=bundle.name, mean=form.mean, std=form.std, facts={})


def by_litert(graph: bytes, width: int, pictures: np.ndarray) -> np.ndarray:
    runtime = open_runtime(Graph("net", graph, OutputSpec("float32", width)), "litert", threads=1)
    return np.concatenate([runtime.raw(picture[np.newaxis]) for picture in pictures])


def whole(bundle: Bundle) -> tuple[Any, Network]:
    """The graph up to the logits."""
    model = read_model(plain_graph(bundle).graph)
    return model, Network(model, int(only_graph(model).operators[-1].inputs[0]))


def softmax(logits: np.ndarray) -> np.ndarray:
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_small_graphs_give_the_same(kind: Kind) -> None:
    bundle = make_networks.bundle(kind)
    form = plain(bundle)
    pictures = np.random.default_rng(3).integers(0, 256, (5, kind.side, kind.side, 3), np.uint8)
    _, network = whole(bundle)
    expected = by_litert(form.data, make_networks.CLASSES, pictures)
    with torch.no_grad():
        given = softmax(network(torch.from_numpy(pictures)).numpy())
    assert given == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("name", ["efficientnet-lite0-float16", "mobilenet-v2-float16"])
def test_real_models_give_the_same(name: str) -> None:
    bundle = zoo.open_builtin(name)
    pictures = np.concatenate(make_heads.golden_batches(bundle))
    _, network = whole(bundle)
    expected = by_litert(plain(bundle).data, len(bundle.labels), pictures)
    with torch.no_grad():
        given = softmax(network(torch.from_numpy(pictures)).numpy())
    assert given == pytest.approx(expected, abs=1e-5)
    assert (given.argmax(1) == expected.argmax(1)).all()


def test_what_is_not_changed_comes_back_as_it_was() -> None:
    model, network = whole(make_networks.bundle(Kind(pads=True, between=Op.MAX_POOL_2D)))
    before = pack_model(model)
    network.write_back()
    tensors = only_graph(read_model(before)).tensors
    for old, new in zip(tensors, only_graph(model).tensors, strict=True):
        was, now = constant(read_model(before), old), constant(model, new)
        assert (was is None) == (now is None)
        assert was is None or (was.shape == now.shape and (was == now).all())


def test_what_was_learned_is_what_litert_runs() -> None:
    bundle = make_networks.bundle(Kind(side=15))
    model, network = whole(bundle)
    chance = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=chance) * 0.1)
    network.write_back()
    pictures = np.random.default_rng(4).integers(0, 256, (5, 15, 15, 3), np.uint8)
    found = by_litert(pack_model(model), make_networks.CLASSES, pictures)
    with torch.no_grad():
        given = softmax(network(torch.from_numpy(pictures)).numpy())
    assert given == pytest.approx(found, abs=2e-6)
    before = by_litert(plain(bundle).data, make_networks.CLASSES, pictures)
    assert np.abs(found - before).max() > 0.01


def test_every_weight_has_a_slope() -> None:
    _, network = whole(make_networks.bundle(Kind()))
    pictures = torch.randint(0, 256, (4, 16, 16, 3), dtype=torch.uint8)
    torch.nn.functional.cross_entropy(network(pictures), torch.tensor([0, 1, 2, 3])).backward()
    assert len(list(network.parameters())) == 6
    assert all(bool(one.grad.abs().sum() > 0) for one in network.parameters())


def test_depths_go_from_the_picture_to_the_answer() -> None:
    _, network = whole(make_networks.bundle(Kind()))
    depths = [depth for _, depth in network.depths()]
    assert depths == sorted(depths)
    assert (depths[0], depths[-1]) == (0, 1)
    first = network.depths()[0][0]
    assert tuple(first.shape) == (8, 3, 3, 3)


def test_an_operator_without_a_rule_is_named() -> None:
    bundle = make_networks.bundle(Kind(between=Op.LOGISTIC))
    with pytest.raises(ModelUnsupported, match="LOGISTIC") as caught:
        finetuning.check(bundle, Tuning())
    assert "--method head" in caught.value.hint


def test_int8_weights_are_refused_with_the_way_out() -> None:
    with pytest.raises(ModelUnsupported, match="8 bits") as caught:
        finetuning.check(zoo.open_builtin("efficientnet-lite0-int8"), Tuning())
    assert "efficientnet-lite0-float16" in caught.value.hint
