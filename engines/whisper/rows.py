"""The state of one window during the rounds of a batch.

A round encodes a stretch of the window, decodes it, and moves on to the first sound without text; most
windows need one round. With adaptive windows the encoder is given the sound and a few seconds of silence, not
always 30 seconds, and a doubtful result is decoded again from a full encoding (docs/decisions/0004).

Law: how much of a window the encoder is given, whether a result is doubtful, and when a window is finished;
no model is run here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from itertools import groupby
from typing import Any, TypeVar

import numpy as np

from engines.types import (
    LanguageGuess,
    Samples,
    Segment,
    TranscribeOptions,
    Window,
    WindowCost,
    WindowResult,
)
from engines.whisper.decoding_quality import Decoded, passes
from engines.whisper.timestamp_phrases import Marks, split_phrases
from engines.work import FRAMES_PER_SECOND

Item = TypeVar("Item")
FRAMES_PER_POSITION = 2
"""Frames for each position of the encoder's output."""
FULL_FRAMES = 3000
"""Frames of a full encoding: 30 seconds."""
GRID_FRAMES = 400
COARSE_GRID_FRAMES = 1000
"""Short encodings have a multiple of these frames, so that windows of like length share a batch. The length
never depends on the other rows: the same sound gives the same text, whatever else is in the batch. The grid
is coarse where the frames cost little: on a GPU, and where the encoder is not given all of them."""
CLASS_FRAMES = 1500
"""Where rows of several lengths are decoded together, windows of up to so many frames share batches, and so
do longer ones: else a short clip would wait until the long windows of others are done."""
ENCODED_GRID_FRAMES = 100
"""The encoder of a measured model on a CPU encodes each row by itself, up to a multiple of these frames. Up
to the coarse grid, the decoder is given the encoding of silence. OpenVINO prepares and keeps code for each
length that occurs."""
MIN_REST = 100
"""A rest of the window with fewer frames than this gets no further round."""
MAX_ROUNDS = 30
"""The most rounds of one window."""
MAX_FALLBACK_ROUNDS = 2
"""Rounds of one window that may use the fallback temperatures; later ones use the first temperature alone."""
PADDING_FRAMES = 400
"""Frames of silence after the sound in a short encoding; see docs/decisions/0004."""
QUICK_PADDING_FRAMES = 300
"""The same with a quick encoder, not for drafts; sound attends to more silence than is encoded with it."""
LONG_FRAMES = 1500
LONG_PADDING_FRAMES = 100
"""Sound of at least `LONG_FRAMES` gets so much; it needs less silence to avoid repetition loops."""
PADDING_UNMEASURED = 600
"""Frames of silence after the sound in a short encoding, for models that were not measured."""
MEASURED_WIDTHS = (512,)
"""Encoder widths of the models with which the padding was measured: base."""
SILENCE_FEATURE = -1.5
FEATURE_RANGE = 2.0
"""Padding value: max(SILENCE_FEATURE, loudest feature - FEATURE_RANGE), which log-mel extraction gives for
silence.
"""
USUAL_SILENCE_FEATURE = -1.2
"""Between the features of silence after loud and after faint sound, for a window of nothing but silence."""
MAX_SILENT_END = 300
"""If so many frames at the end of a round have no text, the result is doubtful."""
TOKENS_AT_ONCE = 10
TOKENS_PER_SECOND = 15
"""More tokens than TOKENS_AT_ONCE + TOKENS_PER_SECOND * seconds are a loop in any language."""
SHORT_MIN_LOGPROB = -1.0
"""Mean log-probability below which the result of a short encoding is doubtful."""


