"""Which waiting windows ride together.

Law: a pure function over values. The picker takes requests in turn, so that a short clip never waits behind
the whole of a long file, and it never exceeds its limits.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass


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


def pick(waiting: Sequence[Waiting], turns: Sequence[Hashable], rows: int) -> list[int]:
    """Ids of the next batch: at most `rows`, all of one key.

    `waiting`: in order of arrival. `turns`: requests that were served, the most recent last; one that was
    served longest ago, or never, goes first.
    """
    if not waiting:
        return []
    rank = {request: place for place, request in enumerate(turns)}
    queues: dict[Hashable, list[Waiting]] = {}
    for item in waiting:
        queues.setdefault(item.request, []).append(item)
    order = sorted(queues, key=lambda request: rank.get(request, -1))
    key = queues[order[0]][0].key
    return [item.id for item in _in_turn([queues[request] for request in order], key)[:rows]]


def _in_turn(queues: Sequence[Sequence[Waiting]], key: Hashable) -> list[Waiting]:
    """One window of each request, then the next of each: the leading ones that have the key."""
    leading = [_leading(queue, key) for queue in queues]
    depth = max(len(queue) for queue in leading)
    return [queue[level] for level in range(depth) for queue in leading if level < len(queue)]


def _leading(queue: Sequence[Waiting], key: Hashable) -> list[Waiting]:
    found = []
    for item in queue:
        if item.key != key:
            break
        found.append(item)
    return found
