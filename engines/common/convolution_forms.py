"""Kernels and attributes of convolutions: of those that take the place of transposed ones, and for the order
of arrays in which sixteen channels are neighbours. Law: pure.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from engines.common.graph_messages import attribute, domain
from engines.common.layout_probe import BLOCK_CHANNELS, DOMAIN
from engines.types import Samples

Number = TypeVar("Number", bound=np.generic)


def widening(stride: int) -> dict[str, list[int]]:
    """The attributes of a transposed convolution whose kernel is twice its stride, and so overlaps once."""
    pads = [stride // 2, stride // 2]
    return {
        "dilations": [1], "group": [1], "kernel_shape": [2 * stride], "pads": pads, "strides": [stride],
    }  # fmt: skip


def convolution(size: int, step: int, pad: int) -> bytes:
    found: dict[str, int | list[int]] = {
        "kernel_shape": [1, size], "dilations": [1, step], "pads": [0, pad, 0, pad], "strides": [1, 1],
        "group": 1,
    }  # fmt: skip
    return domain(DOMAIN) + b"".join(attribute(name, numbers) for name, numbers in found.items())


def in_blocks(weights: Samples) -> NDArray[np.float32]:
    results, channels, size = weights.shape
    parts = weights.reshape(results // BLOCK_CHANNELS, BLOCK_CHANNELS, -1, BLOCK_CHANNELS, size)
    return np.ascontiguousarray(parts.transpose(0, 2, 4, 3, 1)).reshape(results, channels, 1, size)


def upsampling_kernel(weight: NDArray[Number]) -> NDArray[Number]:
    """Of a transposed convolution's kernel (inputs, outputs, two strides), that of a convolution which makes
    all samples between two neighbours: (stride times outputs, inputs, 2).
    """
    inputs, outputs, size = weight.shape
    stride = size // 2
    taps = np.stack([weight[:, :, stride:], weight[:, :, :stride]], -1)
    return taps.transpose(2, 1, 0, 3).reshape(stride * outputs, inputs, 2)
