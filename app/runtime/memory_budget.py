"""Which models may be in memory: a budget, and the least recently used model is evicted first.

Law: counts bytes and asks models to unload; only the model itself knows whether it is in use.

Theory of operation: a model that is about to be loaded reserves its bytes. While they do not fit, models are
asked to leave, the least recently used first; a model with a lease or with waiting work refuses. If all
refuse, the loading thread sleeps until a model becomes free, or until nobody waits for the new model any
more. One model reserves at a time, so two of them never wait for each other.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, Protocol

from app.errors import ModelUnavailable

log = logging.getLogger(__name__)
ModelState = Literal["idle", "loading", "loaded", "failed"]
"""State of a model: not in memory, being loaded, in memory, or not in memory because the last attempt
failed."""
LONGEST_WAIT_SECONDS = 0.5
"""Seconds until a model that waits for memory checks again whether it is still needed."""


class Resident(Protocol):
    """A model that is in memory or is about to be."""

    name: str
    size: int
    """Roughly how many bytes the model uses."""

    @property
    def used(self) -> float:
        """When the model was used last, as a time of the monotonic clock."""
        ...

    def evict(self) -> bool:
        """Unloads the model unless it is in use. Returns whether its memory is free now."""
        ...


class MemoryBudget:
    """The memory that all models share. Called from the threads of lanes."""

    def __init__(self, budget: int = 0) -> None:
        """`budget`: the most bytes for all models together; 0: no limit."""
        self._budget = budget
        self._inside: list[Resident] = []
        self._changed = threading.Condition()
        self._changes = 0
        """Counts how often a model may have become free. A waiting thread compares it with the number that it
        saw last.
        """
        self._next = threading.Lock()
        """Held by the one model that is looking for memory, so that two models never wait for each other."""

    @contextmanager
    def room(self, model: Resident, wanted: Callable[[], bool]) -> Iterator[None]:
        """Reserves memory for a model while it is loaded; the reservation ends if loading fails.

        Waits for models in use as long as `wanted` says that somebody waits. Raises `ModelUnavailable`.
        """
        with self._next:
            while not self._fits(model):
                seen = self._changes
                if self._make_room():
                    continue
                if not wanted():
                    raise ModelUnavailable(
                        f"There was no memory for the model `{model.name}`.", param="model"
                    )
                self._wait(seen)
            with self._changed:
                self._inside.append(model)
        try:
            yield
        except BaseException:
            self.leave(model)
            raise

    def leave(self, model: Resident) -> None:
        """Called when a model was unloaded: its memory is free again."""
        with self._changed:
            self._inside = [other for other in self._inside if other is not model]
        self.changed()

    def changed(self) -> None:
        """Called when a model may have become free: models that wait for memory check again."""
        with self._changed:
            self._changes += 1
            self._changed.notify_all()

    def _wait(self, seen: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._changes != seen, LONGEST_WAIT_SECONDS)

    def _fits(self, model: Resident) -> bool:
        with self._changed:
            inside = sum(other.size for other in self._inside)
            alone = not self._inside
        if alone and self._budget and model.size > self._budget:
            log.warning("model %s alone is larger than models.memory_bytes", model.name)
        return alone or not self._budget or inside + model.size <= self._budget

    def _make_room(self) -> bool:
        """Evicts the least recently used model that is not in use. Returns whether there was one."""
        with self._changed:
            inside = sorted(self._inside, key=lambda other: other.used)
        return any(other.evict() for other in inside)
