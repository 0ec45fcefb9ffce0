"""The speaker encoder CAM++ (a vector of 192 numbers) as an ONNX graph, a dense time-delay network with
context masks.

Wang, Zheng, Chen, Cheng, Chen (2023), CAM++: A Fast and Efficient Network for Speaker Verification Using
Context-Aware Masking, https://arxiv.org/abs/2303.00332. Names of the parts follow the published weights.

Law: the network alone; its features are in `filter_banks.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from onnx import TensorProto

from engines.speakers.filter_banks import MEL_BANDS
from engines.speakers.onnx_graph import Graph

VECTOR_NUMBERS = 192
HEAD_CHANNELS, FIRST_CHANNELS, GROWTH_CHANNELS, BOTTLENECK_CHANNELS = 32, 128, 32, 128
DENSE_BLOCKS = ((12, 1), (24, 2), (16, 2))
"""For each dense block: the number of layers, and their dilation."""
CONTEXT_FRAMES = 100
"""Frames (of 20 ms, after the first layer's stride) over which the local context is averaged."""


def graph(weights: Mapping[str, Any]) -> bytes:
    """The ONNX graph from log-mel bands (batch, frames, 80) of zero mean to vectors (batch, 192). Raises
    `WeightsBroken`.
    """
    net = Graph("campplus", weights)
    frames = _head(
        net, net.node("Unsqueeze", net.node("Transpose", "bands", perm=[0, 2, 1]), net.constant([1]))
    )
    kernel = net.weight("xvector.tdnn.linear.weight", FIRST_CHANNELS, HEAD_CHANNELS * (MEL_BANDS // 8), 5)
    frames = net.node("Conv", frames, kernel, strides=[2], pads=[2, 2])
    frames = _normal(net, frames, "xvector.tdnn.nonlinear", FIRST_CHANNELS)
    channels, parts = FIRST_CHANNELS, _parts(net, frames)
    for block, (depth, dilation) in enumerate(DENSE_BLOCKS, 1):
        for layer in range(1, depth + 1):
            added = _dense(net, frames, f"xvector.block{block}.tdnnd{layer}", channels, dilation, parts)
            frames = net.node("Concat", frames, added, axis=1)
            channels += GROWTH_CHANNELS
        name = f"xvector.transit{block}"
        frames = _normal(net, frames, f"{name}.nonlinear", channels)
        frames = net.node("Conv", frames, net.weight(f"{name}.linear.weight", channels // 2, channels, 1))
        channels //= 2
    frames = _normal(net, frames, "xvector.out_nonlinear", channels)
    vector = _embedding(net, _statistics(net, frames), 2 * channels)
    return net.bytes(("bands", ["batch", "frames", MEL_BANDS]), (vector, ["batch", VECTOR_NUMBERS]))


def _head(net: Graph, bands: str) -> str:
    """A small residual network over time and frequency; it reduces the resolution in frequency to
    an eighth.
    """
    bands = _conv(net, bands, "head.conv1", 1, 1)
    bands = net.node("Relu", net.norm(bands, "head.bn1", HEAD_CHANNELS))
    for layer in ("head.layer1", "head.layer2"):
        for number, stride in ((0, 2), (1, 1)):
            bands = _residual(net, bands, f"{layer}.{number}", stride)
    bands = _conv(net, bands, "head.conv2", HEAD_CHANNELS, 2)
    bands = net.node("Relu", net.norm(bands, "head.bn2", HEAD_CHANNELS))
    return net.node("Reshape", bands, net.constant([0, HEAD_CHANNELS * (MEL_BANDS // 8), -1]))


def _residual(net: Graph, given: str, name: str, stride: int) -> str:
    inner = net.node(
        "Relu",
        net.norm(_conv(net, given, f"{name}.conv1", HEAD_CHANNELS, stride), f"{name}.bn1", HEAD_CHANNELS),
    )
    inner = net.norm(_conv(net, inner, f"{name}.conv2", HEAD_CHANNELS, 1), f"{name}.bn2", HEAD_CHANNELS)
    if stride > 1:
        kernel = net.weight(f"{name}.shortcut.0.weight", HEAD_CHANNELS, HEAD_CHANNELS, 1, 1)
        given = net.norm(
            net.node("Conv", given, kernel, strides=[stride, 1]), f"{name}.shortcut.1", HEAD_CHANNELS
        )
    return net.node("Relu", net.node("Add", inner, given))


def _conv(net: Graph, given: str, name: str, channels: int, stride: int) -> str:
    """A 3 x 3 convolution. `stride`: along the frequencies."""
    kernel = net.weight(f"{name}.weight", HEAD_CHANNELS, channels, 3, 3)
    return net.node("Conv", given, kernel, strides=[stride, 1], pads=[1, 1, 1, 1])


def _normal(net: Graph, given: str, name: str, channels: int) -> str:
    return net.node("Relu", net.norm(given, f"{name}.batchnorm", channels))


def _parts(net: Graph, frames: str) -> str:
    """An array (parts, frames): 1 if the frame belongs to the part, else 0. A part has `CONTEXT_FRAMES`
    frames.
    """
    zero, one, size = net.constant(0), net.constant(1), net.constant(CONTEXT_FRAMES)
    count = net.node("Gather", net.node("Shape", frames), net.constant(2))
    own = net.node("Div", net.node("Range", zero, count, one), size)
    last = net.node("Div", net.node("Sub", count, one), size)
    parts = net.node("Range", zero, net.node("Add", last, one), one)
    same = net.node("Equal", net.node("Unsqueeze", parts, net.constant([1])), own)
    return net.node("Cast", same, to=TensorProto.FLOAT)


def _dense(net: Graph, frames: str, name: str, channels: int, dilation: int, parts: str) -> str:
    """A dense layer, whose input is the channels of all layers before it."""
    inner = _normal(net, frames, f"{name}.nonlinear1", channels)
    inner = net.node("Conv", inner, net.weight(f"{name}.linear1.weight", BOTTLENECK_CHANNELS, channels, 1))
    inner = _normal(net, inner, f"{name}.nonlinear2", BOTTLENECK_CHANNELS)
    kernel = net.weight(f"{name}.cam_layer.linear_local.weight", GROWTH_CHANNELS, BOTTLENECK_CHANNELS, 3)
    local = net.node("Conv", inner, kernel, pads=[dilation, dilation], dilations=[dilation])
    mask = _mask(net, inner, f"{name}.cam_layer")
    return net.node("Mul", local, net.node("MatMul", mask, parts))


def _mask(net: Graph, frames: str, name: str) -> str:
    """The context mask (batch, channels, parts), computed from the whole utterance and from each part of two
    seconds.
    """
    part = net.node(
        "AveragePool",
        frames,
        kernel_shape=[CONTEXT_FRAMES],
        strides=[CONTEXT_FRAMES],
        ceil_mode=1,
        count_include_pad=0,
    )
    context = net.node("Add", net.node("ReduceMean", frames, axes=[2], keepdims=1), part)
    half = BOTTLENECK_CHANNELS // 2
    kernel = net.weight(f"{name}.linear1.weight", half, BOTTLENECK_CHANNELS, 1)
    hidden = net.node("Relu", net.node("Conv", context, kernel, net.weight(f"{name}.linear1.bias", half)))
    kernel = net.weight(f"{name}.linear2.weight", GROWTH_CHANNELS, half, 1)
    return net.node(
        "Sigmoid", net.node("Conv", hidden, kernel, net.weight(f"{name}.linear2.bias", GROWTH_CHANNELS))
    )


def _statistics(net: Graph, frames: str) -> str:
    """Statistics pooling: mean and standard deviation over time."""
    mean = net.node("ReduceMean", frames, axes=[2], keepdims=1)
    away = net.node("Sub", frames, mean)
    squares = net.node("ReduceSum", net.node("Mul", away, away), net.constant([2]), keepdims=1)
    count = net.node("Gather", net.node("Shape", frames), net.constant(2))
    free = net.node("Cast", net.node("Sub", count, net.constant(1)), to=TensorProto.FLOAT)
    deviation = net.node("Sqrt", net.node("Div", squares, free))
    return net.node("Concat", mean, deviation, axis=1)


def _embedding(net: Graph, statistics: str, channels: int) -> str:
    vector = net.node(
        "Conv", statistics, net.weight("xvector.dense.linear.weight", VECTOR_NUMBERS, channels, 1)
    )
    name = "xvector.dense.nonlinear.batchnorm"
    scale, bias = (net.constant(np.full(VECTOR_NUMBERS, value, np.float32)) for value in (1, 0))
    spread = [net.weight(f"{name}.{part}", VECTOR_NUMBERS) for part in ("running_mean", "running_var")]
    vector = net.node("BatchNormalization", vector, scale, bias, *spread, epsilon=1e-5)
    return net.node("Squeeze", vector, net.constant([2]))
