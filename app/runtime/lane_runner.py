"""The `Runner` over lanes: one lane for each model in use, whatever the placement of its engine.

Law: translates calls of services into values of `engines.work` and waits for their results, at most until the
request's deadline.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import AsyncIterator, Hashable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from app.domain import ModelSpec
from app.errors import RequestTimedOut, from_engine
from app.models.weights import WeightsStore
from app.runtime.admission import Admission, Permit
from app.runtime.batching import BatchLimits
from app.runtime.blocking_work import WorkThreads
from app.runtime.diarizer_stretches import seen_of
from app.runtime.lane import Lane
from app.runtime.memory_budget import MemoryBudget, ModelState
from app.runtime.memory_shortage import MemoryShortage
from app.runtime.meters import Meters
from app.runtime.model_orders import EngineSettings, Orders, size_of
from app.runtime.queue import Result_co
from app.runtime.runner import LaneSnapshot, RowWatch, RunnerSnapshot
from engines import catalog
from engines.contracts import SpeechDetector, SpeechStream
from engines.errors import EngineError
from engines.types import (
    SAMPLE_RATE,
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
from engines.work import (
    Assemble,
    Embed,
    Enroll,
    Host,
    Look,
    LookSize,
    Place,
    Ready,
    Seen,
    Speak,
    Stretch,
    Transcribe,
    Work,
)

DETECTOR = "silero"
CHARACTERS_A_SECOND = 15
"""Characters in a second of speech, roughly: converts text to seconds for the fair share of requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerRules:
    """How much work runs in parallel."""

    batch: BatchLimits
    """Limits of a batch of windows."""
    idle: float = 0.0
    """Seconds until an unused model is unloaded; 0: never."""
    memory: int = 0
    """The most bytes that all loaded models may use together; 0: no limit."""


