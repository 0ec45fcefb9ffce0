"""Whether the server can do its work: its models, its database and its disk.

Law: checks only, changes nothing. The result is cached for a second, so that many probes cost as much as one.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from app.errors import ApiError
from app.models.registry import Registry
from app.runtime.memory_shortage import MemoryShortage
from app.runtime.runner import Runner
from app.store.database import Database

FRESH_SECONDS = 1.0
DATABASE_SECONDS = 2.0
"""Seconds; a database that takes longer to answer counts as unreachable."""


class ReadinessService:
    """Finds the problems that keep the server from answering requests."""

    def __init__(
        self,
        database: Database,
        runner: Runner,
        registry: Registry,
        shortage: MemoryShortage,
        *,
        preload: Sequence[str],
        folder: Path,
        free_bytes: int,
    ) -> None:
        """`preload`: names of the models that must be loaded. `folder`: the storage folder. `free_bytes`: the
        least free space on its disk.
        """
        self._database = database
        self._runner = runner
        self._registry = registry
        self._shortage = shortage
        self._preload = preload
        self._folders = {"storage folder": folder, "temporary folder": Path(tempfile.gettempdir())}
        self._free_bytes = free_bytes
        self._lock = asyncio.Lock()
        self._known: dict[str, str] = {}
        self._until = 0.0

    async def problems(self) -> dict[str, str]:
        """The problems by name; empty if the server is ready."""
        async with self._lock:
            if time.monotonic() >= self._until:
                self._known = await self.look()
                self._until = time.monotonic() + FRESH_SECONDS
        return self._known

    def crashes(self) -> dict[str, str]:
        """How the processes of models crashed that are not loaded at the start, by model id.

        They do not make the server unready: otherwise a client who crashes a rarely used model would take all
        other models from everybody.
        """
        known = {self._id(name) for name in self._preload}
        return {name: crash for name, crash in self._runner.crashes().items() if name not in known}

    def _id(self, name: str) -> str:
        try:
            return self._registry.resolve(name).id
        except ApiError:
            return name

    async def look(self) -> dict[str, str]:
        """The problems at this moment, which are not cached."""
        database, disk = await asyncio.gather(self._database_problem(), asyncio.to_thread(self._disk_problem))
        told = {"memory": self._shortage.problem, "database": database, "disk": disk}
        told |= {name: self._model_problem(name) for name in self._preload}
        return {name: problem for name, problem in told.items() if problem}

    def _model_problem(self, name: str) -> str | None:
        try:
            return self._runner.problem(self._registry.resolve(name))
        except ApiError as wrong:
            return wrong.message

    async def _database_problem(self) -> str | None:
        try:
            async with asyncio.timeout(DATABASE_SECONDS):
                return await self._database.problem()
        except TimeoutError:
            return f"The database did not answer within {DATABASE_SECONDS:g} seconds."

    def _disk_problem(self) -> str | None:
        for name, folder in self._folders.items():
            try:
                free = shutil.disk_usage(folder).free
            except OSError:
                return f"The {name} cannot be read."
            if free < self._free_bytes:
                return f"The disk of the {name} has {free >> 20} MiB left, less than `storage.free_bytes`."
        return None
