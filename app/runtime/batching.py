"""Which waiting rows share the next batch, and which request is served next.

Law: pure functions over values; the queue only obeys.

Theory of operation: weighted fair queueing (Demers, Keshav and Shenker 1989) with seconds of audio as the
unit of service. An ideal server would work on all waiting requests at once, each at the same speed; the
service that it would have given to a request that has been waiting all along is the virtual time (`now`).
Each row gets a virtual finish time: the service that its request has had, plus the rows before it, plus its
own length. The row with the earliest finish time is served first, and rows with the same key fill its batch
in that order. So a short clip never waits behind the whole of a long file, and a stream of short clips never
starves a long file. A request that starts to wait is given the virtual time of that moment: it gets no
credit for the time that it was absent, and keeps what it was served in advance.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Waiting:
    """What the choice of a batch depends on, of one waiting row."""

    id: int
    request: Hashable
    """The request that it belongs to."""
    key: Hashable
    """Rows of equal keys may share a batch."""
    seconds: float
    """Seconds of audio."""


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How large a batch may be."""

    rows: int
    """The most rows."""
    seconds: float = float("inf")
    """The most seconds of audio, so that the next batch need not wait long; a single row always fits."""

    def shared(self, waiting: int, free: int) -> BatchLimits:
        """The limits for one of `free` threads, when the waiting rows are shared out among all of them."""
        share = math.ceil(waiting / max(1, free))
        return replace(self, rows=max(1, min(self.rows, share)))


@dataclass(frozen=True, slots=True)
class FairShare:
    """The service that each request has had, in seconds of audio."""

    now: float = 0.0
    """Virtual time: the service, in seconds of audio, of a request that has been waiting all along."""
    had: Mapping[Hashable, float] = field(default_factory=dict)
    """The service of each request that waits, or that is ahead of the virtual time."""

    def arrived(self, request: Hashable) -> FairShare:
        """A request begins to wait. It gets no credit for the time it was absent, and keeps any debt from
        earlier service.
        """
        return FairShare(self.now, {**self.had, request: max(self.now, self.had.get(request, self.now))})

    def served(self, batch: Sequence[Waiting], left: Collection[Hashable]) -> FairShare:
        """The shares after a batch. `left`: the requests that still wait."""
        if not left:
            return FairShare()
        had = dict(self.had)
        for item in batch:
            had[item.request] = had.get(item.request, self.now) + item.seconds
        active = {*left, *(item.request for item in batch)}
        now = self.now + sum(item.seconds for item in batch) / len(active)
        return FairShare(now, {request: end for request, end in had.items() if request in left or end > now})

    def due(self, request: Hashable) -> float:
        """The service of a request; for an unknown one, the virtual time."""
        return self.had.get(request, self.now)


def pick(waiting: Sequence[Waiting], shares: FairShare, limits: BatchLimits) -> list[int]:
    """Ids of the next batch, all of one key, within the limits.

    `waiting`: in the order of arrival, which the rows of one request keep.
    """
    queues: dict[Hashable, list[Waiting]] = {}
    for item in waiting:
        queues.setdefault(item.request, []).append(item)
    order = sorted(_dated(queues, shares), key=lambda dated: dated[0])
    return _filled([item for _, item in order], limits) if order else []


def _dated(queues: Mapping[Hashable, Sequence[Waiting]], shares: FairShare) -> list[tuple[float, Waiting]]:
    """Each row with its virtual finish time."""
    dated = []
    for request, items in queues.items():
        due = shares.due(request)
        for item in items:
            due += item.seconds
            dated.append((due, item))
    return dated


def _filled(order: Sequence[Waiting], limits: BatchLimits) -> list[int]:
    """The first row and the rows of its key that fit. Rows of one request keep their order, so a row that
    does not fit bars the rows behind it.
    """
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
