"""The values of `bench_gpu`: what is sent, and one line of its report."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bench.gpu_watch import Use


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the report."""

    name: str
    unit: str
    ours: float
    plain: float | None = None
    """The same figure of plain faster-whisper; None if it has no comparable one."""
    goal: str = ""
    met: bool | None = None
    busy: float | None = None
    """Percentage of the time in which the GPU worked during our measurement."""
    memory: int | None = None
    """The most bytes of GPU memory that were in use."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """What is sent, and for how long."""

    clip: bytes
    """A wav file of 4.7 seconds."""
    long: bytes
    """A wav file of some minutes."""
    long_seconds: float
    seconds: float
    """Seconds for which clients send requests, in each measurement with clients."""
    files: int = 16


def percentile(values: list[float], share: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share / 100 * (len(ordered) - 1)))]


def with_use(figure: Figure, use: Use, met: bool | None = None) -> Figure:
    return replace(figure, busy=use.mean_busy, memory=use.peak_memory, met=figure.met if met is None else met)
