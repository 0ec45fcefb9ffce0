"""The messages between the server and a reader. Law: both processes must be able to import this module by its
name.
"""

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
"""A function of a file, options, and a check whether the upload was cancelled. It yields items, the same ones
each time it runs. It is pickled by its name.
"""


@dataclass(frozen=True, slots=True)
class ReaderOrder:
    """What a reader process is started with: the one task that it runs."""

    task: ReadTask
    warm: Callable[[], None]
    """Imports the libraries that the task needs."""


@dataclass(frozen=True, slots=True)
class OpenStream:
    """Asks to begin the task. The answer is the first item that is not skipped, or `Ended`."""

    stream: int
    data: bytes | None
    """The whole upload; None if its file descriptor comes over the second socket."""
    options: object
    skip: int


@dataclass(frozen=True, slots=True)
class NextItem:
    """Asks for the next item. The answer is that item, or `Ended`."""

    stream: int


@dataclass(frozen=True, slots=True)
class CloseStream:
    """Ends the task early. It has no answer."""

    stream: int


@dataclass(frozen=True, slots=True)
class Ended:
    """There are no more items."""


@dataclass(frozen=True, slots=True)
class ReadFailure:
    """An error of the API as plain values, so that it can be sent."""

    name: str
    args: tuple[object, ...]
    facts: dict[str, object]

    @classmethod
    def of(cls, error: BaseException) -> ReadFailure:
        """Turns an exception into values. Any exception but an `ApiError` becomes `InternalError`, and its
        stack trace is logged.
        """
        if is_out_of_memory(error):
            error = OutOfMemory()
        if not isinstance(error, ApiError):
            log.error("a reader failed", exc_info=error)
            error = InternalError()
        return cls(type(error).__name__, error.args, dict(vars(error)))

    def rebuilt(self) -> ApiError:
        """The exception again, if its class is one of `app.errors`."""
        found = getattr(errors, self.name, None)
        kind = found if isinstance(found, type) and issubclass(found, ApiError) else InternalError
        error: ApiError = kind.__new__(kind)
        error.args = self.args
        for name, fact in self.facts.items():
            setattr(error, name, fact)
        return error
