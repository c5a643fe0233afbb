"""Why, in the web app: the maps and the words are those of whatsit.explain."""

from __future__ import annotations

from typing import Any

import make_heads
import make_maps
import numpy as np
import pytest
from js import Js, JsError, JsObject

import whatsit
from whatsit import Bundle, Explainer, Explanation, ModelUnsupported, UsageError, zoo
from whatsit.explain import colours
from whatsit.explain.evidence import REGIONS, Evidence
from whatsit.graph import find_feature_map
from whatsit.graph.read import Op, Quantisation
from whatsit.inputs import tensor
from whatsit.preprocess import Placement

MODELS = ["efficientnet-lite0-int8", "efficientnet-lite0-float16", "mobilenet-v2-int8"]
CLOSE = 1e-4
PIXELS = np.zeros((8, 8, 3), np.uint8)


def opened(js: Js, bundle: Bundle) -> JsObject:
    return js.keep("core/bundle.js", "readBundle", bundle.data, bundle.name)


def found(js: Js, bundle: Bundle) -> dict[str, Any]:
    value: dict[str, Any] = js("core/explain/feature_map.js", "findFeatureMap", opened(js, bundle))
    return value


@pytest.mark.parametrize("name", zoo.catalogue())
def test_the_feature_map_is_that_of_python(js: Js, name: str) -> None:
    bundle = zoo.open_builtin(name)
    expected = find_feature_map(bundle)
    ours = found(js, bundle)
    for key in ("tensor", "height", "width", "depth"):
        assert ours[key] == getattr(expected, key)
    spec = expected.spec
    assert ours["spec"]["dtype"] == spec.dtype
    if spec.dtype != "float32":
        assert (ours["spec"]["scale"], ours["spec"]["zeroPoint"]) == (spec.scale, spec.zero_point)
    assert np.array_equal(ours["layer"]["weights"], expected.layer.weights.reshape(-1))
    assert np.array_equal(ours["layer"]["bias"], expected.layer.bias)


@pytest.mark.parametrize("kind", make_heads.KINDS)
def test_every_kind_of_head(js: Js, kind: str) -> None:
    steps = {"int8": Quantisation.single(1 / 255, -128), "uint8": Quantisation.single(1 / 255, 0)}
    bundle = make_heads.small(kind, embedding=steps.get(kind))
    expected, ours = find_feature_map(bundle), found(js, bundle)
    assert ours["tensor"] == expected.tensor
    assert ours["layer"]["weights"] == pytest.approx(expected.layer.weights.reshape(-1))
    assert ours["layer"]["bias"] == pytest.approx(expected.layer.bias)


@pytest.mark.parametrize(
    "bundle", [make_maps.colours(axes=(-3, -2)), make_maps.colours(pool="average")]
)
def test_other_ways_to_the_mean(js: Js, bundle: Bundle) -> None:
    assert found(js, bundle)["tensor"] == find_feature_map(bundle).tensor


@pytest.mark.parametrize(
    "bundle",
    [
        make_maps.without_map(),
        make_maps.colours(axes=(1,)),
        make_maps.colours(pool="average", window=4),
        make_maps.colours(between=Op.RELU),
    ],
)
def test_networks_without_a_map_are_refused_as_in_python(js: Js, bundle: Bundle) -> None:
    with pytest.raises(ModelUnsupported) as expected:
        find_feature_map(bundle)
    with pytest.raises(JsError) as caught:
        found(js, bundle)
    assert str(caught.value) == expected.value.message
    assert caught.value.code == expected.value.code
    assert caught.value.expected == expected.value.expected
    assert caught.value.hint == expected.value.hint


def same(ours: dict[str, Any], why: Explanation) -> None:
    """The same values, classes and place."""
    assert why.versus is not None
    assert why.difference is not None
    shape = why.target.values.shape
    for name, expected in (("map", why.target.values), ("difference", why.difference.values)):
        cells = ours[name]
        assert (cells["height"], cells["width"]) == shape
        assert np.asarray(cells["values"]) == pytest.approx(expected.reshape(-1), abs=CLOSE)
    for name, side in (("target", why.target), ("versus", why.versus)):
        assert ours[name]["index"] == side.index
        assert ours[name]["label"] == side.label
        for key in ("score", "logit", "bias"):
            assert ours[name][key] == pytest.approx(getattr(side, key), abs=CLOSE)
    assert ours["temperature"] == pytest.approx(why.temperature)
    assert list(ours["placement"]["box"]) == pytest.approx(why.placement.box)
    assert list(ours["placement"]["inner"]) == pytest.approx(why.placement.inner)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("asked", [{}, {"target": 282, "versus": "Tabby "}])
