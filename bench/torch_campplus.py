"""Who is speaking, as 192 numbers: CAM++, a densely connected TDNN with context-aware masks, in PyTorch.

Wang, Zheng, Chen, Cheng, Chen (2023), CAM++: A Fast and Efficient Network for Speaker Verification Using
Context-Aware Masking, https://arxiv.org/abs/2303.00332. Names of the parts follow the published weights.

Law: the network and its features, nothing of diarization; torch is imported here, so this is imported late.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

BANDS = 80
NUMBERS = 192
GROWTH, BOTTLENECK = 32, 128
BLOCKS = ((12, 1), (24, 2), (16, 2))
"""Layers of each dense block and their dilation."""
CONTEXT = 100
"""Frames (of 20 ms, after the first layer's stride) over which the local context is averaged."""


class CamPlusPlus(nn.Module):
    """(batch, frames, 80) log-mel bands of zero mean -> (batch, 192) vectors, compared by cosine."""

    def __init__(self) -> None:
        super().__init__()
        self.head = _Head()
        channels = 128
        layers: dict[str, nn.Module] = {"tdnn": _Tdnn(self.head.channels, channels)}
        for number, (depth, dilation) in enumerate(BLOCKS, 1):
            layers[f"block{number}"] = _Dense(depth, channels, dilation)
            channels += depth * GROWTH
            layers[f"transit{number}"] = _Unit(channels, channels // 2)
            channels //= 2
        layers["out_nonlinear"] = _Normal(channels)
        layers["stats"] = _Statistics()
        layers["dense"] = _Embedding(channels * 2, NUMBERS)
        self.xvector = nn.Sequential()
        for name, layer in layers.items():
            self.xvector.add_module(name, layer)

    def forward(self, bands: Tensor) -> Tensor:
        return cast("Tensor", self.xvector(self.head(bands.transpose(1, 2))))


def load(path: Path) -> CamPlusPlus:
    """The network with the weights of `path`. Raises what torch raises for a file of another shape."""
    network = CamPlusPlus()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return network.eval()


class _Head(nn.Module):
    """A small residual network over time and frequency; a third of the frequencies' resolution is left."""

    def __init__(self, channels: int = 32) -> None:
        super().__init__()
        self.channels = channels * (BANDS // 8)
        self.conv1 = nn.Conv2d(1, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.layer1 = nn.Sequential(_Residual(channels, 2), _Residual(channels, 1))
        self.layer2 = nn.Sequential(_Residual(channels, 2), _Residual(channels, 1))
        self.conv2 = nn.Conv2d(channels, channels, 3, stride=(2, 1), padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, bands: Tensor) -> Tensor:
        found = functional.relu(self.bn1(self.conv1(bands[:, None])))
        found = self.layer2(self.layer1(found))
        return functional.relu(self.bn2(self.conv2(found))).flatten(1, 2)


class _Residual(nn.Module):
    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, stride=(stride, 1), padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Sequential()
        if stride > 1:
            self.shortcut.append(nn.Conv2d(channels, channels, 1, stride=(stride, 1), bias=False))
            self.shortcut.append(nn.BatchNorm2d(channels))

    def forward(self, given: Tensor) -> Tensor:
        found = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(given)))))
        return functional.relu(found + self.shortcut(given))


class _Normal(nn.Sequential):
    """Batch normalisation and a rectifier."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.add_module("batchnorm", nn.BatchNorm1d(channels))
        self.add_module("relu", nn.ReLU())


class _Unit(nn.Module):
    """Normalise, then mix the channels."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.nonlinear = _Normal(channels)
        self.linear = nn.Conv1d(channels, out, 1, bias=False)

    def forward(self, given: Tensor) -> Tensor:
        return cast("Tensor", self.linear(self.nonlinear(given)))


class _Tdnn(nn.Module):
    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.linear = nn.Conv1d(channels, out, 5, stride=2, padding=2, bias=False)
        self.nonlinear = _Normal(out)

    def forward(self, given: Tensor) -> Tensor:
        return cast("Tensor", self.nonlinear(self.linear(given)))


class _Dense(nn.Module):
    """Layers that each see all channels before them and add `GROWTH` of their own."""

    def __init__(self, depth: int, channels: int, dilation: int) -> None:
        super().__init__()
        for number in range(depth):
            self.add_module(f"tdnnd{number + 1}", _DenseLayer(channels + number * GROWTH, dilation))

    def forward(self, given: Tensor) -> Tensor:
        for layer in self.children():
            given = torch.cat([given, layer(given)], 1)
        return given


class _DenseLayer(nn.Module):
    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.nonlinear1 = _Normal(channels)
        self.linear1 = nn.Conv1d(channels, BOTTLENECK, 1, bias=False)
        self.nonlinear2 = _Normal(BOTTLENECK)
        self.cam_layer = _ContextMask(dilation)

    def forward(self, given: Tensor) -> Tensor:
        return cast("Tensor", self.cam_layer(self.nonlinear2(self.linear1(self.nonlinear1(given)))))


class _ContextMask(nn.Module):
    """A convolution whose channels are weighted by a mask, computed from the means of the whole utterance and
    of the two seconds around each frame.
    """

    def __init__(self, dilation: int) -> None:
        super().__init__()
        self.linear_local = nn.Conv1d(BOTTLENECK, GROWTH, 3, padding=dilation, dilation=dilation, bias=False)
        self.linear1 = nn.Conv1d(BOTTLENECK, BOTTLENECK // 2, 1)
        self.linear2 = nn.Conv1d(BOTTLENECK // 2, GROWTH, 1)

    def forward(self, given: Tensor) -> Tensor:
        around = functional.avg_pool1d(given, CONTEXT, CONTEXT, ceil_mode=True)
        context = given.mean(-1, keepdim=True) + around
        mask = torch.sigmoid(self.linear2(functional.relu(self.linear1(context))))
        spread = mask.repeat_interleave(CONTEXT, -1)[..., : given.shape[-1]]
        return cast("Tensor", self.linear_local(given)) * spread


class _Statistics(nn.Module):
    """Mean and standard deviation over time."""

    def forward(self, given: Tensor) -> Tensor:
        return torch.cat([given.mean(-1), given.std(-1)], -1)


class _Embedding(nn.Module):
    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.linear = nn.Conv1d(channels, out, 1, bias=False)
        self.nonlinear = nn.Sequential()
        self.nonlinear.add_module("batchnorm", nn.BatchNorm1d(out, affine=False))

    def forward(self, given: Tensor) -> Tensor:
        return cast("Tensor", self.nonlinear(self.linear(given[..., None])[..., 0]))
