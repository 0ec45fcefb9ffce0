"""The interfaces of engines, which the app uses.

Law: protocols only; each fits on one screen and every engine of its kind passes the same test suite
(`tests/contract`). All calls block and are made from worker threads.
"""

from __future__ import annotations

from collections.abc import Sequence
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
from engines.work import LengthClasses, Seen


class Transcriber(Protocol):
    """Speech to text, a batch of windows at a time."""

    @property
    def calls(self) -> int:
        """Calls of `transcribe` that may run in parallel."""
        ...

    @property
    def lengths(self) -> LengthClasses:
        """Classes of window lengths. Windows of one class with equal options may share a call, because they
        cost about the same.
        """
        ...

    def prepare(self, window: Window) -> Window:
        """The window with its features computed, so that `transcribe` takes less time. May be called on any
        thread, while other calls run; calling it is optional.
        """
        ...

    def transcribe(self, windows: Sequence[Window], options: TranscribeOptions) -> list[WindowResult]:
        """One result for each window, in order; each window has its own prompt, language and task.

        Raises `EngineError`; a failure concerns the whole batch.
        """
        ...

    def close(self) -> None:
        """Frees the memory. The object must not be used afterwards."""
        ...


class LoadTranscriber(Protocol):
    """The type of entry points in the group `antiphon.transcribers`."""

    def __call__(self, folder: Path, options: EngineOptions) -> Transcriber:
        """Loads the weights in `folder`. Raises `EngineMissing` or `WeightsBroken`."""
        ...


class SpeechStream(Protocol):
    """One pass over one audio; keeps the detector's state between calls."""

    frame: int
    """Samples that one probability covers."""

    def feed(self, samples: Samples) -> Samples:
        """The probability of speech (0..1) of each complete frame; the rest waits for the next call."""
        ...

    def flush(self) -> Samples:
        """The probability of the last frame, padded with silence, if samples are left."""
        ...


class SpeechDetector(Protocol):
    """Finds speech in sound of `SAMPLE_RATE` hertz."""

    def open(self) -> SpeechStream: ...


class LoadSpeechDetector(Protocol):
    """The type of entry points in the group `antiphon.speech_detectors`."""

    def __call__(self) -> SpeechDetector:
        """Loads the detector. Raises `EngineMissing`."""
        ...


class Synthesizer(Protocol):
    """Text to speech, an utterance at a time.

    It may have two more methods without arguments: `warm_up`, a shorter way than a first utterance to load
    what that needs; and `rest`, called when there was no work for some seconds, to give memory back.
    """

    def synthesize(self, utterance: Utterance) -> Pcm:
        """Sound at the voice's sampling rate; no samples if the text has nothing to speak.

        Any text is spoken as well as the engine can: it is never refused for its language or its signs.
        Raises `EngineError`.
        """
        ...

    def close(self) -> None:
        """Frees the memory. The object must not be used afterwards."""
        ...


class SpeechEngine(Protocol):
    """The type of entry points in the group `antiphon.synthesizers`. It can be a module."""

    COST: float
    """CPU seconds for a second of speech, roughly. A request for a fast model gets the engine with the least
    cost.
    """
    QUALITY: int
    """How natural it sounds; a higher number is better."""
    HONOURS: frozenset[str]
    """Names of the optional fields of an utterance that the engine obeys, such as `instructions`."""

    def voices(self, folder: Path) -> tuple[Voice, ...]:
        """The voices of the model in `folder`, without loading it; none if the model is
        not for this engine.
        """
        ...

    def load(self, folder: Path, options: EngineOptions) -> Synthesizer:
        """Loads the weights in `folder`. Raises `EngineMissing` or `WeightsBroken`."""
        ...


class SpeakerEncoder(Protocol):
    """Computes speaker embeddings: the cosine of two of them tells whether they are of one speaker."""

    def embed(self, sound: Pcm) -> Samples:
        """The speaker vector, of length 1. `sound`: speech of `SAMPLE_RATE` hertz without long silence."""
        ...

    def close(self) -> None:
        """Frees the memory. The object must not be used afterwards."""
        ...


class LoadSpeakerEncoder(Protocol):
    """The type of entry points in the group `antiphon.speaker_encoders`."""

    def __call__(self, folder: Path, options: EngineOptions) -> SpeakerEncoder:
        """Loads the weights in `folder`. Raises `EngineMissing` or `WeightsBroken`."""
        ...


class Diarizer(SpeakerEncoder, Protocol):
    """Tells who spoke when: `look` processes stretches of the audio, each by itself, and `assemble` joins the
    results at the end.

    It keeps no state between calls, so several copies of the model may process stretches of one audio.
    """

    @property
    def span(self) -> int:
        """Number of samples (`SAMPLE_RATE` hertz) in a stretch for one `look`; the last
        stretch has the rest.
        """
        ...

    @property
    def hop(self) -> int:
        """Samples between the starts of two stretches; at most `span`."""
        ...

    def look(self, samples: Samples, start: float, *, end: bool) -> Seen:
        """The facts about one stretch that `assemble` needs: values that can be pickled, without the sound.

        `start`: seconds from the start of the audio. `end`: whether the audio ends with this stretch. Raises
        `EngineError`.
        """
        ...

    def assemble(self, seen: Sequence[Seen], options: DiarizeOptions) -> Diarization:
        """Who spoke when. `seen`: the results of `look` for all stretches, in order, at least one. Raises
        `EngineError`.
        """
        ...


class DiarizationEngine(Protocol):
    """The type of entry points in the group `antiphon.diarizers`. It can be a module."""

    def check(self) -> None:
        """Raises `EngineMissing` if a library is absent. It imports no large library."""
        ...

    def load(self, folder: Path, options: EngineOptions) -> Diarizer:
        """Loads the weights in `folder`. Raises `EngineMissing` or `WeightsBroken`."""
        ...


class VoiceCloner(Protocol):
    """The type of entry points in the group `antiphon.voice_cloners`. It can be a module."""

    ENGINE: str
    """Name of the synthesizer that speaks with profiles of this cloner."""
    MODEL: str
    """Name of the model that the cloner needs."""
    RATE: int
    """Sampling rate in hertz of the samples that the cloner takes."""
    LOADS: bool
    """Whether enrolling needs the loaded synthesizer, and so runs on the threads of its model."""

    def enroll(self, sample: SpeakerSample, synthesizer: Synthesizer | None) -> VoiceProfile:
        """Makes a voice profile of a speaker. `synthesizer`: the loaded model `MODEL` if `LOADS`, else None.
        Raises `EngineError`.
        """
        ...
