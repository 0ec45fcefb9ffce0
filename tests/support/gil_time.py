"""How long a computation holds Python's global interpreter lock (GIL), so that no other thread can run."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable


def longest_hold(work: Callable[[], object]) -> float:
    """The longest time for which `work`, on a thread of its own, keeps another thread from running, in
    seconds of CPU time of the thread of `work`.

    Elapsed time would depend on other processes of the machine. Existing objects are hidden from the garbage
    collector, as in `antiphon serve`.
    """
    gc.collect()
    gc.freeze()
    try:
        return _longest_hold(work)
    finally:
        gc.unfreeze()


def _longest_hold(work: Callable[[], object]) -> float:
    go, done, seen = threading.Event(), threading.Event(), threading.Event()

    def run() -> None:
        go.wait()
        try:
            work()
        finally:
            done.set()
            seen.wait()  # the CPU clock of a thread is gone once the thread has ended

    thread = threading.Thread(target=run)
    thread.start()
    assert thread.ident
    clock = time.pthread_getcpuclockid(thread.ident)
    longest, last = 0.0, time.clock_gettime(clock)
    go.set()
    while not done.is_set():
        time.sleep(0)  # releases the lock and takes it again, as the event loop does
        now = time.clock_gettime(clock)
        longest, last = max(longest, now - last), now
    seen.set()
    thread.join()
    return longest
