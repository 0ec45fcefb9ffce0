"""One window on its way through the rounds of a batch.

Law: how much of it the encoder is given, whether a result is doubted, when it is done; no model is run here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from engines.types import LanguageGuess, Samples, Segment, TranscribeOptions, Window, WindowResult
from engines.whisper_ladder import Decoded, passes
from engines.whisper_segments import Marks, split_phrases

FRAMES = 3000
"""Encoder frames of a full window (10 ms each)."""
RATE = 100
"""Frames a second."""
MIN_REST = 100
"""Frames at a window's end that are not worth another round."""
MAX_ROUNDS = 30
"""Rounds that one window may take."""
PADDING = 600
"""Frames of silence behind the speech of an adaptive window; see docs/decisions/0004."""
EARLY = 300
"""Frames of speech without text at the end of a round that make it doubtful."""
MANY_TOKENS = 10
TOKENS_A_SECOND = 15
"""More tokens than these for the time are a loop, in any language."""
SURE = -0.5
"""Mean log-probability under which a result is doubted."""
UNKNOWN = 0.5
"""Probability under which a detected language is doubtful."""
STEP = 200
"""Adaptive windows come in lengths of so many frames, so that windows of like length share a batch."""


@dataclass(slots=True)
class Row:
    """One window on its way through the rounds."""

    window: Window
    features: Samples
    """(mel bands, frames)"""
    language: LanguageGuess | None
    seek: int = 0
    """Frames from the start of the window."""
    said: list[int] = field(default_factory=list)
    """Text tokens of earlier rounds."""
    segments: list[Segment] = field(default_factory=list)
    rounds: int = 0
    full: bool = False
    """Whether the encoder sees all 30 seconds, whatever the window's length."""

    @property
    def size(self) -> int:
        """Frames that the encoder is given in this round."""
        wanted = -(-(self.frames - self.seek + PADDING) // STEP) * STEP
        return FRAMES if self.full else min(FRAMES, wanted)

    @property
    def frames(self) -> int:
        return int(self.features.shape[1])

    @property
    def unfinished(self) -> bool:
        fresh = self.rounds == 0
        return fresh or (self.frames - self.seek >= MIN_REST and self.rounds < MAX_ROUNDS)

    def piece(self) -> Samples:
        """The features of this round, padded to its size."""
        rest = self.features[:, self.seek : self.seek + self.size]
        return np.pad(rest, ((0, 0), (0, self.size - rest.shape[1])))

    def retry_in_full(self) -> None:
        """The result of this round is doubted: nothing of it is kept."""
        self.full = True
        if self.window.language is None and self.rounds == 0:
            self.language = None

    def result(self, prompt_tokens: int) -> WindowResult:
        language = self.language or LanguageGuess("en", 0.0)
        return WindowResult(tuple(self.segments), language, prompt_tokens)


def doubtful(row: Row, found: Decoded, options: TranscribeOptions, marks: Marks) -> bool:
    """Whether a short encoding may have gone wrong: a loop, an early end, a language hardly known."""
    if row.size == FRAMES:
        return False
    left = row.frames - row.seek
    phrases, used = split_phrases(found.tokens, left, marks, min_rest=MIN_REST)
    early = not phrases or (used == left and phrases[-1].end * RATE < left - EARLY)
    many = len(found.tokens) > MANY_TOKENS + TOKENS_A_SECOND * left / RATE
    unknown = row.language is not None and row.language.probability < UNKNOWN
    unsure = found.avg_logprob < SURE or not passes(found, options)
    return early or many or unknown or unsure
