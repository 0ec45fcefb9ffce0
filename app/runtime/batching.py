"""Which waiting windows ride together, and whose turn it is.

Law: pure functions over values; the lane only obeys. Turns are weighted fair queueing (Demers, Keshav and
Shenker 1989) with seconds of audio as the measure: a request's next window is due when a server that
worked on all requests at once, equally, would have finished it. A short clip therefore never waits behind
the whole of a long file, and a long file is never starved by short ones.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Waiting:
    """One waiting window, as far as the picker is concerned."""

    id: int
    request: Hashable
    """Whose it is."""
    key: Hashable
    """Windows of equal keys may share a batch."""
    seconds: float
    """Seconds of audio."""


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How large a batch may be."""

    rows: int
    """Windows."""
    seconds: float = float("inf")
    """Seconds of audio, which bound how long whoever comes next must wait; one window always fits."""

    def shared(self, waiting: int, free: int) -> BatchLimits:
        """For one of `free` workers, of whom each gets its share of what waits."""
        share = math.ceil(waiting / max(1, free))
        return replace(self, rows=max(1, min(self.rows, share)))


@dataclass(frozen=True, slots=True)
class FairShare:
    """What each waiting request has had so far."""

    now: float = 0.0
    """Seconds of audio that each request would have had, were it here from the beginning."""
    had: Mapping[Hashable, float] = field(default_factory=dict)
    """The same, of requests that wait or are ahead of the others."""

    def arrived(self, request: Hashable) -> FairShare:
        """A request begins to wait: neither time that it was not here nor a lead is lost or won."""
        return FairShare(self.now, {**self.had, request: max(self.now, self.had.get(request, self.now))})

    def served(self, batch: Sequence[Waiting], left: Collection[Hashable]) -> FairShare:
        """After a batch. `left`: requests that still wait."""
        if not left:
            return FairShare()
        had = dict(self.had)
        for item in batch:
            had[item.request] = had.get(item.request, self.now) + item.seconds
        active = {*left, *(item.request for item in batch)}
        now = self.now + sum(item.seconds for item in batch) / len(active)
        return FairShare(now, {request: end for request, end in had.items() if request in left or end > now})

    def due(self, request: Hashable) -> float:
        """What a request has had; `now` for one that nobody has heard of."""
        return self.had.get(request, self.now)


def pick(waiting: Sequence[Waiting], shares: FairShare, limits: BatchLimits) -> list[int]:
    """Ids of the next batch, all of one key, within the limits.

    `waiting`: in order of arrival; the windows of one request stay in that order.
    """
    queues: dict[Hashable, list[Waiting]] = {}
    for item in waiting:
        queues.setdefault(item.request, []).append(item)
    order = sorted(_dated(queues, shares), key=lambda dated: dated[0])
    return _filled([item for _, item in order], limits) if order else []


def _dated(queues: Mapping[Hashable, Sequence[Waiting]], shares: FairShare) -> list[tuple[float, Waiting]]:
    """Each window with the time that it is due at."""
    dated = []
    for request, items in queues.items():
        due = shares.due(request)
        for item in items:
            due += item.seconds
            dated.append((due, item))
    return dated


def _filled(order: Sequence[Waiting], limits: BatchLimits) -> list[int]:
    """The first window, and behind it whatever has its key; nobody overtakes a window of its own request."""
    key, seconds = order[0].key, 0.0
    chosen: list[int] = []
    barred: set[Hashable] = set()
    for item in order:
        if item.request in barred:
            continue
        fits = len(chosen) < limits.rows and seconds + item.seconds <= limits.seconds
        if item.key == key and (fits or not chosen):
            chosen.append(item.id)
            seconds += item.seconds
        else:
            barred.add(item.request)
    return chosen
