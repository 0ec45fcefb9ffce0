"""The interface between services and engines: what services may ask for.

Law: the protocol and its values; which thread, process or machine does the work is decided elsewhere
(`lane_runner.py`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from app.domain import ModelSpec
from app.runtime.admission import Permit
from app.runtime.memory_budget import ModelState
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


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneSnapshot:
    """The load of one model at one moment."""

    waiting: int
    """Rows in its queue."""
    running: int
    """Batches that are running."""
    state: ModelState


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerSnapshot:
    """The load of the server at one moment."""

    requests: int
    """Number of open permits."""
    queued_seconds: float
    """Seconds of audio that still have to be worked on."""
    held_seconds: float
    """Seconds of decoded audio that requests may hold in memory."""
    lanes: Mapping[str, LaneSnapshot]
    """The load of each model that was asked for, by its id."""

    @property
    def waiting(self) -> int:
        """Rows in all queues."""
        return sum(lane.waiting for lane in self.lanes.values())

    @property
    def running(self) -> int:
        """Running batches of all models."""
        return sum(lane.running for lane in self.lanes.values())

    @property
    def idle(self) -> bool:
        """Whether no request is open, and no work of earlier requests is left."""
        return not (self.requests or self.waiting or self.running)


class RowWatch:
    """Tells the caller whether its row of work still waits for a batch. Used on the event loop."""

    def __init__(self) -> None:
        self._begun: Callable[[], bool] | None = None

    def follow(self, begun: Callable[[], bool]) -> None:
        """The row is in the queue of its model. `begun`: whether a batch has begun with it."""
        self._begun = begun

    @property
    def waits(self) -> bool:
        """Whether no batch has begun with the row, so that nothing is lost if it is given up."""
        return self._begun is None or not self._begun()


class Runner(Protocol):
    """What services may ask for."""

    def admit(self) -> Permit:
        """A permit for one request. Raises `Overloaded` at once if the server is full."""
        ...

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
        """Transcribes one window. `urgent`: serves it before other windows, as far as the fair share of its
        request allows. `watch`: follows its row. Raises `EngineError` or `ApiError`; closing the permit
        cancels it.
        """
        ...

    async def synthesize(self, model: ModelSpec, utterance: Utterance, permit: Permit) -> Pcm:
        """Speaks one utterance. Raises `EngineError` or `ApiError`; closing the permit cancels it."""
        ...

    async def embed(self, model: ModelSpec, sound: Pcm, permit: Permit) -> Samples:
        """The speaker vector of a clip. Raises `ApiError`; closing the permit cancels it."""
        ...

    async def load(self, model: ModelSpec, permit: Permit) -> None:
        """Returns when the model is in memory. Raises `ApiError`; closing the permit cancels it."""
        ...

    async def diarize(
        self, model: ModelSpec, blocks: AsyncIterator[Samples], options: DiarizeOptions, permit: Permit
    ) -> Diarization:
        """Who spoke when in all `blocks`. Raises `EngineError` or `ApiError`; closing the
        permit cancels it.
        """
        ...

    async def know(self, model: ModelSpec, speech: Pcm, permit: Permit) -> Samples:
        """The speaker vector of a clip, computed by the diarizer's own encoder. Raises `ApiError`."""
        ...

    async def enroll(
        self, model: ModelSpec, cloner: str, sample: SpeakerSample, permit: Permit
    ) -> VoiceProfile:
        """The voice of a speaker, made by the cloner of that name with the loaded synthesizer.

        Raises `ApiError`; closing the permit cancels it.
        """
        ...

    def detect(self) -> SpeechStream:
        """A voice activity detector for one recording. The first call loads the network and so blocks."""
        ...

    def preload(self, models: Iterable[ModelSpec]) -> None:
        """Begins to load models in the background, and tries again, with pauses, until they are loaded."""
        ...

    def problem(self, model: ModelSpec) -> str | None:
        """Why a model cannot answer yet; None once it is loaded."""
        ...

    def crashes(self) -> Mapping[str, str]:
        """For each model whose process has ended without a successor yet, by its id: how it ended."""
        ...

    def state(self, model: ModelSpec) -> ModelState:
        """Whether a model is in memory; asking does not load it."""
        ...

    def snapshot(self) -> RunnerSnapshot:
        """The load at this moment."""
        ...

    def close(self) -> None:
        """Lets running batches end and refuses the rest. Blocks."""
        ...
