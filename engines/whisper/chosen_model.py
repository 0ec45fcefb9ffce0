"""Chooses the libraries that run the parts of a model.

On a GPU CTranslate2 runs all of it. On a CPU that suits, OpenVINO does; on others CTranslate2 runs all of it
too.

Law: weights that are broken are found here, whichever library would read them later.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from engines.cores import cores
from engines.heap import return_large_arrays
from engines.types import EngineOptions
from engines.whisper.device import calculates_in_int8, place_on_cpu, place_on_gpu, workers
from engines.whisper.model_files import ModelFiles
from engines.whisper.openvino_encoder import OpenVinoEncoder, load_encoder
from engines.whisper.quick_decoder import QuickDecoder, load_decoder
from engines.whisper.tokens import WhisperTokens

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

log = logging.getLogger(__name__)


class ChosenModel(NamedTuple):
    """A model, and the libraries of its parts."""

    model: WhisperModel
    """Faster-whisper's model, or `ModelFiles` in its place where `decoder` is given."""
    calls: int
    """Calls that it works on at once."""
    encoder: OpenVinoEncoder | None = None
    decoder: QuickDecoder | None = None


def choose_model(folder: Path, options: EngineOptions) -> ChosenModel:
    """The model in `folder` for this machine. Raises `WeightsBroken`."""
    if placed := place_on_gpu(folder, options):
        return ChosenModel(*placed)
    quick = options.openvino and calculates_in_int8(options)
    encoder = load_encoder(folder, options) if quick else None
    files = _model_files(folder) if encoder else None
    if files:
        tokens = WhisperTokens(files.hf_tokenizer, multilingual=files.model.is_multilingual)
        calls, _ = workers(options, cores())
        if decoder := load_decoder(folder, options, tokens):
            return_large_arrays()
            return ChosenModel(cast("WhisperModel", files), calls, encoder, decoder)
    model, calls = place_on_cpu(folder, options)
    return ChosenModel(model, calls, encoder)


def _model_files(folder: Path) -> ModelFiles | None:
    """None where a file is missing or of another kind: CTranslate2 decides whether it can do with that."""
    try:
        return ModelFiles(folder)
    except Exception as reason:  # noqa: BLE001 - `tokenizers` raises `Exception` itself
        log.info("CTranslate2 decodes: %s", type(reason).__name__)
        return None
