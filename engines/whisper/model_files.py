"""Stands in for faster-whisper's model where OpenVINO hears.

What is needed of it then is read from the files beside the weights, as faster-whisper reads it.

Law: a folder that CTranslate2 may refuse is left to it, so that weights that are broken are known when the
model is loaded.
"""

from __future__ import annotations

import json
from inspect import signature
from pathlib import Path
from typing import Any

from engines.common.installed import module_alone
from engines.whisper.ctranslate2_weights import UnknownLayout, read_arrays
from engines.whisper.openvino_encoder import MODEL_FILE

MULTILINGUAL_TOKENS = 51_865
"""CTranslate2 takes a model with at least so many tokens for one of many languages."""


class NoWhisper:
    """What the engine asks of CTranslate2's `Whisper` besides encodings and texts."""

    device = "cpu"

    def __init__(self, *, is_multilingual: bool) -> None:
        self.is_multilingual = is_multilingual

    def unload_model(self) -> None:
        """There is nothing to unload."""


class ModelFiles:
    """What the engine needs of faster-whisper's `WhisperModel`."""

    def __init__(self, folder: Path) -> None:
        """Reads the files of the model. Raises an `Exception` of some kind if one of them is not as usual."""
        import tokenizers

        size = _tokens_of(folder)
        if size != len(read_arrays(folder / MODEL_FILE)["decoder/embeddings/weight"]):
            raise UnknownLayout("the vocabulary has another size than the embeddings")
        json.loads((folder / "config.json").read_bytes())
        self.hf_tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.feature_extractor = _feature_extractor(folder)
        self.model = NoWhisper(is_multilingual=size >= MULTILINGUAL_TOKENS)


def _tokens_of(folder: Path) -> int:
    """How many tokens the vocabulary has."""
    listed = folder / "vocabulary.json"
    if listed.exists():
        return len(json.loads(listed.read_bytes()))
    lines = (folder / "vocabulary.txt").read_bytes()
    return lines.count(b"\n") + (not lines.endswith(b"\n"))


def _feature_extractor(folder: Path) -> Any:
    """As in `WhisperModel`, but that a file that cannot be read raises an exception."""
    extractor = module_alone("faster_whisper", "feature_extractor").FeatureExtractor
    file = folder / "preprocessor_config.json"
    known: dict[str, Any] = json.loads(file.read_bytes()) if file.exists() else {}
    names = signature(extractor.__init__).parameters
    return extractor(**{name: value for name, value in known.items() if name in names})
