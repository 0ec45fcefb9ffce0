"""The longest time for which a server with fake engines blocks its event loop, and the limit of that time.

Both are CPU time of the loop's thread, because elapsed time would depend on other processes of the machine.
The limit is higher on a slower machine.
"""

from __future__ import annotations

import statistics
import time

from tests.support.server import Server

LONGEST_SECONDS = 0.1
STEPS = 1_000_000
USUAL_SECONDS = 0.02
"""CPU time of `STEPS` steps on a machine of 2024 with two busy cores; 0.011 s if it is idle."""


def longest(server: Server) -> float:
    """The longest time that the event loop was blocked since the last call, in seconds of CPU time."""
    with server.client() as client:
        return float(client.get(server.root + "/test/longest").json())


def most() -> float:
    """The limit in seconds of CPU time, adapted to the speed of this machine, which is measured now."""
    taken = statistics.median(_steps() for _ in range(5))
    return LONGEST_SECONDS * max(1.0, taken / USUAL_SECONDS)


def _steps() -> float:
    began = time.thread_time()
    for _ in range(STEPS):
        pass
    return time.thread_time() - began
