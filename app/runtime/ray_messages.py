"""What the server, the gateway and the replicas of a Ray cluster tell each other, as values.

Law: imports no Ray, so that the server can. Work and results travel as bytes, which the gateway passes on as
they are: a pickle, and beside it its large arrays (protocol 5), which neither the pickle nor Ray copies.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from app.runtime.pipe import SMALL_BYTES
from engines.catalog import EngineFinder
from engines.work import Order

MESSAGE_BYTES = 4_000_000
"""Up to so many bytes, twice those of a window of 30 s, work and results travel in Ray's messages. From
machine to machine that is quicker than through Ray's object stores, which Ray uses from 100 kB on; for larger
ones it is slower.
"""
MESSAGE_VARIABLES = {"RAY_max_direct_call_object_size": str(MESSAGE_BYTES)}
"""Environment of whoever sends work or results."""
PackedValue: TypeAlias = tuple[bytes, tuple[npt.NDArray[np.uint8], ...]]
"""A pickled value, and its large arrays as bytes. A class of our own could not be read by another version."""


def packed(value: object) -> PackedValue:
    """Pickles a value; its large arrays are not copied."""
    arrays: list[npt.NDArray[np.uint8]] = []

    def travels_within(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes < SMALL_BYTES:
            return True
        arrays.append(np.frombuffer(raw, np.uint8))
        return False

    return pickle.dumps(value, protocol=5, buffer_callback=travels_within), tuple(arrays)


def unpacked(parcel: PackedValue) -> Any:
    """The value that `packed` was given. Its arrays may be changed: those that Ray gives are copied."""
    data, arrays = parcel
    buffers = [array if array.flags.writeable else array.copy() for array in arrays]
    return pickle.loads(data, buffers=buffers)  # noqa: S301 - both ends have the cluster's token


def packed_bytes(parcel: PackedValue) -> int:
    """The number of its bytes."""
    data, arrays = parcel
    return len(data) + sum(array.nbytes for array in arrays)


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
    deploy: bool = True
    """Whether a server deploys models that the cluster does not have; else it waits for somebody else."""
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

    async def load(self, question: LoadOn) -> PackedValue: ...

    async def do(self, question: DoOn) -> PackedValue: ...

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
    work: PackedValue
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
