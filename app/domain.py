"""The app's own values: what services take and give.

Law: frozen, typed, no behaviour beyond one-line properties. What an engine sees is in `engines/types.py`;
what a client sees is in `app/wire`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from engines.types import LanguageGuess, Samples, Segment, Task, Voice, Word

ModelKind = Literal["transcription", "speech", "speaker", "diarization"]


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model that this server can run."""

    id: str
    kind: ModelKind
    engine: str
    folder: Path
    created: int
    """Unix time of its release."""
    owner: str


@dataclass(frozen=True, slots=True)
class ModelListing:
    """A name that a client may send, and what is behind it."""

    id: str
    created: int
    """Unix time."""
    owner: str


@dataclass(frozen=True, slots=True)
class VadOptions:
    """How speech is told from silence."""

    threshold: float = 0.5
    """Probability of speech from which a frame is speech, 0..1."""
    prefix_padding_ms: int = 300
    """Milliseconds of sound before and after speech that belong to it."""
    silence_duration_ms: int = 500
    """Milliseconds of silence that end a stretch of speech."""


@dataclass(frozen=True, slots=True)
class SpeakerReference:
    """A known speaker, whose name turns in the audio are to carry."""

    name: str
    audio: bytes
    """A clip in any audio format."""


@dataclass(frozen=True, slots=True)
class SpeakersWanted:
    """What the request says about who speaks."""

    speakers: int | None = None
    """Number of speakers; None: estimated."""
    least: int | None = None
    most: int | None = None
    references: tuple[SpeakerReference, ...] = ()
    text_first: bool = False
    """Whether text leaves before its speaker is known."""


@dataclass(frozen=True, slots=True)
class TranscriptionJob:
    """What is to be done with one audio."""

    model: str
    task: Task = "transcribe"
    language: str | None = None
    """Language code; None: detect."""
    prompt: str = ""
    hotwords: tuple[str, ...] = ()
    temperature: float = 0.0
    """0: temperature fallback; above 0: the text is sampled at this temperature only."""
    beam_size: int | None = None
    vad: VadOptions | None = None
    """None: transcribe everything, silence too."""
    words: bool = False
    logprobs: bool = False
    diarize: SpeakersWanted | None = None
    """None: nobody asks who speaks."""


@dataclass(frozen=True, slots=True)
class SpokenSegment:
    """What one speaker says without a long pause."""

    start: float
    """Seconds from the start of the audio."""
    end: float
    """Seconds from the start of the audio."""
    speaker: str
    """A known name, or a letter in the order in which strangers begin to speak."""
    words: tuple[Word, ...]

    @property
    def text(self) -> str:
        return "".join(word.text for word in self.words).strip()


@dataclass(frozen=True, slots=True)
class Transcript:
    """Everything that was said in one audio."""

    task: Task
    language: LanguageGuess | None
    """None where nothing was said."""
    duration: float
    """Seconds of audio."""
    segments: tuple[Segment, ...]
    prompt_tokens: int = 0
    """Tokens of the prompt."""
    spoken: tuple[SpokenSegment, ...] | None = None
    """None where nobody asked who speaks."""

    @property
    def text(self) -> str:
        return "".join(segment.text for segment in self.segments).strip()

    @property
    def words(self) -> tuple[Word, ...]:
        return tuple(word for segment in self.segments for word in segment.words or ())

    @property
    def output_tokens(self) -> int:
        return sum(1 for segment in self.segments for token in segment.tokens if token.data)


@dataclass(frozen=True, slots=True)
class WindowText:
    """What one window says."""

    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class SpokenText:
    """What is said and by whom, of windows that were transcribed before."""

    spoken: tuple[SpokenSegment, ...]


@dataclass(frozen=True, slots=True)
class Progress:
    """Work goes on, and there is nothing to tell yet."""


TranscriptEvent = WindowText | SpokenText | Progress

AUDIO_TOKENS = 10
"""Tokens of a second of audio in `usage`, as OpenAI counts them."""


def audio_tokens(seconds: float) -> int:
    """What so many seconds of audio count in `usage`."""
    return math.ceil(AUDIO_TOKENS * seconds)


AudioFormat = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]
SpeechPreference = Literal["fast", "best"]


@dataclass(frozen=True, slots=True)
class LocalVoice:
    """A voice that this server can speak with."""

    voice: Voice
    model: ModelSpec
    profile: bytes = b""
    """Of a custom voice."""
    id: str = ""
    """Of a custom voice."""


@dataclass(frozen=True, slots=True)
class VoiceConsent:
    """Somebody's recorded consent."""

    id: str
    project: str
    name: str
    language: str
    """BCP 47."""
    created: int
    """Unix time."""


@dataclass(frozen=True, slots=True, eq=False)
class SpeakerVector:
    """A speaker as an encoder sees them. Vectors of two encoders mean nothing to one another."""

    encoder: str
    """Id of the encoder's model."""
    values: Samples
    """float32, of length 1: the dot product of two is their cosine similarity."""


VOICE_ID = "voice_"
"""How ids of custom voices begin."""


@dataclass(frozen=True, slots=True)
class CustomVoice:
    """A voice of a project, enrolled from a sample."""

    id: str
    project: str
    name: str
    consent: str
    language: str
    """BCP 47."""
    cloner: str
    """The cloner's name: `kokoro-match` gives a matched voice, not a clone."""
    engine: str
    model: str
    nearest: str
    """The stock voice that comes closest."""
    similarity: float
    """By the engine's own measure."""
    created: int
    """Unix time."""


@dataclass(frozen=True, slots=True)
class ListedVoice:
    """A voice under the name that clients send."""

    name: str
    voice: CustomVoice | LocalVoice


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what, and how it ended."""

    action: str
    subject: str
    outcome: str
    details: dict[str, str | float | bool]


@dataclass(frozen=True, slots=True)
class SpeechJob:
    """What is to be spoken, and how."""

    model: str
    text: str
    voice: str
    """A name, or the id of a custom voice."""
    speed: float = 1.0
    """2 is twice as fast, at the same pitch."""
    instructions: str = ""
    """How to speak, in plain words."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is stored: never the secret itself."""

    id: str
    name: str
    project: str
    """Whose voices and consents it sees."""
    hint: str
    """The last characters of the secret."""
    created: int
    """Unix time."""
    revoked: int | None = None
    """Unix time; None: valid."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request."""

    project: str
    key: str
    """Id of the key; `open` where no keys are asked for, `settings` for one of the settings file."""
