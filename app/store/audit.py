"""Audit rows, and a writer for rows that may be stored a moment later (write-behind).

Law: no client waits for a row that is written behind. The queue is bounded; a row that cannot be written is
logged, so that no event is lost without a trace.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import deque
from contextlib import suppress
from itertools import islice

from sqlalchemy import select

from app.domain import AuditEntry, AuditRecord, Caller
from app.errors import ApiError
from app.store.database import Database
from app.store.tables import AuditRow, storable

log = logging.getLogger(__name__)
WAITING_ROWS = 1000
"""The most rows that may wait to be written."""
TRANSACTION_ROWS = 100
"""The most rows of one transaction."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds between two attempts while the database fails: the first pause, which is doubled each time, and the
longest.
"""


def audit_row(caller: Caller, entry: AuditEntry, at: int | None = None) -> AuditRow:
    """The database row of an audit entry. `at`: Unix time; None: now."""
    return AuditRow(
        at=int(time.time()) if at is None else at,
        project=caller.project,
        key=caller.key,
        action=entry.action,
        subject=entry.subject,
        outcome=entry.outcome,
        details=json.dumps(entry.details, ensure_ascii=True),
    )


async def audit_records(database: Database, since: int, action: str = "") -> list[AuditRecord]:
    """The rows from the Unix time `since` on, oldest first; only actions that begin with `action`."""
    async with database.reading() as session:
        wanted = select(AuditRow).where(AuditRow.at >= since)
        if action:
            wanted = wanted.where(AuditRow.action.startswith(storable(action), autoescape=True))
        return [
            AuditRecord(
                row.at,
                Caller(row.project, row.key),
                AuditEntry(row.action, row.subject, row.outcome, json.loads(row.details)),
            )
            for row in await session.scalars(wanted.order_by(AuditRow.seq))
        ]


class AuditLog:
    """Writes audit rows in the background. Used from the event loop only; one owner closes it before the
    database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[tuple[Caller, AuditEntry, int]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._failing = False
        self._closing = asyncio.Event()

    def add(self, caller: Caller, entry: AuditEntry) -> None:
        """Adds a row to the queue, without waiting; it never fails."""
        at = int(time.time())
        if len(self._waiting) >= WAITING_ROWS:
            _lost(caller, entry, at)
            return
        self._waiting.append((caller, entry, at))
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Tries once to write the rows that are left."""
        self._closing.set()
        if self._task:
            await self._task
        while self._waiting:
            _lost(*self._waiting.popleft())

    async def _run(self) -> None:
        """Runs until no row waits, or the last attempt has failed."""
        pause = FIRST_PAUSE
        while self._waiting:
            closing = self._closing.is_set()
            if await self._write():
                pause = FIRST_PAUSE
                continue
            if closing:
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _write(self) -> bool:
        """One transaction; a row leaves the queue only when it is stored. Returns whether it succeeded."""
        try:
            await self._store(list(islice(self._waiting, TRANSACTION_ROWS)))
        except ApiError as failure:
            if not self._failing:
                log.warning("audit rows cannot be written and wait in memory: %s", failure.message)
            self._failing = True
            return False
        self._failing = False
        return True

    async def _store(self, batch: list[tuple[Caller, AuditEntry, int]]) -> None:
        async with self._database.writing(logging.DEBUG) as session:
            session.add_all(audit_row(caller, entry, at) for caller, entry, at in batch)
        for _ in batch:
            self._waiting.popleft()


def _lost(caller: Caller, entry: AuditEntry, at: int) -> None:
    log.error(
        "audit row that the database did not take: at=%d project=%s key=%s action=%s subject=%s outcome=%s",
        at,
        caller.project,
        caller.key,
        entry.action,
        entry.subject,
        entry.outcome,
    )
