from collections.abc import Sequence

from ctranslate2 import StorageView

class WhisperGenerationResult:
    sequences_ids: list[list[int]]
    scores: list[float]
    logits: list[list[StorageView]]
    no_speech_prob: float

class _WhisperAlignmentResult:
    alignments: list[tuple[int, int]]
    text_token_probs: list[float]

class Whisper:
    def __init__(
        self,
        model_path: str,
        device: str = "cpu",
        *,
        compute_type: str = "default",
        inter_threads: int = 1,
        intra_threads: int = 0,
    ) -> None: ...
    @property
    def compute_type(self) -> str: ...
    @property
    def device(self) -> str: ...
    @property
    def is_multilingual(self) -> bool: ...
    def encode(self, features: StorageView, to_cpu: bool = False) -> StorageView: ...
    def detect_language(self, features: StorageView) -> list[list[tuple[str, float]]]: ...
    def generate(
        self,
        features: StorageView,
        prompts: Sequence[list[int]],
        *,
        beam_size: int = 5,
        num_hypotheses: int = 1,
        max_length: int = 448,
        return_scores: bool = False,
        return_logits_vocab: bool = False,
        return_no_speech_prob: bool = False,
        max_initial_timestamp_index: int = 50,
        suppress_tokens: list[int] | None = ...,
        sampling_topk: int = 1,
        sampling_temperature: float = 1,
    ) -> list[WhisperGenerationResult]: ...
    def align(
        self,
        features: StorageView,
        start_sequence: list[int],
        text_tokens: list[list[int]],
        num_frames: int | list[int],
        *,
        median_filter_width: int = 7,
    ) -> list[_WhisperAlignmentResult]: ...
    def unload_model(self, to_cpu: bool = False) -> None: ...
