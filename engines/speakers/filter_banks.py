"""Computes the features of a speaker encoder: 80 log-mel bands, a hundred times a second, as Kaldi does.

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

MEL_BANDS = 80
FRAME_SAMPLES, HOP_SAMPLES, FOURIER_POINTS = 400, 160, 512
"""Samples: length of a frame, distance between two frames, length of the Fourier transform."""
LOWEST_HERTZ = 20.0
"""Lowest frequency of the filters, in hertz."""
PRE_EMPHASIS = 0.97
"""Pre-emphasis: this share of each sample is subtracted from the next, which raises the high frequencies."""
FLOOR = float(np.finfo(np.float32).eps)


def bands(samples: Samples) -> Samples:
    """Log-mel bands of complete frames, as an array (frames, 80); empty if the sound is shorter than one
    frame.
    """
    if len(samples) < FRAME_SAMPLES:
        return np.zeros((0, MEL_BANDS), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME_SAMPLES)[::HOP_SAMPLES]
    frames = frames - frames.mean(axis=1, keepdims=True)
    before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    spectrum = rfft((frames - np.float32(PRE_EMPHASIS) * before) * _window(), FOURIER_POINTS)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    energies = _filters() @ power[:, : FOURIER_POINTS // 2].T
    return np.asarray(np.log(np.maximum(energies.T, FLOOR)), np.float32)


@cache
def _window() -> Samples:
    """Povey's window: a Hann window to the power of 0.85."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME_SAMPLES) / (FRAME_SAMPLES - 1))
    return np.asarray(hann**0.85, np.float32)


@cache
def _filters() -> Any:
    """The mel filters, as an array (80, 256): triangles that overlap by half and are evenly spaced in mel."""
    edges = np.linspace(_mel(LOWEST_HERTZ), _mel(SAMPLE_RATE / 2), MEL_BANDS + 2)
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    mel = _mel(np.arange(FOURIER_POINTS // 2) * SAMPLE_RATE / FOURIER_POINTS)[:, None]
    up, down = (mel - left) / (centre - left), (right - mel) / (right - centre)
    return csr_array(np.asarray(np.maximum(np.minimum(up, down), 0.0).T, np.float32))


def _mel(hertz: Any) -> NDArray[np.float64]:
    return np.asarray(1127.0 * np.log1p(np.asarray(hertz) / 700.0))
