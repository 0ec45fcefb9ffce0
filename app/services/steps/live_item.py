"""One item of a live session: what is known of its audio and its words, and when it is worth another look.

A look is one transcription of the part of the audio whose words are not sure yet. Law: knows no model; what a
look does stands in `live_transcriber.py`.
"""

from __future__ import annotations

import asyncio

from app.domain import ModelSpec
from app.domain.live import LiveSettings, LiveWord, SemanticTurns, ServerTurns
from app.services.steps.live_buffer import SoundBuffer
from engines.punctuation import SENTENCE_ENDS
from engines.types import SAMPLE_RATE

DELAY_SECONDS = {"minimal": 0.5, "low": 0.75, "medium": 1.0, "high": 2.0, "xhigh": 3.0}
"""Seconds of new speech between two looks, by the delay that the client asks for."""
FIRST_LOOK = 0.8
"""Seconds of speech before the first look."""
SECOND_LOOK = 0.7
"""Seconds of new speech before the second look, while no word is final: a word needs two looks that agree."""
USUAL_STEP = 1.5
"""Seconds of new speech between two looks if the client asks for no delay."""
STEP_SHARE = 0.3
"""Least new speech between two looks, as a share of the audio of the look: long looks cost more, so they are
rarer.
"""
PAUSE_SECONDS = 0.4
"""Seconds of silence after which a look begins at once, although less than the usual speech is new."""
SENTENCE_PAUSE = 0.3
"""The same where the text decides whether the turn ends. A turn whose text ends a sentence ends then."""

PATIENCE_SECONDS = {"low": 2.0, "medium": 1.0, "auto": 1.0, "high": 0.5}
"""Seconds of silence that end any other turn, by `eagerness`: a quarter of OpenAI's longest wait."""


class LiveItem:
    """One item of a live session. `changed` is set when another look may be due."""

    over = False
    """Whether the client was told its whole text, or that it failed."""
    failed = 0
    """Position up to which speech was part of a look that failed."""
    hurried = False
    """Whether a look should begin although less than the usual speech is new."""
    detected: str | None = None
    """The language of the last look, as the model found it."""

    def __init__(self, name: str, start: int, settings: LiveSettings, model: ModelSpec) -> None:
        """`start`: position of the first sample of the item."""
        self.name = name
        self.start = start
        self.settings = settings
        self.model = model
        self.end: int | None = None
        """Position after the last sample, once it is known."""
        self.done = start
        """Position before which all words have been sent to the client."""
        self.heard = 0
        """Position where the latest speech ends so far."""
        self._now = start
        """Position up to which its audio is known."""
        self.looked = start
        """Position up to which speech was part of a look."""
        self.changed = asyncio.Event()
        self.ended = asyncio.Event()
        """Set once `end` is known."""
        self.told: list[LiveWord] = []
        self.sure: list[LiveWord] = []
        """Words that were sent to the client and are within the audio of the next look."""
        self.guess: list[LiveWord] = []
        """Words that the last look gave after the final ones, and that are not final yet."""
        self.language = settings.spoken
        self.prompt_tokens = 0

    @property
    def threshold(self) -> float:
        return self.settings.turns.threshold if isinstance(self.settings.turns, ServerTurns) else 0.5

    @property
    def text(self) -> str:
        return "".join(word.text for word in self.told)

    @property
    def said(self) -> str:
        """The text of all words so far, final or not."""
        return self.text + "".join(word.text for word in self.guess)

    @property
    def ends_sentence(self) -> bool:
        """Whether all speech so far has been part of a look, and its text ends a sentence."""
        return self.looked >= self.heard and self.said.rstrip().endswith(SENTENCE_ENDS)

    @property
    def silence(self) -> float:
        """Seconds of silence that end its turn now."""
        turns = self.settings.turns
        if isinstance(turns, SemanticTurns):
            return SENTENCE_PAUSE if self.ends_sentence else PATIENCE_SECONDS[turns.eagerness]
        return turns.silence_duration_ms / 1000 if turns else 0.0

    @property
    def pause(self) -> float:
        """Seconds of silence after which a look begins at once."""
        return SENTENCE_PAUSE if isinstance(self.settings.turns, SemanticTurns) else PAUSE_SECONDS

    @property
    def behind(self) -> float:
        """Seconds of speech that no look has included yet."""
        return max(self.heard - max(self.looked, self.failed), 0) / SAMPLE_RATE

    def finish(self, end: int) -> None:
        """Notes that all of its audio is known. `end`: position after the last sample."""
        self.end = end
        self.ended.set()
        self.changed.set()

    def note(self, buffer: SoundBuffer, frame: int, chance: float) -> None:
        """Takes the speech probability of the next frame of the audio."""
        after = self._now = (frame + 1) * buffer.frame
        if chance >= max(self.threshold, 0.01):
            if not self.heard:
                self.looked = max(self.start, after - buffer.frame)
            self.heard = after
        if self.due:
            self.changed.set()

    def hurry(self) -> None:
        """Makes a look due, if there is any new speech."""
        self.hurried = True
        self.changed.set()

    @property
    def due(self) -> bool:
        """Whether there is enough new speech for another look."""
        if not self.behind:
            return False
        paused = self._now - self.heard >= self.pause * SAMPLE_RATE
        return self.hurried or paused or self.behind >= self._step()

    def _step(self) -> float:
        """Seconds of new speech before the next look."""
        if not self.told and not self.guess:
            return FIRST_LOOK
        if self.settings.delay:
            return DELAY_SECONDS[self.settings.delay]
        if not self.told:
            return SECOND_LOOK
        return max(USUAL_STEP, STEP_SHARE * (self.heard - self.done) / SAMPLE_RATE)
