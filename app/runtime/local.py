"""Runs engines on worker threads of this process.

Law: which thread does the work is decided here; services see only the `Runner` protocol (`runner.py`), and
how a model is loaded stands in `recipes.py`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Hashable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from app.domain import ModelSpec
from app.errors import from_engine
from app.models.weights import WeightsStore
from app.runtime.admission import Admission, Permit
from app.runtime.batching import BatchLimits
from app.runtime.lane import Lane
from app.runtime.meters import Meters
from app.runtime.recipes import EngineFinder, EngineSettings, Recipes, batch_key
from app.runtime.residence import ModelState, Residence
from app.runtime.threads import WorkThreads
from engines import catalog
from engines.contracts import (
    Diarizer,
    DiarizerStream,
    SpeechDetector,
    SpeechStream,
    Synthesizer,
    VoiceCloner,
)
from engines.errors import EngineError
from engines.types import (
    SAMPLE_RATE,
    Diarization,
    DiarizeOptions,
    Pcm,
    Samples,
    SpeakerSample,
    Timings,
    TranscribeOptions,
    Utterance,
    VoiceProfile,
    Window,
    WindowResult,
)

DETECTOR = "silero"
CHARACTERS_A_SECOND = 15
DiarizerJob = Callable[[Diarizer], Any]
"""A step of one audio: opening it, feeding it, or a known speaker's clip."""


@dataclass(frozen=True, slots=True)
class RunnerRules:
    """How much is done at once."""

    batch: BatchLimits
    idle: float = 0.0
    """Seconds until an unused model is unloaded; 0: never."""
    memory: int = 0
    """Bytes that all loaded models may have; 0: no bound."""


class LocalRunner:
    """Engines in this process: one lane for each model in use."""

    def __init__(
        self,
        store: WeightsStore,
        admission: Admission,
        options: EngineSettings,
        rules: RunnerRules,
        threads: WorkThreads,
        meters: Meters | None = None,
        finder: EngineFinder | None = None,
    ) -> None:
        """`threads`: for what can be done to a window before its turn."""
        self._meters = meters or Meters()
        self._threads = threads
        self._cloners = (finder or EngineFinder()).cloners
        self._idle = rules.idle
        self._admission = admission
        self._recipes = Recipes(store, options, rules.batch, finder or EngineFinder())
        self._residence = Residence(rules.memory)
        self._lanes: dict[str, Lane[Any, Any, Any]] = {}
        self._detector: SpeechDetector | None = None
        self._lock = threading.Lock()

    def admit(self) -> Permit:
        return self._admission.admit()

    async def transcribe(
        self, model: ModelSpec, window: Window, options: TranscribeOptions, permit: Permit
    ) -> WindowResult:
        lane = self._lane(model)
        engine = lane.engine
        if engine is not None and lane.busy:  # beside the batch that is running now
            window = await self._threads.run(lambda: engine.prepare(window))
        job, key = (window, options), batch_key(window, options)
        found = await self._do(model, job, window.pcm.seconds, permit, key=key)
        result: WindowResult = found[0]
        self._meters.transcribed(model.id, result)
        return replace(result, timings=found[1])

    async def synthesize(self, model: ModelSpec, utterance: Utterance, permit: Permit) -> Pcm:
        found = await self._do(model, utterance, len(utterance.text) / CHARACTERS_A_SECOND, permit)
        sound: Pcm = found[0]
        return sound

    async def embed(self, model: ModelSpec, sound: Pcm, permit: Permit) -> Samples:
        vector: Samples = await self._asked(model, sound, sound.seconds, permit)
        return vector

    async def load(self, model: ModelSpec, permit: Permit) -> None:
        job: DiarizerJob = lambda engine: None  # noqa: E731 - a job is a function; this one only needs the engine
        await self._asked(model, job, 0.0, permit)

    async def diarize(
        self, model: ModelSpec, blocks: AsyncIterator[Samples], options: DiarizeOptions, permit: Permit
    ) -> Diarization:
        with self._lane(model).lease():  # between two blocks nothing waits, but the stream is in use
            opened = await self._do(model, lambda engine: engine.open(options), 0.0, permit)
            stream: DiarizerStream = opened[0]
            async for block in blocks:
                await self._do(model, lambda _, b=block: stream.feed(b), len(block) / SAMPLE_RATE, permit)
            found = await self._do(model, lambda _: stream.flush(), 0.0, permit)
        diarization: Diarization = found[0]
        return diarization

    async def know(self, model: ModelSpec, speech: Pcm, permit: Permit) -> Samples:
        job: DiarizerJob = lambda engine: engine.embed(speech)  # noqa: E731 - as above
        vector: Samples = await self._asked(model, job, speech.seconds, permit)
        return vector

    async def enroll(
        self, model: ModelSpec, cloner: str, sample: SpeakerSample, permit: Permit
    ) -> VoiceProfile:
        maker: VoiceCloner = self._cloners(cloner)
        job: Callable[[Synthesizer], VoiceProfile] = lambda engine: maker.enroll(sample, engine)  # noqa: E731 - as above
        profile: VoiceProfile = await self._asked(model, job, 0.0, permit)
        return profile

    def detect(self) -> SpeechStream:
        with self._lock:
            self._detector = self._detector or catalog.speech_detector(DETECTOR)()
        return self._detector.open()

    def preload(self, models: Iterable[ModelSpec]) -> None:
        """Begins to load models in the background."""
        for model in models:
            self._lane(model).preload()

    def problem(self, model: ModelSpec) -> str | None:
        """Why a model cannot answer yet; None once it is loaded."""
        return self._lane(model).problem

    def state(self, model: ModelSpec) -> ModelState:
        """Whether a model is in memory; asking does not load it."""
        lane = self._lanes.get(model.id)
        return lane.state if lane else "idle"

    def close(self) -> None:
        """Lets running batches end, drops the rest."""
        self._admission.closing = True
        for lane in self._lanes.values():
            lane.close()

    async def _do(
        self, model: ModelSpec, job: Any, seconds: float, permit: Permit, key: Hashable = None
    ) -> tuple[Any, Timings]:
        future = self._lane(model).submit(
            job, key=key, seconds=seconds, request=permit.number, cancel=permit.cancel
        )
        return await asyncio.wrap_future(future)

    async def _asked(self, model: ModelSpec, job: Any, seconds: float, permit: Permit) -> Any:
        """The result alone; engine failures as the API's."""
        try:
            return (await self._do(model, job, seconds, permit))[0]
        except EngineError as failure:
            raise from_engine(failure) from failure

    def _lane(self, model: ModelSpec) -> Lane[Any, Any, Any]:
        if model.id not in self._lanes:
            self._lanes[model.id] = Lane(
                model.id,
                self._recipes.of(model),
                meters=self._meters,
                idle=self._idle,
                residence=self._residence,
            )
        return self._lanes[model.id]
