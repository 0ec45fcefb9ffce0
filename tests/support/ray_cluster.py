"""A Ray cluster on this machine, for tests: its nodes are processes that listen on the loopback address."""

from __future__ import annotations

import secrets
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import pytest

from app.runtime.ray_gateway import Gateway
from app.runtime.ray_messages import ClusterRules
from app.runtime.ray_node import LOOPBACK, RayNode
from app.runtime.ray_placement import RayPlacement, gateway_to
from engines.catalog import EngineFinder
from engines.types import EngineOptions
from engines.work import Kind, Order
from tests.conftest import ROOT
from tests.support.scripted_engines import FINDER

RAY = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed (the extra `ray`)"),
]
KEEPER = "tests"
"""The name under which gateways are kept from one test to the next."""


class RayCluster:
    """A cluster of nodes on this machine, and a placement that uses it."""

    def __init__(
        self, folder: Path, *, nodes: int = 1, variables: dict[str, str] | None = None, head_cpus: int = 2
    ) -> None:
        """`folder`: for models. `variables`: environment variables of the nodes. `head_cpus`: with 0, all
        replicas run on the other nodes.
        """
        self.folder = folder
        self._base = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # sockets need a short path
        self.token = secrets.token_hex(32)
        self.port = _free_port()
        self._head_cpus = head_cpus
        self._count, self._variables = nodes, {"PYTHONPATH": str(ROOT), **(variables or {})}
        self.nodes: list[RayNode] = []
        self.rules = ClusterRules(address=f"{LOOPBACK[0]}:{self.port}", prefix=f"t{self.port}-", cpus=0.1)
        self._gateways: list[tuple[ClusterRules, EngineFinder, Gateway]] = []
        """Those that were started, for later tests too."""

    @property
    def place(self) -> RayPlacement:
        """A new placement at each access, because a placement that was stopped loads nothing. Those with the
        same rules share a gateway.
        """
        return self._placement(self.rules, FINDER)

    def start(self, count: int | None = None) -> None:
        """Starts all nodes, or so many, the head first."""
        for number in range(count or self._count):
            self.nodes.append(self._node(number))
            self.nodes[-1].wait_until_up()

    def _node(self, number: int) -> RayNode:
        cpus = 2 if number else self._head_cpus
        return RayNode(
            self.port, self.token, self._base, head=number == 0, cpus=cpus, variables=self._variables
        )

    def order(self, kind: str) -> Order:
        folder = self.folder / kind
        folder.mkdir(exist_ok=True)
        return Order(cast("Kind", kind), "scripted", folder, EngineOptions(), kind)

    def load(self, kinds: Sequence[str]) -> None:
        """Loads models and leaves them loaded for later tests."""
        with ThreadPoolExecutor(len(kinds)) as threads:
            for host in threads.map(self.place.open, map(self.order, kinds)):
                host.close()

    def with_replicas(self, count: int, finder: EngineFinder = FINDER) -> RayPlacement:
        """A placement whose models have so many replicas."""
        return self._placement(replace(self.rules, replicas=count), finder)

    def growing(self, most: int) -> RayPlacement:
        """A placement whose models have one replica, and up to `most` soon after all are busy."""
        return self._placement(replace(self.rules, most_replicas=most, grow_seconds=0.5), FINDER)

    def another_server(self, replicas: int = 1) -> RayPlacement:
        """A placement as of another server: with a gateway of its own."""
        return self._new_gateway(replace(self.rules, replicas=replicas), FINDER)

    def _placement(self, rules: ClusterRules, finder: EngineFinder) -> RayPlacement:
        for known, its_finder, gateway in self._gateways:
            if (known, its_finder) == (rules, finder):
                return RayPlacement(rules, gateway)
        return self._new_gateway(rules, finder)

    def _new_gateway(self, rules: ClusterRules, finder: EngineFinder) -> RayPlacement:
        gateway = gateway_to(rules, finder, self.token)
        gateway.enter(KEEPER)
        self._gateways.append((rules, finder, gateway))
        return RayPlacement(rules, gateway)

    def replicas(self, model: str) -> list[int]:
        """The process ids of a model's replicas."""
        return replica_processes(f"{self.rules.prefix}{model}:")

    def lose_head(self) -> None:
        """Kills the node that the others need, and nothing else; they end when their patience does."""
        self.nodes[0].kill()

    @contextmanager
    def tended(self) -> Iterator[None]:
        """Starts each node again, the head too, a second after it has ended, as systemd does."""
        stop = threading.Event()

        def tend() -> None:
            while not stop.wait(1):
                for number, node in enumerate(self.nodes):
                    if node.ended:
                        node.kill()
                        self.nodes[number] = self._node(number)

        thread = threading.Thread(target=tend)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def stop(self) -> None:
        """Ends all nodes at once."""
        for node in self.nodes:
            node.kill()
        self.nodes.clear()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _, _, gateway in self._gateways:
            gateway.leave(KEEPER)
        self.stop()
        shutil.rmtree(self._base, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as line:
        line.bind((LOOPBACK[0], 0))
        port: int = line.getsockname()[1]
        return port


def replica_processes(app: str) -> list[int]:
    """The process ids of the replicas of all applications whose name begins with `app`."""
    title = f"ray::ServeReplica:{app}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdecimal() and (entry / "cmdline").read_bytes().startswith(title):
                found.append(int(entry.name))
    return found
