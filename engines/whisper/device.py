"""Where Whisper runs: on GPUs or on the CPU, with which arithmetic, and how many batches at once.

Law: chooses a device, and loads the model on a GPU to prove the choice. If a GPU cannot be used, the log says
so once, with the reason.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engines import cuda_libraries
from engines.cores import cores
from engines.errors import WeightsBroken, is_out_of_memory
from engines.gpus import compute_type, gpus, worth_trying
from engines.types import EngineOptions

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

log = logging.getLogger(__name__)
CALLS_PER_GPU = 2
"""While one batch is on the GPU, the features and words of another are computed."""
SMALLEST_FORMAT = "int8_float16"
"""The number format that needs half the memory of float16, for weights that do not fit otherwise."""
USUAL_ON_CPU = ("auto", "int8")
"""The settings that are int8 on every CPU."""
NUMBER_FORMATS = ("float16", "bfloat16", "int8_float32", "float32")
"""The number formats to choose from, the best first, if CTranslate2 lacks the usual one for this GPU."""


def place_on_gpu(folder: Path, options: EngineOptions) -> tuple[WhisperModel, int] | None:
    """A model on GPUs, and the number of calls that it works on at once; None: it belongs on the CPU.

    `auto` takes CUDA where it works. Raises `WeightsBroken`.
    """
    if options.device == "cpu" or (options.device == "auto" and not worth_trying()):
        return None
    missing = cuda_libraries.preload()
    try:
        return _on_gpu(folder, options)
    except Exception as failure:
        if options.device == "cuda" and isinstance(failure, ImportError):
            raise
        if options.device == "cuda":
            raise WeightsBroken(
                f"The weights in `{folder.name}` could not be loaded on the GPU."
            ) from failure
        reason = " ".join(str(failure).split())
        log.warning("the GPU cannot be used, so the CPU is used: %s%s", reason, _help(missing))
    return None


def place_on_cpu(folder: Path, options: EngineOptions) -> tuple[WhisperModel, int]:
    """A model on the CPU, and the number of calls that it works on at once. Raises `WeightsBroken`."""
    calls, threads = workers(options, cores())
    number_format = _format_on_cpu(options)
    model = _load(folder, device="cpu", compute_type=number_format, cpu_threads=threads, num_workers=calls)
    return model, calls


def calculates_in_int8(options: EngineOptions) -> bool:
    """Whether the weights on a CPU are int8, as they are unless the settings ask for more."""
    return _format_on_cpu(options).startswith("int8")


def workers(options: EngineOptions, available: int) -> tuple[int, int]:
    """Batches at once, and threads for each of them. `available`: cores.

    Many small workers do more than few large ones, because one decoded token is too little work to share. On
    large machines each worker has more threads, so that a long window that is alone is not slow.
    """
    if options.threads:
        return max(1, options.workers or available // options.threads), options.threads
    if options.workers:
        return options.workers, max(1, available // options.workers)
    threads = 1 if available <= 2 else 2 if available <= 8 else 4
    return max(1, available // threads), threads


def _format_on_cpu(options: EngineOptions) -> str:
    """The number format. One that only GPUs have cannot be used on a CPU."""
    asked = options.compute_type
    if asked in USUAL_ON_CPU:
        return "int8"
    import ctranslate2

    return asked if asked in ctranslate2.get_supported_compute_types("cpu") else "int8"


def _on_gpu(folder: Path, options: EngineOptions) -> tuple[WhisperModel, int]:
    calls = options.workers or CALLS_PER_GPU
    first, *smaller = number_formats(folder, options, _formats(options.devices))
    try:
        model = _tried_on_gpu(folder, options, first, calls)
    except Exception as failure:
        if not smaller or not is_out_of_memory(failure):
            raise
        log.warning("the weights in `%s` do not fit on the GPU in %s", folder.name, first)
        first = smaller[0]
        model = _tried_on_gpu(folder, options, first, calls)
    numbers = ", ".join(map(str, options.devices))
    log.info("`%s` is on GPU %s in %s, with %d batches at once on each", folder.name, numbers, first, calls)
    return model, calls * len(options.devices)


def number_formats(folder: Path, options: EngineOptions, able: Collection[str]) -> tuple[str, ...]:
    """The number format to try on the GPU, and the one to try if memory does not suffice for it.

    `able`: the formats that CTranslate2 has for these GPUs.
    """
    asked = options.compute_type
    if asked in able or asked == "default":
        return (asked,)
    if asked != "auto":
        log.warning("`%s` cannot be computed on this GPU, so the number format is chosen", asked)
    weights = folder / "model.bin"
    chosen = [gpu for gpu in gpus() if gpu.index in options.devices]
    best = compute_type(chosen, weights.stat().st_size if weights.is_file() else 0)
    first = next((one for one in (best, *NUMBER_FORMATS) if one in able), best)
    return (first, SMALLEST_FORMAT) if first == "float16" and SMALLEST_FORMAT in able else (first,)


def _formats(devices: Sequence[int]) -> set[str]:
    """The number formats that all these GPUs have. Raises what CTranslate2 raises where it cannot use one."""
    import ctranslate2

    return set.intersection(*(ctranslate2.get_supported_compute_types("cuda", index) for index in devices))


def _tried_on_gpu(folder: Path, options: EngineOptions, number_format: str, calls: int) -> WhisperModel:
    devices = list(options.devices)
    model = _load(folder, device="cuda", device_index=devices, compute_type=number_format, num_workers=calls)
    # CUDA's libraries are loaded at the first use; this one is earlier than the first request.
    bands = model.feature_extractor.mel_filters.shape[0]
    model.encode(np.zeros((1, bands, 100), np.float32))
    return model


def _help(missing: list[str]) -> str:
    if not missing:
        return ""
    package = cuda_libraries.PACKAGE
    return f" ({', '.join(missing)} is missing; `make serve GPU=1` or `pip install {package}` brings it)"


def _load(folder: Path, *, device: str, **options: Any) -> WhisperModel:
    from faster_whisper import WhisperModel

    try:
        return WhisperModel(str(folder), device=device, local_files_only=True, **options)
    except (RuntimeError, ValueError, OSError) as broken:
        reason = (
            f": {broken}" if device == "cuda" else "."
        )  # this one is only logged, because the CPU is tried next
        raise WeightsBroken(f"The weights in `{folder.name}` could not be loaded{reason}") from broken
