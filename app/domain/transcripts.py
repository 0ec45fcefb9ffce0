"""Requests to transcribe a recording, and their results. Law: frozen values."""

from __future__ import annotations

from dataclasses import dataclass

from engines.types import LanguageGuess, Segment, Task, Word


@dataclass(frozen=True, kw_only=True, slots=True)
class VadOptions:
    """Options of the speech detection."""

    threshold: float = 0.5
    """Probability of speech from which a frame is speech, 0..1."""
    prefix_padding_ms: int = 300
    """Milliseconds of sound before and after speech that are transcribed with it."""
    silence_duration_ms: int = 500
    """Milliseconds of silence that end a stretch of speech."""


@dataclass(frozen=True, slots=True)
class SpeakerReference:
    """A known speaker: their turns in the audio carry this name."""

    name: str
    audio: bytes
    """A clip in any audio format."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SpeakerRequest:
    """A request to tell speakers apart."""

    speakers: int | None = None
    """Number of speakers; None: estimated."""
    least: int | None = None
    most: int | None = None
    references: tuple[SpeakerReference, ...] = ()
    text_first: bool = False
    """Whether a stream sends text before its speaker is known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TranscriptionJob:
    """One audio to transcribe, with its options."""

    model: str
    task: Task = "transcribe"
    language: str | None = None
    """Language code; None: the language is detected."""
    prompt: str = ""
    hotwords: tuple[str, ...] = ()
    temperature: float = 0.0
    """0: temperature fallback; above 0: the text is sampled at this temperature only."""
    beam_size: int | None = None
    vad: VadOptions | None = None
    """Options of the speech detection. None: everything is transcribed, silence too."""
    words: bool = False
    logprobs: bool = False
    peaks: bool = False
    """Whether the stream reports loudness peaks, from which a client can draw the waveform."""
    diarize: SpeakerRequest | None = None
    """None: the transcript does not name speakers."""


@dataclass(frozen=True, slots=True)
class SpokenSegment:
    """The words of one speaker without a long pause between them."""

    start: float
    """Seconds from the start of the audio."""
    end: float
    """Seconds from the start of the audio."""
    speaker: str
    """The name of a known speaker; for others a letter, in the order of their first words."""
    words: tuple[Word, ...]

    @property
    def text(self) -> str:
        return "".join(word.text for word in self.words).strip()


@dataclass(frozen=True, slots=True)
class Transcript:
    """The transcript of one audio."""

    task: Task
    language: LanguageGuess | None
    """None if there was no speech."""
    duration: float
    """Seconds of audio."""
    segments: tuple[Segment, ...]
    prompt_tokens: int = 0
    """Tokens of the prompt."""
    spoken: tuple[SpokenSegment, ...] | None = None
    """None if speakers were not asked for."""

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
    """The text of one window."""

    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class SpokenText:
    """Segments with their speakers, from windows that were transcribed before."""

    spoken: tuple[SpokenSegment, ...]


@dataclass(frozen=True, slots=True)
class Progress:
    """A sign that the work continues, without any new text."""


TranscriptEvent = WindowText | SpokenText | Progress
