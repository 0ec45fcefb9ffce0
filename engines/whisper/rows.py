"""One window on its way through the rounds of a batch.

Law: how much of it the encoder is given, whether a result is doubted, when it is done; no model is run here.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

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
from engines.whisper.ladder import Decoded, passes
from engines.whisper.segments import Marks, split_phrases

FRAMES = 3000
"""Encoder frames of a full window (10 ms each)."""
RATE = 100
"""Frames a second."""
MIN_REST = 100
"""Frames at a window's end that are not worth another round."""
MAX_ROUNDS = 30
"""Rounds that one window may take."""
PADDING = 400
"""Frames of silence behind the speech of an adaptive window; see docs/decisions/0004."""
PADDING_UNMEASURED = 600
"""The same for models that it was not measured with."""
MEASURED = (512,)
"""Encoder widths of the models that it was measured with: base."""
SILENCE = -1.5
RANGE = 2.0
"""In features, digital silence is that far below the loudest place of the window, or at `SILENCE`."""
EARLY = 300
"""Frames of speech without text at the end of a round that make it doubtful."""
MANY_TOKENS = 10
TOKENS_A_SECOND = 15
"""More tokens than these for the time are a loop, in any language."""
SURE = -1.0
"""Mean log-probability under which a result of a short encoding is doubted."""
UNKNOWN = 0.5
"""Probability under which a detected language is doubtful."""
STEP = 400
"""Adaptive windows come in lengths of so many frames, so that windows of like length share a batch. A row's
length never depends on its neighbours': the same sound gives the same text, whoever else is in the batch."""


@dataclass(slots=True)
class Row:
    """One window on its way through the rounds."""

    window: Window
    features: Samples
    """(mel bands, frames)"""
    language: LanguageGuess | None
    padding: int | None = None
    """Frames of silence that the encoder sees behind the window; None: all 30 seconds are filled."""
    seek: int = 0
    """Frames from the start of the window."""
    said: list[int] = field(default_factory=list)
    """Text tokens of earlier rounds."""
    segments: list[Segment] = field(default_factory=list)
    rounds: int = 0
    doubted: bool = False
    """Whether a short encoding has failed: from now on it is given all 30 seconds."""
    cost: WindowCost = field(default_factory=WindowCost)

    @property
    def size(self) -> int:
        """Frames that the encoder is given in this round, at least."""
        if self.padding is None or self.doubted:
            return FRAMES
        return adaptive_size(self.frames - self.seek, self.padding)

    @property
    def frames(self) -> int:
        return int(self.features.shape[1])

    @property
    def unfinished(self) -> bool:
        fresh = self.rounds == 0
        return fresh or (self.frames - self.seek >= MIN_REST and self.rounds < MAX_ROUNDS)

    def piece(self, size: int) -> Samples:
        """The features of this round, filled up to `size` with what silence looks like beside this sound.

        Whisper was trained on sound that was filled up before its features were taken, so zeros, which are
        a rather loud noise among features, would be something it has never seen.
        """
        rest = self.features[:, self.seek : self.seek + size]
        silence = max(SILENCE, float(self.features.max()) - RANGE)
        return np.pad(rest, ((0, 0), (0, size - rest.shape[1])), constant_values=silence)

    def spent(self, **counts: int) -> None:
        """Adds to what the window has cost."""
        self.cost = replace(self.cost, **{k: getattr(self.cost, k) + n for k, n in counts.items()})

    def retry_in_full(self) -> None:
        """The result of this round is doubted: nothing of it is kept."""
        self.doubted = True
        self.spent(refilled=1)
        if self.window.language is None and self.rounds == 0:
            self.language = None

    def result(self, prompt_tokens: int) -> WindowResult:
        language = self.language or LanguageGuess("en", 0.0)
        return WindowResult(tuple(self.segments), language, prompt_tokens, cost=self.cost)


def adaptive_size(frames: int, padding: int) -> int:
    """Frames that the encoder is given for so many frames of speech."""
    return min(FRAMES, -(-(frames + padding) // STEP) * STEP)


def doubtful(row: Row, size: int, found: Decoded, options: TranscribeOptions, marks: Marks) -> bool:
    """Whether an encoding of `size` frames may have gone wrong: a loop, an early end, an unknown language."""
    if size == FRAMES:
        return False
    left = row.frames - row.seek
    phrases, used = split_phrases(found.tokens, left, marks, min_rest=MIN_REST)
    early = not phrases or (used == left and phrases[-1].end * RATE < left - EARLY)
    many = len(found.tokens) > MANY_TOKENS + TOKENS_A_SECOND * left / RATE
    unknown = row.language is not None and row.language.probability < UNKNOWN
    unsure = found.avg_logprob < SURE or not passes(found, options)
    return early or many or unknown or unsure
