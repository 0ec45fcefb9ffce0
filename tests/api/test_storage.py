"""Requests and storage: a locked database, a full disk, quotas and odd ids give clear errors before any work.

Each test runs on SQLite and on PostgreSQL.
"""

from __future__ import annotations

import asyncio
import errno
import json
import tempfile
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx2
import numpy as np
import pytest

from app.container import Container
from app.domain import AuditEntry, Caller, CustomVoice, SpeakerVector, VoiceConsent
from app.main import create_app
from app.settings import Settings
from app.store import connect
from app.store import database as database_module
from engines.types import VoiceProfile
from tests.support.database_lock import locked
from tests.support.fake_engines import EchoTranscriber, ToneEngine, ToneSynthesizer, engines_of
from tests.support.migrated_database import migrated
from tests.support.sound import tone, wav
from tests.support.voice_writer import audit
from tests.support.waiting import rounds, until

pytestmark = pytest.mark.slow

ME = Caller("default", "open")
ENTRY = AuditEntry("test", "", "done", {})
CONSENTS, VOICES = "/audio/voice_consents", "/audio/voices"
CLIP = wav(tone(3))


@pytest.fixture
def settings(settings: Settings, any_database: str) -> Settings:
    return settings.model_copy(
        update={"storage": settings.storage.model_copy(update={"database_url": any_database})}
    )


@pytest.fixture
async def container(
    settings: Settings,
    engine: EchoTranscriber,
    synthesizer: ToneSynthesizer,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Container]:
    monkeypatch.setattr(connect, "BUSY_SECONDS", 0.1)
    migrated(settings.database_url)
    made = Container(settings, lambda _: engines_of(engine), lambda _: ToneEngine(synthesizer))
    await made.open()
    await made.keys.authenticate(None)
    yield made
    await made.close()


