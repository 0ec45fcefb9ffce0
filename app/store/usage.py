"""Counted use in the database, shared by all servers.

Law: servers only add, each what it has counted itself, so that no count is lost or doubled between them.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain import SharedUsage, UsageCounts, UsageEntry
from app.store.database import Database
from app.store.tables import RunningRow, UsageRow
from app.store.upsert import upsert

MINUTES_KEPT_SECONDS = 3600
RUNNING_SECONDS = 5
"""A server that has not renewed its row for so many seconds counts as ended."""


class UsageStore:
    """Reads and writes the tables of use."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self, entries: Sequence[UsageEntry], running: Mapping[str, int], *, front: str, at: int
    ) -> None:
        """Adds counts, and sets how many requests the server `front` is answering for each account."""
        if not entries and not running:
            return
        async with self._database.writing(logging.DEBUG) as session:
            for entry in sorted(entries, key=lambda entry: (entry.account, entry.span, entry.start)):
                await _add(session, entry)
            for account, requests in sorted(running.items()):
                await _say(session, front, account, requests, at)

    async def shared(
        self, accounts: Collection[str], *, front: str, minute: int, month: int, at: int
    ) -> dict[str, SharedUsage]:
        """What all servers have used in the minute and the month that begin at these Unix times."""
        async with self._database.reading(logging.DEBUG) as session:
            minutes = await self._minutes(session, accounts, minute)
            months = await _sums(
                session,
                select(UsageRow.account, func.sum(UsageRow.heard + UsageRow.spoken)).where(
                    UsageRow.account.in_(accounts), UsageRow.span == "day", UsageRow.start >= month
                ),
                UsageRow.account,
            )
            running = await _sums(
                session,
                select(RunningRow.account, func.sum(RunningRow.requests)).where(
                    RunningRow.account.in_(accounts),
                    RunningRow.front != front,
                    RunningRow.at > at - RUNNING_SECONDS,
                ),
                RunningRow.account,
            )
        return {
            account: SharedUsage(
                minute=minutes.get(account, UsageCounts()),
                month_audio=float(months.get(account, 0.0)),
                running_elsewhere=int(running.get(account, 0)),
            )
            for account in accounts
        }

    async def days(self, since: int) -> list[UsageEntry]:
        """The use of every account on each day from the Unix time `since` on, oldest first."""
        async with self._database.reading() as session:
            rows = await session.scalars(
                select(UsageRow)
                .where(UsageRow.span == "day", UsageRow.start >= since)
                .order_by(UsageRow.start, UsageRow.account)
            )
            return [_entry(row) for row in rows]

    async def tidy(self, at: int) -> None:
        """Deletes counts of minutes that are over for an hour, and the rows of servers that have ended."""
        async with self._database.writing(logging.DEBUG) as session:
            await session.execute(
                delete(UsageRow).where(UsageRow.span == "minute", UsageRow.start < at - MINUTES_KEPT_SECONDS)
            )
            await session.execute(delete(RunningRow).where(RunningRow.at < at - 10 * RUNNING_SECONDS))

    async def leave(self, front: str) -> None:
        """Notes that the server `front` answers no requests any more."""
        async with self._database.writing(logging.DEBUG) as session:
            await session.execute(delete(RunningRow).where(RunningRow.front == front))

    async def _minutes(
        self, session: AsyncSession, accounts: Collection[str], minute: int
    ) -> dict[str, UsageCounts]:
        rows = await session.scalars(
            select(UsageRow).where(
                UsageRow.account.in_(accounts), UsageRow.span == "minute", UsageRow.start == minute
            )
        )
        return {row.account: _entry(row).counts for row in rows}


async def _add(session: AsyncSession, entry: UsageEntry) -> None:
    counts = entry.counts
    added = {
        "requests": counts.requests,
        "refused": counts.refused,
        "heard": counts.heard,
        "spoken": counts.spoken,
    }
    key = {"account": entry.account, "span": entry.span, "start": entry.start}
    row = UsageRow(**key, project=entry.project, **added)  # checks the lengths
    insert = upsert(session, UsageRow).values(**key, project=row.project, **added)
    await session.execute(
        insert.on_conflict_do_update(
            index_elements=list(key),
            set_={name: getattr(UsageRow, name) + insert.excluded[name] for name in added},
        )
    )


async def _say(session: AsyncSession, front: str, account: str, requests: int, at: int) -> None:
    insert = upsert(session, RunningRow).values(front=front, account=account, requests=requests, at=at)
    await session.execute(
        insert.on_conflict_do_update(
            index_elements=["front", "account"], set_={"requests": requests, "at": at}
        )
    )


async def _sums(session: AsyncSession, wanted: Any, group: Any) -> dict[str, float]:
    rows = (await session.execute(wanted.group_by(group))).all()
    return {row[0]: row[1] for row in rows}


def _entry(row: UsageRow) -> UsageEntry:
    counts = UsageCounts(requests=row.requests, refused=row.refused, heard=row.heard, spoken=row.spoken)
    return UsageEntry(
        account=row.account,
        project=row.project,
        span="minute" if row.span == "minute" else "day",
        start=row.start,
        counts=counts,
    )
