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

PackedArray: TypeAlias = npt.NDArray[np.uint8]
"""A pickled value, as an array of bytes."""


def packed(value: object) -> PackedArray:
    """Pickles a value into an array of bytes."""
    return np.frombuffer(pickle.dumps(value, protocol=5), np.uint8)


def unpacked(data: PackedArray) -> Any:
    """The value that `packed` was given. Its arrays are copies that may be changed."""
    return pickle.loads(data.data)  # noqa: S301 - both ends have the cluster's token


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterRules:
    """The address of the cluster, and the resources of each replica of a model."""

    address: str
    """Host and port of the head node."""
    prefix: str = "antiphon-"
    """Prefix of the names of the models' applications in the cluster."""
    cpus: float = 1.0
    """Number of CPU cores that Ray reserves for a replica."""
    gpus: float = 0.0
    """Number of GPUs that Ray reserves for a replica; with a fraction, replicas share a GPU."""
    replicas: int = 1
    """The least number of replicas of a model."""
    most_replicas: int = 1
    """The greatest number of replicas of a model; Ray Serve chooses one by the amount of waiting work."""
    grow_seconds: float = 10.0
    """Seconds for which all replicas must be busy before Ray Serve adds one."""
    stuck_seconds: float = 60.0
    """A call that takes more seconds than this, and longer than usual, is stuck: Ray then replaces the
    replica.
    """
    variables: Mapping[str, str] = field(default_factory=dict)
    """Environment variables of the replicas."""


@dataclass(frozen=True, slots=True)
class AppState:
    """The state of one model in the cluster."""

    replicas: int = 0
    """Number of replicas that can take work."""
    problem: str = "no replica of it runs yet"
    """Why no replica can take work."""


class GatewayVerbs(Protocol):
    """The questions that the gateway answers."""

    async def load(self, question: LoadOn) -> PackedArray: ...

    async def do(self, question: DoOn) -> PackedArray: ...

    async def look(self, question: StatesOf) -> dict[str, AppState]: ...


@dataclass(frozen=True, slots=True)
class ConnectTo:
    """The first message to a gateway: which cluster to join."""

    rules: ClusterRules
    finder: EngineFinder


@dataclass(frozen=True, slots=True)
class LoadOn:
    """Asks to make sure that a replica of the model runs. The answer is a packed `Loaded` or `Failure`."""

    app: str
    order: Order
    patience: float

    async def by(self, gateway: GatewayVerbs) -> object:
        return await gateway.load(self)


@dataclass(frozen=True, slots=True)
class DoOn:
    """Asks to do work on any replica of the model. The answer is a packed `Done` or `Failure`."""

    app: str
    order: Order
    work: PackedArray
    patience: float
    alone: bool

    async def by(self, gateway: GatewayVerbs) -> object:
        return await gateway.do(self)


@dataclass(frozen=True, slots=True)
class StatesOf:
    """Asks for the states of these models. The answer is a mapping of names to states."""

    apps: tuple[str, ...]

    async def by(self, gateway: GatewayVerbs) -> object:
        return await gateway.look(self)
