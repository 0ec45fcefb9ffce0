"""How each kind of model is loaded and run: what a lane needs to know of it.

Law: one recipe a kind; nothing is loaded here before a lane asks.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from app.domain import ModelSpec
from app.errors import ModelUnavailable
from app.models.errors import WeightsError
from app.models.weights import WeightsStore
from app.runtime.batching import BatchLimits
from app.runtime.jobs import Recipe
from engines import catalog
from engines.contracts import (
    DiarizationEngine,
    Diarizer,
    LoadTranscriber,
    SpeakerEncoder,
    SpeechEngine,
    Synthesizer,
    Transcriber,
    VoiceCloner,
)
from engines.types import SAMPLE_RATE, EngineOptions, Pcm, TranscribeOptions, Utterance, Window

log = logging.getLogger(__name__)
WARM_UP = TranscribeOptions(beam_size=1, temperatures=(0.0,))
STEP, LAST = 4.0, 7
"""Windows whose lengths lie in the same step of so many seconds share a batch; the last step is longer."""


@dataclass(frozen=True, slots=True)
class EngineFinder:
    """Engine name -> engine, for each kind that has several."""

    transcribers: Callable[[str], LoadTranscriber] = catalog.transcriber
    synthesizers: Callable[[str], SpeechEngine] = catalog.synthesizer
    diarizers: Callable[[str], DiarizationEngine] = catalog.diarizer
    cloners: Callable[[str], VoiceCloner] = catalog.voice_cloner


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How each kind runs on this machine."""

    transcription: EngineOptions
    speech: EngineOptions
    diarization: EngineOptions


def batch_key(window: Window, options: TranscribeOptions) -> tuple[TranscribeOptions, int]:
    """Windows of equal keys ride together: decoded alike, and of like length, since what a window costs, and
    what the others wait for, follows its length.
    """
    return options, min(math.ceil(window.pcm.seconds / STEP), LAST)


class Recipes:
    """Model -> recipe."""

    def __init__(
        self, store: WeightsStore, options: EngineSettings, limits: BatchLimits, finder: EngineFinder
    ) -> None:
        """`limits`: of a batch of windows."""
        self._store = store
        self._options = options
        self._limits = limits
        self._finder = finder

    def of(self, model: ModelSpec) -> Recipe[Any, Any, Any]:
        size = _bytes(model.folder)
        if model.kind == "speaker":
            return Recipe(lambda: self._speaker_encoder(model), _embed, size=size)
        if model.kind == "diarization":
            return Recipe(lambda: self._diarizer(model), _call, size=size)
        if model.kind == "speech":
            return Recipe(lambda: self._synthesizer(model), _speak, size=size)
        return Recipe(
            lambda: self._transcriber(model), _transcribe, self._limits, lambda engine: engine.calls, size
        )

    def _transcriber(self, model: ModelSpec) -> Transcriber:
        load = self._finder.transcribers(model.engine)
        engine = load(self._folder(model), self._options.transcription)
        with suppress(Exception):  # the first real request will say what is wrong
            engine.transcribe([Window(Pcm(np.zeros(SAMPLE_RATE, np.float32)))], WARM_UP)
        _tell(model)
        return engine

    def _diarizer(self, model: ModelSpec) -> Diarizer:
        kind = self._finder.diarizers(model.engine)
        kind.check()  # first, since weights alone would not help
        trusted = self._store.trusted(model.id)
        engine = kind.load(self._folder(model), replace(self._options.diarization, trusted=trusted))
        _tell(model)
        return engine

    def _synthesizer(self, model: ModelSpec) -> Synthesizer:
        kind = self._finder.synthesizers(model.engine)
        folder = self._folder(model)
        engine = kind.load(folder, self._options.speech)
        with suppress(Exception):  # as above
            voice = kind.voices(folder)[0]
            engine.synthesize(Utterance("Ready.", voice.name, voice.language))
        _tell(model)
        return engine

    def _speaker_encoder(self, model: ModelSpec) -> SpeakerEncoder:
        load = catalog.speaker_encoder(model.engine)
        engine = load(self._folder(model), self._options.speech)
        _tell(model)
        return engine

    def _folder(self, model: ModelSpec) -> Path:
        """Where the model's verified weights are. Raises `ModelUnavailable`."""
        if model.folder.parent != self._store.folder:
            return model.folder
        try:
            return self._store.require(model.id)
        except WeightsError as wrong:
            raise ModelUnavailable(str(wrong), param="model") from None


def _tell(model: ModelSpec) -> None:
    log.info("model %s is loaded", model.id)


def _transcribe(engine: Transcriber, jobs: Sequence[tuple[Window, TranscribeOptions]]) -> Sequence[Any]:
    return engine.transcribe([window for window, _ in jobs], jobs[0][1])


def _speak(engine: Synthesizer, jobs: Sequence[Any]) -> Sequence[Any]:
    return [engine.synthesize(job) if isinstance(job, Utterance) else job(engine) for job in jobs]


def _call(engine: Any, jobs: Sequence[Callable[[Any], Any]]) -> Sequence[Any]:
    return [job(engine) for job in jobs]


def _embed(engine: Any, jobs: Sequence[Any]) -> Sequence[Any]:
    return [engine.embed(sound) for sound in jobs]


def _bytes(folder: Path) -> int:
    """Of all files of a model: about what it takes in memory."""
    with suppress(OSError):
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return 0
