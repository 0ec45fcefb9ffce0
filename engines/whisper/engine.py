"""Whisper (Radford et al. 2022, https://arxiv.org/abs/2212.04356) on OpenVINO or CTranslate2, by parts of
faster-whisper.

Law: this file runs the rounds of a batch: encode, detect the language, decode, cut into segments, time the
words. What a round does with tokens is in the files beside it. The library's own `transcribe` methods are not
used: they decode one request at a time and keep state between calls.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from engines.cores import cores
from engines.errors import UnsupportedInput, import_failure
from engines.types import (
    EngineOptions,
    LanguageGuess,
    Samples,
    TranscribeOptions,
    Window,
    WindowResult,
)
from engines.whisper.absolute_times import keep
from engines.whisper.chosen_model import choose_model
from engines.whisper.ctranslate2_arrays import Encoded, take_rows
from engines.whisper.decoding_quality import Decoded, is_silence, without_loop
from engines.whisper.fallback import Batch, Search, decode_rows, searches
from engines.whisper.features import Features
from engines.whisper.memory_limit import RowLimit
from engines.whisper.openvino_encoder import OpenVinoEncoder
from engines.whisper.quick_decoder import QuickDecoder
from engines.whisper.row_encoder import RowEncoder
from engines.whisper.rows import (
    CLASS_FRAMES,
    FULL_FRAMES,
    MIN_REST,
    Row,
    doubtful,
    grouped,
)
from engines.whisper.timestamp_phrases import Phrase, split_phrases
from engines.whisper.tokens import WhisperTokens
from engines.whisper.word_times import Alignment, Timed, group_words
from engines.work import LengthClasses

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

MEL_THREADS = 8
"""The most windows of a batch whose features are computed at once, beside a GPU."""


class WhisperTranscriber:
    """The `Transcriber` over one set of CTranslate2 weights. It keeps no state between calls."""

    def __init__(
        self,
        model: WhisperModel,
        *,
        adaptive: bool = False,
        calls: int = 1,
        encoder: OpenVinoEncoder | None = None,
        decoder: QuickDecoder | None = None,
    ) -> None:
        """`adaptive`: encode the sound and a few seconds of silence, not always 30 seconds.

        `calls`: calls of `transcribe` that the model works on at once. `encoder` and `decoder`: quicker
        ones of the same measured model; None: the model's own.
        """
        self._model = model
        self._decoder = decoder or model.model
        self._mixes_lengths = decoder is not None
        """Whether rows of several lengths can be decoded together."""
        self._tokens = WhisperTokens(model.hf_tokenizer, multilingual=model.model.is_multilingual)
        self._on_cpu = model.model.device == "cpu"
        self._limits: dict[int, RowLimit] = {}
        """The row limit for each number of beams: a request with many beams must not make the batches of
        others small.
        """
        self._features = Features(model.feature_extractor, 1 if self._on_cpu else min(cores(), MEL_THREADS))
        self._rows = RowEncoder(model, encoder, adaptive=adaptive, for_openvino=self._mixes_lengths)
        self.calls = calls
        self.device = model.model.device
        """`cpu` or `cuda`. With the option `auto`, it is known only when the model is loaded."""

    def close(self) -> None:
        self._rows.close()
        self._features.close()
        self._model.model.unload_model()

    def rest(self) -> None:
        """Gives back what OpenVINO keeps for the next call."""
        self._rows.rest()
        if isinstance(self._decoder, QuickDecoder):
            self._decoder.rest()

    @property
    def lengths(self) -> LengthClasses:
        padding = self._rows.padding()
        if padding is None:  # without adaptive windows every encoding is a full one
            return LengthClasses()
        if self._mixes_lengths:
            return LengthClasses(CLASS_FRAMES, longest=FULL_FRAMES)
        return LengthClasses(self._rows.grid, padding, FULL_FRAMES)

    def prepare(self, window: Window) -> Window:
        return replace(window, features=self._features.of(window.pcm.samples))

    def transcribe(self, windows: Sequence[Window], options: TranscribeOptions) -> list[WindowResult]:
        missing = [window for window in windows if window.features is None]
        made = iter(self._features.of_all([window.pcm.samples for window in missing]))
        rows = [
            self._row(window, next(made) if window.features is None else window.features, draft=options.draft)
            for window in windows
        ]
        limit = self._limits.setdefault(options.beam_size, RowLimit())
        while waiting := [row for row in rows if row.unfinished]:
            for group in grouped(waiting, partial(self._group_key, options=options)):
                limit.run(group, lambda part: self._round(part, options))
        return [row.result(len(self._tokens.before(row.window, ()))) for row in rows]

    def _group_key(self, row: Row, options: TranscribeOptions) -> tuple[Any, ...]:
        """The key by which rows are grouped for decoding.

        Both decoders need one position of the start token within a batch, and one search to begin with.
        CTranslate2 needs one length too, and one search plan.
        """
        prompt = len(self._tokens.before(row.window, row.said))
        if self._mixes_lengths:
            return prompt, row.doubted and options.greedy_first
        return prompt, row.doubted, row.size, row.full, row.may_fall_back

    def _row(self, window: Window, features: Samples, *, draft: bool) -> Row:
        if window.task == "translate" and not self._tokens.multilingual:
            raise UnsupportedInput("This model hears English only and cannot translate.")
        known = window.language if self._tokens.multilingual else "en"
        language = LanguageGuess(known, 1.0) if known else None
        padding = self._rows.padding(draft=draft)
        return Row(window, features, language, padding, self._rows.grid, tight=self._rows.tight, draft=draft)

    def _round(self, rows: list[Row], options: TranscribeOptions) -> None:
        encoded = self._decodable(self._rows.encode(rows))
        self._detect_languages(rows, encoded)
        if not options.draft:
            rows, encoded = _with_sure_languages(rows, encoded)
            if not rows:
                return
        # Sampling is not used after a short encoding: a doubtful result is encoded again in full first.
        plans = [self._searches(row, options) for row in rows]
        most = tuple(row.max_tokens for row in rows)
        batch = Batch(encoded, [self._prompt(row) for row in rows], most)
        decoded = decode_rows(self._decoder, self._tokens, batch, options, plans)
        for row, result in zip(rows, decoded, strict=True):
            row.spent(frames=row.encoded, beamed=int(result.beamed), fallbacks=int(result.fell_back))
        if options.draft:
            sure, decoded = list(range(len(rows))), [without_loop(result, options) for result in decoded]
        else:
            pairs = enumerate(zip(rows, decoded, strict=True))
            sure = [i for i, (row, one) in pairs if not doubtful(row, one, options, self._tokens)]
        for index in set(range(len(rows))) - set(sure):
            rows[index].retry_in_full()
        for index in sure:
            rows[index].spent(saved=FULL_FRAMES - rows[index].encoded)
        if sure:
            some = take_rows(encoded, sure, len(rows))
            self._finish([rows[i] for i in sure], some, [decoded[i] for i in sure], options)

    def _decodable(self, encoded: Encoded) -> Encoded:
        """What the decoder takes. Beside what OpenVINO's takes, the encodings are not kept."""
        return cast("QuickDecoder", self._decoder).listen(encoded) if self._mixes_lengths else encoded

    def _searches(self, row: Row, options: TranscribeOptions) -> tuple[Search, ...]:
        sampling, greedy = row.full and row.may_fall_back, not row.doubted
        single = options.logprobs and not self._mixes_lengths
        return searches(options, sampling=sampling, greedy=greedy, single=single)

    def _finish(
        self,
        rows: list[Row],
        encoded: Encoded,
        decoded: list[Decoded],
        options: TranscribeOptions,
    ) -> None:
        """Turns decoded tokens into segments, and moves each row to its next round."""
        phrases = [self._advance(row, result, options) for row, result in zip(rows, decoded, strict=True)]
        timed = self._align(rows, encoded, phrases) if options.words else [None] * len(rows)
        for row, result, some, words in zip(rows, decoded, phrases, timed, strict=True):
            keep(row, result, some, words, self._tokens)
            row.rounds += 1

    def _detect_languages(self, rows: list[Row], encoded: Encoded) -> None:
        if all(row.language for row in rows):
            return
        for row, guesses in zip(rows, self._decoder.detect_language(encoded), strict=True):
            token, probability = guesses[0]
            row.language = row.language or LanguageGuess(token[2:-2], float(probability))

    def _prompt(self, row: Row) -> list[int]:
        assert row.language  # given by the options, or detected just before
        start = self._tokens.start(row.language.code, row.window.task)
        return [*self._tokens.before(row.window, row.said), *start]

    def _advance(self, row: Row, decoded: Decoded, options: TranscribeOptions) -> list[Phrase]:
        """Moves the row's seek position to the end of the decoded part; returns the phrases of the round."""
        left = row.frames - row.seek
        if is_silence(decoded, options):
            row.seek += left
            return []
        phrases, used = split_phrases(decoded.tokens, left, self._tokens, min_rest=MIN_REST)
        at = row.seek
        row.seek += max(used, 1)
        return [replace(phrase, seek=at) for phrase in phrases]

    def _align(self, rows: list[Row], encoded: Encoded, phrases: list[list[Phrase]]) -> list[list[Timed]]:
        """Word times by cross-attention, for rows of one start sequence together."""
        timed: list[list[Timed]] = [[] for _ in rows]
        with_text = [index for index in range(len(rows)) if phrases[index]]
        for indices in grouped(with_text, lambda index: (*self._start(rows[index]),)):
            texts = [[t for p in phrases[i] for t in self._tokens.text_only(p.tokens)] for i in indices]
            lengths = [min(FULL_FRAMES, rows[i].frames - phrases[i][0].seek) for i in indices]
            some = take_rows(encoded, indices, len(rows))
            aligned: Sequence[Alignment] = self._decoder.align(
                some, self._start(rows[indices[0]]), texts, lengths
            )
            for index, text, alignment in zip(indices, texts, aligned, strict=True):
                timed[index] = group_words(self._tokens.words(text, _code(rows[index])), alignment)
        return timed

    def _start(self, row: Row) -> list[int]:
        return self._tokens.start(_code(row), row.window.task)


def load(folder: Path, options: EngineOptions) -> WhisperTranscriber:
    """Loads a model. Raises `EngineMissing` or `WeightsBroken`."""
    # Spinning OpenMP threads starve each other where cores are shared. CTranslate2 reads it when it is
    # imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        model, calls, encoder, decoder = choose_model(folder, options)
    except ImportError as failure:
        raise import_failure(failure, "faster-whisper", "whisper") from failure
    return WhisperTranscriber(model, adaptive=options.adaptive, calls=calls, encoder=encoder, decoder=decoder)


def _with_sure_languages(rows: list[Row], encoded: Encoded) -> tuple[list[Row], Encoded]:
    """The rows that can be decoded, with their encodings. The others need a full encoding first, because any
    text that they had now would be doubtful.
    """
    sure = [index for index, row in enumerate(rows) if not row.unsure_of_language]
    if len(sure) == len(rows):
        return rows, encoded
    for row in (row for row in rows if row.unsure_of_language):
        row.spent(frames=row.encoded)
        row.retry_in_full()
    return [rows[index] for index in sure], take_rows(encoded, sure, len(rows)) if sure else encoded


def _code(row: Row) -> str:
    return row.language.code if row.language else "en"
