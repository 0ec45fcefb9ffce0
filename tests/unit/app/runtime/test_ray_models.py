"""What the gateway makes of Ray Serve's answers, with answers that are made up."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from app.runtime import ray_models
from app.runtime.ray_deployment_options import DEPLOYMENT, fingerprint
from app.runtime.ray_messages import ClusterRules, ConnectTo, StatesOf
from app.runtime.ray_models import CRASHED, ServeClient, TakenCall, death_of
from engines.catalog import EngineFinder
from engines.errors import ClusterDown
from engines.types import EngineOptions
from engines.work import Order

RULES = ClusterRules(address="head:6379")
ORDER = Order("speech", "piper", Path("/data/weights/x"), EngineOptions(), "model")


@dataclass
class FakeDeployment:
    """A deployment as Ray Serve describes it."""

    message: str = ""
    replica_states: dict[str, int] = field(default_factory=dict)
    status: Any = field(default_factory=lambda: FakeStatus("UPDATING"))


@dataclass
class FakeStatus:
    """A status as Ray Serve has it."""

    value: str


class FakeCluster:
    """A cluster's applications, and who deployed them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.applications: dict[str, Any] = {}
        self.deployed: list[ClusterRules] = []
        self.notes: dict[str, tuple[str, float]] = {}
        self.turns: set[str] = set()
        for name in ("begin_deploying", "end_deploying", "note_of", "model_app"):
            monkeypatch.setattr(ray_models, name, getattr(self, name))
        monkeypatch.setattr(ray_models, "CHECK_SECONDS", 0.01)

    def begin_deploying(self, name: str, late: bool) -> bool:
        if name in self.turns and not late:
            return False
        self.turns.add(name)
        return True

    def end_deploying(self, name: str) -> None:
        self.turns.discard(name)

    def note_of(self, name: str) -> tuple[str, float]:
        return self.notes.get(name, ("", 0.0))

    def model_app(self, name: str, order: Order, first: ConnectTo) -> None:
        self.deployed.append(first.rules)
        self.made(name, at=float(len(self.deployed)))
        self.notes[name] = (fingerprint(order, first.rules), float(len(self.deployed)))

    def made(self, name: str, *, at: float = 0.0, deployment: FakeDeployment | None = None) -> None:
        """There is such an application."""
        app = type("App", (), {})()
        app.deployments, app.last_deployed_time_s = {DEPLOYMENT: deployment or FakeDeployment()}, at
        self.applications[name] = app

    def client(self, rules: ClusterRules = RULES) -> ServeClient:
        made = ServeClient(ConnectTo(rules, EngineFinder()))

        async def applications() -> dict[str, Any]:
            await asyncio.sleep(0)
            return dict(self.applications)

        made._applications = applications  # type: ignore[method-assign]
        return made


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    return FakeCluster(monkeypatch)


async def test_of_servers_that_start_together_one_deploys(cluster: FakeCluster) -> None:
    await asyncio.gather(*(cluster.client()._deployed("model", ORDER) for _ in range(5)))
    assert len(cluster.deployed) == 1
    assert cluster.turns == set()


async def test_a_server_that_ended_while_it_deployed_stops_the_others_for_a_while_only(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_models, "DEPLOY_SECONDS", 0.05)
    cluster.turns.add("model")
    async with asyncio.timeout(20):
        await cluster.client()._deployed("model", ORDER)
    assert len(cluster.deployed) == 1


async def test_other_settings_deploy_a_model_anew_and_the_same_ones_do_not(cluster: FakeCluster) -> None:
    other = replace(RULES, gpus=0.5)
    for rules in (RULES, RULES, other, other):
        await cluster.client(rules)._deployed("model", ORDER)
    assert cluster.deployed == [RULES, other]


async def test_what_a_file_has_deployed_is_used_as_it_is(cluster: FakeCluster) -> None:
    await cluster.client(replace(RULES, gpus=0.5))._deployed("model", ORDER)
    cluster.made("model", at=99.0)
    await cluster.client()._deployed("model", ORDER)
    assert len(cluster.deployed) == 1


@pytest.mark.slow
async def test_a_server_that_may_not_deploy_waits(cluster: FakeCluster) -> None:
    client = cluster.client(replace(RULES, deploy=False))
    with pytest.raises(ClusterDown, match="no replica of the model runs yet"):
        await client._model("model", ORDER, 0.05)
    assert cluster.deployed == []


async def test_that_no_machine_has_room_is_said_with_what_a_replica_reserves(cluster: FakeCluster) -> None:
    message = "has 1 replicas that have taken more than 30s to be scheduled. This may be due to"
    cluster.made("model", deployment=FakeDeployment(message))
    client = cluster.client(replace(RULES, deploy=False, cpus=4, gpus=0.5))
    reason = r"no machine of it has room .* ray\.cpus = 4 and ray\.gpus = 0\.5"
    with pytest.raises(ClusterDown, match=reason):
        await client._model("model", ORDER, 20)
    states = await client.look(StatesOf(("model", "other")))
    assert "no machine of it has room" in states["model"].problem
    assert states["other"].replicas == 0


async def test_a_controller_that_is_away_is_no_fault_of_the_gateway(cluster: FakeCluster) -> None:
    client = cluster.client()

    async def applications() -> dict[str, Any]:
        raise RuntimeError("no controller")

    client._applications = applications  # type: ignore[method-assign]
    with pytest.raises(ClusterDown, match="does not tell its models"):
        await client.look(StatesOf(("model",)))


@pytest.mark.parametrize(
    ("taken", "calls", "began"),
    [
        (None, 1, False),
        (TakenCall("a", 0), 1, True),
        (TakenCall("a", 1), 1, False),
        (TakenCall("a", 1, followed=True), 2, True),
        (TakenCall("a", 0), 0, True),
        (TakenCall("a", 1), 0, False),
        (TakenCall("a", 0, followed=True), 0, False),
    ],
)
def test_only_a_call_that_was_certainly_at_work_is_held_responsible(
    taken: TakenCall | None, calls: int, began: bool
) -> None:
    assert ray_models._began(taken, calls) is began


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed (the extra `ray`)")
def test_only_a_process_that_ended_by_itself_is_held_against_its_work() -> None:
    from ray import exceptions

    died = exceptions.ActorDiedError()
    scaled_down = death_of(died, began=True)
    died.error_msg = f"its worker process has died. {CRASHED} Worker exit detail: connection error"
    crashed, waited = death_of(died, began=True), death_of(died, began=False)
    assert scaled_down is not None
    assert crashed is not None
    assert waited is not None
    assert (scaled_down.killed, crashed.killed, waited.killed) == (True, False, True)
    for error in (
        exceptions.ActorUnavailableError("network", None),
        exceptions.NodeDiedError("rebooted"),
        exceptions.LocalRayletDiedError(),
    ):
        gone = death_of(error, began=True)
        assert gone is not None
        assert gone.killed
    memory = death_of(exceptions.OutOfMemoryError("the node is low on memory"), began=True)
    assert memory is not None
    assert (memory.memory, memory.killed) == (True, False)
    assert death_of(exceptions.RayTaskError("do", "a fault of ours", ValueError("x")), began=True) is None
