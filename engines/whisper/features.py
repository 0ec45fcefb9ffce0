"""Computes log-mel spectrograms, Whisper's input, several of them at once.

CTranslate2 takes features from the CPU's memory. While those of a batch are computed one after the other,
the GPU waits; NumPy lets other threads work meanwhile, so that cores share them.

Law: samples in, features out; what is done with them is not known here.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from engines.types import Samples
from engines.whisper.rows import FULL_FRAMES

if TYPE_CHECKING:
    from faster_whisper.feature_extractor import FeatureExtractor


class Features:
    """Computes features. Any number of threads may call it."""

    def __init__(self, extractor: FeatureExtractor, threads: int) -> None:
        """`threads`: windows whose features are computed at once; 1: on the caller's thread."""
        self._extractor = extractor
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
