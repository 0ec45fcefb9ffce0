"""How busy the GPU is while something runs, and how much of its memory is taken, as its driver tells."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from engines.gpus import driver

STEP_SECONDS = 0.1


@dataclass
class Use:
    """Readings of one stretch of time; none where there is no GPU."""

    busy: list[int] = field(default_factory=list)
    """Percent of the last moments in which a kernel ran."""
    memory: list[int] = field(default_factory=list)
    """Bytes."""

    @property
    def mean_busy(self) -> float | None:
        return statistics.mean(self.busy) if self.busy else None

    @property
    def peak_memory(self) -> int | None:
        return max(self.memory, default=None)


@contextmanager
def watched(index: int = 0) -> Iterator[Use]:
    """Reads until the block ends."""
    use, stop = Use(), threading.Event()
    thread = threading.Thread(target=_read, args=(index, use, stop), daemon=True)
    found = driver()
    if found and index < len(found.gpus):
        thread.start()
    yield use
    stop.set()
    if thread.ident:
        thread.join()


def _read(index: int, use: Use, stop: threading.Event) -> None:
    import pynvml

    pynvml.nvmlInit()
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    while not stop.wait(STEP_SECONDS):
        use.busy.append(int(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu))
        use.memory.append(int(pynvml.nvmlDeviceGetMemoryInfo(handle).used))
    pynvml.nvmlShutdown()
