"""Whether the server can do its work: its models, its database and its disk.

Law: checks only, changes nothing. The result is cached for a second, so that many probes cost as much as one.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

FRESH_SECONDS = 1.0
DATABASE_SECONDS = 2.0
"""Seconds; a database that takes longer to answer counts as unreachable."""


class ReadinessService:
    """Finds the problems that keep the server from answering requests."""

    def __init__(
        self, parts: Callable[[], Awaitable[dict[str, str]]], folder: Path, *, free_bytes: int
    ) -> None:
        """`parts`: the problems of models, memory and database, by name. `folder`: of the storage."""
        self._parts = parts
        self._folders = {"storage folder": folder, "temporary folder": Path(tempfile.gettempdir())}
        self._free_bytes = free_bytes
        self._lock = asyncio.Lock()
        self._known: dict[str, str] = {}
        self._until = 0.0

    async def problems(self) -> dict[str, str]:
        """The problems by name; empty if the server is ready."""
        async with self._lock:
            if time.monotonic() >= self._until:
                self._known = await self._look()
                self._until = time.monotonic() + FRESH_SECONDS
        return self._known

    async def _look(self) -> dict[str, str]:
        parts, disk = await asyncio.gather(self._part_problems(), asyncio.to_thread(self._disk_problem))
        return parts | ({"disk": disk} if disk else {})

    async def _part_problems(self) -> dict[str, str]:
        try:
            async with asyncio.timeout(DATABASE_SECONDS):
                return await self._parts()
        except TimeoutError:
            return {"database": f"The database did not answer within {DATABASE_SECONDS:g} seconds."}

    def _disk_problem(self) -> str | None:
        for name, folder in self._folders.items():
            try:
                free = shutil.disk_usage(folder).free
            except OSError:
                return f"The {name} cannot be read."
            if free < self._free_bytes:
                return f"The disk of the {name} has {free >> 20} MiB left, less than `storage.free_bytes`."
        return None
