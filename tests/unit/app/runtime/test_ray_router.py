"""The router with replicas that are not there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.ray_cluster import RAY

pytestmark = RAY


class FakeReplica:
    """What the router knows of a replica."""

    max_ongoing_requests = 10

    def __init__(self, replica_id: Any, *, loaded: bool = True) -> None:
        self.replica_id = replica_id
        self.replica_metadata = {"loaded": loaded}
        self.routing_stats: dict[str, bool] = {}

    async def get_queue_len(self, *, deadline_s: float) -> int:
        return 0


@pytest.fixture
def replicas() -> list[FakeReplica]:
    from ray.serve._private.common import DeploymentID, ReplicaID

    model = DeploymentID(name="Replica", app_name="model")
    return [FakeReplica(ReplicaID(unique_id=name, deployment_id=model)) for name in "abcd"]


@pytest.fixture
async def router(replicas: list[FakeReplica]) -> Any:
    from ray.serve._private.common import DeploymentHandleSource

    from app.runtime.ray_router import LeastBusyRouter

    made = LeastBusyRouter(
        replicas[0].replica_id.deployment_id,
        DeploymentHandleSource.UNKNOWN,
        use_replica_queue_len_cache=True,
    )
    made.update_replicas(replicas)
    return made


async def chosen(router: Any, replicas: list[FakeReplica]) -> str:
    ranked = await router.choose_replicas(replicas)
    names = [one.replica_id.unique_id for (one,) in ranked]
    assert len(set(names)) == len(names) >= 3
    return str(names[0])


async def test_the_only_idle_replica_is_always_found(router: Any, replicas: list[FakeReplica]) -> None:
    for replica in replicas[:3]:
        router.on_send_request(replica.replica_id)
    assert {await chosen(router, replicas) for _ in range(20)} == {"d"}
    router.on_send_request(replicas[3].replica_id)
    router.on_request_completed(replicas[1].replica_id, "a call")
    assert {await chosen(router, replicas) for _ in range(20)} == {"b"}


async def test_equal_replicas_take_turns(router: Any, replicas: list[FakeReplica]) -> None:
    assert {await chosen(router, replicas) for _ in range(4)} == set("abcd")


async def test_what_other_servers_have_sent_counts_less_than_what_this_one_has(
    router: Any, replicas: list[FakeReplica]
) -> None:
    a, b, c, d = (replica.replica_id for replica in replicas)
    for own in (a, b):
        router.on_send_request(own)
    router.on_new_queue_len_info(c, 5)
    router.on_new_queue_len_info(d, 2)
    assert await chosen(router, replicas) == "d"
    router.on_send_request(d)
    assert await chosen(router, replicas) == "c"


async def test_a_replica_without_its_engine_is_not_named_until_it_has_it(
    router: Any, replicas: list[FakeReplica]
) -> None:
    broken = replicas[0]
    broken.replica_metadata = {"loaded": False}
    for replica in replicas[1:]:
        for _ in range(3):
            router.on_send_request(replica.replica_id)
    assert broken not in [one for (one,) in await router.choose_replicas(replicas)]
    assert await router.choose_replicas([broken]) == [[broken]]
    broken.routing_stats = {"loaded": True}
    assert await chosen(router, replicas) == "a"


async def test_it_notes_the_calls_that_were_there_before(router: Any, replicas: list[FakeReplica]) -> None:
    from app.runtime.ray_models import TAKEN

    for name, calls in (("a call", 3), ("another", 4)):
        call = SimpleNamespace(metadata=SimpleNamespace(request_id=name))
        router.on_new_queue_len_info(replicas[0].replica_id, calls)
        router.on_request_routed(call, replicas[0].replica_id, None)
    first, second = TAKEN.pop("a call"), TAKEN.pop("another")
    assert (first.ahead, first.followed) == (2, True)
    assert (second.ahead, second.followed) == (3, False)


async def test_replicas_that_are_gone_are_forgotten(router: Any, replicas: list[FakeReplica]) -> None:
    for replica in replicas:
        router.on_send_request(replica.replica_id)
        await chosen(router, replicas)
    router.update_replicas(replicas[:1])
    assert (len(router._sent), len(router._chosen)) == (1, 1)
    assert await router.choose_replicas([]) == []
