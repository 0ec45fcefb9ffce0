"""Which NVIDIA GPUs this machine has, as its driver tells (NVML), and what follows from their size.

Law: asks the driver and computes; opens no CUDA context and imports no CUDA library. Without a driver, or
without the Python package that asks it, there are no GPUs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GIB = 1024**3
DEVICE_FILES = (Path("/dev/nvidiactl"), Path("/dev/dxg"))
"""One of these exists on Linux if there is a driver; the second is that of Windows' Linux (WSL)."""
CUDA_NEEDED = (12, 0)
"""The version of CUDA that CTranslate2 4.8 is built for; only the major version matters. A driver supports
its own version and all older ones.
"""
MACHINE_CODE = ((5, 3), (6, 0), (6, 1), (7, 0), (7, 5), (8, 0), (8, 6))
"""Compute capabilities for which CTranslate2's package has machine code. A GPU runs code of its own major
version and of the same or an older minor version.
"""
COMPILING_CUDA = (12, 8)
"""The CUDA that a driver must know to compile the package's code for newer GPUs, such as the H100. It does so
when a kernel is first used, and keeps the result in `CUDA_CACHE_PATH`."""
FLOAT16_CAPABILITY = (7, 0)
"""The first compute capability on which CTranslate2 computes in float16."""
INT8_CAPABILITY = (6, 1)
"""The first compute capability with integer arithmetic for int8."""
COMPUTE_ROOM = 2 * GIB
"""Bytes that batches need in addition to the weights; used to choose a number format."""
BYTES_PER_ROW = int(1.5 * GIB)
"""Bytes of one row of a batch in the largest model: the caches of a beam search of five and the
cross-attention of 30 seconds take 0.7 GiB in Whisper large, and two batches run at a time."""
MODEL_BYTES = 4 * GIB
"""Bytes of the largest model with its buffers."""
MOST_ROWS = 32
ROWS_UNKNOWN = 8
"""Rows in a batch if the GPU does not report its memory."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Gpu:
    """One GPU."""

    index: int
    """Its number, in the order of the PCI bus, as `transcription.device_index` counts."""
    name: str
    memory: int
    """Total memory in bytes; 0 if the driver does not report it, for example if the GPU shares the machine's
    memory.
    """
    free: int
    """Free memory in bytes; 0 if the driver does not report it."""
    capability: tuple[int, int]
    """CUDA compute capability: major, minor."""
    uuid: str = ""
    """Its identifier, which `CUDA_VISIBLE_DEVICES` may name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Driver:
    """The NVIDIA driver of this machine."""

    version: str
    cuda: tuple[int, int]
    """The newest version of CUDA that the driver supports: major, minor."""
    gpus: tuple[Gpu, ...]


def ask() -> Driver | str:
    """The driver with its GPUs, or a text that says why it cannot be asked; the text is empty if there is no
    driver.
    """
    on_linux = sys.platform == "linux"
    if on_linux and not any(file.exists() for file in DEVICE_FILES):
        return ""
    try:
        import pynvml
    except ImportError:
        return "the Python package nvidia-ml-py is not installed" if on_linux else ""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as failure:
        return str(failure) if on_linux else ""
    try:
        return _read(pynvml)
    except pynvml.NVMLError as failure:
        return str(failure)
    finally:
        pynvml.nvmlShutdown()


def worth_trying() -> bool:
    """Whether this process may have a GPU: a driver exists, and no environment variable hides all GPUs."""
    found = ask()
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES", "-1").strip() in {"", "-1"}
    return bool(found) if isinstance(found, str) else bool(found.gpus) or not hidden


def driver() -> Driver | None:
    """The driver and its GPUs; None if there is none, or if it cannot be asked."""
    found = ask()
    return None if isinstance(found, str) else found


def gpus() -> tuple[Gpu, ...]:
    """The GPUs that this process may use."""
    found = driver()
    return found.gpus if found else ()


def obstacle(found: Driver, devices: Sequence[int]) -> str:
    """Why CTranslate2 cannot use these GPUs, and what to do about it; empty if it can."""
    if found.cuda < CUDA_NEEDED:
        return _too_old(found, CUDA_NEEDED)
    absent = [str(index) for index in devices if index >= len(found.gpus)]
    if absent:
        return f"`transcription.device_index` names GPU {', '.join(absent)}, and there are {len(found.gpus)}"
    for gpu in (found.gpus[index] for index in devices):
        if gpu.capability < MACHINE_CODE[0]:
            return f"GPU {gpu.index} ({gpu.name}) is too old for CTranslate2, which has no code for it"
        if not _has_machine_code(gpu) and found.cuda < COMPILING_CUDA:
            return f"for {gpu.name}, {_too_old(found, COMPILING_CUDA)}"
    return ""


