"""What services may ask of whoever runs the engines.

Law: the protocol alone; which thread, process or machine does the work is decided elsewhere (`local.py`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from typing import Protocol

from app.domain import ModelSpec
from app.errors import EngineUnavailable
from app.runtime.admission import Permit
from engines.contracts import (
    SpeechStream,
    Synthesizer,
)
from engines.types import (
    Diarization,
    DiarizeOptions,
    Pcm,
    Samples,
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

    @property
    def decoders(self) -> Executor:
        """The bounded pool of threads that decode uploads."""
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

    async def load_diarizer(self, model: ModelSpec, permit: Permit) -> None:
        """Returns when the model is ready. Raises `ApiError`."""
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
        self, model: ModelSpec, work: Callable[[Synthesizer], VoiceProfile], permit: Permit
    ) -> VoiceProfile:
        """What `work` makes of the loaded synthesizer. Raises `ApiError`; is cancelled with the permit."""
        ...

    def detect(self) -> SpeechStream:
        """A voice activity detector for one audio. Blocks when it is loaded for the first time."""
        ...


def check_kind(model: ModelSpec, kind: str) -> None:
    """Raises `EngineUnavailable` for a model that does another job."""
    if model.kind != kind:
        raise EngineUnavailable(f"The model `{model.id}` does not do {kind}.", param="model")
