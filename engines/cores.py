"""How many cores this process may use.

Law: reads what the system says; changes nothing.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""The CPU quota of a container (Linux, cgroup v2): microseconds of CPU time, and the
period in microseconds.
"""


def cores() -> int:
    """Number of cores, at least one. It is less than the machine has if a container or an affinity mask
    allows less.
    """
    available = _affinity()
    with suppress(OSError, ValueError):
        allowed, period = QUOTA.read_text().split()
        if allowed != "max":
            available = min(available, max(1, int(allowed) // int(period)))
    return available


def _affinity() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