def test_an_explanation_is_that_of_python(js: Js, name: str, asked: dict[str, Any]) -> None:
    bundle = zoo.open_builtin(name)
    with Explainer(bundle, runtime="litert") as explainer:
        why = explainer.explain(zoo.GOLDEN / "cat.png", **asked)
        with explainer._engines.lent(1) as engine:
            scores, cells = engine.both(tensor(bundle.input, why.pixels))
    labels = {"names": bundle.labels.names, "synsets": bundle.labels.synsets}
    kept = opened(js, bundle)
    ours = js(
        "core/explain.js",
        "explanationOf",
        kept,
        js.keep("core/explain/feature_map.js", "findFeatureMap", kept),
        {"values": scores[0], "cells": cells[0]},
        js("core/explain.js", "pairOf", labels, asked),
        {"box": why.placement.box, "inner": why.placement.inner, "turns": 0},
    )
    same(ours, why)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"target": 3}, "no class 3"),
        ({"target": -1}, "no class -1"),
        ({"versus": "pink"}, "no class 'pink'"),
        ({"target": 1, "versus": "Green"}, "the class 'green' against itself"),
    ],
)
def test_classes_that_cannot_be_asked_for(js: Js, asked: dict[str, Any], message: str) -> None:
    labels = {"names": make_maps.COLOURS, "synsets": []}
    with pytest.raises(JsError) as caught:
        js("core/explain.js", "pairOf", labels, asked)
    assert (caught.value.code, str(caught.value)) == ("wrong-usage", message)
    assert caught.value.expected
    with pytest.raises(UsageError) as expected:
        whatsit.explain(make_maps.colours(), PIXELS, runtime="litert", **asked)
    assert expected.value.message == message
    assert expected.value.expected == caught.value.expected


PLACES = [
    Placement((0.0, 0.0, 1.0, 1.0), (0.0, 0.0, 1.0, 1.0), 0),
    Placement((0.22, 0.0625, 0.78, 0.9375), (0.0, 0.0, 1.0, 1.0), 0),
    Placement((0.0, 0.0, 1.0, 1.0), (0.0, 0.21, 1.0, 0.79), 0),
]


@pytest.mark.parametrize("placement", PLACES)
@pytest.mark.parametrize("shape", [(7, 7), (8, 8), (4, 9), (1, 1)])
def test_a_map_lies_over_the_picture_as_in_python(
    js: Js, placement: Placement, shape: tuple[int, int]
) -> None:
    values = np.random.default_rng(shape[1]).normal(size=shape).astype(np.float32)
    theirs = Evidence(values, placement)
    cells = {"values": values.reshape(-1), "height": shape[0], "width": shape[1]}
    place = {"box": placement.box, "inner": placement.inner, "turns": 0}
    ours = js.new("core/explain/evidence.js", "Evidence", cells, place)
    for one, other in ((ours, theirs), (ours.keep("negated"), -theirs)):
        seen = one.call("onPicture", 60, 80)
        expected = other.on_picture(60, 80).reshape(-1)
        assert np.array_equal(np.isnan(seen), np.isnan(expected))
        assert np.nan_to_num(seen) == pytest.approx(np.nan_to_num(expected), abs=1e-5)
        peak = one.get("peak")
        assert peak == (other.peak if other.peak is None else pytest.approx(other.peak))
        assert one.get("regions") == pytest.approx(list(other.regions.values()), abs=1e-5)


def test_the_parts_of_a_picture_have_the_names_of_python(js: Js) -> None:
    assert tuple(js("core/explain/evidence.js", "REGIONS.slice")) == REGIONS


def test_colours_are_those_of_python(js: Js) -> None:
    steps = np.linspace(0, 1, 256, dtype=np.float32)
    assert np.array_equal(js("core/explain/colours.js", "heat"), colours.heat(steps))
    sides = js("core/explain/colours.js", "sides")
    assert np.array_equal(sides["first"][1:], colours.sides(steps)[1:])
    assert np.array_equal(sides["second"][1:], colours.sides(-steps)[1:])
