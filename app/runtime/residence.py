"""Which models may be in memory: a budget, and whoever was used longest ago goes first.

Law: counts bytes and asks; a lane alone knows whether its engine is in use, and unloads it by itself.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, Protocol

from app.errors import ModelUnavailable

log = logging.getLogger(__name__)
ModelState = Literal["idle", "loading", "loaded", "failed"]
"""Of a model: not in memory, on its way, ready, or the last attempt failed."""
PAUSE = 0.05
"""Seconds between two looks whether a busy model has become free."""


class Resident(Protocol):
    """A model that is or wants to be in memory."""

    name: str
    size: int
    """Bytes, roughly."""

    @property
    def used(self) -> float:
        """When it worked last."""
        ...

    def evict(self) -> bool:
        """Leaves the memory, unless somebody uses it; whether it has."""
        ...


class Residence:
    """The memory that all models share. Called from the lanes' threads."""

    def __init__(self, budget: int = 0) -> None:
        """`budget`: bytes; 0: no bound."""
        self._budget = budget
        self._inside: list[Resident] = []
        self._lock = threading.Lock()
        self._door = threading.Lock()
        """Held by whoever looks for room, so that two models never wait for each other."""

    @contextmanager
    def room(self, model: Resident, wanted: Callable[[], bool]) -> Iterator[None]:
        """Room for a model that is being loaded; it is given back if loading fails.

        Waits for models in use for as long as somebody `wanted` it. Raises `ModelUnavailable`.
        """
        with self._door:
            while not self._fits(model):
                if self._make_room():
                    continue
                if not wanted():
                    raise ModelUnavailable(
                        f"There was no memory for the model `{model.name}`.", param="model"
                    )
                time.sleep(PAUSE)
            with self._lock:
                self._inside.append(model)
        try:
            yield
        except BaseException:
            self.leave(model)
            raise

    def leave(self, model: Resident) -> None:
        """A model has left the memory."""
        with self._lock:
            self._inside = [other for other in self._inside if other is not model]

    def _fits(self, model: Resident) -> bool:
        with self._lock:
            inside = sum(other.size for other in self._inside)
            alone = not self._inside
        if alone and self._budget and model.size > self._budget:
            log.warning("model %s alone is larger than models.memory_bytes", model.name)
        return alone or not self._budget or inside + model.size <= self._budget

    def _make_room(self) -> bool:
        """Whether a model has left: of those that nobody uses, the one that was used longest ago."""
        with self._lock:
            inside = sorted(self._inside, key=lambda other: other.used)
        return any(other.evict() for other in inside)
