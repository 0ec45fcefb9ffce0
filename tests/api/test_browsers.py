"""A strange web page can do nothing with a server that asks for no key; pages of chosen origins can."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from app.container import Container
from app.main import create_app
from app.settings import Settings
from tests.support.fake_engines import ToneEngine, ToneSynthesizer
from tests.support.migrated_database import migrated

PAGE = "https://page.example"
SPEECH = b'{"model": "tts-1", "voice": "alloy", "input": "Good morning."}'
VISIT = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


@asynccontextmanager
async def server(settings: Settings, **rules: Any) -> AsyncIterator[tuple[Container, httpx2.AsyncClient]]:
    """A server on a loopback address, whose clients call it by its address."""
    changed = settings.server.model_copy(update={"allowed_hosts": (), **rules})
    migrated(settings.database_url)
    synthesizer = ToneSynthesizer()
    container = Container(
        settings.model_copy(update={"server": changed}), synthesizers=lambda _: ToneEngine(synthesizer)
    )
    transport = httpx2.ASGITransport(create_app(container), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000/v1") as client:
        yield container, client
    await container.close()


def refused(answer: httpx2.Response, code: str) -> None:
    assert answer.status_code == 403, answer.text
    assert answer.json()["error"]["code"] == code
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8000", "localhost", "LOCALHOST:80", "[::1]:8000", "127.9.9.9"]
)
async def test_loopback_names_are_answered(settings: Settings, host: str) -> None:
    async with server(settings) as (_, client):
        assert (await client.get("/models", headers={"host": host})).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "192.168.1.5:8000",
        "127.0.0.1@evil.example",
        "127.0.0.1:8000:1",
        "",
        " ",
        "[::1",
        "2130706433",
        "0.0.0.0",  # noqa: S104 - a name that must be refused
    ],
)
async def test_foreign_names_are_refused(settings: Settings, host: str) -> None:
    async with server(settings) as (_, client):
        for path in ("/models", "/audio/voices", "http://127.0.0.1:8000/metrics"):
            refused(await client.get(path, headers={"host": host}), "host_not_allowed")
        health = await client.get("http://127.0.0.1:8000/health/live", headers={"host": host})
        assert health.status_code == 200


async def test_two_hosts_are_both_checked(settings: Settings) -> None:
    async with server(settings) as (_, client):
        headers = [("host", "127.0.0.1"), ("host", "evil.example")]
        refused(await client.get("/models", headers=headers), "host_not_allowed")


async def test_names_of_the_settings_are_answered(settings: Settings) -> None:
    async with server(settings, allowed_hosts=("Speech.Example",)) as (_, client):
        named = {"host": "speech.example:8000"}
        assert (await client.get("/models", headers=named)).status_code == 200
        refused(await client.get("/models", headers={"host": "x.speech.example"}), "host_not_allowed")
    async with server(settings, allowed_hosts=("*",)) as (_, client):
        assert (await client.get("/models", headers={"host": "any.example"})).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": PAGE},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:3000"},
        {"origin": "http://localhost:8000"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
        {"sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors"},
        VISIT,
    ],
)
async def test_other_sites_reach_nothing(settings: Settings, headers: dict[str, str]) -> None:
    async with server(settings) as (_, client):
        simple = {**headers, "content-type": "text/plain"}  # a browser sends this without a preflight
        refused(await client.post("/audio/speech", content=SPEECH, headers=simple), "origin_not_allowed")
        upload = {"model": b"whisper-1", "file": b"RIFF"}
        refused(
            await client.post("/audio/transcriptions", files=upload, headers=headers), "origin_not_allowed"
        )
        refused(await client.delete("/audio/voices/voice_1", headers=headers), "origin_not_allowed")
        refused(await client.options("/audio/speech", headers=headers), "origin_not_allowed")


async def test_a_link_may_be_followed_and_an_image_may_not(settings: Settings) -> None:
    async with server(settings) as (_, client):
        assert (await client.get("/models", headers=VISIT)).status_code == 200
        image = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}
        refused(await client.get("/models", headers=image), "origin_not_allowed")
        frame = VISIT | {"sec-fetch-dest": "iframe"}
        refused(await client.get("/models", headers=frame), "origin_not_allowed")


async def test_pages_of_the_server_itself_and_programs_are_served(settings: Settings) -> None:
    async with server(settings) as (_, client):
        for headers in (
            {"origin": "http://127.0.0.1:8000", "sec-fetch-site": "same-origin"},
            {"sec-fetch-site": "none"},
            {},
        ):
            assert (await client.post("/audio/speech", content=SPEECH, headers=headers)).status_code == 200


async def test_with_keys_names_and_origins_are_nobody_s_business(settings: Settings) -> None:
    async with server(settings) as (container, client):
        _, secret = await container.keys.create("a")
        headers = {"host": "any.example", "origin": PAGE, "authorization": f"Bearer {secret}"}
        answer = await client.get("/models", headers=headers)
        assert answer.status_code == 200
        assert "access-control-allow-origin" not in answer.headers


async def test_pages_of_chosen_origins_read_answers_and_errors(settings: Settings) -> None:
    async with server(settings, cors_origins=(PAGE,)) as (container, client):
        preflight = {
            "origin": PAGE,
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization,content-type,x-stainless-lang",
        }
        answer = await client.options("/audio/speech", headers=preflight)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert "x-stainless-lang" in answer.headers["access-control-allow-headers"]
        spoken = await client.post("/audio/speech", content=SPEECH, headers={"origin": PAGE})
        wrong = await client.post("/audio/speech", content=b"{}", headers={"origin": PAGE})
        absent = await client.get("/no/such", headers={"origin": PAGE})
        await container.keys.create("a")
        keyless = await client.get("/models", headers={"origin": PAGE})
        answers = (spoken, wrong, absent, keyless)
        assert [answer.status_code for answer in answers] == [200, 400, 404, 401]
        for answer in answers:
            assert answer.headers["access-control-allow-origin"] == PAGE
            assert "x-request-id" in answer.headers["access-control-expose-headers"]
        stranger = preflight | {"origin": "https://evil.example"}
        refused(await client.options("/audio/speech", headers=stranger), "origin_not_allowed")


async def test_a_fault_of_ours_can_be_read_by_a_page(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError("broken")

    async with server(settings, cors_origins=("*",)) as (container, client):
        monkeypatch.setattr(container.registry, "listing", broken)
        answer = await client.get("/models", headers={"origin": PAGE})
        assert answer.status_code == 500
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.json()["error"]["type"] == "server_error"
