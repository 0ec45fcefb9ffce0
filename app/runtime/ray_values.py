"""What the server, the gateway and the replicas of a Ray cluster tell each other, as values.

Law: imports no Ray, so that the server can. Work and results travel as one array of bytes, which the gateway
passes on as it is, and which Ray hands over without a copy.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from engines.catalog import EngineFinder
from engines.work import Order

Packed: TypeAlias = npt.NDArray[np.uint8]
"""A pickled value."""


def packed(value: object) -> Packed:
    """The value as bytes."""
    return np.frombuffer(pickle.dumps(value, protocol=5), np.uint8)


def unpacked(data: Packed) -> Any:
    """The value of bytes that `packed` made. Its arrays are copies that may be written to."""
    return pickle.loads(data.data)  # noqa: S301 - both ends have the cluster's token


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterRules:
    """The cluster, and what each replica of a model gets there."""

    address: str
    """Host and port of its head."""
    prefix: str = "antiphon-"
    """What the names of the models' applications begin with."""
    cpus: float = 1.0
    """Processors that a replica reserves."""
    gpus: float = 0.0
    """GPUs that a replica reserves; a fraction shares one."""
    replicas: int = 1
    """The fewest replicas of a model."""
    most_replicas: int = 1
    """The most; Ray Serve decides by the work that waits."""
    stuck_seconds: float = 60.0
    """Seconds; a call that takes longer than this, and longer than usual, makes its replica be replaced."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Of the environment of replicas."""


@dataclass(frozen=True, slots=True)
class AppState:
    """The state of one model in the cluster."""

    replicas: int = 0
    """Replicas that can take work."""
    problem: str = "no replica of it runs yet"
    """Why there is none."""


class GatewayVerbs(Protocol):
    """What the gateway can be asked for."""

    async def load(self, question: LoadOn) -> Packed: ...

    async def do(self, question: DoOn) -> Packed: ...

    async def look(self, question: StatesOf) -> dict[str, AppState]: ...


@dataclass(frozen=True, slots=True)
class ConnectTo:
    """The first thing that a gateway is told."""

    rules: ClusterRules
    finder: EngineFinder


@dataclass(frozen=True, slots=True)
class LoadOn:
    """Make sure that a replica of the model runs. Answered by a packed `Loaded` or `Failure`."""

    app: str
    order: Order
    patience: float

    async def by(self, gateway: GatewayVerbs) -> object:
        return await gateway.load(self)


@dataclass(frozen=True, slots=True)
class DoOn:
    """Do a work on some replica. Answered by a packed `Done` or `Failure`."""

    app: str
    order: Order
    work: Packed
    patience: float
    alone: bool

    async def by(self, gateway: GatewayVerbs) -> object:
        return await gateway.do(self)


@dataclass(frozen=True, slots=True)
class StatesOf:
    """Say how these models are. Answered by the state of each."""

    apps: tuple[str, ...]

    async def by(self, gateway: GatewayVerbs) -> object:
        return await gateway.look(self)
