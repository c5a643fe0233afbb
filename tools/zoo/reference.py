"""The published networks as PyTorch runs them: the oracle that the written graphs are held to."""

import numpy as np
import torch
from efficientnet_lite_pytorch import EfficientNet
from networks import SOURCES, load_state
from torch import nn

# (expansion, channels, blocks, first stride): MobileNetV2's table 2, arXiv:1801.04381.
_MOBILENET_V2 = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
# (mean, std) for pixels in 0..255.
_LITE_NORMALISATION = ([127.0] * 3, [128.0] * 3)
_IMAGENET_NORMALISATION = ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375])


class _ConvNorm(nn.Sequential):
    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1
    ) -> None:
        super().__init__(
            nn.Conv2d(
                inputs, outputs, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False
            ),
            nn.BatchNorm2d(outputs),
            nn.ReLU6(),
        )


class _InvertedResidual(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.residual = stride == 1 and inputs == outputs
        layers: list[nn.Module] = [_ConvNorm(inputs, hidden, 1, 1)] if expansion > 1 else []
        layers.append(_ConvNorm(hidden, hidden, 3, stride, groups=hidden))
        layers += [nn.Conv2d(hidden, outputs, 1, bias=False), nn.BatchNorm2d(outputs)]
        self.conv = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.conv(x)
        return x + y if self.residual else y


class MobileNetV2(nn.Module):
    """MobileNetV2 1.0 under the published parameter names, so that its weights load strictly."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [_ConvNorm(3, 32, 3, 2)]
        channels = 32
        for expansion, outputs, count, first_stride in _MOBILENET_V2:
            for i in range(count):
                stride = 1 if i else first_stride
                layers.append(_InvertedResidual(channels, outputs, stride, expansion))
                channels = outputs
        layers.append(_ConvNorm(channels, 1280, 1, 1))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(), nn.Linear(1280, 1000))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.classifier(self.features(x).mean((2, 3)))
        return y


class Reference:
    """A published network that answers raw pictures with probabilities."""

    def __init__(self, name: str) -> None:
        is_mobilenet = name == "mobilenet-v2"
        self._model: nn.Module = MobileNetV2() if is_mobilenet else EfficientNet.from_name(name)
        self._model.load_state_dict(load_state(name))
        self._model.eval()
        mean, std = _IMAGENET_NORMALISATION if is_mobilenet else _LITE_NORMALISATION
        self._mean, self._std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in (mean, std))
        self.size = SOURCES[name].size

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        """Probabilities [n, 1000] of pictures uint8 [n, h, w, 3]."""
        x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float()
        with torch.inference_mode():
            probabilities: np.ndarray = self._model((x - self._mean) / self._std).softmax(1).numpy()
        return probabilities
