"""What a lane is told of its model, and what waits in it. Law: values; nothing here runs anything."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from app.errors import ApiError
from app.runtime.batching import BatchLimits
from app.runtime.cancel import Cancel
from engines.types import Timings


class Closable(Protocol):
    """Whatever holds a model's memory."""

    def close(self) -> None: ...


ONE = BatchLimits(1)
Engine = TypeVar("Engine", bound=Closable)
Job = TypeVar("Job")
Result = TypeVar("Result")


@dataclass(slots=True)
class Entry(Generic[Job, Result]):
    """A job that waits, whose it is, and where its result goes."""

    job: Job
    key: Hashable
    seconds: float
    request: Hashable
    cancel: Cancel
    future: Future[tuple[Result, Timings]] = field(default_factory=Future)
    since: float = field(default_factory=time.monotonic)

    @property
    def abandoned(self) -> bool:
        """Whether nobody waits for it any more."""
        return self.cancel.is_set() or self.future.cancelled()

    def refuse(self, error: ApiError) -> None:
        """Tells whoever still waits for it that nothing will come."""
        if self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)


@dataclass(frozen=True, slots=True)
class Recipe(Generic[Engine, Job, Result]):
    """How one model is used."""

    load: Callable[[], Engine]
    run: Callable[[Engine, Sequence[Job]], Sequence[Result]]
    """Does a batch of jobs of one key."""
    limits: BatchLimits = ONE
    calls: Callable[[Engine], int] = lambda _: 1
    """Batches that the engine takes at once: as many threads work for it."""
    size: int = 0
    """Bytes of memory, roughly."""
