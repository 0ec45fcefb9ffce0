"""How long a server with pretended engines keeps its event loop without a pause, and how long it may.

CPU time of the loop's thread, not the clock: other processes of the machine must not decide. A machine that
computes more slowly is allowed more of it.
"""

from __future__ import annotations

import statistics
import time

from tests.support.server import Server

LONGEST_SECONDS = 0.1
STEPS = 1_000_000
USUAL_SECONDS = 0.02
"""CPU time that so many steps take on a machine of 2024 with two busy cores; 0.011 on an idle one."""


def longest(server: Server) -> float:
    """The longest time since the last call, in seconds of CPU."""
    with server.client() as client:
        return float(client.get(server.root + "/test/longest").json())


def most() -> float:
    """The longest time that a handler may keep the loop, in seconds of CPU, at the machine's pace of now."""
    taken = statistics.median(_steps() for _ in range(5))
    return LONGEST_SECONDS * max(1.0, taken / USUAL_SECONDS)


def _steps() -> float:
    began = time.thread_time()
    for _ in range(STEPS):
        pass
    return time.thread_time() - began
