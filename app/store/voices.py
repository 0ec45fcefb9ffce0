"""Consents, custom voices and their audit. Law: one use case is one transaction, its audit row included.

Every query is limited to one project: rows of other projects are not visible.
"""

from __future__ import annotations

import numpy as np
from sqlalchemy import delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import undefer

from app.domain import AuditEntry, Caller, CustomVoice, SpeakerVector, VoiceConsent
from app.store.audit import audit_row
from app.store.database import Database
from app.store.tables import ConsentRow, VoiceLoudnessRow, VoiceRow, storable

VECTOR = np.dtype("<f4")
"""The format of a speaker's vector in the database: float32, little-endian."""


class ConsentGone(Exception):
    """The consent was deleted while the voice was being created."""


class QuotaReached(Exception):
    """The project has as many voices, or consents, as it may."""


class VoiceStore:
    """Reads and writes the tables of consents, voices and the audit."""

    def __init__(self, database: Database, spare: int = 0) -> None:
        """`spare`: bytes of disk space that must stay free for the rest of the server."""
        self._database = database
        self._spare = spare

    async def check_room(self, size: int) -> None:
        """Raises `StorageFull` or `StorageUnavailable` if there is no space for `size` more bytes. Call it
        before any work.
        """
        await self._database.check_room(size + self._spare)

    async def check_voices(self, project: str, quota: int) -> None:
        """Raises `QuotaReached` if the project has `quota` voices. Call it before any work."""
        async with self._database.reading() as session:
            await _check_number(session, VoiceRow, project, quota)

    async def check_consents(self, project: str, quota: int) -> None:
        """Raises `QuotaReached` if the project has `quota` consents. Call it before any work."""
        async with self._database.reading() as session:
            await _check_number(session, ConsentRow, project, quota)

    async def add_consent(
        self,
        consent: VoiceConsent,
        recording: bytes,
        speaker: SpeakerVector,
        quota: int,
        caller: Caller,
        entry: AuditEntry,
    ) -> None:
        """Stores a consent with its recording and its audit row. `quota`: consents that a project may
        have. Raises `QuotaReached`.
        """
        async with self._database.writing() as session:
            await _count_alone(session, consent.project)
            await _check_number(session, ConsentRow, consent.project, quota)
            session.add(
                ConsentRow(
                    id=consent.id,
                    project=consent.project,
                    name=consent.name,
                    language=consent.language,
                    recording=recording,
                    speaker=np.asarray(speaker.values, VECTOR).tobytes(),
                    encoder=speaker.encoder,
                    created=consent.created,
                )
            )
            session.add(audit_row(caller, entry))

    async def consents(self, project: str, after: str | None, limit: int) -> tuple[list[VoiceConsent], bool]:
        """A page, newest first, and whether there are more. An `after` that is gone gives an empty page."""
        async with self._database.reading() as session:
            wanted = select(ConsentRow).where(ConsentRow.project == project)
            if after is not None:
                place = await session.scalar(
                    select(ConsentRow.seq).where(ConsentRow.project == project, ConsentRow.id == after)
                )
                if place is None:
                    return [], False
                wanted = wanted.where(ConsentRow.seq < place)
            rows = (await session.scalars(wanted.order_by(ConsentRow.seq.desc()).limit(limit + 1))).all()
            return [_consent(row) for row in rows[:limit]], len(rows) > limit

    async def consent(self, project: str, consent_id: str) -> VoiceConsent | None:
        async with self._database.reading() as session:
            row = await _find_consent(session, project, consent_id)
            return _consent(row) if row else None

    async def speaker(self, project: str, consent_id: str) -> SpeakerVector | None:
        """The speaker vector of a consent; None if there is no such consent."""
        async with self._database.reading() as session:
            wanted = select(ConsentRow.encoder, ConsentRow.speaker).where(
                ConsentRow.project == project, ConsentRow.id == consent_id
            )
            row = (await session.execute(wanted)).first()
            return SpeakerVector(row.encoder, np.frombuffer(row.speaker, VECTOR)) if row else None

    async def rename_consent(
        self, project: str, consent_id: str, name: str, caller: Caller
    ) -> VoiceConsent | None:
        async with self._database.writing() as session:
            row = await _find_consent(session, project, consent_id)
            if row is None:
                return None
            row.name = name
            session.add(audit_row(caller, AuditEntry("consent.rename", consent_id, "done", {})))
            return _consent(row)

    async def delete_consent(self, project: str, consent_id: str, caller: Caller) -> bool:
        """Deletes the consent and its voices. False if there is none of that id."""
        async with self._database.writing() as session:
            await _count_alone(session, project)  # no voice is added to it meanwhile
            if await _find_consent(session, project, consent_id) is None:
                return False
            gone = (await session.scalars(select(VoiceRow.id).where(VoiceRow.consent == consent_id))).all()
            await session.execute(delete(VoiceRow).where(VoiceRow.consent == consent_id))
            await session.execute(delete(VoiceLoudnessRow).where(VoiceLoudnessRow.voice.in_(gone)))
            await session.execute(delete(ConsentRow).where(ConsentRow.id == consent_id))
            session.add(audit_row(caller, AuditEntry("consent.delete", consent_id, "done", {})))
            session.add_all(
                audit_row(caller, AuditEntry("voice.revoke", voice, "done", {})) for voice in gone
            )
            return True

    async def add_voice(
        self,
        voice: CustomVoice,
        profile: bytes,
        sample: bytes,
        quota: int,
        caller: Caller,
        entry: AuditEntry,
    ) -> None:
        """Stores a voice with its profile, its sample and its audit row. `quota`: voices that a project
        may have. Raises `ConsentGone` or `QuotaReached`.
        """
        async with self._database.writing() as session:
            await _count_alone(session, voice.project)
            if await _find_consent(session, voice.project, voice.consent) is None:
                raise ConsentGone
            await _check_number(session, VoiceRow, voice.project, quota)
            session.add(_voice_row(voice, profile, sample))
            session.add(audit_row(caller, entry))

    async def voices(self, project: str) -> list[CustomVoice]:
        """All voices of a project, newest first. The quota bounds their number."""
        async with self._database.reading() as session:
            wanted = select(VoiceRow).where(VoiceRow.project == project).order_by(VoiceRow.seq.desc())
            return [_voice(row) for row in await session.scalars(wanted)]

    async def voice(self, project: str, voice_id: str) -> CustomVoice | None:
        async with self._database.reading() as session:
            wanted = select(VoiceRow).where(VoiceRow.project == project, VoiceRow.id == voice_id)
            row = await session.scalar(wanted)
            return _voice(row) if row else None

    async def voice_with_profile(self, project: str, name: str) -> tuple[CustomVoice, bytes] | None:
        """The voice with this id, else the newest voice with this name, and its profile."""
        async with self._database.reading() as session:
            own = select(VoiceRow).where(VoiceRow.project == project).options(undefer(VoiceRow.profile))
            row = await session.scalar(own.where(VoiceRow.id == name))
            if row is None:
                named = own.where(VoiceRow.name == name).order_by(VoiceRow.seq.desc()).limit(1)
                row = await session.scalar(named)
            return (_voice(row), row.profile) if row else None

    async def delete_voice(self, project: str, voice_id: str, caller: Caller) -> bool:
        """Deletes a voice. Returns False if there is none."""
        async with self._database.writing() as session:
            gone = await session.scalars(
                delete(VoiceRow)
                .where(VoiceRow.project == project, VoiceRow.id == voice_id)
                .returning(VoiceRow.id)
            )
            if gone.first() is None:
                return False
            await session.execute(delete(VoiceLoudnessRow).where(VoiceLoudnessRow.voice == voice_id))
            session.add(audit_row(caller, AuditEntry("voice.delete", voice_id, "done", {})))
            return True

    async def note(self, caller: Caller, entry: AuditEntry) -> None:
        """Stores an audit row without any other change, for a refused check."""
        async with self._database.writing() as session:
            session.add(audit_row(caller, entry))


