"""Chooses the replica for each call of one server.

Law: imports Ray; runs in the gateway, where Ray Serve asks it. It counts exactly what this server has sent;
of what other servers have sent it knows what the last answer told.

Ray Serve's own router looks at two replicas at random, and pauses for up to half a second when both have
enough to do. So one of four replicas would stand idle while a call waits, and a server whose next call
comes at once would keep out another one whose calls wait. Here a server sends each call at once to the
replica that has the fewest of its own calls, and replicas let calls wait in the order in which they come.
"""

from __future__ import annotations

import itertools
from collections import Counter
from contextlib import suppress
from typing import Any

from ray.serve.request_router import FIFOMixin, RequestRouter


class LeastBusyRouter(FIFOMixin, RequestRouter):  # type: ignore[misc]  # Ray has no types here
    """Looks at all replicas of a model."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._sent: Counter[Any] = Counter()
        """For each replica: calls of this server that it has not answered yet."""
        self._told = 1
        """The calls that the replica has which has answered last."""
        self._numbers = itertools.count(1)
        self._chosen: dict[Any, int] = {}
        """For each replica: the number of the choice that last named it first."""

    async def choose_replicas(
        self, candidate_replicas: list[Any], pending_request: Any = None
    ) -> list[list[Any]]:
        """The replicas that may take the call, the best first. Ray Serve tries the next one if one does not
        answer or has too much to do. Those without their engine are named only if none has it.
        """
        if pending_request is not None:
            pending_request.routing_context.should_backoff = True  # else Ray Serve asks again without a pause
        ranked = sorted([*filter(_is_loaded, candidate_replicas)] or candidate_replicas, key=self._rank)
        if ranked:
            self._chosen[ranked[0].replica_id] = next(self._numbers)
        return [[replica] for replica in ranked]

    def on_send_request(self, replica_id: Any) -> None:
        super().on_send_request(replica_id)
        self._sent[replica_id] += 1

    def on_request_completed(self, replica_id: Any, internal_request_id: str) -> None:
        super().on_request_completed(replica_id, internal_request_id)
        self._sent[replica_id] = max(0, self._sent[replica_id] - 1)

    def on_new_queue_len_info(self, replica_id: Any, num_ongoing_requests: int) -> None:
        super().on_new_queue_len_info(replica_id, num_ongoing_requests)
        self._told = num_ongoing_requests

    def on_request_routed(self, pending_request: Any, replica_id: Any, result: Any) -> None:
        """Ray Serve calls this right after the replica has told how many calls it has with this one."""
        # This class is pickled with its module's own values, and by a server that may be of another version.
        with suppress(ImportError):
            from app.runtime.ray_models import note_taken

            note_taken(pending_request.metadata.request_id, replica_id, self._told - 1)

    def update_replicas(self, replicas: list[Any]) -> None:
        super().update_replicas(replicas)
        known = {replica.replica_id for replica in replicas}
        self._sent = Counter({one: count for one, count in self._sent.items() if one in known})
        self._chosen = {one: number for one, number in self._chosen.items() if one in known}

    def _rank(self, replica: Any) -> tuple[int, int, int]:
        """The calls of this server that it has, those of others, and how recently it was chosen."""
        one = replica.replica_id
        own = self._sent[one]
        others = max(0, (self.replica_queue_len_cache.get(one) or 0) - own)
        return own, others, self._chosen.get(one, 0)


def _is_loaded(replica: Any) -> bool:
    told = replica.replica_metadata | replica.routing_stats
    return bool(told.get("loaded", True))
