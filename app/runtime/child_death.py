"""How a child process ended: its status in words, and as the label of a metric.

Law: knows exit statuses and the kernel's count of OOM kills; ends no process.
"""

from __future__ import annotations

import signal
from contextlib import suppress
from pathlib import Path

from engines.errors import EngineDied, EngineStuck

CLOSED = EngineDied("it was closed")
OVERGROWN = EngineDied("it took more memory than `runtime.child_bytes`")
"""The reason for ending a process that used too much memory and is replaced by a new one."""


def oom_kills() -> int:
    """The number of processes that the kernel has killed because memory ran out; 0 if it cannot be read."""
    with suppress(OSError, ValueError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def death(status: int, oom_kills_before: int | None) -> EngineDied:
    """How a process has ended. `oom_kills_before`: the value of `oom_kills` when the process was started, or
    None if we have ended it.
    """
    if status >= 0:
        return EngineDied(f"its process ended with status {status}", status=status)
    number = -status
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    by_others = oom_kills_before is not None and oom_kills() > oom_kills_before
    memory = number == signal.SIGKILL and by_others
    why = ", probably because memory ran out" if memory else ""
    return EngineDied(f"its process was ended by {name}{why}", signal=number, memory=memory)


def death_label(failure: Exception) -> str:
    """The label of a death in metrics: one of a few words, because each word is a time series of its own.

    `memory`: the kernel killed it. `replaced`: the server replaced it, which is no failure.
    """
    if failure is OVERGROWN:
        return "replaced"
    if isinstance(failure, EngineStuck):
        return "stuck"
    if isinstance(failure, EngineDied) and failure.memory:
        return "memory"
    return "killed" if isinstance(failure, EngineDied) and failure.killed else "crash"