@pytest.fixture
async def client(container: Container) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(create_app(container), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1/v1") as made:
        yield made


@pytest.fixture
async def consent(container: Container) -> str:
    return await add_consent(container, "pyannote-starter")


async def add_consent(container: Container, encoder: str) -> str:
    made = VoiceConsent(f"cons_{encoder}", "default", "Ann", "en-US", 1)
    speaker = SpeakerVector(encoder, np.full(256, 1 / 16, np.float32))
    await container.voice_store.add_consent(made, b"r", speaker, 1_000_000, ME, ENTRY)
    return made.id


@pytest.fixture
async def voice(container: Container, consent: str) -> str:
    made = CustomVoice(
        id="voice_1",
        project="default",
        name="Ann",
        consent=consent,
        language="en-US",
        cloner="kokoro-match",
        engine="piper",
        model="tones",
        nearest="high",
        similarity=0.5,
        created=1,
    )
    await container.voice_store.add_voice(made, b"profile", b"s", 5, ME, ENTRY)
    return made.id


def refused(answer: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()["error"]
    assert found["code"] == code
    if status >= 500:
        assert int(answer.headers["retry-after"]) > 0
    return found


async def test_speech_in_a_custom_voice_needs_no_write(
    client: httpx2.AsyncClient, settings: Settings, voice: str
) -> None:
    body = {"model": "tts-1", "voice": {"id": voice}, "input": "Good morning.", "response_format": "pcm"}
    async with locked(settings.database_url):
        for _ in range(3):
            answer = await client.post("/audio/speech", json=body)
            assert answer.status_code == 200, answer.text
            assert len(answer.content) > 1000
    uses = [("voice.use", voice)] * 3
    await until(lambda: [(e.action, e.subject) for e in audit(settings.database_url, "default")][2:] == uses)


async def test_uses_are_written_at_the_end(
    client: httpx2.AsyncClient, container: Container, settings: Settings, voice: str
) -> None:
    body = {"model": "tts-1", "voice": voice, "input": "Good morning.", "response_format": "pcm"}
    assert (await client.post("/audio/speech", json=body)).status_code == 200
    await container.audit.close()
    assert audit(settings.database_url, "default")[-1].action == "voice.use"


async def test_a_locked_database_refuses_what_must_be_stored(
    client: httpx2.AsyncClient, settings: Settings, engine: EchoTranscriber, consent: str
) -> None:
    async with locked(settings.database_url):
        answer = await client.post(f"{CONSENTS}/{consent}", json={"name": "Bob"})
        assert "locked by another process" in refused(answer, 503, "storage_unavailable")["message"]
        refused(await client.delete(f"{CONSENTS}/{consent}"), 503, "storage_unavailable")
        assert (await client.get(CONSENTS)).json()["data"][0]["name"] == "Ann"
    assert (await client.post(f"{CONSENTS}/{consent}", json={"name": "Bob"})).status_code == 200


@pytest.mark.parametrize("free", [1000.0, 200e6], ids=["nothing", "less than the server needs"])
async def test_a_full_disk_is_told_before_the_work(
    free: float,
    client: httpx2.AsyncClient,
    settings: Settings,
    engine: EchoTranscriber,
    consent: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not settings.database_url.startswith("sqlite"):
        pytest.skip("PostgreSQL's disk is its own")
    monkeypatch.setattr(database_module, "free_bytes", lambda _: free)
    made = await client.post(
        CONSENTS, data={"name": "Ann", "language": "en-US"}, files={"recording": ("r.wav", CLIP)}
    )
    assert "disk is full" in refused(made, 507, "storage_full")["message"]
    sample = {"name": "Ann", "consent": consent}
    refused(await client.post(VOICES, data=sample, files={"audio_sample": CLIP}), 507, "storage_full")
    assert engine.batches == []


@pytest.fixture
def loaded(container: Container, monkeypatch: pytest.MonkeyPatch) -> None:
    """Voices load their models before they read the sample. There are none here, and none is used."""

    async def load(*_: object) -> None:
        pass

    monkeypatch.setattr(container.services.custom_voices._runner, "load", load)


@pytest.mark.usefixtures("loaded")
async def test_the_number_of_voices_is_bounded_before_the_work(
    client: httpx2.AsyncClient, container: Container, voice: str, consent: str
) -> None:
    service = container.services.custom_voices
    service._rules = replace(service._rules, quota=1)
    sample = {"name": "Ann", "consent": consent}
    answer = await client.post(VOICES, data=sample, files={"audio_sample": b"no audio"})
    assert "Delete one first" in refused(answer, 400, "voice_limit_reached")["message"]
    assert (await client.delete(f"{VOICES}/{voice}")).status_code == 200
    again = await client.post(VOICES, data=sample, files={"audio_sample": b"no audio"})
    assert refused(again, 400, "invalid_value")["param"] == "audio_sample"


@pytest.mark.usefixtures("loaded")
async def test_a_client_that_leaves_during_the_last_write_leaves_its_voice(
    container: Container, settings: Settings, consent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, store = container.services.custom_voices, container.voice_store
    begun, gate, add = asyncio.Event(), asyncio.Event(), store.add_voice

    async def slow(*arguments: Any) -> None:
        begun.set()
        await gate.wait()
        await add(*arguments)

    async def speaker(*_: object) -> SpeakerVector:
        return SpeakerVector("pyannote-starter", np.full(256, 1 / 16, np.float32))

    async def profile(*_: object) -> VoiceProfile:
        return VoiceProfile("kokoro", b"profile", "af_heart", 0.5)

    monkeypatch.setattr(store, "add_voice", slow)
    monkeypatch.setattr(service, "_speaker", speaker)
    monkeypatch.setattr(service, "_enroll", profile)
    creating = asyncio.ensure_future(service.create(ME, "Ann", consent, b"sample"))
    async with asyncio.timeout(60):
        await begun.wait()
    creating.cancel()
    await rounds(5)
    gate.set()
    made = await creating
    assert await store.voice("default", made.id) == made
    assert audit(settings.database_url, "default")[-1].action == "voice.create"


async def test_a_full_temporary_folder(client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upload of more than a megabyte is written to the disk, which is full in this test, and is refused;
    smaller uploads still succeed.
    """

    class Full:
        closed = False

        def write(self, data: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self) -> None:
            self.closed = True

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda *_, **__: Full())
    large = wav(tone(60))
    answer = await client.post("/audio/transcriptions", data={"model": "whisper-1"}, files={"file": large})
    refused(answer, 507, "storage_full")
    answer = await client.post("/audio/transcriptions", data={"model": "whisper-1"}, files={"file": CLIP})
    assert answer.status_code == 200


async def test_a_consent_of_another_encoder_asks_for_a_new_one(
    client: httpx2.AsyncClient, container: Container
) -> None:
    old = await add_consent(container, "speaker-older")
    sample = {"name": "Ann", "consent": old}
    answer = await client.post(VOICES, data=sample, files={"audio_sample": CLIP})
    found = refused(answer, 400, "consent_outdated")
    assert found["param"] == "consent"
    assert "Record a new consent" in found["message"]


ODD = ["%00", "a%00b", "%ED%A0%80", "%FF", "x" * 4000, "%25", "cons_%27--", "..%2F..", "%F0%9F%98%80"]


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
async def test_odd_ids_are_not_found(client: httpx2.AsyncClient, odd: str) -> None:
    for path in (f"{CONSENTS}/{odd}", f"{VOICES}/{odd}", f"{VOICES}/voice_{odd}"):
        for method in ("GET", "DELETE"):
            answer = await client.request(method, path)
            assert answer.status_code == 404, (method, path, answer.text)
    assert (await client.post(f"{CONSENTS}/{odd}", json={"name": "x"})).status_code == 404
    for path in (CONSENTS, VOICES):
        assert (await client.get(f"{path}?after={odd}")).status_code in (200, 400)
    sample = {"name": "Ann", "consent": odd.replace("%00", "\0")}
    answer = await client.post(VOICES, data=sample, files={"audio_sample": CLIP})
    assert answer.status_code in (400, 404), answer.text


@pytest.mark.parametrize("odd", ["\0", "a\0", "\ud800", "voice_\0", "voice_\ud800", "x" * 5000], ids=range(6))
async def test_odd_voices_cannot_speak(client: httpx2.AsyncClient, odd: str) -> None:
    for voice in (odd, {"id": odd}):
        body = {"model": "tts-1", "voice": voice, "input": "Good morning."}
        answer = await client.post("/audio/speech", content=json.dumps(body))
        assert answer.status_code in (400, 404), answer.text


@pytest.mark.parametrize(
    "language", ["esperanto", "fragile", "en\0", "en" + 300 * "x", "english; drop table", ""]
)
async def test_languages_without_a_phrase_are_refused_before_the_work(
    client: httpx2.AsyncClient, engine: EchoTranscriber, language: str
) -> None:
    answer = await client.post(
        CONSENTS, data={"name": "Ann", "language": language}, files={"recording": CLIP}
    )
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == "language"
    assert engine.batches == []
