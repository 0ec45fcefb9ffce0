"""How busy the GPU is while something runs, and how much of its memory is taken, as its driver tells."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from engines.gpus import driver

STEP_SECONDS = 0.1


@dataclass
class Use:
    """Readings of the GPU over some time; empty lists if there is no GPU."""

    busy: list[int] = field(default_factory=list)
    """For each reading, the percentage of the last moments in which the GPU worked."""
    memory: list[int] = field(default_factory=list)
    """For each reading, the bytes of GPU memory in use."""

    @property
    def mean_busy(self) -> float | None:
        return statistics.mean(self.busy) if self.busy else None

    @property
    def peak_memory(self) -> int | None:
        return max(self.memory, default=None)


@contextmanager
def watched() -> Iterator[Use]:
    """Reads the load of the first GPU that this process may use, until the block ends."""
    use, stop = Use(), threading.Event()
    found = driver()
    if not found or not found.gpus:
        yield use
        return
    thread = threading.Thread(target=_read, args=(found.gpus[0].uuid, use, stop), daemon=True)
    thread.start()
    try:
        yield use
    finally:
        stop.set()
        thread.join()


def _read(uuid: str, use: Use, stop: threading.Event) -> None:
    import pynvml

    pynvml.nvmlInit()
    handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
    while not stop.wait(STEP_SECONDS):
        with suppress(pynvml.NVMLError):
            use.memory.append(int(pynvml.nvmlDeviceGetMemoryInfo(handle).used))
            # a part of a divided GPU (MIG) has no such figure
            use.busy.append(int(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu))
    pynvml.nvmlShutdown()
