"""The placement `ray`: each model runs in replicas of a Ray cluster, on whatever machine has room.

Law: queue, batches and turns stay in the server; a host here hands whole batches to the gateway. So a replica
that ends costs the batches that it worked on, and nothing that waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from threading import TIMEOUT_MAX, Event
from typing import Any

from app.runtime.child_death import death_label
from app.runtime.child_messages import Done, Failure, Loaded
from app.runtime.child_process import ChildProcess
from app.runtime.meters import ChildMeter, Meters
from app.runtime.ray_deployment_options import app_name, replica_order
from app.runtime.ray_gateway import Gateway
from app.runtime.ray_messages import (
    MESSAGE_BYTES,
    MESSAGE_VARIABLES,
    ClusterRules,
    ConnectTo,
    DoOn,
    LoadOn,
    packed,
    unpacked,
)
from app.runtime.ray_node import ENVIRONMENT
from app.runtime.shared_buffer import shared_with_child
from engines.catalog import EngineFinder
from engines.errors import EngineDied
from engines.types import Window
from engines.work import Host, Kind, Order, Result, Work, always

PROGRAM = "app.runtime.ray_gateway_program"
GATEWAY_VARIABLES = {
    **MESSAGE_VARIABLES,
    "MALLOC_MMAP_THRESHOLD_": str(2 * MESSAGE_BYTES),
    "MALLOC_TRIM_THRESHOLD_": str(8 * MESSAGE_BYTES),
    "RAY_SERVE_RUN_ROUTER_IN_SEPARATE_LOOP": "0",
    "RAY_SERVE_QUEUE_LENGTH_CACHE_TIMEOUT_S": "1",
}
"""Environment of the gateway. It keeps the memory of a few messages, because new pages for each of the copies
that Ray makes take 3 ms for a window. Ray Serve's router runs on the loop of the calls, and what it knows of
the calls of other servers counts for a second.
"""
LOAD_SECONDS = 600.0
"""Seconds until a replica must run. A cluster may have to start a machine first."""


def gateway_to(rules: ClusterRules, finder: EngineFinder, token: str) -> Gateway:
    """The gateway to a cluster. `finder`: finds the engine in each replica, so it must be picklable. `token`:
    of the cluster.
    """
    variables = {"RAY_AUTH_TOKEN": token, **ENVIRONMENT, **GATEWAY_VARIABLES}

    def start() -> ChildProcess:
        with shared_with_child() as shared:
            return ChildProcess(
                "the Ray gateway",
                PROGRAM,
                ConnectTo(rules, finder),
                variables=variables,
                inherited=[shared.file] if shared else [],
                shared=shared,
            )

    return Gateway(start)


class RayPlacement:
    """Loads engines in a Ray cluster."""

    def __init__(self, rules: ClusterRules, gateway: Gateway, meters: Meters | None = None) -> None:
        self._rules, self._gateway = rules, gateway
        self._meters = meters or Meters()
        self._stopping = Event()

    def check(self, kind: Kind, engine: str) -> None:
        """Checks nothing: the libraries of engines must be installed on the cluster's machines, and a replica
        reports a missing one when it loads.
        """

    def open(self, order: Order) -> Host:
        app, order = app_name(order, self._rules), replica_order(order, self._rules)
        self._gateway.enter(app)
        try:
            question = LoadOn(app, order, LOAD_SECONDS)
            answer = self._gateway.ask(question, LOAD_SECONDS, lambda: not self._stopping.is_set())
            facts: Loaded = _value(answer)
            meter = self._meters.child(order.name or order.folder.name, facts.device)
            self._gateway.loaded(app, meter.up)
            return RayHost(self._gateway, app, order, facts, self._stopping, meter)
        except BaseException:
            self._gateway.leave(app)
            raise

    def stop(self) -> None:
        self._stopping.set()


class RayHost:
    """A model that runs in a Ray cluster."""

    def __init__(
        self, gateway: Gateway, app: str, order: Order, facts: Loaded, stopping: Event, meter: ChildMeter
    ) -> None:
        """`stopping`: set when the server stops, after which no call waits for a replica."""
        self._gateway, self._app, self._order, self._stopping = gateway, app, order, stopping
        self._meter = meter
        self._calls = facts.calls
        self.looks, self.lengths, self.device = facts.looks, facts.lengths, facts.device

    @property
    def calls(self) -> int:
        """Calls that all running replicas together take at once."""
        return self._calls * max(1, self._gateway.state(self._app).replicas)

    @property
    def problem(self) -> str | None:
        if problem := self._gateway.problem:
            return problem
        state = self._gateway.state(self._app)
        return None if state.replicas else f"no replica runs: {state.problem}"

    def prepare(self, window: Window) -> Window:
        return window

    def do(
        self,
        work: Work[object, Result],
        patience: float,
        *,
        alone: bool = False,
        wanted: Callable[[], bool] = always,
    ) -> Sequence[Result]:
        question = DoOn(self._app, self._order, packed(work), min(patience, TIMEOUT_MAX), alone)

        def needed() -> bool:
            return wanted() and not (self._stopping.is_set() and self.problem)

        began = time.monotonic()
        try:
            done: Done = _value(self._gateway.ask(question, patience, needed))
        except EngineDied as died:
            self._meter.restarted(death_label(died))
            raise
        self._meter.called(max(0.0, time.monotonic() - began - done.seconds), 0)
        results: Sequence[Result] = done.value
        return results

    def close(self) -> None:
        """Does not end the replicas, because other servers may use them: `antiphon ray down` does."""
        self._gateway.leave(self._app)


def _value(answer: Any) -> Any:
    """The value of a packed answer. Raises the `EngineError` that it holds."""
    value = unpacked(answer)
    if isinstance(value, Failure):
        raise value.rebuilt()
    return value
