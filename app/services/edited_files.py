"""Files of edited segments: few are made at once, and one key cannot take the places of all others.

Law: the order of the steps; what stands in a file is decided by the caller.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeVar

from app.runtime.admission import Permit
from app.runtime.blocking_work import WorkThreads
from app.runtime.places_per_key import SharedPlaces

File = TypeVar("File")


class EditedFileService:
    """Makes files of edited segments, one after the other."""

    def __init__(self, places: SharedPlaces, thread: WorkThreads) -> None:
        """`thread`: a single one, so that these files do not delay transcriptions and speech."""
        self._places = places
        self._thread = thread

    def admit(self, key: str) -> AbstractContextManager[Permit]:
        """A place for one file of the key with the id `key`, its request body included. Raises `Overloaded`
        or `ShuttingDown`.
        """
        return self._places.admit(key)

    async def made(self, make: Callable[[], File]) -> File:
        """The result of `make`, which runs on the thread."""
        return await self._thread.run(make)
