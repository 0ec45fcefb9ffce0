"""Creates, renames, lists and deletes consents and voices in a loop, to test several processes on one
database.

python -m tests.support.voice_writer URL PROJECT ROUNDS: prints each id once its row is committed.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys

import numpy as np
from sqlalchemy import create_engine, text

from app.domain import AuditEntry, Caller, CustomVoice, SpeakerVector, VoiceConsent
from app.store.database import Database, prepared
from app.store.voices import VoiceStore

PROFILE = b"p" * 20_000
SPEAKER = SpeakerVector("pyannote-starter", np.full(256, 1 / 16, np.float32))


def consent(project: str) -> VoiceConsent:
    return VoiceConsent(f"cons_{secrets.token_hex(16)}", project, "name", "en-US", 1)


def voice(project: str, consent_id: str) -> CustomVoice:
    made = f"voice_{secrets.token_hex(16)}"
    return CustomVoice(
        id=made,
        project=project,
        name="n",
        consent=consent_id,
        language="en-US",
        cloner="m",
        engine="kokoro",
        model="k",
        nearest="af",
        similarity=0.5,
        created=1,
    )


def audit(url: str, project: str) -> list[AuditEntry]:
    """The audit rows of a project, oldest first."""
    engine = create_engine(prepared(url).replace("sqlite+aiosqlite", "sqlite"))
    wanted = text("SELECT action, subject, outcome, details FROM audit WHERE project = :p ORDER BY seq")
    with engine.connect() as connection:
        rows = connection.execute(wanted, {"p": project}).all()
    engine.dispose()
    return [AuditEntry(row.action, row.subject, row.outcome, json.loads(row.details)) for row in rows]


async def write(url: str, project: str, rounds: int) -> None:
    database = Database(url)
    store, caller = VoiceStore(database), Caller(project, "test")
    for number in range(rounds):
        entry = AuditEntry("test", "", "done", {})
        made = consent(project)
        await store.add_consent(made, b"r" * 5_000, SPEAKER, 1_000_000, caller, entry)
        spoken = voice(project, made.id)
        await store.add_voice(spoken, PROFILE, b"s" * 50_000, 10**6, caller, entry)
        print(made.id, spoken.id, flush=True)
        if number % 3 == 2:
            await store.rename_consent(project, made.id, f"renamed {number}", caller)
            await store.consents(project, None, 5)
        if number % 5 == 4:
            assert await store.delete_voice(project, spoken.id, caller)
            print("-", spoken.id, flush=True)
    await database.close()


if __name__ == "__main__":
    asyncio.run(write(sys.argv[1], sys.argv[2], int(sys.argv[3])))
