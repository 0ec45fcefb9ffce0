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
from typing import Protocol

import numpy as np

from app.domain import ModelSpec
from app.errors import EngineUnavailable, ModelUnavailable
from app.runtime.admission import Admission, Permit
from app.runtime.lane import TranscriberLane
from app.runtime.weights import WeightsError, WeightsStore
from engines import catalog
from engines.contracts import LoadTranscriber, SpeechDetector, SpeechStream, Transcriber
from engines.types import (
    SAMPLE_RATE,
    EngineOptions,
    Pcm,
    TranscribeOptions,
    Window,
    WindowResult,
)

log = logging.getLogger(__name__)
DETECTOR = "silero"
WARM_UP = TranscribeOptions(beam_size=1, temperatures=(0.0,))


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
        *,
        rows: int,
        decoders: int,
        engines: Callable[[str], LoadTranscriber] = catalog.transcriber,
    ) -> None:
        """`rows`: windows in a batch. `decoders`: threads. `engines`: engine name -> its loader."""
        self._store = store
        self._admission = admission
        self._options = options
        self._rows = rows
        self._engines = engines
        self._lanes: dict[str, TranscriberLane] = {}
        self._detector: SpeechDetector | None = None
        self._lock = threading.Lock()
        self.decoders: Executor = ThreadPoolExecutor(decoders, thread_name_prefix="decode")

    def admit(self) -> Permit:
        return self._admission.admit()

    async def transcribe(
        self, model: ModelSpec, window: Window, options: TranscribeOptions, permit: Permit
    ) -> WindowResult:
        future = self._lane(model).submit(window, options, permit.number, permit.cancel)
        return await asyncio.wrap_future(future)

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

    def _lane(self, model: ModelSpec) -> TranscriberLane:
        if model.id not in self._lanes:
            self._lanes[model.id] = TranscriberLane(model.id, lambda: self._load(model), self._rows)
        return self._lanes[model.id]

    def _load(self, model: ModelSpec) -> Transcriber:
        load = self._engines(model.engine)
        try:
            ours = model.folder.parent == self._store.folder
            folder = self._store.require(model.id) if ours else model.folder
        except WeightsError as wrong:
            raise ModelUnavailable(str(wrong), param="model") from None
        engine = load(folder, self._options)
        with suppress(Exception):  # the first real request will say what is wrong
            engine.transcribe([Window(Pcm(np.zeros(SAMPLE_RATE, np.float32)))], WARM_UP)
        log.info("model %s is loaded", model.id)
        return engine


def check_kind(model: ModelSpec, kind: str) -> None:
    """Raises `EngineUnavailable` for a model that does another job, or that nothing here can run."""
    if not model.engine:
        raise EngineUnavailable(
            f"The model `{model.id}` needs a speech engine, and this server has none. `make serve ALL=1` "
            "installs every engine that this version has.",
            param="model",
        )
    if model.kind != kind:
        raise EngineUnavailable(f"The model `{model.id}` does not do {kind}.", param="model")
