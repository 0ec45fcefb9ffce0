"""Bodies of requests: how many are received at once, and the threads that parse large ones.

Law: knows no HTTP; routes read the bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeVar

from app.runtime.admission import Admission, Permit
from app.runtime.blocking_work import WorkThreads

Parsed = TypeVar("Parsed")


class RequestBodyService:
    """Bounds what bodies of requests cost the server."""

    def __init__(self, uploads: Admission, threads: WorkThreads) -> None:
        """`uploads`: bounds the number of bodies at once. `threads`: parse large JSON."""
        self._uploads = uploads
        self._threads = threads

    def receiving(self) -> AbstractContextManager[Permit]:
        """Counts a body for as long as it is received, or its file is on the disk. Raises `Overloaded` or
        `ShuttingDown`.
        """
        return self._uploads.admit()

    async def parsed(self, parse: Callable[[], Parsed]) -> Parsed:
        """The result of `parse`, which runs on a thread so that it does not block the event loop."""
        return await self._threads.run(parse)
