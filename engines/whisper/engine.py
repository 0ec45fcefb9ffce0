"""Whisper (Radford et al. 2022, https://arxiv.org/abs/2212.04356) on CTranslate2, by faster-whisper's parts.

Law: this file loads the model and runs the rounds of a batch: encode, detect the language, decode, cut into
segments, time the words. What a round does with tokens is in the `whisper_*` files beside it. The library's
own `transcribe` methods are not used: they decode one request at a time and keep state between calls.
"""

from __future__ import annotations

import math
import os
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from engines.errors import UnsupportedInput, import_failure
from engines.types import (
    EngineOptions,
    LanguageGuess,
    Samples,
    Segment,
    TranscribeOptions,
    Window,
    WindowResult,
)
from engines.whisper.ladder import Decoded, decode_rows, is_silence, join_rows, ladder, take_rows
from engines.whisper.place import place
from engines.whisper.rows import (
    FRAMES,
    MEASURED,
    MIN_REST,
    PADDING,
    PADDING_UNMEASURED,
    RATE,
    STEP,
    Row,
    adaptive_size,
    doubtful,
)
from engines.whisper.segments import Phrase, split_phrases
from engines.whisper.tokens import WhisperTokens
from engines.whisper.words import Timed, fit_words, group_words


class WhisperTranscriber:
    """The `Transcriber` over one set of CTranslate2 weights. One call at a time."""

    def __init__(self, model: Any, *, adaptive: bool = False, calls: int = 1) -> None:
        """`model`: a loaded `faster_whisper.WhisperModel`. `adaptive`: short windows cost less.

        `calls`: batches that the model takes at once.
        """
        self._model = model
        self._tokens = WhisperTokens(model.hf_tokenizer, multilingual=model.model.is_multilingual)
        self._on_cpu = model.model.device == "cpu"
        self._padding = self._measured_padding() if adaptive else None
        self.calls = calls

    def close(self) -> None:
        self._model.model.unload_model()

    def batch_key(self, window: Window, options: TranscribeOptions) -> Hashable:
        frames = math.ceil(window.pcm.seconds * RATE)
        return options, adaptive_size(frames, self._padding or PADDING)

    def prepare(self, window: Window) -> Window:
        return replace(window, features=self._features(window.pcm.samples))

    def transcribe(self, windows: Sequence[Window], options: TranscribeOptions) -> list[WindowResult]:
        rows = [self._row(window) for window in windows]
        while waiting := [row for row in rows if row.unfinished]:
            for group in _alike(waiting, lambda row: (self._prompt_length(row), row.doubted, row.size)):
                self._round(group, options)
        return [row.result(len(self._tokens.before(row.window, ()))) for row in rows]

    def _measured_padding(self) -> int:
        bands = self._model.feature_extractor.mel_filters.shape[0]
        width = self._model.encode(np.zeros((1, bands, STEP), np.float32)).shape[2]
        return PADDING if width in MEASURED else PADDING_UNMEASURED

    def _row(self, window: Window) -> Row:
        if window.task == "translate" and not self._tokens.multilingual:
            raise UnsupportedInput("This model hears English only and cannot translate.")
        known = window.language if self._tokens.multilingual else "en"
        language = LanguageGuess(known, 1.0) if known else None
        features = self._features(window.pcm.samples) if window.features is None else window.features
        return Row(window, features, language, self._padding)

    def _features(self, samples: Samples) -> Samples:
        """The log-mel spectrogram, (mel bands, frames); at most one full window."""
        extractor = self._model.feature_extractor
        limit = FRAMES * extractor.hop_length
        return np.asarray(extractor(samples[:limit]), np.float32)[:, :FRAMES]

    def _prompt_length(self, row: Row) -> int:
        return len(self._tokens.before(row.window, row.said))

    def _round(self, rows: list[Row], options: TranscribeOptions) -> None:
        size = rows[0].size
        encoded = self._encode([row.piece(size) for row in rows])
        self._detect_languages(rows, encoded)
        # A doubted result of a short encoding is encoded again in full before it is decoded warmer.
        searches = ladder(options, warm=size == FRAMES, greedy=not rows[0].doubted)
        prompts = [self._prompt(row) for row in rows]
        decoded = decode_rows(self._model.model, self._tokens, encoded, prompts, options, searches)
        for row, found in zip(rows, decoded, strict=True):
            row.spent(frames=size, beamed=int(found.beamed), warmed=int(found.warmed))
        sure = [i for i, row in enumerate(rows) if not doubtful(row, size, decoded[i], options, self._tokens)]
        for index in set(range(len(rows))) - set(sure):
            rows[index].retry_in_full()
        if sure:
            some = take_rows(encoded, sure, len(rows))
            self._finish([rows[i] for i in sure], size, some, [decoded[i] for i in sure], options)

    def _encode(self, pieces: list[Samples]) -> Any:
        """(rows, positions, width). A CPU's caches hold one row: there, one after the other is quicker."""
        if not self._on_cpu or len(pieces) == 1:
            return self._model.encode(np.stack(pieces))
        return join_rows([self._model.encode(piece[None]) for piece in pieces])

    def _finish(
        self,
        rows: list[Row],
        size: int,
        encoded: Any,
        decoded: list[Decoded],
        options: TranscribeOptions,
    ) -> None:
        """Turns what was decoded into segments and moves on."""
        phrases = [self._advance(row, found, options) for row, found in zip(rows, decoded, strict=True)]
        timed = self._align(rows, encoded, phrases) if options.words else [None] * len(rows)
        for row, found, kept, words in zip(rows, decoded, phrases, timed, strict=True):
            self._keep(row, found, kept, words)
            row.rounds += 1
            row.spent(saved=FRAMES - size)

    def _detect_languages(self, rows: list[Row], encoded: Any) -> None:
        if all(row.language for row in rows):
            return
        for row, guesses in zip(rows, self._model.model.detect_language(encoded), strict=True):
            token, probability = guesses[0]
            row.language = row.language or LanguageGuess(token[2:-2], float(probability))

    def _prompt(self, row: Row) -> list[int]:
        assert row.language  # given, or detected just before
        start = self._tokens.start(row.language.code, row.window.task)
        return [*self._tokens.before(row.window, row.said), *start]

    def _advance(self, row: Row, found: Decoded, options: TranscribeOptions) -> list[Phrase]:
        """Moves the row's seek behind what was decoded; gives the phrases to keep."""
        left = row.frames - row.seek
        if is_silence(found, options):
            row.seek += left
            return []
        phrases, used = split_phrases(found.tokens, left, self._tokens, min_rest=MIN_REST)
        at = row.seek
        row.seek += max(used, 1)
        return [replace(phrase, seek=at) for phrase in phrases]

    def _align(self, rows: list[Row], encoded: Any, phrases: list[list[Phrase]]) -> list[list[Timed]]:
        """Word times by cross-attention, for rows of the same start sequence together."""
        timed: list[list[Timed]] = [[] for _ in rows]
        order = [index for index in range(len(rows)) if phrases[index]]
        for start, indices in _grouped(order, lambda i: tuple(self._start(rows[i]))):
            texts = [[t for p in phrases[i] for t in self._tokens.text_only(p.tokens)] for i in indices]
            lengths = [min(FRAMES, rows[i].frames - phrases[i][0].seek) for i in indices]
            some = self._model.model.align(
                take_rows(encoded, indices, len(rows)), list(start), texts, lengths
            )
            for index, text, alignment in zip(indices, texts, some, strict=True):
                code = self._code(rows[index])
                timed[index] = group_words(self._tokens.words(text, code), alignment, self._tokens)
        return timed

    def _start(self, row: Row) -> list[int]:
        return self._tokens.start(self._code(row), row.window.task)

    def _code(self, row: Row) -> str:
        return row.language.code if row.language else "en"

    def _keep(self, row: Row, found: Decoded, phrases: list[Phrase], timed: list[Timed] | None) -> None:
        """Turns phrases into segments with absolute times."""
        fitted = fit_words(phrases, timed, self._tokens) if timed is not None else None
        for index, phrase in enumerate(phrases):
            words = fitted[index] if fitted is not None else None
            row.said += self._tokens.text_only(phrase.tokens)
            row.segments.append(self._segment(row, found, phrase, words))

    def _segment(self, row: Row, found: Decoded, phrase: Phrase, words: list[Timed] | None) -> Segment:
        offset = row.window.start + phrase.seek / RATE
        low, high = row.window.start, row.window.end
        times = [w.word(offset, low, high) for w in words] if words is not None else None
        start = times[0].start if times else _clamp(offset + phrase.start, low, high)
        end = times[-1].end if times else _clamp(offset + phrase.end, low, high)
        logprobs = found.logprobs[phrase.first : phrase.first + len(phrase.tokens)]
        return Segment(
            start=start,
            end=max(start, end),
            text=self._tokens.decode(phrase.tokens),
            tokens=self._tokens.tokens(phrase.tokens, logprobs),
            words=tuple(times) if times is not None else None,
            seek=round(row.window.start * RATE) + phrase.seek,
            temperature=found.temperature,
            avg_logprob=found.avg_logprob,
            compression_ratio=found.compression_ratio,
            no_speech_prob=found.no_speech_prob,
        )


def load(folder: Path, options: EngineOptions) -> WhisperTranscriber:
    """Loads CTranslate2 weights. Raises `EngineMissing` or `WeightsBroken`."""
    # Spinning OpenMP threads starve each other where cores are shared; read once, when the library loads.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        import faster_whisper  # noqa: F401 - asked for here, used where the device is chosen
    except ImportError as failure:
        raise import_failure(failure, "faster-whisper", "whisper") from failure
    model, calls = place(folder, options)
    return WhisperTranscriber(model, adaptive=options.adaptive, calls=calls)


def _alike(rows: list[Row], kind: Any) -> Iterator[list[Row]]:
    """Rows of one length whose start token has the same position: CTranslate2 needs that within a batch."""
    for _, group in groupby(sorted(rows, key=kind), key=kind):
        yield list(group)


def _grouped(indices: list[int], key: Any) -> Iterator[tuple[tuple[int, ...], list[int]]]:
    for value, group in groupby(sorted(indices, key=key), key=key):
        yield value, list(group)


def _clamp(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)
