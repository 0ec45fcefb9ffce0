"""Computes values for settings that are 0 ("automatic"), from the GPUs or the CPU that transcribe.

Law: a function of settings and GPUs; what it decides is decided nowhere else.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from app.settings import Settings
from engines import cuda_libraries
from engines.cores import cores
from engines.gpus import Driver, Gpu, alike, batch_rows, driver, obstacle

SMALL_CORES = 2
"""With at most so many cores, and no GPU, one process decodes all uploads."""
BATCHES_OF_A_CALL = 2
"""For each batch that a model can run at once, recordings have the sound of two full batches in work: one
that runs, and one that waits.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Capacity:
    """How much work runs at once. Each field has the name of the setting that it fills."""

    batch_rows: int = 8
    batch_seconds: float = 60
    windows_ahead: int = 6
    decoded_seconds: float = 7200
    decode_threads: int = 4
    requests: int = 64


def filled(settings: Settings) -> Settings:
    """The settings, with a value in place of each 0 (or empty list) that means "automatic"."""
    found = _driver(settings)
    devices = settings.transcription.device_index or alike(found.gpus if found else ())
    values = capacity(_usable(found, devices), os.cpu_count() or 4)
    runtime = ("batch_rows", "batch_seconds", "windows_ahead", "decode_threads")
    return settings.model_copy(
        update={
            "transcription": settings.transcription.model_copy(update={"device_index": devices}),
            "runtime": _with(settings.runtime, runtime, values),
            "limits": _with(settings.limits, ("decoded_seconds", "requests"), values),
        }
    )


def seconds_together(settings: Settings) -> float:
    """Seconds of sound that keep the models busy on a CPU. GPUs and replicas on Ray may need any number.

    `settings`: as `filled` returns them, which name a GPU on machines without one too.
    """
    gpus = _usable(_driver(settings), settings.transcription.device_index)
    if settings.runtime.placement == "ray" or gpus:
        return math.inf
    return BATCHES_OF_A_CALL * max(2, cores()) * settings.runtime.batch_seconds


def readers(settings: Settings) -> int:
    """Processes that decode uploads. One decodes a thousand seconds of sound in a second, and two cores
    transcribe forty of them: a second process, of 33 MB, would have little to do there. A GPU transcribes
    more.
    """
    gpus = _usable(_driver(settings), settings.transcription.device_index)
    return 1 if cores() <= SMALL_CORES and not gpus else 2


def _with(group: BaseModel, names: Sequence[str], values: Capacity) -> BaseModel:
    """The group of settings, with these values in place of each 0."""
    return group.model_copy(update={n: getattr(group, n) or getattr(values, n) for n in names})


def capacity(chosen: Sequence[Gpu], cores: int) -> Capacity:
    """The values for GPUs that share the work; for the CPU if there is no GPU.

    A GPU finishes a full batch in a second or two, so a larger batch delays nobody. A file that is alone then
    needs more windows at once to fill a batch, and the CPU's cores are mostly busy with decoding uploads.
    """
    if not chosen:
        return Capacity()
    return Capacity(
        batch_rows=batch_rows(chosen),
        batch_seconds=480,
        windows_ahead=16,
        decoded_seconds=28_800,
        decode_threads=max(4, min(32, cores)),
        requests=256,
    )


def _driver(settings: Settings) -> Driver | None:
    return driver() if settings.transcription.device != "cpu" else None


def _usable(found: Driver | None, devices: Sequence[int]) -> list[Gpu]:
    """The GPUs that transcribe. None of them if CTranslate2 cannot use one of them."""
    if not found or obstacle(found, devices) or cuda_libraries.preload():
        return []
    return [gpu for gpu in found.gpus if gpu.index in devices]
