"""Which NVIDIA GPUs this machine has, as its driver tells (NVML), and what follows from their size.

Law: asks the driver and computes; opens no CUDA context and imports no CUDA library. Without a driver, or
without the Python package that asks it, there are no GPUs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GIB = 1024**3
DEVICE_FILES = (Path("/dev/nvidiactl"), Path("/dev/dxg"))
"""One of these exists on Linux if there is a driver; the second is that of Windows' Linux (WSL)."""
FLOAT16_CAPABILITY = (7, 0)
"""The first compute capability on which CTranslate2 computes in float16."""
INT8_CAPABILITY = (6, 1)
"""The first compute capability with integer arithmetic for int8."""
COMPUTE_ROOM = 2 * GIB
"""Bytes that batches need beside the weights, for the choice of a number format."""
BYTES_PER_ROW = int(1.5 * GIB)
"""Bytes of one row of a batch in the largest model: the caches of a beam search of five and the
cross-attention of 30 seconds take 0.7 GiB in Whisper large, and two batches run at a time."""
MODEL_BYTES = 4 * GIB
"""Bytes of the largest model with its buffers."""
MOST_ROWS = 32
ROWS_UNKNOWN = 8
"""Rows for a GPU that does not tell its memory."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Gpu:
    """One GPU."""

    index: int
    """Its number, in the order of the PCI bus, as `transcription.device_index` counts."""
    name: str
    memory: int
    """Bytes in all; 0 if the driver does not tell, as where the GPU shares the memory of the machine."""
    free: int
    """Bytes that no process uses; 0 if the driver does not tell."""
    capability: tuple[int, int]
    """CUDA compute capability: major, minor."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Driver:
    """The NVIDIA driver of this machine."""

    version: str
    cuda: tuple[int, int]
    """The newest CUDA that it can run: major, minor."""
    gpus: tuple[Gpu, ...]


def driver() -> Driver | None:
    """The driver and its GPUs; None if there is none, or if it cannot be asked."""
    if sys.platform == "linux" and not any(file.exists() for file in DEVICE_FILES):
        return None
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    try:
        return _read(pynvml)
    except pynvml.NVMLError:
        return None
    finally:
        pynvml.nvmlShutdown()


def gpus() -> tuple[Gpu, ...]:
    """The GPUs that this process may use."""
    found = driver()
    return found.gpus if found else ()


def visible(uuids: Sequence[str], allowed: str | None) -> list[int]:
    """The numbers of the GPUs that `CUDA_VISIBLE_DEVICES` allows, in the order in which it names them.

    CUDA's rule: the list ends at the first entry that names no GPU. `uuids`: identifiers of all GPUs, in the
    order of the PCI bus. `allowed`: the value of the variable; None: not set.
    """
    if allowed is None:
        return list(range(len(uuids)))
    left: list[int] = []
    for entry in (part.strip() for part in allowed.split(",")):
        named = _named(entry, uuids)
        if named is None or named in left:
            break
        left.append(named)
    return left


def compute_type(chosen: Iterable[Gpu], weights: int) -> str:
    """The number format, as CTranslate2 names it, for GPUs that share a model of so many bytes in float16.

    float16 where it fits, because Whisper was trained in it; bfloat16 is as fast and less exact.
    """
    capability = min((gpu.capability for gpu in chosen), default=FLOAT16_CAPABILITY)
    free = min((gpu.free for gpu in chosen), default=0)
    if capability < INT8_CAPABILITY:
        return "float32"
    if capability < FLOAT16_CAPABILITY:
        return "int8_float32"
    return "float16" if not free or weights + COMPUTE_ROOM <= free else "int8_float16"


def batch_rows(chosen: Iterable[Gpu]) -> int:
    """The largest batch that the smallest of these GPUs has room for with the largest model: 2 to 32 rows."""
    memory = min((gpu.memory for gpu in chosen), default=0)
    if not memory:
        return ROWS_UNKNOWN
    return max(2, min(MOST_ROWS, (memory - MODEL_BYTES) // BYTES_PER_ROW))


def _named(entry: str, uuids: Sequence[str]) -> int | None:
    if entry.isdecimal():
        return int(entry) if int(entry) < len(uuids) else None
    matches = [at for at, uuid in enumerate(uuids) if entry and uuid.startswith(entry)]
    return matches[0] if len(matches) == 1 else None


def _read(pynvml: Any) -> Driver:
    handles = [pynvml.nvmlDeviceGetHandleByIndex(at) for at in range(pynvml.nvmlDeviceGetCount())]
    uuids = [pynvml.nvmlDeviceGetUUID(handle) for handle in handles]
    cuda = int(pynvml.nvmlSystemGetCudaDriverVersion())
    left = visible(uuids, os.environ.get("CUDA_VISIBLE_DEVICES"))
    return Driver(
        version=str(pynvml.nvmlSystemGetDriverVersion()),
        cuda=(cuda // 1000, cuda % 1000 // 10),
        gpus=tuple(_gpu(pynvml, handles[number], at) for at, number in enumerate(left)),
    )


def _gpu(pynvml: Any, handle: Any, index: int) -> Gpu:
    total, free = _memory(pynvml, handle)
    major, minor = pynvml.nvmlDeviceGetCudaComputeCapability(handle)
    return Gpu(
        index=index,
        name=str(pynvml.nvmlDeviceGetName(handle)),
        memory=total,
        free=free,
        capability=(int(major), int(minor)),
    )


def _memory(pynvml: Any, handle: Any) -> tuple[int, int]:
    """Bytes in all, and bytes that are free."""
    try:
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    except pynvml.NVMLError:
        return 0, 0
    return int(memory.total), int(memory.free)
