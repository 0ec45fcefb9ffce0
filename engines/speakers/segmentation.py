"""The segmentation network PyanNet as an ONNX graph: which of three local speakers talk in ten seconds of
sound.

Learned band-pass filters (SincNet), four bidirectional LSTM layers and three linear layers name one of seven
sets of speakers for every 17 ms. The published weights are pyannote segmentation 3.0.

Ravanelli, Bengio (2018), Speaker Recognition from Raw Waveform with SincNet, https://arxiv.org/abs/1808.00158;
Plaquet, Bredin (2023), Powerset multi-class cross entropy loss, https://arxiv.org/abs/2310.13025.

Law: the network and what its output means; nothing of clustering.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.speakers.onnx_graph import Graph
from engines.types import SAMPLE_RATE, Samples

WINDOW_SECONDS = 10
"""Seconds of sound in one input of the network."""
LOCAL_SPEAKERS, AT_ONCE = 3, 2
"""Number of local speakers, and how many of them may talk at the same time."""
FILTER_STRIDE, FILTER_LENGTH, HALF_FILTER = 10, 251, 125
"""Samples: distance between two filter outputs, length of a filter, half of that length."""
FILTER_BANDS, CONVOLUTION_CHANNELS, LSTM_SIZE, LSTM_LAYERS, LINEAR_SIZE = 40, 60, 128, 4, 128
LEAST_HERTZ = 50
"""Lowest frequency and least width of a filter, in hertz."""
FRAME_STEP, FRAME_SPAN = 270 / SAMPLE_RATE, 991 / SAMPLE_RATE
"""Seconds between two frames, and of sound that one frame sees."""
SETS = tuple(s for size in range(AT_ONCE + 1) for s in combinations(range(LOCAL_SPEAKERS), size))
"""The speakers of each class: nobody, each alone, each pair."""


def graph(weights: Mapping[str, Any]) -> bytes:
    """The ONNX graph from sound (batch, samples) to the scores of `SETS` (batch, frames, 7). Raises
    `WeightsBroken`.
    """
    net = Graph("segmentation", weights)
    sound = net.node("Unsqueeze", "sound", net.constant([1]))
    sound = _instance_norm(net, sound, "sincnet.wav_norm1d", 1)
    bands = net.node("Abs", net.node("Conv", sound, _filters(net), strides=[FILTER_STRIDE]))
    bands = _pooled(net, bands, "sincnet.norm1d.0", 2 * FILTER_BANDS)
    for number, channels in ((1, 2 * FILTER_BANDS), (2, CONVOLUTION_CHANNELS)):
        name = f"sincnet.conv1d.{number}"
        kernel = net.weight(f"{name}.weight", CONVOLUTION_CHANNELS, channels, 5)
        bands = net.node("Conv", bands, kernel, net.weight(f"{name}.bias", CONVOLUTION_CHANNELS))
        bands = _pooled(net, bands, f"sincnet.norm1d.{number}", CONVOLUTION_CHANNELS)
    frames = net.node("Transpose", bands, perm=[2, 0, 1])
    for layer in range(LSTM_LAYERS):
        frames = _lstm(net, frames, layer)
    frames = net.node("Transpose", frames, perm=[1, 0, 2])
    for name, size in (("linear.0", 2 * LSTM_SIZE), ("linear.1", LINEAR_SIZE)):
        frames = net.node("LeakyRelu", _linear(net, frames, name, size, LINEAR_SIZE), alpha=0.01)
    scores = _linear(net, frames, "classifier", LINEAR_SIZE, len(SETS))
    return net.bytes(("sound", ["batch", "samples"]), (scores, ["batch", "frames", len(SETS)]))


def active(scores: Samples) -> NDArray[np.bool_]:
    """Who talks, as an array (batch, frames, speakers), from the scores (batch, frames, classes)."""
    members = np.array([[speaker in one for speaker in range(LOCAL_SPEAKERS)] for one in SETS])
    found: NDArray[np.bool_] = members[scores.argmax(axis=-1)]
    return found


def _pooled(net: Graph, bands: str, name: str, channels: int) -> str:
    """Max pooling over three neighbours, then normalisation of each channel to zero mean
    and unit variance.
    """
    pooled = net.node("MaxPool", bands, kernel_shape=[3], strides=[3])
    return net.node("LeakyRelu", _instance_norm(net, pooled, name, channels), alpha=0.01)


def _instance_norm(net: Graph, given: str, name: str, channels: int) -> str:
    scale, bias = net.weight(f"{name}.weight", channels), net.weight(f"{name}.bias", channels)
    return net.node("InstanceNormalization", given, scale, bias, epsilon=1e-5)


def _filters(net: Graph) -> str:
    """Band-pass filters, each from two learned frequencies: even (cosine) and odd (sine) ones.

    The graph computes them when it is loaded: sines are not the same to the last bit on all machines, and so
    must not be part of the graph's bytes.
    """
    name = "sincnet.conv1d.0.filterbank"
    least = net.constant(np.float32(LEAST_HERTZ))
    low = net.node("Add", net.node("Abs", net.weight(f"{name}.low_hz_", FILTER_BANDS, 1)), least)
    width = net.node("Add", net.node("Abs", net.weight(f"{name}.band_hz_", FILTER_BANDS, 1)), least)
    top = net.constant(np.float32(SAMPLE_RATE / 2))
    high = net.node("Clip", net.node("Add", low, width), least, top)
    band = net.node("Sub", high, low)
    double = net.node("Add", band, band)
    times = net.weight(f"{name}.n_", 1, HALF_FILTER)
    shape = net.node(
        "Div",
        net.weight(f"{name}.window_", HALF_FILTER),
        net.node("Mul", times, net.constant(np.float32(0.5))),
    )
    lower, upper = net.node("MatMul", low, times), net.node("MatMul", high, times)
    even = net.node("Mul", net.node("Sub", net.node("Sin", upper), net.node("Sin", lower)), shape)
    odd = net.node("Mul", net.node("Sub", net.node("Cos", lower), net.node("Cos", upper)), shape)
    zero = net.node("Sub", band, band)
    kernels = [
        net.node("Concat", even, double, _mirrored(net, even), axis=1),
        net.node("Concat", odd, zero, net.node("Neg", _mirrored(net, odd)), axis=1),
    ]
    scaled = [net.node("Div", kernel, double) for kernel in kernels]
    return net.node("Unsqueeze", net.node("Concat", *scaled, axis=0), net.constant([1]))


def _mirrored(net: Graph, half: str) -> str:
    begin, end, axis, step = (net.constant([value]) for value in (-1, -HALF_FILTER - 1, 1, -1))
    return net.node("Slice", half, begin, end, axis, step)


def _lstm(net: Graph, frames: str, layer: int) -> str:
    """A bidirectional LSTM layer: (frames, batch, numbers) -> (frames, batch, 2 * HIDDEN)."""
    size = CONVOLUTION_CHANNELS if layer == 0 else 2 * LSTM_SIZE
    inner = [_both(net, f"weight_ih_l{layer}", size), _both(net, f"weight_hh_l{layer}", LSTM_SIZE)]
    biases = [_both(net, f"bias_{part}_l{layer}", 0) for part in ("ih", "hh")]
    inputs = [
        net.constant(inner[0], f"lstm.{layer}.w"),
        net.constant(inner[1], f"lstm.{layer}.r"),
        net.constant(np.concatenate(biases, axis=1), f"lstm.{layer}.b"),
    ]
    found = net.node("LSTM", frames, *inputs, hidden_size=LSTM_SIZE, direction="bidirectional")
    apart = net.node("Transpose", found, perm=[0, 2, 1, 3])
    return net.node("Reshape", apart, net.constant([0, 0, 2 * LSTM_SIZE]))


def _both(net: Graph, name: str, size: int) -> Samples:
    """Forward and backward weights, with the gates in ONNX's order; PyTorch's order is input, forget, cell,
    output.
    """
    shape = (4 * LSTM_SIZE, size) if size else (4 * LSTM_SIZE,)
    parts = [net.array(f"lstm.{name}{direction}", *shape) for direction in ("", "_reverse")]
    gates = [np.split(part, 4) for part in parts]
    return np.stack([np.concatenate([i, o, f, c]) for i, f, c, o in gates])


def _linear(net: Graph, given: str, name: str, size: int, out: int) -> str:
    """A linear layer. PyTorch stores its weights as (out, in)."""
    weight = net.constant(net.array(f"{name}.weight", out, size).T, f"{name}.weight")
    return net.node("Add", net.node("MatMul", given, weight), net.weight(f"{name}.bias", out))
