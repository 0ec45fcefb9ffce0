"""The messages from a child process to the server.

Law: a process must import this module by its name, because the program of the child is `__main__` there and
classes of `__main__` do not unpickle in the server.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from engines import errors
from engines.errors import EngineError, EngineOutOfMemory, is_out_of_memory
from engines.work import LengthClasses, LookSize

log = logging.getLogger("engines")


@dataclass(frozen=True, slots=True)
class Loaded:
    """The facts about a loaded engine that the server needs."""

    calls: int
    looks: LookSize | None
    lengths: LengthClasses
    device: str = "cpu"
    """`cpu` or `cuda`."""


@dataclass(frozen=True, slots=True)
class Done:
    """The result of a call."""

    value: Any
    seconds: float
    """Seconds that the engine took."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception as plain values, so that the other process does not need to know its class."""

    name: str
    args: tuple[object, ...]
    facts: dict[str, object]
    """Those attributes of the exception that are numbers or strings."""

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """Turns an exception into values. A class that `engines.errors` does not have becomes `EngineError`,
        and its stack trace is logged.
        """
        if is_out_of_memory(error):
            error = EngineOutOfMemory()
        if isinstance(error, EngineError) and getattr(errors, type(error).__name__, None) is type(error):
            facts: dict[str, object] = {
                name: fact for name, fact in vars(error).items() if isinstance(fact, str | int | float)
            }
            return cls(type(error).__name__, tuple(str(arg) for arg in error.args), facts)
        if isinstance(error, SystemExit):  # some libraries exit the program instead of raising an error
            return cls("EngineError", ("The engine gave up.",), {})
        if not isinstance(error, EngineError):
            log.error("the engine failed", exc_info=error)
            return cls("EngineError", ("The engine failed.",), {})
        return cls("EngineError", (str(error),), {})

    def rebuilt(self) -> EngineError:
        """The exception again, if its class is one of `engines.errors`."""
        found = getattr(errors, self.name, None)
        known = found if isinstance(found, type) and issubclass(found, EngineError) else EngineError
        error: EngineError = known.__new__(known, *self.args)
        error.args = self.args
        for name, fact in self.facts.items():
            setattr(error, name, fact)
        return error
