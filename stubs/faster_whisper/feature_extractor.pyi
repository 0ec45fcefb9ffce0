from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

class FeatureExtractor:
    mel_filters: NDArray[np.float32]
    hop_length: int
    stft: Callable[..., NDArray[np.complex64]]
    def __init__(self, feature_size: int = 80) -> None: ...
    def __call__(
        self, waveform: NDArray[np.float32], padding: int = 160, chunk_length: int | None = None
    ) -> NDArray[np.float32]: ...
    @staticmethod
    def get_mel_filters(sr: int, n_fft: int, n_mels: int = 128) -> NDArray[np.float32]: ...
