"""Runs engines on worker threads of this process.

Law: services see only the `Runner` protocol; which thread, process or machine does the work is decided here.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from app.domain import ModelSpec
from app.errors import EngineUnavailable, ModelUnavailable, from_engine
from app.runtime.admission import Admission, Permit
from app.runtime.lane import Lane
from app.runtime.meters import Meters
from app.runtime.weights import WeightsError, WeightsStore
from engines import catalog
from engines.contracts import (
    LoadTranscriber,
    SpeakerEncoder,
    SpeechDetector,
    SpeechEngine,
    SpeechStream,
    Synthesizer,
    Transcriber,
)
from engines.errors import EngineError
from engines.types import (
    SAMPLE_RATE,
    EngineOptions,
    Pcm,
    Samples,
    TranscribeOptions,
    Utterance,
    Window,
    WindowResult,
)

log = logging.getLogger(__name__)
DETECTOR = "silero"
CHARACTERS_A_SECOND = 15
WARM_UP = TranscribeOptions(beam_size=1, temperatures=(0.0,))


TranscriberLane = Lane[Transcriber, tuple[Window, TranscribeOptions], WindowResult]
SynthesizerLane = Lane[Synthesizer, Utterance, Pcm]
EncoderLane = Lane[SpeakerEncoder, Pcm, Samples]


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

    def detect(self) -> SpeechStream:
        """A voice activity detector for one audio. Blocks when it is loaded for the first time."""
        ...


class LocalRunner:
    """Engines in this process: one lane for each model in use."""

    def __init__(
        self,
        store: WeightsStore,
        admission: Admission,
        options: EngineOptions,
        speech_options: EngineOptions,
        *,
        rows: int,
        decoders: int,
        meters: Meters | None = None,
        idle: float = 0.0,
        transcribers: Callable[[str], LoadTranscriber] = catalog.transcriber,
        synthesizers: Callable[[str], SpeechEngine] = catalog.synthesizer,
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
        self._hearing: dict[str, TranscriberLane] = {}
        self._speaking: dict[str, SynthesizerLane] = {}
        self._knowing: dict[str, EncoderLane] = {}
        self._detector: SpeechDetector | None = None
        self._lock = threading.Lock()
        self.decoders: Executor = ThreadPoolExecutor(decoders, thread_name_prefix="decode")

    def admit(self) -> Permit:
        return self._admission.admit()

    async def transcribe(
        self, model: ModelSpec, window: Window, options: TranscribeOptions, permit: Permit
    ) -> WindowResult:
        future = self._hearing_lane(model).submit(
            (window, options),
            key=options,
            seconds=window.pcm.seconds,
            request=permit.number,
            cancel=permit.cancel,
        )
        result, timings = await asyncio.wrap_future(future)
        if any(segment.temperature > 0 for segment in result.segments) and len(options.temperatures) > 1:
            self._meters.fell_back(model.id)
        return replace(result, timings=timings)

    async def synthesize(self, model: ModelSpec, utterance: Utterance, permit: Permit) -> Pcm:
        future = self._speaking_lane(model).submit(
            utterance,
            key=None,
            seconds=len(utterance.text) / CHARACTERS_A_SECOND,
            request=permit.number,
            cancel=permit.cancel,
        )
        sound, _ = await asyncio.wrap_future(future)
        return sound

    async def embed(self, model: ModelSpec, sound: Pcm, permit: Permit) -> Samples:
        future = self._knowing_lane(model).submit(
            sound, key=None, seconds=sound.seconds, request=permit.number, cancel=permit.cancel
        )
        try:
            vector, _ = await asyncio.wrap_future(future)
        except EngineError as failure:
            raise from_engine(failure) from failure
        return vector

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
        for hearing in self._hearing.values():
            hearing.close()
        for speaking in self._speaking.values():
            speaking.close()
        for knowing in self._knowing.values():
            knowing.close()
        self.decoders.shutdown(cancel_futures=True)

    def _lane(self, model: ModelSpec) -> TranscriberLane | SynthesizerLane | EncoderLane:
        if model.kind == "speaker":
            return self._knowing_lane(model)
        return self._speaking_lane(model) if model.kind == "speech" else self._hearing_lane(model)

    def _knowing_lane(self, model: ModelSpec) -> EncoderLane:
        if model.id not in self._knowing:
            self._knowing[model.id] = Lane(
                model.id,
                lambda: catalog.speaker_encoder(model.engine)(self._folder(model), self._speech_options),
                lambda engine, jobs: [engine.embed(sound) for sound in jobs],
                rows=1,
                meters=self._meters,
                idle=self._idle,
            )
        return self._knowing[model.id]

    def _hearing_lane(self, model: ModelSpec) -> TranscriberLane:
        if model.id not in self._hearing:
            self._hearing[model.id] = Lane(
                model.id,
                lambda: self._load_transcriber(model),
                lambda engine, jobs: engine.transcribe([window for window, _ in jobs], jobs[0][1]),
                self._rows,
                meters=self._meters,
                idle=self._idle,
            )
        return self._hearing[model.id]

    def _speaking_lane(self, model: ModelSpec) -> SynthesizerLane:
        if model.id not in self._speaking:
            self._speaking[model.id] = Lane(
                model.id,
                lambda: self._load_synthesizer(model),
                lambda engine, jobs: [engine.synthesize(utterance) for utterance in jobs],
                rows=1,
                meters=self._meters,
                idle=self._idle,
            )
        return self._speaking[model.id]

    def _load_transcriber(self, model: ModelSpec) -> Transcriber:
        load = self._transcribers(model.engine)
        engine = load(self._folder(model), self._options)
        with suppress(Exception):  # the first real request will say what is wrong
            engine.transcribe([Window(Pcm(np.zeros(SAMPLE_RATE, np.float32)))], WARM_UP)
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


def check_kind(model: ModelSpec, kind: str) -> None:
    """Raises `EngineUnavailable` for a model that does another job."""
    if model.kind != kind:
        raise EngineUnavailable(f"The model `{model.id}` does not do {kind}.", param="model")
