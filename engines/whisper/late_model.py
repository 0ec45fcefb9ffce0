"""Stands in for faster-whisper's model where OpenVINO hears: CTranslate2 is loaded when it is first needed.

CTranslate2 takes half a second and some 80 MB to load a model, which searches with many beams alone need
then. What all requests need is read from the files beside the weights, as faster-whisper reads it.

Law: a folder that CTranslate2 may refuse is left to it, so that weights that are broken are known when the
model is loaded.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.common.installed import module_alone
from engines.errors import WeightsBroken, is_out_of_memory
from engines.heap import keep_large_arrays, return_free_memory, return_large_arrays
from engines.types import EngineOptions
from engines.whisper.ctranslate2_weights import UnknownLayout, read_arrays
from engines.whisper.device import ctranslate2_on_cpu
from engines.whisper.openvino_encoder import MODEL_FILE

if TYPE_CHECKING:
    from ctranslate2.models import Whisper, WhisperGenerationResult, _WhisperAlignmentResult

MULTILINGUAL_TOKENS = 51_865
"""CTranslate2 takes a model with at least so many tokens for one of many languages."""
KEPT_SECONDS = 30.0
CHANGED = "The weights were removed or changed while they were in use."


class LateWhisper:
    """CTranslate2's `Whisper` on the CPU. Several threads may call it at once."""

    device = "cpu"

    def __init__(
        self, load: Callable[[], Whisper], *, is_multilingual: bool, kept_seconds: float = KEPT_SECONDS
    ) -> None:
        """`kept_seconds`: how long it stays after its last use, if there is a rest meanwhile."""
        self.is_multilingual = is_multilingual
        self._load = load
        self._kept_seconds = kept_seconds
        self._lock = threading.Lock()
        self._model: Whisper | None = None
        self._used_at = 0.0
        self._timer: threading.Timer | None = None

    def generate(self, *texts: Any, **options: Any) -> Sequence[WhisperGenerationResult]:
        return self._loaded().generate(*texts, **options)

    def align(self, *texts: Any) -> Sequence[_WhisperAlignmentResult]:
        return self._loaded().align(*texts)

    def rest(self) -> None:
        """Gives the model's memory back, now or later, unless it is used meanwhile."""
        with self._lock:
            self._stop_waiting()
            left = self._used_at + self._kept_seconds - time.monotonic()
            if left <= 0 or self._model is None:
                self._forget()
                return
            self._timer = threading.Timer(left, self._rest_again)
            self._timer.daemon = True
            self._timer.start()

    def unload_model(self) -> None:
        with self._lock:
            self._stop_waiting()
            self._forget()

    def _loaded(self) -> Whisper:
        """The model. A thread that works with it keeps it, whatever the others do."""
        with self._lock:
            self._stop_waiting()
            self._used_at = time.monotonic()
            if self._model is None:
                self._model = self._load()
            keep_large_arrays()  # CTranslate2 makes them anew for each token
            return self._model

    def _rest_again(self) -> None:
        self.rest()
        return_free_memory()

    def _stop_waiting(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _forget(self) -> None:
        self._model = None
        return_large_arrays()


class LateModel:
    """What the engine needs of faster-whisper's `WhisperModel`."""

    def __init__(self, folder: Path, options: EngineOptions) -> None:
        """Reads the files of the model. Raises an `Exception` of some kind if one of them is not as usual."""
        import tokenizers

        stamp = _stamp(folder)
        size = _tokens_of(folder)
        if size != len(read_arrays(folder / MODEL_FILE)["decoder/embeddings/weight"]):
            raise UnknownLayout("the vocabulary has another size than the embeddings")
        json.loads((folder / "config.json").read_bytes())
        self.hf_tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.feature_extractor = _feature_extractor(folder)

        def load() -> Whisper:
            """Raises `WeightsBroken`, or `RuntimeError` if memory does not suffice."""
            try:
                if _stamp(folder) == stamp:
                    return ctranslate2_on_cpu(folder, options)
            except (RuntimeError, ValueError, OSError) as wrong:
                if is_out_of_memory(wrong):
                    raise
                raise WeightsBroken(CHANGED) from wrong
            raise WeightsBroken(CHANGED)

        self.model = LateWhisper(load, is_multilingual=size >= MULTILINGUAL_TOKENS)


def _stamp(folder: Path) -> tuple[int, ...]:
    """What differs when the weights are replaced. Raises `OSError` if they are missing."""
    found = (folder / MODEL_FILE).stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _tokens_of(folder: Path) -> int:
    """How many tokens the vocabulary has."""
    listed = folder / "vocabulary.json"
    if listed.exists():
        return len(json.loads(listed.read_bytes()))
    lines = (folder / "vocabulary.txt").read_bytes()
    return lines.count(b"\n") + (not lines.endswith(b"\n"))


def _feature_extractor(folder: Path) -> Any:
    """As in `WhisperModel`, but that a file that cannot be read raises an exception."""
    made = module_alone("faster_whisper", "feature_extractor").FeatureExtractor
    file = folder / "preprocessor_config.json"
    known: dict[str, Any] = json.loads(file.read_bytes()) if file.exists() else {}
    names = signature(made.__init__).parameters
    return made(**{name: value for name, value in known.items() if name in names})
