"""What services may ask of whoever runs the engines.

Law: the protocol alone; which thread, process or machine does the work is decided elsewhere (`local.py`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from app.domain import ModelSpec
from app.errors import EngineUnavailable
from app.runtime.admission import Permit
from engines.contracts import SpeechStream
from engines.types import (
    Diarization,
    DiarizeOptions,
    Pcm,
    Samples,
    SpeakerSample,
    TranscribeOptions,
    Utterance,
    VoiceProfile,
    Window,
    WindowResult,
)


class Runner(Protocol):
    """What services may ask for."""

    def admit(self) -> Permit:
        """A place for one request. Raises `Overloaded` at once if there is none."""
        ...

    async def transcribe(
        self, model: ModelSpec, window: Window, options: TranscribeOptions, permit: Permit
    ) -> WindowResult:
        """Raises `EngineError` or `ApiError`; is cancelled with the permit."""
        ...

    async def synthesize(self, model: ModelSpec, utterance: Utterance, permit: Permit) -> Pcm:
        """Raises `EngineError` or `ApiError`; is cancelled with the permit."""
        ...

    async def embed(self, model: ModelSpec, sound: Pcm, permit: Permit) -> Samples:
        """The vector of a speaker. Raises `ApiError`; is cancelled with the permit."""
        ...

    async def load(self, model: ModelSpec, permit: Permit) -> None:
        """Returns when the model is in memory. Raises `ApiError`; is cancelled with the permit."""
        ...

    async def diarize(
        self, model: ModelSpec, blocks: AsyncIterator[Samples], options: DiarizeOptions, permit: Permit
    ) -> Diarization:
        """Who spoke when in all `blocks`. Raises `EngineError` or `ApiError`; cancelled with the permit."""
        ...

    async def know(self, model: ModelSpec, speech: Pcm, permit: Permit) -> Samples:
        """The vector of a speaker, by the diarizer's own encoder. Raises `ApiError`."""
        ...

    async def enroll(
        self, model: ModelSpec, cloner: str, sample: SpeakerSample, permit: Permit
    ) -> VoiceProfile:
        """The voice of a speaker, made by the cloner of that name with the loaded synthesizer.

        Raises `ApiError`; is cancelled with the permit.
        """
        ...

    def detect(self) -> SpeechStream:
        """A voice activity detector for one audio. Blocks when it is loaded for the first time."""
        ...


def check_kind(model: ModelSpec, kind: str) -> None:
    """Raises `EngineUnavailable` for a model that does another job."""
    if model.kind != kind:
        raise EngineUnavailable(f"The model `{model.id}` does not do {kind}.", param="model")
