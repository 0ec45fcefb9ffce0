"""The network of Silero VAD v6, on NumPy.

It is so small that calls cost more than numbers: with ONNX Runtime a second of sound took 1.7 ms of CPU time,
here 0.9, and the library adds 13 MB to the server's process.

Law: frames and a state in, probabilities and a state out; what they mean is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from engines.common.protobuf_fields import fields
from engines.errors import WeightsBroken
from engines.types import Samples

Activations: TypeAlias = NDArray[np.float32]
MIRRORED_SAMPLES = 64
"""Samples that are added behind, in reverse."""
WINDOW_SAMPLES, STEP_SAMPLES, FRAME_WINDOWS = 256, 128, 4
"""Samples of a window of the spectrum, from one window to the next, and windows of a frame."""
SPECTRUM_BINS = 129
"""From 0 Hz to half of the sampling rate."""
LAYER_STRIDES = (1, 2, 0, 0)
"""Spectra from one place of a convolution to the next; 0 if it has one place."""
STATE_NUMBERS = 128
ONE_HALF = np.float32(0.5)
SHAPES = {
    "encoder.feature_extractor.forward_basis_buffer": (2 * SPECTRUM_BINS, WINDOW_SAMPLES),
    "encoder.conv_layers.0.weight": (128, SPECTRUM_BINS, 3),
    "encoder.conv_layers.0.bias": (128,),
    "encoder.conv_layers.1.weight": (64, 128, 3),
    "encoder.conv_layers.1.bias": (64,),
    "encoder.conv_layers.2.weight": (64, 64, 3),
    "encoder.conv_layers.2.bias": (64,),
    "encoder.conv_layers.3.weight": (128, 64, 3),
    "encoder.conv_layers.3.bias": (128,),
    "onnx::LSTM_209": (4 * STATE_NUMBERS, STATE_NUMBERS),
    "onnx::LSTM_210": (4 * STATE_NUMBERS, STATE_NUMBERS),
    "onnx::LSTM_211": (2, 4 * STATE_NUMBERS),
    "decoder.conv1d.weight": (STATE_NUMBERS,),
    "decoder.conv1d.bias": (1,),
}
"""The arrays of the file, by name."""
GRAPH_FIELD, ARRAY_FIELD, NAME_FIELD, NUMBERS_FIELD = 7, 5, 8, 9
"""Numbers of fields in ONNX's messages: the graph of a model, its arrays, their name and their numbers."""


@dataclass(frozen=True, slots=True)
class State:
    """What the network keeps from one frame to the next."""

    hidden: Activations
    cell: Activations

    @classmethod
    def zero(cls) -> State:
        return cls(np.zeros(STATE_NUMBERS, np.float32), np.zeros(STATE_NUMBERS, np.float32))


