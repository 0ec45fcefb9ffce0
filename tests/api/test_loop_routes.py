"""Every route blocks the event loop for less than 100 ms, with the longest names and bodies that it takes.

`test_loop` has the single fields. A route that is new needs a body here.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from app.container import Container
from app.domain import AuditEntry, Caller
from app.main import create_app
from app.store.database import Database
from app.store.voices import VoiceStore
from tests.support.fake_server import serving
from tests.support.loop_time import longest, most
from tests.support.routes import routes
from tests.support.server import Server
from tests.support.sound import tone, wav
from tests.support.voice_writer import PROFILE, SPEAKER, consent, voice

pytestmark = pytest.mark.slow

CONSENTS, VOICES = 100, 20
"""The most consents and voices that a project may have."""
NAME = "語" * 256
NO_CONSENT = "cons_" + "0" * 32
WORDS = ["é" * 9_900] * 50
SOUND = wav(tone(300))
UPLOAD: dict[str, Any] = {
    "files": {"file": SOUND},
    "data": {"model": "whisper-1", "prompt": "word " * 19_000},
}
SESSION = {"type": "transcription", "audio": {"input": {"transcription": {"keywords": WORDS}}}}
BODIES: dict[str, dict[str, Any]] = {
    "/v1/audio/transcriptions": UPLOAD,
    "/v1/audio/translations": UPLOAD,
    "/v1/audio/transcriptions/render": {"json": {"format": "vtt", "segments": [
        {"start": n, "end": n + 1, "text": "ﷺ " * 20} for n in range(5_000)]}},
    "/v1/audio/speech": {"json": {"model": "tts-1", "voice": "alloy", "input": "1/2 " * 1_024}},
    "/v1/audio/voices": {"files": {"audio_sample": SOUND}, "data": {"name": NAME, "consent": NO_CONSENT}},
    "/v1/audio/voice_consents": {"files": {"recording": SOUND}, "data": {"name": NAME, "language": "de"}},
    "/v1/audio/voice_consents/{consent}": {"json": {"name": "\u0301" * 100_000}},
    "/v1/realtime/client_secrets": {"json": {"session": SESSION}},
    "/v1/realtime/transcription_sessions": {"json": {"input_audio_transcription": {"prompt": "é" * 9_000}}},
}  # fmt: skip
ODD = ("x" * 30_000, "%F0%9F%98%80" * 2_500, "a%2F" * 7_500)
"""Names in a path, about as long as the head of a request may be."""


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose project has as many voices and consents as it may."""
    folder = tmp_path_factory.mktemp("full")
    with serving(folder) as running:
        asyncio.run(fill(f"sqlite:///{folder}/antiphon.db"))
        yield running


async def fill(url: str) -> None:
    database = Database(url)
    store, caller, entry = VoiceStore(database), Caller("default", "test"), AuditEntry("test", "", "done", {})
    made = [replace(consent("default"), name=NAME) for _ in range(CONSENTS)]
    for one in made:
        await store.add_consent(one, b"r", SPEAKER, CONSENTS, caller, entry)
    for _ in range(VOICES):
        one_voice = replace(voice("default", made[0].id), name=NAME)
        await store.add_voice(one_voice, PROFILE, b"s", VOICES, caller, entry)
    await database.close()


def test_the_lists_are_as_long_as_they_can_be(full: Server) -> None:
    with full.client() as client:
        consents = client.get("/audio/voice_consents", params={"limit": 100}).json()["data"]
        voices = client.get("/audio/voices").json()["data"]
    assert [one["name"] for one in consents] == [NAME] * CONSENTS
    assert sum(one["name"] == NAME for one in voices) == VOICES


async def test_every_route(full: Server, container: Container) -> None:
    slow = {}
    for method, template in sorted(routes(create_app(container))):
        for odd in ODD if "{" in template else ODD[:1]:
            taken, status = measured(
                full, method, re.sub(r"\{[^}]+\}", odd, template), BODIES.get(template, {})
            )
            assert method != "POST" or template in BODIES, f"{template} has no body here"
            assert status < 500, (method, template, status)
            if taken >= most():
                slow[method, template] = taken
    assert not slow


def measured(server: Server, method: str, path: str, body: dict[str, Any]) -> tuple[float, int]:
    """The longest CPU time for which a request blocked the event loop, and the status of its answer."""
    longest(server)
    given = body if method == "POST" else {}
    with server.client() as client:
        answer = client.request(method, f"{server.root}{path}?limit=100", **given)
    return longest(server), answer.status_code


def test_the_bodies_are_read_to_their_end(full: Server) -> None:
    """Checks that the bodies of these tests are not refused before the work."""
    with full.client() as client:
        for path in ("transcriptions", "translations", "transcriptions/render", "speech"):
            assert client.post(f"/audio/{path}", **BODIES[f"/v1/audio/{path}"]).status_code == 200, path
        for path in ("client_secrets", "transcription_sessions"):
            made = client.post(f"/realtime/{path}", **BODIES[f"/v1/realtime/{path}"])
            assert made.status_code == 200, made.text
        for path, code in (("voices", "consent_not_found"), ("voice_consents", "consent_limit_reached")):
            assert (
                client.post(f"/audio/{path}", **BODIES[f"/v1/audio/{path}"]).json()["error"]["code"] == code
            )
