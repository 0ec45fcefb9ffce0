"""What the app may ask of an engine.

Law: protocols only; each fits on one screen and every engine of its kind passes the same test suite
(`tests/contract`). All calls block and are made from worker threads.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Protocol

from engines.types import (
    Diarization,
    DiarizeOptions,
    EngineOptions,
    Pcm,
    Samples,
    SpeakerSample,
    TranscribeOptions,
    Utterance,
    Voice,
    VoiceProfile,
    Window,
    WindowResult,
)
from engines.work import Seen


class Transcriber(Protocol):
    """Speech to text, a batch of windows at a time."""

    @property
    def calls(self) -> int:
        """Calls of `transcribe` that it takes at once."""
        ...

    def batch_key(self, window: Window, options: TranscribeOptions) -> Hashable:
        """Windows of equal keys may be given to one call: decoded alike, and of like cost. Does not block."""
        ...

    def prepare(self, window: Window) -> Window:
        """The window with its features: what can be done before its turn, on any thread. Optional to call."""
        ...

    def transcribe(self, windows: Sequence[Window], options: TranscribeOptions) -> list[WindowResult]:
        """One result for each window, in order; each window has its own prompt, language and task.

        Raises `EngineError`; a failure concerns the whole batch.
        """
        ...

    def close(self) -> None:
        """Gives the memory back; the object is not used again."""
        ...


class LoadTranscriber(Protocol):
    """What an entry point of the group `antiphon.transcribers` names."""

    def __call__(self, folder: Path, options: EngineOptions) -> Transcriber:
        """Loads the weights in `folder`. Raises `EngineMissing` or `WeightsBroken`."""
        ...


class SpeechStream(Protocol):
    """One pass over one audio; keeps the detector's state between calls."""

    frame: int
    """Samples that one probability covers."""

    def feed(self, samples: Samples) -> Samples:
        """The probability of speech (0..1) of each whole frame; the rest waits for the next call."""
        ...

    def flush(self) -> Samples:
        """The probability of the last, padded frame, if samples are waiting."""
        ...


class SpeechDetector(Protocol):
    """Finds speech in sound of `SAMPLE_RATE` hertz."""

    def open(self) -> SpeechStream: ...


class LoadSpeechDetector(Protocol):
    """What an entry point of the group `antiphon.speech_detectors` names."""

    def __call__(self) -> SpeechDetector:
        """Raises `EngineMissing`."""
        ...


class Synthesizer(Protocol):
    """Text to speech, an utterance at a time."""

    def synthesize(self, utterance: Utterance) -> Pcm:
        """Sound at the voice's rate; no samples where there is nothing to say.

        Any text is spoken as well as the engine can: it is never refused for its language or its signs.
        Raises `EngineError`.
        """
        ...

    def close(self) -> None:
        """Gives the memory back; the object is not used again."""
        ...


class SpeechEngine(Protocol):
    """What an entry point of the group `antiphon.synthesizers` names: a module with these names will do."""

    COST: float
    """CPU seconds for a second of speech, roughly; the fastest engine has the least."""
    QUALITY: int
    """How natural it sounds; the best engine has the most."""
    HONOURS: frozenset[str]
    """Fields of an utterance beyond text, voice and language that it follows."""

    def voices(self, folder: Path) -> tuple[Voice, ...]:
        """The voices of the model in `folder`, without loading it; none where it is no model of ours."""
        ...

    def load(self, folder: Path, options: EngineOptions) -> Synthesizer:
        """Loads the weights in `folder`. Raises `EngineMissing` or `WeightsBroken`."""
        ...


class SpeakerEncoder(Protocol):
    """Who is speaking, as a vector: cosines of two vectors tell whether they are one speaker."""

    def embed(self, sound: Pcm) -> Samples:
        """A unit vector. `sound`: speech of `SAMPLE_RATE` hertz without long silence."""
        ...

    def close(self) -> None:
        """Gives the memory back; the object is not used again."""
        ...


class LoadSpeakerEncoder(Protocol):
    """What an entry point of the group `antiphon.speaker_encoders` names."""

    def __call__(self, folder: Path, options: EngineOptions) -> SpeakerEncoder:
        """Loads the weights in `folder`. Raises `EngineMissing` or `WeightsBroken`."""
        ...


class Diarizer(SpeakerEncoder, Protocol):
    """Tells who spoke when: hears an audio in stretches, each by itself, and puts them together at the end.

    It keeps nothing between two calls, so stretches of one audio may be heard by several copies of the model.
    """

    @property
    def span(self) -> int:
        """Samples of `SAMPLE_RATE` hertz that one `look` hears; the last one hears what is left."""
        ...

    @property
    def hop(self) -> int:
        """Samples by which the next look begins later than this one; at most `span`."""
        ...

    def look(self, samples: Samples, start: float, *, end: bool) -> Seen:
        """What `assemble` needs to know of one stretch: numbers that pickle, and no sound.

        `start`: seconds from the start of the audio. `end`: whether the audio ends with this stretch. Raises
        `EngineError`.
        """
        ...

    def assemble(self, seen: Sequence[Seen], options: DiarizeOptions) -> Diarization:
        """Who spoke when. `seen`: of all stretches, in order, at least one. Raises `EngineError`."""
        ...


class DiarizationEngine(Protocol):
    """What an entry point of the group `antiphon.diarizers` names: a module with these names will do."""

    def check(self) -> None:
        """Raises `EngineMissing` where a library is absent; imports nothing heavy."""
        ...

    def load(self, folder: Path, options: EngineOptions) -> Diarizer:
        """Loads the weights in `folder`. Raises `EngineMissing` or `WeightsBroken`."""
        ...


class VoiceCloner(Protocol):
    """What an entry point of the group `antiphon.voice_cloners` names: a module with these names will do."""

    ENGINE: str
    """Name of the synthesizer that speaks with its profiles."""
    MODEL: str
    """Name of the model that it needs."""
    RATE: int
    """Hertz of the samples that it takes."""
    LOADS: bool
    """Whether it works with the loaded synthesizer, and so on that model's thread."""

    def enroll(self, sample: SpeakerSample, synthesizer: Synthesizer | None) -> VoiceProfile:
        """A speaker's voice. `synthesizer`: of `MODEL` if it `LOADS`, else None. Raises `EngineError`."""
        ...