def visible(uuids: Sequence[str], allowed: str | None, whole: int | None = None) -> list[int]:
    """The numbers of the GPUs that `CUDA_VISIBLE_DEVICES` allows, in the order in which it names them.

    CUDA's rule: the list ends at the first entry that names no GPU. `uuids`: identifiers of all GPUs, in the
    order of the PCI bus, and then of their parts. `allowed`: the value of the variable; None: not set.
    `whole`: how many of them are GPUs, which alone can be named by numbers; None: all.
    """
    numbered = len(uuids) if whole is None else whole
    if allowed is None:
        return list(range(numbered))
    left: list[int] = []
    for entry in (part.strip() for part in allowed.split(",")):
        named = _named(entry, uuids, numbered)
        if named is None or named in left:
            break
        left.append(named)
    return left


def alike(found: Sequence[Gpu]) -> tuple[int, ...]:
    """The GPUs to use if the settings name none: the first one that is mostly free, and all of the same kind
    that are free as well. GPU 0 if none is free.
    """
    free = [gpu for gpu in found if 2 * gpu.free >= gpu.memory]
    kind = [(gpu.name, gpu.memory) for gpu in free[:1]]
    return tuple(gpu.index for gpu in free if (gpu.name, gpu.memory) in kind) or (0,)


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


def _too_old(found: Driver, needed: tuple[int, int]) -> str:
    able, wanted = (f"CUDA {major}.{minor}" for major, minor in (found.cuda, needed))
    return f"the driver {found.version} runs {able}, and {wanted} is needed. Install a newer driver"


def _has_machine_code(gpu: Gpu) -> bool:
    major, minor = gpu.capability
    return any(code[0] == major and code[1] <= minor for code in MACHINE_CODE)


def _named(entry: str, uuids: Sequence[str], numbered: int) -> int | None:
    if entry.isdecimal():
        return int(entry) if int(entry) < numbered else None
    matches = [at for at, uuid in enumerate(uuids) if entry and uuid.startswith(entry)]
    return matches[0] if len(matches) == 1 else None


def _read(pynvml: Any) -> Driver:
    cuda = int(pynvml.nvmlSystemGetCudaDriverVersion())
    return Driver(
        version=str(pynvml.nvmlSystemGetDriverVersion()),
        cuda=(cuda // 1000, cuda % 1000 // 10),
        gpus=tuple(_gpu(pynvml, *handles, at) for at, handles in enumerate(_handles(pynvml))),
    )


def _handles(pynvml: Any) -> list[tuple[Any, Any]]:
    """What CUDA will count as GPUs: each with the handle of the whole GPU that it is or is a part of.

    A GPU that is divided (MIG) is used in parts, and a process can use one part, and no other GPU beside it.
    """
    whole = [pynvml.nvmlDeviceGetHandleByIndex(at) for at in range(pynvml.nvmlDeviceGetCount())]
    parts = [(part, gpu) for gpu in whole for part in _parts(pynvml, gpu)]
    uuids = [pynvml.nvmlDeviceGetUUID(handle) for handle in (*whole, *(part for part, _ in parts))]
    left: list[tuple[Any, Any]] = []
    for number in visible(uuids, os.environ.get("CUDA_VISIBLE_DEVICES"), len(whole)):
        if number >= len(whole):
            return [parts[number - len(whole)]]
        gpu = whole[number]
        if _divided(pynvml, gpu):
            return [(part, of) for part, of in parts if of is gpu][:1]
        left.append((gpu, gpu))
    return left


def _divided(pynvml: Any, gpu: Any) -> bool:
    try:
        return bool(pynvml.nvmlDeviceGetMigMode(gpu)[0])
    except pynvml.NVMLError:  # this GPU cannot be divided
        return False


def _parts(pynvml: Any, gpu: Any) -> list[Any]:
    found: list[Any] = []
    if _divided(pynvml, gpu):
        for at in range(pynvml.nvmlDeviceGetMaxMigDeviceCount(gpu)):
            with suppress(pynvml.NVMLError):  # this index has no part
                found.append(pynvml.nvmlDeviceGetMigDeviceHandleByIndex(gpu, at))
    return found


def _gpu(pynvml: Any, handle: Any, whole: Any, index: int) -> Gpu:
    total, free = _memory(pynvml, handle)
    major, minor = pynvml.nvmlDeviceGetCudaComputeCapability(whole)
    return Gpu(
        index=index,
        name=str(pynvml.nvmlDeviceGetName(handle)),
        memory=total,
        free=free,
        capability=(int(major), int(minor)),
        uuid=str(pynvml.nvmlDeviceGetUUID(handle)),
    )


def _memory(pynvml: Any, handle: Any) -> tuple[int, int]:
    """Total and free memory of a GPU, in bytes."""
    try:
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    except pynvml.NVMLError:
        return 0, 0
    return int(memory.total), int(memory.free)
