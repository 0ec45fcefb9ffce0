"""What is asked of a recording, and what was heard in it. Law: frozen values."""

from __future__ import annotations

from dataclasses import dataclass

from engines.types import LanguageGuess, Segment, Task, Word


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
class SpeakerRequest:
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
    peaks: bool = False
    """Whether the client wants to draw how loud the recording is."""
    diarize: SpeakerRequest | None = None
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