class LaneRunner:
    """Runs engines in lanes. Call the coroutines on the event loop; all other methods from any thread."""

    def __init__(
        self,
        store: WeightsStore,
        admission: Admission,
        options: EngineSettings,
        rules: RunnerRules,
        *,
        place: Place,
        threads: WorkThreads,
        meters: Meters | None = None,
        shortage: MemoryShortage | None = None,
    ) -> None:
        """`place`: loads the engines. `threads`: compute the features of windows that wait."""
        self._admission = admission
        self._rules = rules
        self._place = place
        self._threads = threads
        self._meters = meters or Meters()
        self._shortage = shortage or MemoryShortage()
        self._orders = Orders(store, options, rules.batch)
        self._memory_budget = MemoryBudget(rules.memory)
        self._lanes: dict[str, Lane] = {}
        self._detector: SpeechDetector | None = None
        self._lock = threading.Lock()

    def admit(self) -> Permit:
        return self._admission.admit()

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
        window, key = await self._prepared(model, window, options, permit)
        work, seconds = Transcribe((window,), options), window.pcm.seconds
        result = await self._row(model, work, seconds, permit, key=key, urgent=urgent, watch=watch)
        self._meters.transcribed(model.id, result)
        return result

    async def synthesize(self, model: ModelSpec, utterance: Utterance, permit: Permit) -> Pcm:
        seconds = len(utterance.text) / CHARACTERS_A_SECOND
        return await self._row(model, Speak((utterance,)), seconds, permit)

    async def embed(self, model: ModelSpec, sound: Pcm, permit: Permit) -> Samples:
        return await self._asked(model, Embed((sound,)), sound.seconds, permit)

    async def load(self, model: ModelSpec, permit: Permit) -> None:
        if self._lane(model).life.host is None:
            await self._asked(model, Ready(), 0.0, permit)

    async def diarize(
        self, model: ModelSpec, blocks: AsyncIterator[Samples], options: DiarizeOptions, permit: Permit
    ) -> Diarization:
        size, calls = await self._look_size(model, permit)

        async def look(part: Stretch) -> Seen:
            return await self._row(model, Look((part,)), len(part.samples) / SAMPLE_RATE, permit)

        seen = await seen_of(blocks, size, calls, look)
        if not seen:
            return Diarization()
        return await self._row(model, Assemble((tuple(seen),), options), 0.0, permit)

    async def know(self, model: ModelSpec, speech: Pcm, permit: Permit) -> Samples:
        return await self._asked(model, Embed((speech,)), speech.seconds, permit)

    async def enroll(
        self, model: ModelSpec, cloner: str, sample: SpeakerSample, permit: Permit
    ) -> VoiceProfile:
        return await self._asked(model, Enroll((sample,), cloner), sample.sound.seconds, permit)

    def detect(self) -> SpeechStream:
        with self._lock:
            self._detector = self._detector or catalog.speech_detector(DETECTOR)()
        return self._detector.open()

    def preload(self, models: Iterable[ModelSpec]) -> None:
        for model in models:
            self._lane(model).preload()

    def problem(self, model: ModelSpec) -> str | None:
        return self._lane(model).life.problem

    def crashes(self) -> dict[str, str]:
        told = {name: lane.life.crash for name, lane in list(self._lanes.items())}
        return {name: crash for name, crash in told.items() if crash}

    def state(self, model: ModelSpec) -> ModelState:
        lane = self._lanes.get(model.id)
        return lane.life.state if lane else "idle"

    def snapshot(self) -> RunnerSnapshot:
        lanes = {
            name: LaneSnapshot(waiting=lane.waiting, running=lane.running, state=lane.life.state)
            for name, lane in self._lanes.items()
        }
        admission = self._admission
        return RunnerSnapshot(
            requests=admission.count,
            queued_seconds=admission.queued,
            held_seconds=admission.held,
            lanes=lanes,
        )

    def close(self) -> None:
        self._admission.closing = True
        lanes = list(self._lanes.values())
        for lane in lanes:
            lane.stop()
        self._place.stop()
        with ThreadPoolExecutor(max(1, len(lanes))) as together:
            list(together.map(Lane.close, lanes))

    async def _prepared(
        self, model: ModelSpec, window: Window, options: TranscribeOptions, permit: Permit
    ) -> tuple[Window, Hashable]:
        """The window and its batch key. Its features are computed on a work thread while it waits."""
        lane = self._lane(model)
        while True:
            with lane.life.hold() as host:
                if host:
                    key = (options, host.lengths.of(window.pcm.seconds))
                    if lane.busy:
                        window = await self._threads.run(partial(host.prepare, window))
                    return window, key
            await self._row(model, Ready(), 0.0, permit)

    async def _look_size(self, model: ModelSpec, permit: Permit) -> tuple[LookSize, int]:
        """The cutting rules of a diarizer, and how many stretches of sound it processes in parallel."""
        while True:
            with self._lane(model).life.hold() as host:
                if host:
                    if host.looks is None:
                        raise EngineError("This model does not tell speakers apart.")
                    return host.looks, host.calls
            await self._row(model, Ready(), 0.0, permit)

    async def _asked(
        self, model: ModelSpec, work: Work[object, Result_co], seconds: float, permit: Permit
    ) -> Result_co:
        """The result of one row. A failure of the engine becomes an error of the API."""
        try:
            return await self._row(model, work, seconds, permit)
        except EngineError as failure:
            raise from_engine(failure) from failure

    async def _row(
        self,
        model: ModelSpec,
        work: Work[object, Result_co],
        seconds: float,
        permit: Permit,
        key: Hashable = None,
        *,
        urgent: bool = False,
        watch: RowWatch | None = None,
    ) -> Result_co:
        """The result of one row. At the deadline this returns, even if the batch still waits or runs.

        Raises `EngineError` or `ApiError`.
        """
        future = self._lane(model).submit(work, key=key, seconds=seconds, permit=permit, urgent=urgent)
        if watch:
            watch.follow(lambda: future.running() or future.done())
        left = permit.cancel.left
        try:
            async with asyncio.timeout(left if math.isfinite(left) else None):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            raise RequestTimedOut from None

    def _open(self, model: ModelSpec) -> Host:
        """Loads the engine of a model. Blocks; called on a thread of its lane. Raises `EngineError` or
        `ApiError`.
        """
        self._place.check(model.kind, model.engine)
        return self._place.open(self._orders.order(model))

    def _lane(self, model: ModelSpec) -> Lane:
        if model.id not in self._lanes:
            self._lanes[model.id] = Lane(
                model.id,
                partial(self._open, model),
                limits=self._orders.limits(model),
                size=size_of(model),
                idle=self._rules.idle,
                meters=self._meters,
                memory_budget=self._memory_budget,
                shortage=self._shortage,
            )
        return self._lanes[model.id]
