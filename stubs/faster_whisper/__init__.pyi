from typing import Any

import numpy as np
from ctranslate2 import StorageView
from ctranslate2.models import Whisper
from faster_whisper.feature_extractor import FeatureExtractor
from numpy.typing import NDArray
from tokenizers import Tokenizer

class WhisperModel:
    model: Whisper
    hf_tokenizer: Tokenizer
    feature_extractor: FeatureExtractor
    def __init__(
        self,
        model_size_or_path: str,
        device: str = "auto",
        device_index: int | list[int] = 0,
        compute_type: str = "default",
        cpu_threads: int = 0,
        num_workers: int = 1,
        *,
        local_files_only: bool = False,
    ) -> None: ...
    @property
    def supported_languages(self) -> list[str]: ...
    def encode(self, features: NDArray[np.float32]) -> StorageView: ...
    def transcribe(self, audio: Any, **options: Any) -> tuple[Any, Any]: ...

class BatchedInferencePipeline:
    def __init__(self, model: WhisperModel) -> None: ...
    def transcribe(self, audio: Any, **options: Any) -> tuple[Any, Any]: ...
