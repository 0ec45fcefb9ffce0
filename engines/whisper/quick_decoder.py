"""The decoder on OpenVINO, with the methods of CTranslate2's `Whisper`.

Law: both give the same results, but for rounding and chance; nothing is decoded here.
"""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from operator import index
from pathlib import Path
from typing import Any

from engines.common.evictable_arrays import EvictableArrays
from engines.cores import cores
from engines.types import EngineOptions
from engines.whisper.alignment import AlignedText
from engines.whisper.ctranslate2_weights import UnknownLayout, Weights, read_arrays
from engines.whisper.decoder_networks import DecoderShape, shape_of
from engines.whisper.device import workers
from engines.whisper.heard_rows import HeardRows
from engines.whisper.network_parts import NetworkParts
from engines.whisper.openvino_decoder import OpenVinoDecoder, TextOfRow
from engines.whisper.openvino_encoder import MODEL_FILE
from engines.whisper.rows import FRAMES_PER_POSITION
from engines.whisper.timestamp_rules import Floats, Vocabulary
from engines.whisper.tokens import WhisperTokens

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GeneratedText:
    """The result for one row, as CTranslate2 gives it (`WhisperGenerationResult`)."""

    sequences_ids: list[list[int]]
    scores: list[float]
    no_speech_prob: float
    logprobs: Sequence[Sequence[float]]
    """The log-probability of each token of each sequence."""


class QuickDecoder:
    """Decodes as CTranslate2's `Whisper` does. Several threads may call it at once."""

    def __init__(self, quick: OpenVinoDecoder, languages: Sequence[str] = ()) -> None:
        """`languages`: their tokens as text, in their order."""
        self._quick = quick
        self._languages = languages

    def listen(self, encoded: Floats) -> HeardRows:
        """What the other methods are given. The encodings are not needed after it."""
        return self._quick.listen(encoded)

    def detect_language(self, heard: HeardRows) -> list[list[tuple[str, float]]]:
        """The likeliest language of each row, as its token, and how likely it is."""
        chances = self._quick.languages(heard)
        return [[(self._languages[int(row.argmax())], float(row.max()))] for row in chances]

    def generate(self, heard: HeardRows, prompts: list[list[int]], **options: Any) -> list[GeneratedText]:
        """The options are those of CTranslate2 for tokens with timestamps, but `max_length` may differ by
        row, and there is what a good text `needs`.
        """
        length = options["max_length"]
        lengths = [length] * len(prompts) if isinstance(length, int) else length
        most = [most_tokens(one, len(prompts[0])) for one in lengths]
        if temperature := options.get("sampling_temperature", 0):
            texts = options["num_hypotheses"]
            drawn = self._quick.sample(
                heard,
                prompts,
                texts=texts,
                temperature=temperature,
                most_tokens=most,
                needs=options["needs"],
            )
            return [_generated(*row) for row in drawn]
        found = self._quick.generate(heard, prompts, beams=options["beam_size"], most_tokens=most)
        return [_generated(one) for one in found]

    def align(
        self, heard: HeardRows, start: list[int], texts: list[list[int]], frames: list[int]
    ) -> list[AlignedText]:
        """The positions at which the tokens of each row's text are heard. `frames`: of each row's sound."""
        return [
            self._quick.align(heard.alone(row), start, text, max(1, most // FRAMES_PER_POSITION))
            for row, (text, most) in enumerate(zip(texts, frames, strict=True))
        ]

    def rest(self) -> None:
        """Gives back the memory that inferences have left, and the weights that are kept twice."""
        self._quick.rest()


def most_tokens(max_length: int, prompt: int) -> int:
    """The tokens after which CTranslate2 cuts a text. `prompt`: tokens before it."""
    return min(max_length // 2, max_length - prompt + 1)


def _generated(*texts: TextOfRow) -> GeneratedText:
    tokens, scores = [list(text.tokens) for text in texts], [text.score for text in texts]
    return GeneratedText(tokens, scores, texts[0].no_speech_prob, [text.logprobs for text in texts])


def load_decoder(folder: Path, options: EngineOptions, tokens: WhisperTokens) -> QuickDecoder | None:
    """The decoder of the model in `folder`; None where the file does not suit."""
    try:
        made = decoder_of(folder, options, tokens)
        return QuickDecoder(made, [tokens.name(token) for token in made.known.languages])
    except (UnknownLayout, RuntimeError) as reason:
        log.info("the decoder of CTranslate2 is used, which takes longer: %s", " ".join(str(reason).split()))
        return None


def decoder_of(folder: Path, options: EngineOptions, tokens: WhisperTokens) -> OpenVinoDecoder:
    """The decoder on OpenVINO. Raises `UnknownLayout` or `RuntimeError`."""
    calls, threads = workers(options, cores())
    # The file is mapped twice: the pages that the networks are made from go back with the first mapping.
    first, second = (read_arrays(folder / MODEL_FILE) for _ in range(2))
    if any(name.startswith("decoder/projection/") for name in first):
        raise UnknownLayout("its last matrix is not that of the embeddings")
    weights, embeddings = Weights(first, "decoder"), Weights(second, "decoder")
    del first
    known = vocabulary(tokens, weights.shape("embeddings/weight")[0])
    graph = NetworkParts(weights, EvictableArrays(folder / MODEL_FILE))
    heads = alignment_heads(folder / "config.json", shape_of(graph))
    return OpenVinoDecoder(graph, embeddings, known, calls=calls, threads=threads, heads=heads)


def alignment_heads(config: Path, shape: DecoderShape) -> list[tuple[int, int]]:
    """The layer and the number of each head that attends to the sound of the next token. If the file names
    none, they are those of the second half of the layers, as for CTranslate2. Raises `UnknownLayout`.
    """
    try:
        named = json.loads(config.read_bytes()).get("alignment_heads")
        found = [(index(layer), index(head)) for layer, head in named] if named else []
    except (OSError, ValueError, TypeError, AttributeError) as wrong:
        raise UnknownLayout("its heads for word times cannot be read") from wrong
    if not all(0 <= layer < shape.layers and 0 <= head < shape.heads for layer, head in found):
        raise UnknownLayout("it has other heads than those named for word times")
    later = itertools.product(range(shape.layers // 2, shape.layers), range(shape.heads))
    return found or list(later)


def vocabulary(tokens: WhisperTokens, size: int) -> Vocabulary:
    start = tokens.start("en", "transcribe")[0]
    return Vocabulary(start, tokens.eot, tokens.timestamps, size, tuple(tokens.suppressed))
