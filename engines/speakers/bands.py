"""The features of a speaker encoder: 80 log-mel bands, a hundred times a second, as Kaldi computes them.

The published CAM++ weights were trained on `compute-fbank-feats` with its defaults and no dither; any other
filter bank (of another slope, window or frequency range) gives other vectors.

The filters are a sparse matrix: of a dense one, a product takes several threads of OpenBLAS, which wait for
each other in busy loops and cost more than the whole computation.

Law: numpy and scipy alone; sound in, bands out.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft
from scipy.sparse import csr_array

from engines.types import SAMPLE_RATE, Samples

BANDS = 80
FRAME, HOP, POINTS = 400, 160, 512
"""Samples: length of a frame, distance between two frames, length of the Fourier transform."""
LOWEST = 20.0
"""Hertz."""
EMPHASIS = 0.97
"""Pre-emphasis: this share of each sample is subtracted from the next, which raises the high frequencies."""
FLOOR = float(np.finfo(np.float32).eps)


def bands(samples: Samples) -> Samples:
    """(frames, 80), complete frames only; sound shorter than one frame gives none."""
    if len(samples) < FRAME:
        return np.zeros((0, BANDS), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::HOP]
    frames = frames - frames.mean(axis=1, keepdims=True)
    before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    spectrum = rfft((frames - np.float32(EMPHASIS) * before) * _window(), POINTS)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    energies = _filters() @ power[:, : POINTS // 2].T
    return np.asarray(np.log(np.maximum(energies.T, FLOOR)), np.float32)


@cache
def _window() -> Samples:
    """Povey's window: a Hann window to the power of 0.85."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / (FRAME - 1))
    return np.asarray(hann**0.85, np.float32)


@cache
def _filters() -> Any:
    """(80, 256): triangles that overlap by half, evenly spaced in mel."""
    edges = np.linspace(_mel(LOWEST), _mel(SAMPLE_RATE / 2), BANDS + 2)
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    mel = _mel(np.arange(POINTS // 2) * SAMPLE_RATE / POINTS)[:, None]
    up, down = (mel - left) / (centre - left), (right - mel) / (right - centre)
    return csr_array(np.asarray(np.maximum(np.minimum(up, down), 0.0).T, np.float32))


def _mel(hertz: Any) -> NDArray[np.float64]:
    return np.asarray(1127.0 * np.log1p(np.asarray(hertz) / 700.0))
