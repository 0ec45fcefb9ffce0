"""The costs of one measure on both sides, in pairs.

Law: pairs of costs in, ratios and medians out.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class Counted(Protocol):
    """A side whose CPU time may be known."""

    def cpu(self) -> float | None: ...


@dataclass(frozen=True)
class Goal:
    """What a measure is, and what it should be."""

    what: str
    sign: str = "<="
    limit: float | None = None
    unit: str = ""

    def meets(self, value: float) -> bool:
        assert self.limit is not None
        return value <= self.limit if self.sign == "<=" else value >= self.limit

    def line(self, value: float) -> str:
        """One row of the report."""
        met = "" if self.limit is None else " met" if self.meets(value) else " MISSED"
        aim = f"goal {self.sign} {self.limit:g}" if self.limit is not None else "no goal"
        return f"| {self.what} | {value:.3g} {self.unit} | {aim}{met} |"


@dataclass(frozen=True)
class Spent:
    """What one piece of work took."""

    seconds: float
    cpu: float
    """CPU seconds; seconds of the clock if the side cannot tell its CPU time."""


@dataclass(frozen=True)
class Compared:
    """The costs of two sides in several pairs, compared by their medians."""

    pairs: tuple[tuple[Spent, Spent], ...]

    @property
    def time(self) -> float:
        return statistics.median(mine.seconds / other.seconds for mine, other in self.pairs)

    @property
    def cpu(self) -> float:
        return statistics.median(mine.cpu / other.cpu for mine, other in self.pairs)

    @property
    def seconds(self) -> str:
        mine, other = (statistics.median(pair[side].seconds for pair in self.pairs) for side in (0, 1))
        return f"({mine:.2f} s / {other:.2f} s)"

    @property
    def cpu_seconds(self) -> str:
        mine, other = (statistics.median(pair[side].cpu for pair in self.pairs) for side in (0, 1))
        return f"({mine:.2f} s / {other:.2f} s)"


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def spent(side: Counted, work: Callable[[], object]) -> Spent:
    """The cost of `work` on a side that does nothing else meanwhile."""
    before = side.cpu()
    seconds = timed(work)
    after = side.cpu()
    return Spent(seconds, seconds if before is None or after is None else after - before)


def compared(
    rounds: int, mine: Callable[[int], Spent], other: Callable[[int], Spent], *, warm: bool = False
) -> Compared:
    """Measures both sides in pairs; the order changes with each pair. `mine` and `other` are given the number
    of the pair. `warm`: both have worked already; if not, each is called once before.
    """
    if not warm:
        mine(0), other(0)
    return Compared(
        tuple(
            (mine(turn), other(turn)) if turn % 2 else (other(turn), mine(turn))[::-1]
            for turn in range(rounds)
        )
    )


def in_turn(
    rounds: int, first: Callable[[], float], second: Callable[[], float]
) -> tuple[float, float, float]:
    """The median ratio of pairs of seconds, and the medians of both."""
    found = compared(rounds, lambda _: Spent(first(), 1.0), lambda _: Spent(second(), 1.0))
    mine, other = (statistics.median(pair[side].seconds for pair in found.pairs) for side in (0, 1))
    return found.time, mine, other