class Network:
    """Short-time spectra, four convolutions over the four spectra of a frame, an LSTM, and a sigmoid.

    Any number of threads may use it.
    """

    def __init__(self, arrays: Mapping[str, Activations]) -> None:
        """`arrays`: those of `SHAPES`."""
        basis, *layers, inputs, states, biases, last, level = (arrays[name] for name in SHAPES)
        self._basis = np.ascontiguousarray(basis.T)
        first, second, third, fourth = layers[::2]
        # The third convolution has two spectra to look at, the fourth one: what is beside them is zero.
        self._kernels = [*map(_matrix, (first, second, third[:, :, 1:], fourth[:, :, 1:2]))]
        self._shifts = layers[1::2]
        # The gates are sigmoids, and sigmoid(x) is half of tanh(x / 2), and a half.
        halves = np.repeat(np.array([0.5, 1.0], np.float32), [3 * STATE_NUMBERS, STATE_NUMBERS])
        self._inputs, self._states = inputs.T * halves, np.ascontiguousarray(states.T * halves)
        self._biases = biases.sum(axis=0) * halves
        self._last, self._level = last, level

    @classmethod
    def read(cls, file: Path) -> Network:
        """Raises `OSError`, and `WeightsBroken` if the file is not this network."""
        try:
            return cls(_arrays(file))
        except (ValueError, KeyError) as failure:
            raise WeightsBroken("The file of the speech detector is not Silero VAD v6.") from failure

    def run(self, frames: Samples, state: State) -> tuple[Activations, State]:
        """The probability of speech in frames that follow each other, and the state after them. A frame is
        64 samples before it and its own 512.
        """
        hidden, state = self._lstm(self._seen(frames), state)
        chances: Activations = np.tanh(ONE_HALF * (np.maximum(hidden, 0) @ self._last + self._level))
        return ONE_HALF * chances + ONE_HALF, state

    def _seen(self, frames: Samples) -> Activations:
        """What the convolutions see in each frame."""
        count = len(frames)
        whole = np.concatenate([frames, frames[:, -2 : -2 - MIRRORED_SAMPLES : -1]], axis=1)
        parts = np.square(_windows(whole, FRAME_WINDOWS, STEP_SAMPLES, WINDOW_SAMPLES) @ self._basis)
        seen: Activations = np.sqrt(parts[:, :SPECTRUM_BINS] + parts[:, SPECTRUM_BINS:])
        for kernel, shift, stride in zip(self._kernels, self._shifts, LAYER_STRIDES, strict=True):
            if stride:
                width = seen.shape[1]
                padded = np.zeros((count, FRAME_WINDOWS + 2, width), np.float32)
                padded[:, 1:-1] = seen.reshape(count, FRAME_WINDOWS, width)
                rows = _windows(padded.reshape(count, -1), FRAME_WINDOWS // stride, stride * width, 3 * width)
            else:
                rows = seen.reshape(count, -1)
            seen = np.maximum(rows @ kernel + shift, 0)
        return seen

    def _lstm(self, seen: Activations, state: State) -> tuple[Activations, State]:
        hidden, cell = state.hidden, state.cell
        given = seen @ self._inputs + self._biases
        results = np.empty((len(seen), STATE_NUMBERS), np.float32)
        for row, result in zip(given, results, strict=True):
            gates = np.tanh(hidden @ self._states + row)
            opened = gates[: 3 * STATE_NUMBERS]
            opened *= ONE_HALF
            opened += ONE_HALF
            cell = opened[2 * STATE_NUMBERS :] * cell + opened[:STATE_NUMBERS] * gates[3 * STATE_NUMBERS :]
            hidden = result
            np.multiply(opened[STATE_NUMBERS : 2 * STATE_NUMBERS], np.tanh(cell), out=hidden)
        return results, State(hidden, cell)


def _windows(rows: Activations, count: int, step: int, size: int) -> Activations:
    """Of each row `count` stretches of `size` numbers, `step` from one to the next: each a row of its own."""
    number = rows.itemsize
    shape, strides = (len(rows), count, size), (rows.strides[0], step * number, number)
    return as_strided(rows, shape, strides).reshape(-1, size)


def _matrix(kernel: Activations) -> Activations:
    """The kernel of a convolution, for the numbers of neighbouring steps in a row."""
    return np.ascontiguousarray(kernel.transpose(2, 1, 0).reshape(-1, len(kernel)))


def _arrays(file: Path) -> dict[str, Activations]:
    """The arrays of an ONNX file. Raises `ValueError` and `KeyError` if they are others."""
    content = memoryview(file.read_bytes())
    graph = next((inside for number, inside, _ in fields(content) if number == GRAPH_FIELD), content[:0])
    found = {}
    for number, array, _ in fields(graph):
        if number == ARRAY_FIELD:
            parts = {kind: inside for kind, inside, _ in fields(array) if kind in (NAME_FIELD, NUMBERS_FIELD)}
            found[str(parts.get(NAME_FIELD, b""), "utf-8")] = parts.get(NUMBERS_FIELD, b"")
    return {
        name: np.frombuffer(found[name], "<f4").astype(np.float32).reshape(shape)
        for name, shape in SHAPES.items()
    }
