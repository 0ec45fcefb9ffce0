"""How long a computation keeps Python's lock, which every other thread waits for, the event loop too."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable


def longest_hold(work: Callable[[], object]) -> float:
    """The most CPU seconds that `work` takes, on a thread of its own, between two moments at which another
    thread runs.

    CPU seconds of that thread, not the clock: other processes on the machine must not decide. What was there
    before is kept from the garbage collector, as `antiphon serve` does it.
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
            seen.wait()  # the clock of a thread ends with it

    thread = threading.Thread(target=run)
    thread.start()
    assert thread.ident
    clock = time.pthread_getcpuclockid(thread.ident)
    longest, last = 0.0, time.clock_gettime(clock)
    go.set()
    while not done.is_set():
        time.sleep(0)  # gives the lock away and takes it again, as the event loop does
        now = time.clock_gettime(clock)
        longest, last = max(longest, now - last), now
    seen.set()
    thread.join()
    return longest
