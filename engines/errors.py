"""The exceptions of engines.

Law: few kinds, no status codes. A message is a sentence that may be shown to the person who asked.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from signal import SIGTERM


class EngineError(Exception):
    """An engine could not do its work."""


class EngineMissing(EngineError):
    """The engine's library is not installed."""

    def __init__(self, engine: str, extra: str) -> None:
        super().__init__(
            f"The engine `{engine}` is not installed. In the checkout, `make install ALL=1` installs every "
            f"engine, `.venv/bin/pip install --editable '.[{extra}]'` this one alone."
        )
        self.engine = engine
        self.extra = extra


class LibraryBroken(EngineError):
    """The engine's library is installed, but it cannot be imported."""

    def __init__(self, engine: str) -> None:
        super().__init__(
            f"The library of the engine `{engine}` is installed, but it cannot be loaded. The server's log "
            "has the reason."
        )


class EngineOutOfMemory(EngineError):
    """There was not enough memory, on the machine or on the GPU, to load or to run."""

    def __init__(self) -> None:
        super().__init__("There is not enough free memory for this at the moment.")


class DeviceLost(EngineError):
    """The process can no longer use the GPU: after certain failures, CUDA refuses every call."""

    def __init__(self) -> None:
        super().__init__("The GPU of this model has failed. The server has to be started again.")


class EngineDied(EngineError):
    """The process of an engine ended while it worked, so its results are lost."""

    def __init__(self, reason: str, *, signal: int = 0, status: int = 0, memory: bool = False) -> None:
        """`signal`: the signal that ended the process, if any. `status`: its exit status, if it ended by
        itself. `memory`: whether the kernel ended a process meanwhile because memory ran out.
        """
        super().__init__(f"The engine ended unexpectedly: {reason}.")
        self.reason = reason
        self.signal = signal
        self.status = status
        self.memory = memory

    def fresh(self) -> EngineDied:
        """A copy of the exception that was not raised yet.

        Python stores in a raised exception all calls that it passed through, with their variables. If one
        exception were raised for several calls and kept, the audio of all of them would stay in memory.
        """
        made = type(self).__new__(type(self), *self.args)
        vars(made).update(vars(self))
        return made

    @property
    def killed(self) -> bool:
        """Whether it was killed from outside, for example by a person or a supervisor."""
        return self.signal in (SIGKILL, SIGTERM) and not self.memory


class EngineStuck(EngineDied):
    """A call took so long that the process of the engine was ended."""

    def __init__(self, seconds: float, what: str = "did not answer") -> None:
        super().__init__(f"it {what} for {seconds:.0f} seconds")

    @property
    def killed(self) -> bool:
        return False


class GivenUp(EngineError):
    """The work was not done, because nobody waits for its result any more or the server is stopping."""

    def __init__(self) -> None:
        super().__init__("The work was given up.")


class EngineDown(EngineError):
    """The process of an engine ended, and there is no new one yet."""

    def __init__(self, reason: str, pause: float) -> None:
        """`pause`: seconds until the next attempt."""
        super().__init__(f"The process of this model's engine ended ({reason}). It is started again shortly.")
        self.pause = pause


class ClusterDown(EngineDown):
    """The cluster that the engine runs in cannot be asked at the moment."""

    def __init__(self, why: str, pause: float) -> None:
        """`why`: the second half of a sentence about the cluster. `pause`: seconds until the next attempt."""
        super().__init__(why, pause)
        self.args = (f"The cluster of this model does not answer: {why}.",)
        self.why = why


class WeightsBroken(EngineError):
    """The weights are there, but the engine cannot load them."""


class UnsupportedInput(EngineError):
    """The engine cannot do what the request asks, whatever the audio is."""


class NeedsTrust(WeightsBroken):
    """The weights can only be loaded by running code of their author."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The weights are not loaded, because {reason}, and so could run code of their author with all "
            "the rights of Antiphon. If you trust the author with that, run "
            "`antiphon models pull --trust OWNER/NAME`."
        )


SIGKILL = 9
"""The number of the signal, because Python's `signal` module has no SIGKILL on Windows."""
MEMORY_SIGNS = (
    "out of memory",
    "cannot allocate memory",
    "failed to allocate",
    "unable to allocate",
    "not enough memory",
    "bad_alloc",
    "bad allocation",
    "failed to map segment",
    "alloc_failed",
)
"""The messages with which CPython, the dynamic linker, C++, PyTorch, CTranslate2, ONNX Runtime, cuBLAS and
cuDNN report that memory ran out."""


LOSS_SIGNS = (
    "an illegal memory access",
    "an illegal instruction",
    "misaligned address",
    "invalid program counter",
    "hardware stack error",
    "device-side assert",
    "launch failure",
    "launch timed out",
    "uncorrectable ecc error",
    "busy or unavailable",
    "failed with error unknown error",
)
"""Texts in CUDA's messages about failures after which a process cannot use the GPU any more. The last one
appears after the machine was suspended.
"""


def import_failure(error: ImportError, engine: str, extra: str) -> EngineError:
    """Why an engine's library cannot be imported: it is absent, it is broken, or memory ran out."""
    if is_out_of_memory(error):
        return EngineOutOfMemory()
    if isinstance(error, ModuleNotFoundError):
        return EngineMissing(engine, extra)
    return LibraryBroken(engine)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether this failure, or one of its causes, means that memory ran out."""
    return any(_tells_of_memory(one) for one in _chain(error))


def is_device_lost(error: BaseException) -> bool:
    """Whether this failure, or one of its causes, means that this process has lost its GPU."""
    told = [str(one).lower() for one in _chain(error) if isinstance(one, RuntimeError)]
    return any("cuda" in words and any(sign in words for sign in LOSS_SIGNS) for words in told)


def _tells_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError | EngineOutOfMemory):
        return True
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    if isinstance(error, EngineError | ValueError | TypeError | LookupError):
        return False  # the messages of these errors may quote a client's text
    words = str(error).lower()
    return any(sign in words for sign in MEMORY_SIGNS)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
