"""Builds small float classifiers that do arithmetic worth quantising."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from whatsit import Bundle
from whatsit._flatbuffer import pack_model, read_model
from whatsit._metadata import Metadata, _append_files, _metadata_buffer, _pack_metadata
from whatsit.graph.read import Op, Quantisation, Type
from whatsit.graph.write import GraphWriter

CLASSES = 4


@dataclass(frozen=True)
class Network:
    """What kind of network: how its input comes, and which forms its layers have."""

    side: int = 16
    floats_in: bool = False
    pads: bool = False  # PAD and a VALID convolution in place of SAME
    gain: float = 1.0  # of the first layer: less for larger inputs
    biased: bool = True  # FULLY_CONNECTED
    fused: bool = True  # activations
    flattens: bool = False  # FULLY_CONNECTED reads the last map as it is
    squeezes: bool = False  # a 1x1 convolution and SQUEEZE in place of FULLY_CONNECTED
    last: int = Op.SOFTMAX
    between: int | None = None  # one more operator, after the first layer
    seed: int = 0


def graph(kind: Network) -> bytes:
    """Two convolutions, a residual sum, a mean, a dense layer, a softmax."""
    return _Builder(kind).run()


def bundle(kind: Network, name: str = "net", rule: str = "stretch") -> Bundle:
    """The network with labels; float32 pixels are normalised with 127 and 128."""
    labels = [f"c{i}" for i in range(CLASSES)]
    return Bundle.create(
        graph(kind), name=name, labels=labels, preprocess=rule, mean=127.0, std=128.0
    )


def with_normalisation(made: Bundle, mean: tuple[float, ...], std: tuple[float, ...]) -> Bundle:
    """A bundle as others make it: three means and deviations, and no record of ours."""
    metadata = Metadata(name="foreign", mean=mean, std=std, labels_file="labels.txt")
    files = {"labels.txt": ("\n".join(made.labels.names) + "\n").encode()}
    model = read_model(made.data)
    _metadata_buffer(model).data = _pack_metadata(metadata, files)
    return Bundle.from_bytes(_append_files(pack_model(model), files), made.name)


class _Builder:
    def __init__(self, kind: Network) -> None:
        self.kind = kind
        self.writer = GraphWriter("test")
        self.random = np.random.default_rng(kind.seed)

    def run(self) -> bytes:
        kind, writer = self.kind, self.writer
        shape = (1, kind.side, kind.side, 3)
        if kind.floats_in:
            image = x = writer.tensor("image", shape, Type.FLOAT32)
        else:
            image = writer.tensor("image", shape, Type.UINT8, Quantisation.single(1 / 128, 127))
            x = writer.tensor("normalised", shape, Type.FLOAT32)
            writer.operator(Op.DEQUANTIZE, 1, [image], [x], schema.DequantizeOptionsT())
        x = self.first(x)
        if kind.between is not None:
            y = writer.tensor("between", self.shape(x), Type.FLOAT32)
            writer.operator(kind.between, 1, [x], [y], _options(kind.between))
            x = y
        y = self.depthwise(x)
        total = writer.tensor("sum", self.shape(x), Type.FLOAT32)
        writer.operator(Op.ADD, 1, [x, y], [total], schema.AddOptionsT())
        return writer.finish([image], [self.classify(total)])

    def shape(self, tensor: int) -> tuple[int, ...]:
        return tuple(int(n) for n in self.writer.graph.tensors[tensor].shape)

    def values(self, *shape: int, scale: float = 1.0) -> np.ndarray:
        return (self.random.normal(size=shape) * scale).astype(np.float32)

    def layer(
        self, code: int, name: str, x: int, weights: np.ndarray, out: tuple[int, ...], options: Any
    ) -> int:
        """A layer with weights, its bias and its RELU6 as the kind says."""
        writer = self.writer
        bias = writer.constant(f"{name}/bias", self.values(out[-1], scale=0.3))
        inputs = [x, writer.constant(f"{name}/weights", weights), bias]
        result = writer.tensor(f"{name};out", out, Type.FLOAT32)
        fused = schema.ActivationFunctionType.RELU6
        options.fusedActivationFunction = fused if self.kind.fused else 0
        writer.operator(code, 1, inputs, [result], options)
        if self.kind.fused:
            return result
        active = writer.tensor(f"{name}/active", out, Type.FLOAT32)
        writer.operator(Op.RELU6, 1, [result], [active])
        return active

    def first(self, x: int) -> int:
        kind, writer, side = self.kind, self.writer, self.kind.side
        options = schema.Conv2DOptionsT()
        options.strideH = options.strideW = 2
        options.padding = schema.Padding.SAME
        if kind.pads:
            amounts = np.array([[0, 0], [1, 1], [1, 1], [0, 0]], np.int32)
            padded = writer.tensor("padded", (1, side + 2, side + 2, 3), Type.FLOAT32)
            inputs = [x, writer.constant("amounts", amounts)]
            writer.operator(Op.PAD, 1, inputs, [padded], schema.PadOptionsT())
            x, options.padding = padded, schema.Padding.VALID
        out = (1, (side + 1) // 2, (side + 1) // 2, 8)
        weights = self.values(8, 3, 3, 3, scale=0.6 * kind.gain)
        return self.layer(Op.CONV_2D, "first", x, weights, out, options)

    def depthwise(self, x: int) -> int:
        options = schema.DepthwiseConv2DOptionsT()
        options.strideH = options.strideW = options.depthMultiplier = 1
        options.padding = schema.Padding.SAME
        weights = self.values(1, 3, 3, 8, scale=0.4)
        return self.layer(Op.DEPTHWISE_CONV_2D, "depthwise", x, weights, self.shape(x), options)

    def classify(self, x: int) -> int:
        writer, width = self.writer, int(np.prod(self.shape(x)[1:]))
        axes = writer.constant("axes", np.array([1, 2], np.int32))
        options = schema.ReducerOptionsT()
        options.keepDims = self.kind.squeezes
        wide = (1, 1, 1, 8) if self.kind.squeezes else (1, 8)
        embedding = writer.tensor("embedding", wide, Type.FLOAT32)
        writer.operator(Op.MEAN, 1, [x, axes], [embedding], options)
        logits = writer.tensor("logits", (1, CLASSES), Type.FLOAT32)
        bias = writer.constant("logits/bias", self.values(CLASSES, scale=0.1))
        if self.kind.squeezes:
            weights = writer.constant("logits/weights", self.values(CLASSES, 1, 1, 8, scale=1.0))
            maps = writer.tensor("maps", (1, 1, 1, CLASSES), Type.FLOAT32)
            conv = schema.Conv2DOptionsT()
            conv.strideH = conv.strideW = 1
            writer.operator(Op.CONV_2D, 1, [embedding, weights, bias], [maps], conv)
            squeeze = schema.SqueezeOptionsT()
            squeeze.squeezeDims = np.array([1, 2], np.int32)
            writer.operator(Op.SQUEEZE, 1, [maps], [logits], squeeze)
        else:
            read, width = (x, width) if self.kind.flattens else (embedding, 8)
            values = self.values(CLASSES, width, scale=(8 / width) ** 0.5)
            weights = writer.constant("logits/weights", values)
            dense = schema.FullyConnectedOptionsT()
            inputs = [read, weights, bias if self.kind.biased else -1]
            writer.operator(Op.FULLY_CONNECTED, 1, inputs, [logits], dense)
        out = writer.tensor("probabilities", (1, CLASSES), Type.FLOAT32)
        softmax = None
        if self.kind.last == Op.SOFTMAX:
            softmax = schema.SoftmaxOptionsT()
            softmax.beta = 1.0
        writer.operator(self.kind.last, 1, [logits], [out], softmax)
        return out


def _options(code: int) -> Any:
    """Pools look at 3 x 3 and keep the size; other operators need no options."""
    if code not in (Op.AVERAGE_POOL_2D, Op.MAX_POOL_2D):
        return None
    options = schema.Pool2DOptionsT()
    options.filterHeight = options.filterWidth = 3
    options.strideH = options.strideW = 1
    options.padding = schema.Padding.SAME
    return options