@dataclass(slots=True)
class Row:
    """The state of one window."""

    window: Window
    features: Samples
    """The log-mel spectrogram: (mel bands, frames)."""
    language: LanguageGuess | None
    padding: int | None = None
    """Frames of silence after the sound in the encoding; None: every encoding is a full one."""
    grid: int = GRID_FRAMES
    """The length of short encodings is a multiple of so many frames, as the decoder gets it."""
    tight: bool = False
    """Whether the encoder gets fewer frames than the decoder: the rest is the encoding of silence."""
    draft: bool = False
    """Whether the text is provisional."""
    seek: int = 0
    """Position at which the next round begins: frames from the start of the window."""
    said: list[int] = field(default_factory=list)
    """Text tokens of earlier rounds."""
    segments: list[Segment] = field(default_factory=list)
    rounds: int = 0
    doubted: bool = False
    """Whether the result of a short encoding was doubtful: from then on, every encoding is a full one."""
    cost: WindowCost = field(default_factory=WindowCost)

    @property
    def size(self) -> int:
        """Number of frames of the next encoding, as the decoder gets it."""
        if self.padding is None or self.doubted:
            return FULL_FRAMES
        return short_size(self.frames - self.seek, self.padding, self.grid)

    @property
    def encoded(self) -> int:
        """Number of frames that the encoder gets for this round; at most `size`."""
        if self.padding is None or self.doubted or not self.tight:
            return self.size
        left = self.frames - self.seek
        padding = LONG_PADDING_FRAMES if left >= LONG_FRAMES else self.padding
        return min(self.size, short_size(left, padding, ENCODED_GRID_FRAMES))

    @property
    def full(self) -> bool:
        """Whether the next encoding is a full one, so that no better one can be tried."""
        return self.encoded == FULL_FRAMES

    @property
    def max_tokens(self) -> int | None:
        """The tokens from which a short encoding is doubtful, so that decoding can stop there."""
        if self.padding is None or self.full:
            return None
        return most_tokens(self.size - self.padding) + 1

    @property
    def unsure_of_language(self) -> bool:
        """Whether the language that a short encoding told is unsure."""
        return not self.full and self.language is not None and not self.language.sure

    @property
    def frames(self) -> int:
        """Frames of the whole window."""
        return int(self.features.shape[1])

    @property
    def unfinished(self) -> bool:
        first = self.rounds == 0
        return first or (self.frames - self.seek >= MIN_REST and self.rounds < MAX_ROUNDS)

    @property
    def may_fall_back(self) -> bool:
        """Whether fallback temperatures may be used; they are the most expensive part of a window."""
        return self.cost.fallbacks < MAX_FALLBACK_ROUNDS

    def piece(self, size: int) -> Samples:
        """The features of this round, padded to `size` frames with the features of silence.

        Whisper was trained on sound that was padded before its features were taken. Zeros would be a rather
        loud noise among features, which the model has never seen.
        """
        rest = self.features[:, self.seek : self.seek + size]
        silence = max(SILENCE_FEATURE, float(self.features.max()) - FEATURE_RANGE)
        return np.pad(rest, ((0, 0), (0, size - rest.shape[1])), constant_values=silence)

    def copy(self) -> Row:
        """The state as it is now, for `restore`."""
        return replace(self, said=[*self.said], segments=[*self.segments])

    def restore(self, before: Row) -> None:
        """Goes back to an earlier state of the same window."""
        for name in (one.name for one in fields(self)):
            setattr(self, name, getattr(before, name))

    def spent(self, **counts: int) -> None:
        """Adds these counts to the cost of the window."""
        self.cost = replace(self.cost, **{k: getattr(self.cost, k) + n for k, n in counts.items()})

    def retry_in_full(self) -> None:
        """Drops the result of this round; the next one uses a full encoding."""
        self.doubted = True
        self.spent(reencoded=1)
        if self.window.language is None and self.rounds == 0:
            self.language = None

    def result(self, prompt_tokens: int) -> WindowResult:
        language = self.language or LanguageGuess("en", 0.0)
        return WindowResult(tuple(self.segments), language, prompt_tokens, cost=self.cost)


def short_size(frames: int, padding: int, grid: int) -> int:
    """Frames of a short encoding of `frames` frames of sound."""
    return min(FULL_FRAMES, math.ceil((frames + padding) / grid) * grid)


def most_tokens(frames: int) -> int:
    """Tokens that `frames` frames of speech can have; more are a loop."""
    return TOKENS_AT_ONCE + TOKENS_PER_SECOND * frames // FRAMES_PER_SECOND


def doubtful(row: Row, decoded: Decoded, options: TranscribeOptions, marks: Marks) -> bool:
    """Whether the encoding of this round may have gone wrong.

    Signs are a loop, an unlikely text, and speech without text at the end. A full encoding is never doubtful.
    """
    if row.full:
        return False
    left = row.frames - row.seek
    phrases, used = split_phrases(decoded.tokens, left, marks, min_rest=MIN_REST)
    early = not phrases or (used == left and phrases[-1].end * FRAMES_PER_SECOND < left - MAX_SILENT_END)
    many = len(decoded.tokens) > most_tokens(left)
    unlikely = decoded.avg_logprob < SHORT_MIN_LOGPROB or not passes(decoded, options)
    return early or many or unlikely


def grouped(items: list[Item], key: Callable[[Item], tuple[Any, ...]]) -> Iterator[list[Item]]:
    """The items in groups of equal keys, in the order of the keys."""
    for _, group in groupby(sorted(items, key=key), key=key):
        yield list(group)
