"""When a client leaves, the work stops, also while a stream is being opened or a consent or voice is being
created.
"""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from app.container import Container
from app.main import create_app
from app.services.consents import ConsentService
from app.services.transcription import TranscriptionService
from app.services.voices import VoiceService
from tests.support.sound import tone, wav

SOUND = wav(tone(1))
ROUTES = {
    "transcriptions": (TranscriptionService, "open", "file", {"model": "whisper-1", "stream": "true"}),
    "voice_consents": (ConsentService, "create", "recording", {"name": "Anna", "language": "en"}),
    "voices": (VoiceService, "create", "audio_sample", {"name": "Anna", "consent": "cons_1"}),
}


@pytest.mark.parametrize("route", ROUTES)
async def test_work_for_a_client_that_left_is_cancelled(
    container: Container, monkeypatch: pytest.MonkeyPatch, route: str
) -> None:
    service, verb, file, fields = ROUTES[route]
    began, cancelled = asyncio.Event(), asyncio.Event()

    async def slow(*_: Any, **__: Any) -> None:
        began.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    monkeypatch.setattr(service, verb, slow)
    request = httpx2.Request(
        "POST", f"http://test/v1/audio/{route}", data=fields, files={file: ("a.wav", SOUND)}
    )
    messages = [{"type": "http.request", "body": request.read(), "more_body": False}]

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop()
        await began.wait()
        return {"type": "http.disconnect"}

    async def send(_: Any) -> None: ...

    scope = {
        "type": "http",
        "method": "POST",
        "path": request.url.path,
        "raw_path": request.url.raw_path,
        "query_string": b"",
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
    }
    async with asyncio.timeout(20):
        await create_app(container)(scope, receive, send)
    assert cancelled.is_set()
    assert container.uploads.count == 0
