"""What the server and a reader tell each other, as values. Law: importable by its own name at both ends."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeAlias

from app import errors
from app.errors import ApiError, InternalError, OutOfMemory
from engines.errors import is_out_of_memory

log = logging.getLogger("readers")
ReadTask: TypeAlias = Callable[[BinaryIO, Any, Callable[[], bool]], Iterator[object]]
"""File, options, whether it is cancelled -> items, the same ones each time. It pickles by its name."""


@dataclass(frozen=True, slots=True)
class ReaderOrder:
    """What a reader process is started with: the one task that it runs."""

    task: ReadTask
    warm: Callable[[], None]
    """Imports what the task needs."""


@dataclass(frozen=True, slots=True)
class OpenStream:
    """Begin the task. Answered with the first item that is not skipped, or `Ended`."""

    stream: int
    data: bytes | None
    """The whole upload; None: its file comes over the second socket."""
    options: object
    skip: int


@dataclass(frozen=True, slots=True)
class NextItem:
    """Answered with the next item, or `Ended`."""

    stream: int


@dataclass(frozen=True, slots=True)
class CloseStream:
    """Give up the task. Not answered."""

    stream: int


@dataclass(frozen=True, slots=True)
class Ended:
    """There are no more items."""


@dataclass(frozen=True, slots=True)
class ReadFailure:
    """An error of the API as values."""

    name: str
    args: tuple[object, ...]
    facts: dict[str, object]

    @classmethod
    def of(cls, error: BaseException) -> ReadFailure:
        """Anything but an error of the API becomes `InternalError`, and its trace is logged."""
        if is_out_of_memory(error):
            error = OutOfMemory()
        if not isinstance(error, ApiError):
            log.error("a reader failed", exc_info=error)
            error = InternalError()
        return cls(type(error).__name__, error.args, dict(vars(error)))

    def rebuilt(self) -> ApiError:
        """The exception, if its class is one of `app.errors`."""
        found = getattr(errors, self.name, None)
        kind = found if isinstance(found, type) and issubclass(found, ApiError) else InternalError
        error: ApiError = kind.__new__(kind)
        error.args = self.args
        for name, fact in self.facts.items():
            setattr(error, name, fact)
        return error
