"""Puts a new last layer in the place of a bundle's own: the same backbone, other classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from .. import _metadata
from ..bundle import LICENSE_FILE, Bundle
from ..errors import UsageError
from ..labels import Labels
from .head import Floats, Head, cut, locate
from .int8_layer import int8_layer
from .read import Op, Quantisation, Type, parse
from .write import GraphWriter

# Fewer values are not worth a DEQUANTIZE.
_LEAST_HALVES = 4096
_INHERITED = ("licence", "origin")  # of the parent's record; its accuracy is its own


def graft(
    bundle: Bundle,
    weights: Floats,
    bias: Floats,
    labels: Labels | Sequence[str],
    *,
    name: str,
    logits: Floats | None = None,
    facts: Mapping[str, Any] | None = None,
    description: str = "",
) -> Bundle:
    """`bundle` with the last layer weights (C, D), bias (C,) and with the classes `labels`.

    The layer is stored as the old one was. For an int8 embedding that takes `logits` (N, C), what
    the layer gives for pictures like those to come: the steps of its output are chosen by them. The
    output is float32 probabilities [1, C]. Preprocessing, licence and origin are the parent's, and
    the parent is written down in the record, to which `facts` are added. The same arguments give
    the same bytes. Raises UsageError for numbers or names that do not fit, ModelUnsupported if
    there is no layer to replace.
    """
    classes = _classes(labels)
    model = parse(bundle)
    head = locate(bundle, model)
    weights, bias = _numbers(weights, bias, len(classes), head.width)
    mean, std = bundle.normalisation()
    embedding = cut(bundle, model, head)
    writer = GraphWriter.onto(model)
    if head.dtype == "int8":
        seen = _seen(logits, len(classes))
        scores = _int8_head(writer, embedding, weights, bias, seen)
    else:
        scores = _float_head(writer, embedding, weights, bias, head)
    graph = writer.finish([int(index) for index in writer.graph.inputs], [_softmax(writer, scores)])
    return Bundle.create(
        graph,
        name=name,
        labels=classes,
        preprocess=bundle.preprocess,
        mean=mean,
        std=std,
        facts=_record(bundle, facts or {}),
        description=description,
        author=bundle.metadata.author,
        license=bundle.metadata.license,
        license_text=_licence_text(bundle),
    )


def _int8_head(
    writer: GraphWriter, embedding: int, weights: Floats, bias: Floats, logits: Floats
) -> int:
    """Adds an int8 layer, and what makes its logits float32; returns their index.

    A convolution of 1 x 1 and not FULLY_CONNECTED: the same sum, but old runtimes know it with a
    scale for each class.
    """
    source = Quantisation.of(writer.graph.tensors[embedding])
    assert source is not None  # locate would have refused it
    layer = int8_layer(weights, bias, source, logits)
    count, width = weights.shape
    points = np.zeros(count, np.int64)
    kernel = writer.constant(
        "logits/weights",
        layer.weights.reshape(count, 1, 1, width),
        Quantisation(layer.scales, points),
    )
    biases = writer.constant(
        "logits/bias", layer.bias, Quantisation(layer.scales * source.scales[0], points)
    )
    out = writer.tensor("logits", (1, 1, 1, count), Type.INT8, layer.output)
    options = schema.Conv2DOptionsT()
    options.padding = schema.Padding.VALID
    options.strideW = options.strideH = 1
    picture = writer.reshaped(embedding, (1, 1, 1, width))
    writer.operator(Op.CONV_2D, 3, [picture, kernel, biases], [out], options)
    return writer.dequantised(writer.reshaped(out, (1, count)))


def _float_head(
    writer: GraphWriter, embedding: int, weights: Floats, bias: Floats, head: Head
) -> int:
    """Adds a float layer; returns the index of its logits."""
    vector = writer.reshaped(writer.dequantised(embedding), (1, head.width))
    halves = head.storage == "float16" and weights.size >= _LEAST_HALVES
    # A weight that float16 cannot hold would turn into infinity.
    if halves and np.abs(weights).max() <= np.finfo(np.float16).max:
        stored = writer.constant("logits/weights", weights.astype(np.float16))
        kernel = writer.dequantised(stored)
    else:
        kernel = writer.constant("logits/weights", weights)
    biases = writer.constant("logits/bias", bias)
    out = writer.tensor("logits", (1, len(bias)), Type.FLOAT32)
    options = schema.FullyConnectedOptionsT()
    writer.operator(Op.FULLY_CONNECTED, 1, [vector, kernel, biases], [out], options)
    return out


def _softmax(writer: GraphWriter, logits: int) -> int:
    shape = tuple(int(side) for side in writer.graph.tensors[logits].shape)
    out = writer.tensor("probabilities", shape, Type.FLOAT32)
    options = schema.SoftmaxOptionsT()
    options.beta = 1.0
    writer.operator(Op.SOFTMAX, 1, [logits], [out], options)
    return out


def _classes(labels: Labels | Sequence[str]) -> Labels:
    """The labels, checked: the same name twice would be two answers that nobody can tell apart."""
    names = labels.names if isinstance(labels, Labels) else [str(name).strip() for name in labels]
    if len(names) < 2:
        raise UsageError(
            f"{len(names)} class{'' if len(names) == 1 else 'es'} to tell apart",
            expected="at least two: a model of one class gives it to every picture",
            hint="add a class with pictures of anything else",
        )
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise UsageError(
            f"the class {twice[0]!r} twice", expected="a name of its own for each class"
        )
    if not all(names):
        raise UsageError(f"class {list(names).index('')} without a name", expected="a name")
    return labels if isinstance(labels, Labels) else Labels(tuple(names))


def _numbers(weights: Floats, bias: Floats, classes: int, width: int) -> tuple[Floats, Floats]:
    """Weights and biases as float32, of the right shape and all of them numbers."""
    if weights.shape != (classes, width) or bias.shape != (classes,):
        raise UsageError(
            f"weights {list(weights.shape)} and biases {list(bias.shape)}",
            expected=f"[{classes}, {width}] and [{classes}]: {classes} classes, an embedding of "
            f"{width} values",
        )
    return _finite(weights, "weights"), _finite(bias, "biases")


def _finite(values: NDArray[Any], what: str) -> Floats:
    with np.errstate(over="ignore"):  # what float32 cannot hold is refused below
        found = np.asarray(values, np.float32)
    if not np.isfinite(found).all():
        count = int((~np.isfinite(found)).sum())
        raise UsageError(f"{count} of the {found.size} {what} are no finite numbers")
    return np.ascontiguousarray(found)


def _seen(logits: Floats | None, classes: int) -> Floats:
    if logits is None:
        raise UsageError(
            "an int8 layer without logits",
            expected="what the layer gives for some pictures, to choose the steps of its output by",
        )
    if logits.ndim != 2 or logits.shape[1] != classes or len(logits) == 0:
        raise UsageError(
            f"logits {list(logits.shape)}",
            expected=f"[pictures, {classes}], of at least one picture",
        )
    return _finite(logits, "logits")


def _record(bundle: Bundle, facts: Mapping[str, Any]) -> dict[str, Any]:
    inherited = {key: bundle.record[key] for key in _INHERITED if key in bundle.record}
    own = bundle.record.get("parents")
    parents = [*(own if isinstance(own, list) else []), _parent(bundle)]
    return {**inherited, **facts, "parents": parents}


def _parent(bundle: Bundle) -> dict[str, str]:
    return {"name": bundle.name, "sha256": bundle.sha256}


def _licence_text(bundle: Bundle) -> str:
    text = _metadata.read_files(bundle.data).get(LICENSE_FILE, b"")
    return text.decode("utf-8", "replace")
