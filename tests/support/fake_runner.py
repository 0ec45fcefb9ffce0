"""A runner without engines, for tests of services: it returns prepared results and notes the calls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field

import numpy as np

from app.audio.cut_windows import EverythingIsSpeech
from app.domain import ModelSpec
from app.errors import ModelUnavailable
from app.runtime.admission import Admission, Permit
from app.runtime.memory_budget import ModelState
from app.runtime.runner import RowWatch, RunnerSnapshot
from engines.contracts import SpeechStream
from engines.types import (
    Diarization,
    DiarizeOptions,
    LanguageGuess,
    Pcm,
    Samples,
    Segment,
    SpeakerSample,
    TranscribeOptions,
    Utterance,
    VoiceProfile,
    Window,
    WindowResult,
)


@dataclass
class FakeRunner:
    """A runner that transcribes every window as `text` and hears `speaker` in every sound."""

    text: str = ""
    speaker: Samples = field(default_factory=lambda: np.full(256, 1 / 16, np.float32))
    admission: Admission = field(default_factory=lambda: Admission(8, 60))
    calls: list[str] = field(default_factory=list)
    """The names of the calls, in order."""
    windows: list[Window] = field(default_factory=list)
    missing: set[str] = field(default_factory=set)
    """The ids of models that cannot be loaded."""

    def admit(self) -> Permit:
        self.calls.append("admit")
        return self.admission.admit()

    async def transcribe(
        self,
        model: ModelSpec,
        window: Window,
        options: TranscribeOptions,
        permit: Permit,
        *,
        urgent: bool = False,
        watch: RowWatch | None = None,
    ) -> WindowResult:
        self.calls.append("transcribe")
        self.windows.append(window)
        segment = Segment(
            start=window.start,
            end=window.end,
            text=self.text,
            tokens=(),
            words=None,
            seek=0,
            avg_logprob=0.0,
            compression_ratio=1.0,
            no_speech_prob=0.0,
        )
        return WindowResult((segment,), LanguageGuess(window.language or "en", 1.0))

    async def embed(self, model: ModelSpec, sound: Pcm, permit: Permit) -> Samples:
        self.calls.append("embed")
        return self.speaker

    async def know(self, model: ModelSpec, speech: Pcm, permit: Permit) -> Samples:
        return self.speaker

    async def load(self, model: ModelSpec, permit: Permit) -> None:
        self.calls.append("load")
        if model.id in self.missing:
            raise ModelUnavailable(f"The weights of {model.id} are missing.", param="model")

    async def enroll(
        self, model: ModelSpec, cloner: str, sample: SpeakerSample, permit: Permit
    ) -> VoiceProfile:
        self.calls.append("enroll")
        return VoiceProfile("fake", b"profile", "", 0.0)

    async def synthesize(self, model: ModelSpec, utterance: Utterance, permit: Permit) -> Pcm:
        self.calls.append("synthesize")
        return Pcm(0.1 * np.sin(np.arange(24_000) / 10).astype(np.float32), 24_000)

    async def diarize(
        self,
        model: ModelSpec,
        blocks: AsyncIterator[Samples],
        options: DiarizeOptions,
        permit: Permit,
    ) -> Diarization:
        raise NotImplementedError

    def detect(self) -> SpeechStream:
        self.calls.append("detect")
        return EverythingIsSpeech()

    def preload(self, models: Iterable[ModelSpec]) -> None:
        """Does nothing, because there is nothing to load."""

    def problem(self, model: ModelSpec) -> str | None:
        return None

    def state(self, model: ModelSpec) -> ModelState:
        return "loaded"

    def crashes(self) -> dict[str, str]:
        return {}

    def snapshot(self) -> RunnerSnapshot:
        return RunnerSnapshot(requests=self.admission.count, queued_seconds=0.0, held_seconds=0.0, lanes={})

    def close(self) -> None:
        """Has nothing to free."""
