"""CTranslate2's decoder, with that on OpenVINO in its place for the usual searches.

Law: chooses which of the two decodes; both give the same results, but for rounding and chance.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from engines.common.evictable_arrays import EvictableArrays
from engines.cores import cores
from engines.types import EngineOptions, TranscribeOptions
from engines.whisper.ctranslate2_arrays import numbers
from engines.whisper.ctranslate2_weights import UnknownLayout, Weights, read_arrays
from engines.whisper.device import workers
from engines.whisper.late_model import LateWhisper
from engines.whisper.network_parts import NetworkParts
from engines.whisper.openvino_decoder import OpenVinoDecoder, TextOfRow
from engines.whisper.openvino_encoder import MODEL_FILE
from engines.whisper.timestamp_rules import Vocabulary
from engines.whisper.tokens import WhisperTokens

if TYPE_CHECKING:
    from ctranslate2 import StorageView
    from ctranslate2.models import WhisperGenerationResult, _WhisperAlignmentResult

log = logging.getLogger(__name__)
Heard = TypeVar("Heard")
MOST_BEAMS = 20
"""With more beams, CTranslate2 decodes. Nobody has measured so many."""


@dataclass(frozen=True, slots=True)
class GeneratedText:
    """The result for one row, as CTranslate2 gives it (`WhisperGenerationResult`)."""

    sequences_ids: list[list[int]]
    scores: list[float]
    no_speech_prob: float
    logits: Sequence[Any] = ()


class QuickDecoder:
    """Decodes as CTranslate2's `Whisper` does. Several threads may call it at once."""

    def __init__(self, model: LateWhisper, quick: OpenVinoDecoder, languages: Sequence[str] = ()) -> None:
        """`model`: CTranslate2's. `languages`: their tokens as text, in their order."""
        self._model = model
        self._quick = quick
        self._languages = languages
        self._heard: dict[int, Any] = {}
        """What was heard in encodings, by their `id`, for as long as these are in use."""

    def detect_language(self, encoded: StorageView) -> list[list[tuple[str, float]]]:
        """The likeliest language of each row, as its token, and how likely it is."""
        heard = self._keep(encoded, self._quick.listen(numbers(encoded)))
        chances = self._quick.languages(heard)
        return [[(self._languages[int(row.argmax())], float(row.max()))] for row in chances]

    def generate(
        self, encoded: StorageView, prompts: list[list[int]], **options: Any
    ) -> Sequence[WhisperGenerationResult | GeneratedText]:
        """The options are those of CTranslate2 for tokens with timestamps, but `max_length` may differ by
        row where OpenVINO decodes.

        CTranslate2 gives logits, and searches with many beams.
        """
        length = options["max_length"]
        lengths = [length] * len(prompts) if isinstance(length, int) else length
        heard = self._heard.pop(id(encoded), None)
        beams = options["beam_size"]
        if options["return_logits_vocab"] or beams > MOST_BEAMS:
            return self._model.generate(encoded, prompts, **options)
        most = [most_tokens(one, len(prompts[0])) for one in lengths]
        if heard is None:
            heard = self._quick.listen(numbers(encoded))
        if len(prompts) == 1:  # with more rows, it is used up, and much memory
            self._keep(encoded, heard)
        if temperature := options.get("sampling_temperature", 0):
            texts = options["num_hypotheses"]
            drawn = self._quick.sample(heard, prompts, texts=texts, temperature=temperature, most_tokens=most)
            return [_generated(*row) for row in drawn]
        found = self._quick.generate(heard, prompts, beams=beams, most_tokens=most)
        return [_generated(one) for one in found]

    def align(
        self,
        encoded: StorageView,
        start: list[int],
        texts: list[list[int]],
        frames: list[int],
    ) -> Sequence[_WhisperAlignmentResult]:
        """The positions at which the tokens of each row's text are heard, by CTranslate2."""
        return self._model.align(encoded, start, texts, frames)

    def rest(self) -> None:
        """Gives memory back; that of CTranslate2 some time after its last use."""
        self._quick.rest()
        self._model.rest()

    def _keep(self, encoded: StorageView, heard: Heard) -> Heard:
        """Keeps what was heard until the encodings are gone."""
        if id(encoded) not in self._heard:
            weakref.finalize(encoded, self._heard.pop, id(encoded), None)
        self._heard[id(encoded)] = heard
        return heard


def uses_ctranslate2(options: TranscribeOptions) -> bool:
    """Whether CTranslate2 decodes: where logits are asked for, or many beams."""
    return options.logprobs or options.beam_size > MOST_BEAMS


def most_tokens(max_length: int, prompt: int) -> int:
    """The tokens after which CTranslate2 cuts a text. `prompt`: tokens before it."""
    return min(max_length // 2, max_length - prompt + 1)


def _generated(*texts: TextOfRow) -> GeneratedText:
    tokens, scores = [list(text.tokens) for text in texts], [text.score for text in texts]
    return GeneratedText(tokens, scores, texts[0].no_speech_prob)


def load_decoder(
    folder: Path, options: EngineOptions, model: LateWhisper, tokens: WhisperTokens
) -> QuickDecoder | None:
    """The decoder of the model in `folder`; None where the file does not suit."""
    try:
        made = decoder_of(folder, options, tokens)
        return QuickDecoder(model, made, [tokens.name(token) for token in made.known.languages])
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
    return OpenVinoDecoder(graph, embeddings, known, calls=calls, threads=threads)


def vocabulary(tokens: WhisperTokens, size: int) -> Vocabulary:
    start = tokens.start("en", "transcribe")[0]
    return Vocabulary(start, tokens.eot, tokens.timestamps, size, tuple(tokens.suppressed))