async def _count_alone(session: AsyncSession, project: str) -> None:
    """Locks out other transactions that add to this project until this one ends, because each must count the
    other's rows. SQLite has only one writer at a time anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        key = {"project": storable(project)}
        await session.execute(text("SELECT pg_advisory_xact_lock(hashtext(:project))"), key)


async def _check_number(
    session: AsyncSession, table: type[ConsentRow | VoiceRow], project: str, quota: int
) -> None:
    count = select(func.count()).select_from(table).where(table.project == project)
    if (await session.scalar(count) or 0) >= quota:
        raise QuotaReached


async def _find_consent(session: AsyncSession, project: str, consent_id: str) -> ConsentRow | None:
    wanted = select(ConsentRow).where(ConsentRow.project == project, ConsentRow.id == consent_id)
    row: ConsentRow | None = await session.scalar(wanted)
    return row


def _voice_row(voice: CustomVoice, profile: bytes, sample: bytes) -> VoiceRow:
    return VoiceRow(
        id=voice.id,
        project=voice.project,
        name=voice.name,
        consent=voice.consent,
        language=voice.language,
        cloner=voice.cloner,
        engine=voice.engine,
        model=voice.model,
        nearest=voice.nearest,
        similarity=voice.similarity,
        profile=profile,
        sample=sample,
        created=voice.created,
    )


def _consent(row: ConsentRow) -> VoiceConsent:
    return VoiceConsent(row.id, row.project, row.name, row.language, row.created)


def _voice(row: VoiceRow) -> CustomVoice:
    return CustomVoice(
        id=row.id,
        project=row.project,
        name=row.name,
        consent=row.consent,
        language=row.language,
        cloner=row.cloner,
        engine=row.engine,
        model=row.model,
        nearest=row.nearest,
        similarity=row.similarity,
        created=row.created,
    )
