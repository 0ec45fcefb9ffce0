"""Makes the threads for blocking steps of requests from the settings. Law: construction only."""

from __future__ import annotations

from app.audio.reader_task import read, warm
from app.runtime.memory_shortage import MemoryShortage
from app.runtime.meters import Meters
from app.runtime.reader_pool import ReaderPool, ReaderRules
from app.runtime.reader_values import ReaderOrder
from app.runtime.work_threads import WorkThreads
from app.settings.runtime import RuntimeSettings


def work_threads(runtime: RuntimeSettings, meters: Meters, shortage: MemoryShortage) -> WorkThreads:
    """The threads of requests, and the processes in which uploads are decoded, if they are isolated."""
    rules = ReaderRules(step_seconds=runtime.stuck_seconds)
    readers = ReaderPool(ReaderOrder(read, warm), rules, meters) if runtime.isolate_readers else None
    return WorkThreads(runtime.decode_threads, shortage, readers)
