"""Where Whisper runs: GPUs or the CPU, with which arithmetic, and how many batches at once.

Law: the choice and the loading that proves it; a GPU that cannot be used is told in the log, once, with the
reason.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

from engines.common.cores import cores
from engines.errors import WeightsBroken
from engines.types import EngineOptions

log = logging.getLogger(__name__)
CALLS_A_GPU = 2
"""While one batch is on the GPU, the features and words of another are made."""


def place(folder: Path, options: EngineOptions) -> tuple[Any, int]:
    """A loaded `WhisperModel`, and how many calls it takes at once.

    `auto` takes CUDA with float16 where it works, else the CPU with int8. Raises `WeightsBroken`.
    """
    if options.device == "cpu" or (options.device == "auto" and not _gpus()):
        return _on_cpu(folder, options)
    try:
        return _on_gpu(folder, options)
    except Exception as failure:
        if options.device == "cuda":
            raise WeightsBroken(
                f"The weights in `{folder.name}` could not be loaded on the GPU."
            ) from failure
        log.warning("the GPU cannot be used, so the CPU is: %s", " ".join(str(failure).split()))
    return _on_cpu(folder, options)


def workers(options: EngineOptions, here: int) -> tuple[int, int]:
    """Batches at once and threads of each, on `here` cores.

    Many small workers do more than few large ones: decoding a token is too little work to be shared. The
    larger the machine, the more threads each has, so that a lone long window is not slow.
    """
    if options.threads:
        return max(1, options.workers or here // options.threads), options.threads
    if options.workers:
        return options.workers, max(1, here // options.workers)
    threads = 1 if here <= 2 else 2 if here <= 8 else 4
    return max(1, here // threads), threads


def _gpus() -> int:
    import ctranslate2

    try:
        return int(ctranslate2.get_cuda_device_count())
    except RuntimeError:  # a driver without a device, or older than the library
        return 0


def _on_cpu(folder: Path, options: EngineOptions) -> tuple[Any, int]:
    calls, threads = workers(options, cores())
    import ctranslate2

    wanted = options.compute_type  # a GPU's type may mean nothing to a CPU that stands in for it
    kind = wanted if wanted in ctranslate2.get_supported_compute_types("cpu") else "int8"
    return _load(folder, device="cpu", compute_type=kind, cpu_threads=threads, num_workers=calls), calls


def _on_gpu(folder: Path, options: EngineOptions) -> tuple[Any, int]:
    calls = options.workers or CALLS_A_GPU
    kind = "float16" if options.compute_type == "auto" else options.compute_type
    devices = list(options.devices)
    model = _load(folder, device="cuda", device_index=devices, compute_type=kind, num_workers=calls)
    # The libraries behind the GPU are loaded with the first work: better now than with the first request.
    bands = model.feature_extractor.mel_filters.shape[0]
    model.encode(np.zeros((1, bands, 100), np.float32))
    return model, calls * len(devices)


def _load(folder: Path, **how: Any) -> Any:
    from faster_whisper import WhisperModel

    try:
        return WhisperModel(str(folder), local_files_only=True, **how)
    except (RuntimeError, ValueError, OSError) as broken:
        reason = f": {broken}" if how["device"] == "cuda" else "."  # only the log sees the first
        raise WeightsBroken(f"The weights in `{folder.name}` could not be loaded{reason}") from broken
