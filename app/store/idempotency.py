"""Answers to requests that may be sent again, by the key that the client gave them.

Law: of several requests with one key, on whatever servers, one holds the claim; rows older than a day are
deleted by whoever adds one.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.store.database import Database
from app.store.tables import IdempotencyRow

KEPT_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The stored state of one `Idempotency-Key`."""

    fingerprint: str
    """Fingerprint of the first request with this key."""
    answer: str | None
    """The answer to the first request, as JSON; None while that request is still running."""


class IdempotencyStore:
    """Reads and writes the table of idempotency keys and answers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(
        self, project: str, key: str, fingerprint: str, claim: str, *, at: int, abandoned: int
    ) -> StoredAnswer | None:
        """Takes the key for this request; None if that succeeded, else what another request has left.

        `abandoned`: a claim without an answer from before this Unix time is void.
        """
        try:
            async with self._database.writing() as session:
                await session.execute(delete(IdempotencyRow).where(IdempotencyRow.at < at - KEPT_SECONDS))
                row = await _find(session, project, key)
                if row is not None and (row.answer is not None or row.at >= abandoned):
                    return StoredAnswer(row.fingerprint, row.answer)
                if row is not None:
                    await session.delete(row)
                    await session.flush()
                session.add(
                    IdempotencyRow(project=project, key=key, fingerprint=fingerprint, claim=claim, at=at)
                )
        except IntegrityError:  # another server has inserted the key first
            async with self._database.reading() as session:
                row = await _find(session, project, key)
                return StoredAnswer(row.fingerprint, row.answer) if row else StoredAnswer(fingerprint, None)
        return None

    async def answer(self, project: str, key: str, claim: str, answer: str) -> None:
        """Stores the answer of the request that holds the claim."""
        async with self._database.writing() as session:
            await session.execute(
                update(IdempotencyRow)
                .where(
                    IdempotencyRow.project == project,
                    IdempotencyRow.key == key,
                    IdempotencyRow.claim == claim,
                )
                .values(answer=answer)
            )

    async def give_up(self, project: str, key: str, claim: str) -> None:
        """Removes the claim of a request that has failed, so that the next one may try."""
        async with self._database.writing() as session:
            await session.execute(
                delete(IdempotencyRow).where(
                    IdempotencyRow.project == project,
                    IdempotencyRow.key == key,
                    IdempotencyRow.claim == claim,
                )
            )


async def _find(session: AsyncSession, project: str, key: str) -> IdempotencyRow | None:
    wanted = select(IdempotencyRow).where(IdempotencyRow.project == project, IdempotencyRow.key == key)
    row: IdempotencyRow | None = await session.scalar(wanted)
    return row
