"""Computes log-mel spectrograms, Whisper's input, several of them at once.

CTranslate2 takes features from the CPU's memory. While those of a batch are computed one after the other,
the GPU waits; NumPy lets other threads work meanwhile, so that cores share them.

Law: samples in, features out; what is done with them is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engines.types import Samples
from engines.whisper.rows import FULL_FRAMES

if TYPE_CHECKING:
    from faster_whisper.feature_extractor import FeatureExtractor

FRAMES_AT_ONCE = 500
"""Frames of a spectrum that are computed at once. NumPy computes in numbers of twice the length, 10 MB for
half a minute at once, and needs another 5 MB for its input.
"""
Spectra: TypeAlias = NDArray[np.complex64]
Spectrum: TypeAlias = Callable[..., Spectra]


class Features:
    """Computes features. Any number of threads may call it."""

    def __init__(self, extractor: FeatureExtractor, threads: int) -> None:
        """`threads`: windows whose features are computed at once; 1: on the caller's thread."""
        self._extractor = copy(extractor)
        self._extractor.stft = in_pieces(extractor.stft)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="mel") if threads > 1 else None

    def of(self, samples: Samples) -> Samples:
        """The log-mel spectrogram (mel bands, frames) of at most 30 seconds of sound."""
        limit = FULL_FRAMES * self._extractor.hop_length
        return np.asarray(self._extractor(samples[:limit]), np.float32)[:, :FULL_FRAMES]

    def of_all(self, sounds: Sequence[Samples]) -> list[Samples]:
        """The features of each sound, in the order of the sounds."""
        if self._pool is None or len(sounds) < 2:
            return [self.of(samples) for samples in sounds]
        return list(self._pool.map(self.of, sounds))

    def close(self) -> None:
        if self._pool:
            self._pool.shutdown(wait=False)


def in_pieces(stft: Spectrum) -> Spectrum:
    """The extractor's function for spectra, which computes a part of the frames at a time. Each frame is
    computed by itself, so that the numbers are the same.
    """

    def spectrum(samples: Samples, size: int, hop: int, *, window: Samples, return_complex: bool) -> Spectra:
        padded = np.pad(samples, size // 2, mode="reflect")
        frames = 1 + (len(padded) - size) // hop
        made = np.empty((frames, size // 2 + 1), np.complex64)
        for at in range(0, frames, FRAMES_AT_ONCE):
            end = min(at + FRAMES_AT_ONCE, frames)
            part = padded[at * hop : (end - 1) * hop + size]
            found = stft(part, size, hop, window=window, center=False, return_complex=return_complex)
            made[at:end] = found.T
        return made.T

    return spectrum
