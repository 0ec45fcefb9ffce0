"""Runs engines on worker threads of this process.

Law: which thread does the work is decided here; services see only the `Runner` protocol (`runner.py`).
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Hashable, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from app.domain import ModelSpec
from app.errors import ModelUnavailable, from_engine
from app.runtime.admission import Admission, Permit
from app.runtime.hub import WeightsError
from app.runtime.lane import Lane
from app.runtime.meters import Meters
from app.runtime.weights import WeightsStore
from engines import catalog
from engines.contracts import (
    DiarizationEngine,
    Diarizer,
    DiarizerStream,
    LoadTranscriber,
    SpeechDetector,
    SpeechEngine,
    SpeechStream,
    Synthesizer,
    Transcriber,
)
from engines.errors import EngineError
from engines.types import (
    SAMPLE_RATE,
    Diarization,
    DiarizeOptions,
    EngineOptions,
    Pcm,
    Samples,
    Timings,
    TranscribeOptions,
    Utterance,
    VoiceProfile,
    Window,
    WindowResult,
)

log = logging.getLogger(__name__)
DETECTOR = "silero"
CHARACTERS_A_SECOND = 15
WARM_UP = TranscribeOptions(beam_size=1, temperatures=(0.0,))


DiarizerJob = Callable[[Diarizer], Any]
"""A step of one audio: opening it, feeding it, or a known speaker's clip."""
Recipe = tuple[Callable[[], Any], Callable[[Any, Sequence[Any]], Sequence[Any]], int]
"""How a lane loads its engine, how it runs a batch of jobs, and how many jobs are one."""


class LocalRunner:
    """Engines in this process: one lane for each model in use."""

    def __init__(
        self,
        store: WeightsStore,
        admission: Admission,
        options: EngineOptions,
        speech_options: EngineOptions,
        diarize_options: EngineOptions,
        *,
        rows: int,
        decoders: int,
        meters: Meters | None = None,
        idle: float = 0.0,
        transcribers: Callable[[str], LoadTranscriber] = catalog.transcriber,
        synthesizers: Callable[[str], SpeechEngine] = catalog.synthesizer,
        diarizers: Callable[[str], DiarizationEngine] = catalog.diarizer,
    ) -> None:
        """`rows`: windows in a batch. `decoders`: threads. `idle`: seconds until an unused model is unloaded.

        The callables: engine name -> engine.
        """
        self._meters = meters or Meters()
        self._idle = idle
        self._store = store
        self._admission = admission
        self._options = options
        self._speech_options = speech_options
        self._rows = rows
        self._transcribers = transcribers
        self._synthesizers = synthesizers
        self._diarizers = diarizers
        self._diarize_options = diarize_options
        self._lanes: dict[str, Lane[Any, Any, Any]] = {}
        self._detector: SpeechDetector | None = None
        self._lock = threading.Lock()
        self.decoders: Executor = ThreadPoolExecutor(decoders, thread_name_prefix="decode")

    def admit(self) -> Permit:
        return self._admission.admit()

    async def transcribe(
        self, model: ModelSpec, window: Window, options: TranscribeOptions, permit: Permit
    ) -> WindowResult:
        job = (window, options)
        found = await self._do(model, job, window.pcm.seconds, permit, key=options)
        result: WindowResult = found[0]
        if any(segment.temperature > 0 for segment in result.segments) and len(options.temperatures) > 1:
            self._meters.fell_back(model.id)
        return replace(result, timings=found[1])

    async def synthesize(self, model: ModelSpec, utterance: Utterance, permit: Permit) -> Pcm:
        found = await self._do(model, utterance, len(utterance.text) / CHARACTERS_A_SECOND, permit)
        sound: Pcm = found[0]
        return sound

    async def embed(self, model: ModelSpec, sound: Pcm, permit: Permit) -> Samples:
        vector: Samples = await self._asked(model, sound, sound.seconds, permit)
        return vector

    async def load_diarizer(self, model: ModelSpec, permit: Permit) -> None:
        job: DiarizerJob = lambda engine: None  # noqa: E731 - a job is a function; this one only needs the engine
        await self._asked(model, job, 0.0, permit)

    async def diarize(
        self, model: ModelSpec, blocks: AsyncIterator[Samples], options: DiarizeOptions, permit: Permit
    ) -> Diarization:
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
        self, model: ModelSpec, work: Callable[[Synthesizer], VoiceProfile], permit: Permit
    ) -> VoiceProfile:
        profile: VoiceProfile = await self._asked(model, work, 0.0, permit)
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

    def close(self) -> None:
        """Lets running batches end, drops the rest."""
        self._admission.closing = True
        for lane in self._lanes.values():
            lane.close()
        self.decoders.shutdown(cancel_futures=True)

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
            load, run, rows = self._recipe(model)
            self._lanes[model.id] = Lane(model.id, load, run, rows, meters=self._meters, idle=self._idle)
        return self._lanes[model.id]

    def _recipe(self, model: ModelSpec) -> Recipe:
        if model.kind == "speaker":
            return (
                lambda: catalog.speaker_encoder(model.engine)(self._folder(model), self._speech_options),
                lambda engine, jobs: [engine.embed(sound) for sound in jobs],
                1,
            )
        if model.kind == "diarization":
            return (
                lambda: self._load_diarizer(model),
                lambda engine, jobs: [job(engine) for job in jobs],
                1,
            )
        if model.kind == "speech":
            return (
                lambda: self._load_synthesizer(model),
                lambda engine, jobs: [
                    engine.synthesize(job) if isinstance(job, Utterance) else job(engine) for job in jobs
                ],
                1,
            )
        return (
            lambda: self._load_transcriber(model),
            lambda engine, jobs: engine.transcribe([window for window, _ in jobs], jobs[0][1]),
            self._rows,
        )

    def _load_transcriber(self, model: ModelSpec) -> Transcriber:
        load = self._transcribers(model.engine)
        engine = load(self._folder(model), self._options)
        with suppress(Exception):  # the first real request will say what is wrong
            engine.transcribe([Window(Pcm(np.zeros(SAMPLE_RATE, np.float32)))], WARM_UP)
        log.info("model %s is loaded", model.id)
        return engine

    def _load_diarizer(self, model: ModelSpec) -> Diarizer:
        kind = self._diarizers(model.engine)
        kind.check()  # first, since weights alone would not help
        engine = kind.load(self._folder(model), self._diarize_options)
        log.info("model %s is loaded", model.id)
        return engine

    def _load_synthesizer(self, model: ModelSpec) -> Synthesizer:
        kind = self._synthesizers(model.engine)
        folder = self._folder(model)
        engine = kind.load(folder, self._speech_options)
        with suppress(Exception):  # as above
            voice = kind.voices(folder)[0]
            engine.synthesize(Utterance("Ready.", voice.name, voice.language))
        log.info("model %s is loaded", model.id)
        return engine

    def _folder(self, model: ModelSpec) -> Path:
        """Where the model's verified weights are. Raises `ModelUnavailable`."""
        if model.folder.parent != self._store.folder:
            return model.folder
        try:
            return self._store.require(model.id)
        except WeightsError as wrong:
            raise ModelUnavailable(str(wrong), param="model") from None
