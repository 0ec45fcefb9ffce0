"""Live transcription: the settings of a session, and its events. Law: frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from app.domain.transcripts import Transcript
from engines.types import Token

Encoding = Literal["pcm", "pcmu", "pcma"]
Eagerness = Literal["low", "medium", "high", "auto"]
Delay = Literal["minimal", "low", "medium", "high", "xhigh"]


@dataclass(frozen=True, slots=True)
class SoundFormat:
    """How the client encodes its sound; always mono."""

    encoding: Encoding = "pcm"
    """`pcm`: signed 16-bit samples, little-endian. `pcmu`, `pcma`: G.711 mu-law and A-law."""
    rate: int = 24_000
    """Sampling rate in hertz."""

    @property
    def width(self) -> int:
        """Bytes of a sample."""
        return 2 if self.encoding == "pcm" else 1


@dataclass(frozen=True, slots=True)
class ServerTurns:
    """Turns end after a fixed silence."""

    threshold: float = 0.5
    """Probability of speech from which a frame is speech, 0..1."""
    prefix_padding_ms: int = 300
    """Milliseconds before the speech that belong to the turn."""
    silence_duration_ms: int = 500
    """Milliseconds of silence that end a turn."""


@dataclass(frozen=True, slots=True)
class SemanticTurns:
    """Turns end after a short silence where the text ends a sentence, else after a longer one."""

    eagerness: Eagerness = "auto"


@dataclass(frozen=True, slots=True)
class NoiseReduction:
    """The client's setting for noise reduction. It is accepted and shown, but has no effect."""

    kind: Literal["near_field", "far_field"]
    strength: float | None = None
    """From 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSettings:
    """The settings of a session. A turn keeps the settings that it began with."""

    model: str
    """The name that the client sent."""
    format: SoundFormat = SoundFormat()
    language: str | None = None
    """Language code; None: see `languages`."""
    languages: tuple[str, ...] = ()
    """A single one counts as `language`; otherwise the language is detected."""
    prompt: str = ""
    keywords: tuple[str, ...] = ()
    delay: Delay | None = None
    """How much new audio there should be between two attempts to transcribe it."""
    noise: NoiseReduction | None = None
    turns: ServerTurns | SemanticTurns | None = ServerTurns()
    """How turns end. None: a turn ends only when the client commits it."""
    logprobs: bool = False

    @property
    def spoken(self) -> str | None:
        """The language of all speech; None: it is detected."""
        return self.language or (self.languages[0] if len(self.languages) == 1 else None)


@dataclass(frozen=True, slots=True)
class LiveWord:
    """A word that later audio will not change."""

    text: str
    """As decoded: a leading space where the language writes one."""
    end: float
    """Seconds from the start of the session's audio."""
    tokens: tuple[Token, ...] = ()


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """A turn begins."""

    item: str
    milliseconds: int
    """Milliseconds from the start of the session's audio to the beginning of the turn, with its padding."""


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """A turn ends."""

    item: str
    milliseconds: int
    """Milliseconds from the start of the session's audio to the end of the turn, with the silence that ended
    it.
    """


@dataclass(frozen=True, slots=True)
class ItemCommitted:
    """The audio of an item is complete."""

    item: str
    previous: str | None


@dataclass(frozen=True, slots=True)
class ItemText:
    """Further words of an item, which later audio will not change."""

    item: str
    words: tuple[LiveWord, ...]
    logprobs: bool


@dataclass(frozen=True, slots=True)
class ItemCompleted:
    """An item is complete, and this is its whole text."""

    item: str
    text: str
    """The text of all words that were sent, joined."""
    transcript: Transcript
    settings: LiveSettings


@dataclass(frozen=True, slots=True)
class ItemFailed:
    """An item cannot be transcribed."""

    item: str
    type: str
    code: str | None
    message: str


LiveEvent = SpeechStarted | SpeechStopped | ItemCommitted | ItemText | ItemCompleted | ItemFailed
