"""The text of `/metrics`: counters, and facts that are measured for each request of it.

Law: reads only. If the database does not answer, the facts from it are left out.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from app.errors import ApiError
from app.runtime.admission import Admission
from app.runtime.meters import Meters
from app.runtime.runner import Runner
from app.services.keys import KeyService
from app.services.readiness import ReadinessService

KEYS_SECONDS = 2.0
"""The most seconds to wait for the table of keys."""


class MetricsService:
    """The metrics of this server."""

    def __init__(
        self,
        meters: Meters,
        runner: Runner,
        uploads: Admission,
        readiness: ReadinessService,
        keys: KeyService,
    ) -> None:
        self._meters = meters
        self._runner = runner
        self._uploads = uploads
        self._readiness = readiness
        self._keys = keys

    async def page(self) -> bytes:
        """The text of `/metrics`."""
        expires = float("inf")
        with suppress(ApiError, TimeoutError):
            async with asyncio.timeout(KEYS_SECONDS):
                expires = await self._keys.next_expiry()
        self._meters.server.tell(
            states={name: lane.state for name, lane in self._runner.snapshot().lanes.items()},
            uploads=self._uploads.count,
            problems=await self._readiness.problems(),
            key_expires=expires,
        )
        return await asyncio.to_thread(self._meters.page)
