"""How loud voices are, as any server of this database has measured them.

Law: the measurement of a custom voice is deleted together with the voice (by `app/store/voices.py`).
"""

from __future__ import annotations

import logging

from sqlalchemy import select

from app.domain import VOICE_ID
from app.store.database import Database
from app.store.tables import VoiceLoudnessRow, VoiceRow
from app.store.upsert import upsert


class LoudnessStore:
    """Reads and writes the table of the loudness of voices."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, model: str, voice: str) -> tuple[float, float] | None:
        """The mean power of a voice, and the seconds of speech over which it was measured."""
        async with self._database.reading(logging.DEBUG) as session:
            row = await session.get(VoiceLoudnessRow, (model, voice))
            return (row.power, row.seconds) if row else None

    async def keep(self, model: str, voice: str, power: float, seconds: float) -> None:
        """Keeps a measurement, unless one over more seconds is there, or the custom voice is gone."""
        async with self._database.writing(logging.DEBUG) as session:
            if voice.startswith(VOICE_ID):
                own = select(VoiceRow.id).where(VoiceRow.id == voice)
                if await session.scalar(own.with_for_update(read=True)) is None:
                    return
            known = await session.scalar(
                select(VoiceLoudnessRow.seconds).where(
                    VoiceLoudnessRow.model == model, VoiceLoudnessRow.voice == voice
                )
            )
            if known is not None and known >= seconds:
                return
            values = {"power": power, "seconds": seconds}
            await session.execute(
                upsert(session, VoiceLoudnessRow)
                .values(model=model, voice=voice, **values)
                .on_conflict_do_update(index_elements=["model", "voice"], set_=values)
            )
