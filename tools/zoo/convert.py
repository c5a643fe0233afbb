"""Writes a network as a float TensorFlow Lite graph: raw bytes in, probabilities out.

No converter is involved: the graph holds exactly the operators named here, so there is nothing to
clean up after (no TRANSPOSE, no needless PAD), and the same weights always give the same bytes.
"""

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from networks import INPUT_MEAN, INPUT_STD, Block, Conv, Network

from whatsit.graph.read import Op, Quantisation, Type
from whatsit.graph.write import GraphWriter

# real = scale * (stored - zero_point): the bytes themselves, seen as (p - 127) / 128.
INPUT_QUANTISATION = Quantisation.single(1 / INPUT_STD, int(INPUT_MEAN))


def float_graph(network: Network) -> bytes:
    """The float32 graph of a network: DEQUANTIZE, layers, SOFTMAX."""
    return _Converter(network).run()


class _Converter:
    def __init__(self, network: Network) -> None:
        self._network = network
        self._writer = GraphWriter(network.name)

    def run(self) -> bytes:
        network, writer = self._network, self._writer
        shape = (1, *network.height_width, 3)
        image = writer.tensor("image", shape, Type.UINT8, INPUT_QUANTISATION)
        x = writer.tensor("normalised", shape, Type.FLOAT32)
        writer.operator(Op.DEQUANTIZE, 1, [image], [x], schema.DequantizeOptionsT())
        if network.border is not None:
            x = self._bordered(x, network.border)
        x = self._conv("stem", x, network.stem, padded=network.border is not None)
        for number, block in enumerate(network.blocks, 1):
            x = self._block(f"block{number}", x, block)
        x = self._conv("features", x, network.head)
        return writer.finish([image], [self._classify(x)])

    def _shape(self, tensor: int) -> tuple[int, ...]:
        return tuple(int(n) for n in self._writer.graph.tensors[tensor].shape)

    def _bordered(self, x: int, border: np.ndarray) -> int:
        """Puts a row above and a column left of the picture, in the colour that the stem's padding
        stands for.

        PADV2 knows one value for all channels; two CONCATENATIONs with constants know one for each.
        """
        _, height, width, channels = self._shape(x)
        row = np.broadcast_to(border, (1, 1, width, channels))
        x = self._concatenate("border_top", row, x, axis=1)
        column = np.broadcast_to(border, (1, height + 1, 1, channels))
        return self._concatenate("border_left", column, x, axis=2)

    def _concatenate(self, name: str, first: np.ndarray, x: int, axis: int) -> int:
        shape = list(self._shape(x))
        shape[axis] += first.shape[axis]
        colours = self._writer.constant(f"{name}/colour", np.ascontiguousarray(first))
        out = self._writer.tensor(name, tuple(shape), Type.FLOAT32)
        options = schema.ConcatenationOptionsT()
        options.axis = axis
        self._writer.operator(Op.CONCATENATION, 1, [colours, x], [out], options)
        return out

    def _pad_top_left(self, name: str, x: int) -> int:
        """PyTorch's padding of one on all sides, as far as a stride of 2 over an even size ever
        reads it.
        """
        _, height, width, channels = self._shape(x)
        amounts = np.array([[0, 0], [1, 0], [1, 0], [0, 0]], np.int32)
        paddings = self._writer.constant(f"{name}/paddings", amounts)
        out = self._writer.tensor(name, (1, height + 1, width + 1, channels), Type.FLOAT32)
        self._writer.operator(Op.PAD, 1, [x, paddings], [out], schema.PadOptionsT())
        return out

    def _conv(self, name: str, x: int, conv: Conv, padded: bool = False) -> int:
        kernel = conv.weights.shape[1]
        if conv.symmetric and conv.stride == 2 and not padded:
            x, padded = self._pad_top_left(f"{name}/padded", x), True
        _, height, width, _ = self._shape(x)
        if padded:
            height, width = height - kernel + 1, width - kernel + 1
        out_shape = (1, -(-height // conv.stride), -(-width // conv.stride), len(conv.bias))
        weights = self._writer.constant(f"{name}/weights", conv.weights)
        bias = self._writer.constant(f"{name}/bias", conv.bias)
        out = self._writer.tensor(name, out_shape, Type.FLOAT32)
        code = Op.DEPTHWISE_CONV_2D if conv.depthwise else Op.CONV_2D
        self._writer.operator(code, 1, [x, weights, bias], [out], _conv_options(conv, padded))
        return out

    def _block(self, name: str, x: int, block: Block) -> int:
        y = x
        if block.expand is not None:
            y = self._conv(f"{name}/expand", y, block.expand)
        y = self._conv(f"{name}/depthwise", y, block.depthwise)
        y = self._conv(f"{name}/project", y, block.project)
        if not block.residual:
            return y
        out = self._writer.tensor(f"{name}/sum", self._shape(y), Type.FLOAT32)
        self._writer.operator(Op.ADD, 1, [x, y], [out], schema.AddOptionsT())
        return out

    def _classify(self, x: int) -> int:
        """Mean over the picture, dense layer, softmax. The tensor `embedding` is [1, channels]."""
        writer, channels = self._writer, self._shape(x)[3]
        classes = len(self._network.dense_bias)
        axes = writer.constant("embedding/axes", np.array([1, 2], np.int32))
        embedding = writer.tensor("embedding", (1, channels), Type.FLOAT32)
        writer.operator(Op.MEAN, 1, [x, axes], [embedding], schema.ReducerOptionsT())
        weights = writer.constant("logits/weights", self._network.dense_weights)
        bias = writer.constant("logits/bias", self._network.dense_bias)
        logits = writer.tensor("logits", (1, classes), Type.FLOAT32)
        options = schema.FullyConnectedOptionsT()
        writer.operator(Op.FULLY_CONNECTED, 1, [embedding, weights, bias], [logits], options)
        out = writer.tensor("probabilities", (1, classes), Type.FLOAT32)
        softmax = schema.SoftmaxOptionsT()
        softmax.beta = 1.0
        writer.operator(Op.SOFTMAX, 1, [logits], [out], softmax)
        return out


def _conv_options(
    conv: Conv, padded: bool
) -> schema.Conv2DOptionsT | schema.DepthwiseConv2DOptionsT:
    options = schema.DepthwiseConv2DOptionsT() if conv.depthwise else schema.Conv2DOptionsT()
    options.padding = schema.Padding.VALID if padded else schema.Padding.SAME
    options.strideH = options.strideW = conv.stride
    options.dilationHFactor = options.dilationWFactor = 1
    if conv.depthwise:
        options.depthMultiplier = 1
    relu6 = schema.ActivationFunctionType.RELU6
    options.fusedActivationFunction = relu6 if conv.relu6 else schema.ActivationFunctionType.NONE
    return options
