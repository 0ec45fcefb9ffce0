"""The order for each model: its engine, its size in memory, and the limits of its batches.

Law: reads settings and folders; nothing is loaded here.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from app.domain import ModelSpec
from app.errors import ModelUnavailable
from app.models.errors import WeightsError
from app.models.weights import WeightsStore
from app.runtime.batching import BatchLimits
from app.settings import Settings
from engines.types import EngineOptions
from engines.work import Order

SINGLE = BatchLimits(rows=1)
"""Batch limits of engines that take one row at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """How each kind of model runs on this machine."""

    transcription: EngineOptions
    speech: EngineOptions
    """Options of the engines of speech models and of speaker encoders."""
    diarization: EngineOptions

    @classmethod
    def of(cls, settings: Settings) -> EngineSettings:
        """Reads the options from the settings."""
        chosen = settings.transcription
        return cls(
            transcription=EngineOptions(
                device=chosen.device,
                compute_type=chosen.compute_type,
                threads=chosen.threads,
                adaptive=chosen.adaptive_windows,
                workers=chosen.workers,
                devices=chosen.device_index,
                openvino=chosen.openvino,
            ),
            speech=EngineOptions(
                device=settings.speech.device,
                threads=settings.speech.threads,
                devices=chosen.device_index[:1],
                openvino=settings.speech.openvino,
            ),
            diarization=EngineOptions(
                device=settings.diarization.device,
                threads=settings.diarization.threads,
                devices=chosen.device_index[:1],
            ),
        )


class Orders:
    """Makes the order (what to load, and how) for a model."""

    def __init__(self, store: WeightsStore, options: EngineSettings, windows: BatchLimits) -> None:
        """`windows`: batch limits for models that transcribe windows."""
        self._store = store
        self._options = options
        self._windows = windows

    def order(self, model: ModelSpec) -> Order:
        """What to load for a model, and how. It checks the weights, so it blocks. Raises
        `ModelUnavailable`.
        """
        folder = self._folder(model)
        return Order(model.kind, model.engine, folder, self._engine_options(model), model.id)

    def limits(self, model: ModelSpec) -> BatchLimits:
        """Limits of a batch for this model."""
        return self._windows if model.kind == "transcription" else SINGLE

    def _engine_options(self, model: ModelSpec) -> EngineOptions:
        if model.kind == "transcription":
            return self._options.transcription
        if model.kind == "diarization":
            return replace(self._options.diarization, trusted=self._store.trusted(model.id))
        return self._options.speech

    def _folder(self, model: ModelSpec) -> Path:
        """Where the model's verified weights are. Raises `ModelUnavailable`."""
        if model.folder.parent != self._store.folder:
            return model.folder
        try:
            return self._store.require(model.id)
        except WeightsError as wrong:
            raise ModelUnavailable(str(wrong), param="model") from None


def size_of(model: ModelSpec) -> int:
    """Bytes of all files of a model, which is about the memory that it needs."""
    with suppress(OSError):
        return sum(path.stat().st_size for path in model.folder.rglob("*") if path.is_file())
    return 0
