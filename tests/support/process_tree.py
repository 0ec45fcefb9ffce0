"""The resources of a process and its descendants: memory, threads, descriptors, CPU time. Linux only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

Value = TypeVar("Value")
TICKS = 100
"""Clock ticks per second: the unit of CPU time in /proc/PID/stat."""


def family(pid: int) -> list[int]:
    """The process, its children, and theirs. One that ends meanwhile is left out."""
    found = [pid]
    for one in found:  # the list grows while it is read
        found += _asked(one, _children) or []
    return found


def cpu_seconds(pid: int) -> float:
    """CPU seconds of the process and its family, those that have ended included."""
    return sum(_each(pid, _cpu))


def resident(pid: int, *, children: bool = True) -> int:
    """Resident memory in bytes; shared pages count in each process. `children`: of the whole family, not of
    the process alone.
    """
    return int(sum(_each(pid, _resident)) if children else _asked(pid, _resident) or 0)


def peak(pid: int) -> int:
    """The sum of the peak resident memory of all living processes of the family, in bytes."""
    return int(sum(_each(pid, lambda one: _status(one, "VmHWM"))))


def proportional(pid: int, *, children: bool = True) -> int:
    """Memory in bytes in which shared pages count once. `children`: of the whole family, not of the
    process alone.
    """
    return int(sum(_each(pid, _proportional)) if children else _asked(pid, _proportional) or 0)


def threads(pid: int) -> int:
    return int(sum(_each(pid, lambda one: len(list(Path(f"/proc/{one}/task").iterdir())))))


def descriptors(pid: int) -> int:
    return int(sum(_each(pid, lambda one: len(list(Path(f"/proc/{one}/fd").iterdir())))))


def command(pid: int) -> list[bytes]:
    return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")


def _each(pid: int, ask: Callable[[int], float]) -> Iterator[float]:
    for one in family(pid):
        value = _asked(one, ask)
        if value is not None:
            yield value


def _asked(pid: int, ask: Callable[[int], Value]) -> Value | None:
    try:
        return ask(pid)
    except (OSError, IndexError):  # the process has just ended
        return None


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / TICKS


def _resident(pid: int) -> float:
    return _status(pid, "VmRSS")


def _status(pid: int, key: str) -> float:
    return 1024 * int(Path(f"/proc/{pid}/status").read_text().split(f"{key}:")[1].split()[0])


def _proportional(pid: int) -> float:
    return 1024 * int(Path(f"/proc/{pid}/smaps_rollup").read_text().split("\nPss:")[1].split()[0])
