"""API keys in the database. Law: a secret is never stored, only its hash.

Each change is one transaction with its row of the audit.
"""

from __future__ import annotations

from dataclasses import asdict, fields

from sqlalchemy import select, update

from app.domain import DEFAULT_SCOPES, SCOPES, ApiKey, AuditEntry, Caller, Grant, KeyLimits
from app.store.audit import audit_row
from app.store.database import Database
from app.store.tables import ApiKeyRow


class KeyStore:
    """Reads and writes the table of API keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, key: ApiKey, digest: str, caller: Caller) -> None:
        async with self._database.writing() as session:
            session.add(_row(key, digest))
            session.add(audit_row(caller, AuditEntry("key.create", key.id, "done", _told(key))))

    async def all(self) -> list[tuple[ApiKey, str]]:
        """Every key with its digest, oldest first, revoked ones too."""
        async with self._database.reading() as session:
            rows = await session.scalars(select(ApiKeyRow).order_by(ApiKeyRow.created, ApiKeyRow.id))
            return [(_domain(row), row.digest) for row in rows]

    async def revoke(self, key_id: str, at: int, caller: Caller) -> bool:
        """Revokes a key. Returns False if there is no such valid key."""
        async with self._database.writing() as session:
            changed = await session.scalars(
                update(ApiKeyRow)
                .where(ApiKeyRow.id == key_id, ApiKeyRow.revoked.is_(None))
                .values(revoked=at)
                .returning(ApiKeyRow.id)
            )
            if changed.first() is None:
                return False
            session.add(audit_row(caller, AuditEntry("key.revoke", key_id, "done", {})))
            return True

    async def replace(self, old_id: str, until: int, key: ApiKey, digest: str, caller: Caller) -> bool:
        """Adds `key`; the old one expires at the Unix time `until`. False if there is no such valid key."""
        async with self._database.writing() as session:
            changed = await session.scalars(
                update(ApiKeyRow)
                .where(ApiKeyRow.id == old_id, ApiKeyRow.revoked.is_(None))
                .values(expires=until)
                .returning(ApiKeyRow.id)
            )
            if changed.first() is None:
                return False
            session.add(_row(key, digest))
            details = _told(key) | {"replaced": old_id, "old_key_expires": until}
            session.add(audit_row(caller, AuditEntry("key.rotate", key.id, "done", details)))
            return True

    async def change(self, key_id: str, grant: Grant, caller: Caller) -> bool:
        """Gives a valid key another grant. False if there is no such valid key."""
        async with self._database.writing() as session:
            changed = await session.scalars(
                update(ApiKeyRow)
                .where(ApiKeyRow.id == key_id, ApiKeyRow.revoked.is_(None))
                .values(**_columns(grant))
                .returning(ApiKeyRow.id)
            )
            if changed.first() is None:
                return False
            session.add(audit_row(caller, AuditEntry("key.change", key_id, "done", _details(grant))))
            return True


def _row(key: ApiKey, digest: str) -> ApiKeyRow:
    return ApiKeyRow(
        id=key.id,
        name=key.name,
        project=key.project,
        digest=digest,
        hint=key.hint,
        created=key.created,
        counted_as=key.counted_as or None,
        **_columns(key.grant),
    )


def _columns(grant: Grant) -> dict[str, str | int | None]:
    return {"scopes": _listed(grant), "expires": grant.expires, **asdict(grant.limits)}


def _listed(grant: Grant) -> str:
    return " ".join(scope for scope in SCOPES if scope in grant.scopes)


def _details(grant: Grant) -> dict[str, str | float | bool]:
    """The parts of the grant that are set, for the audit."""
    return {name: value for name, value in _columns(grant).items() if value is not None}


def _told(key: ApiKey) -> dict[str, str | float | bool]:
    return {"name": key.name, "project": key.project, **_details(key.grant)}


def _domain(row: ApiKeyRow) -> ApiKey:
    scopes = DEFAULT_SCOPES if row.scopes is None else frozenset(row.scopes.split())
    limits = KeyLimits(**{field.name: getattr(row, field.name) for field in fields(KeyLimits)})
    return ApiKey(
        id=row.id,
        name=row.name,
        project=row.project,
        hint=row.hint,
        created=row.created,
        revoked=row.revoked,
        grant=Grant(scopes=scopes, expires=row.expires, limits=limits),
        counted_as=row.counted_as or "",
    )
