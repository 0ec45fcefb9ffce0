"""API keys in the database. Law: a secret is never stored, only its hash."""

from __future__ import annotations

from sqlalchemy import select, update

from app.domain import ApiKey
from app.store.database import Database
from app.store.tables import ApiKeyRow


class KeyStore:
    """The table of keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, key: ApiKey, digest: str) -> None:
        async with self._database.writing() as session:
            session.add(
                ApiKeyRow(
                    id=key.id,
                    name=key.name,
                    project=key.project,
                    digest=digest,
                    hint=key.hint,
                    created=key.created,
                )
            )

    async def all(self) -> list[tuple[ApiKey, str]]:
        """Every key with its digest, oldest first, revoked ones too."""
        async with self._database.reading() as session:
            rows = await session.scalars(select(ApiKeyRow).order_by(ApiKeyRow.created, ApiKeyRow.id))
            return [(_domain(row), row.digest) for row in rows]

    async def revoke(self, key_id: str, at: int) -> bool:
        """False if there is no such valid key."""
        async with self._database.writing() as session:
            changed = await session.scalars(
                update(ApiKeyRow)
                .where(ApiKeyRow.id == key_id, ApiKeyRow.revoked.is_(None))
                .values(revoked=at)
                .returning(ApiKeyRow.id)
            )
            return changed.first() is not None


def _domain(row: ApiKeyRow) -> ApiKey:
    return ApiKey(
        id=row.id, name=row.name, project=row.project, hint=row.hint, created=row.created, revoked=row.revoked
    )
