"""Which request is served next: a fair share of the model for each of them.

Law: pure functions over values; the queue follows their results.

Theory of operation: weighted fair queueing (Demers, Keshav and Shenker 1989) with seconds of audio as the
unit of service. An ideal server would work on all waiting requests at once, each at the same speed; the
service that it would have given to a request that has been waiting all along is the virtual time (`now`).
Each row gets a virtual finish time: the service that its request has had, plus the rows before it, plus its
own length. The row with the earliest finish time is served first, and rows with the same key fill its batch
in that order. So a short clip never waits behind the whole of a long file, and a stream of short clips never
starves a long file. An urgent row is dated earlier, but its seconds count as usual: a request with many
urgent rows uses up its lead and falls behind. A request that starts to wait is given the virtual time of that
moment: it gets no credit for the time that it was absent, and keeps what it was served in advance.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field

URGENT_LEAD = 30.0
"""An urgent row is served as if its request had had so many seconds of audio less: about one window of a
file.
"""


@dataclass(frozen=True, slots=True)
class WaitingRow:
    """The facts about one waiting row from which a batch is chosen."""

    id: int
    request: Hashable
    """The request that the row belongs to."""
    key: Hashable
    """Batch key: only rows with equal keys may share a batch."""
    seconds: float
    """Seconds of audio."""
    urgent: bool = False
    """Whether a person waits for the result, because they have just finished speaking."""


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

    def served(self, batch: Sequence[WaitingRow], left: Collection[Hashable]) -> FairShare:
        """Counts the service of a batch, and returns the new shares. `left`: the requests that still wait."""
        if not left:
            return FairShare()
        had = dict(self.had)
        for item in batch:
            had[item.request] = had.get(item.request, self.now) + item.seconds
        active = {*left, *(item.request for item in batch)}
        now = self.now + sum(item.seconds for item in batch) / len(active)
        return FairShare(now, {request: end for request, end in had.items() if request in left or end > now})

    def due(self, request: Hashable) -> float:
        """The service that a request has had; the virtual time if the request is new."""
        return self.had.get(request, self.now)


def by_finish_time(waiting: Sequence[WaitingRow], shares: FairShare) -> list[WaitingRow]:
    """The rows in the order in which they should be served. `waiting`: in the order of arrival."""
    ends: dict[Hashable, float] = {}
    dated: list[tuple[float, WaitingRow]] = []
    for row in waiting:
        ends[row.request] = ends.get(row.request, shares.due(row.request)) + row.seconds
        dated.append((ends[row.request] - URGENT_LEAD * row.urgent, row))
    return [row for _, row in sorted(dated, key=lambda pair: pair[0])]
