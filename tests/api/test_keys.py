"""Every path needs a key with the scope of that path, except for the paths that are open to everybody."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx2
import pytest
from fastapi import FastAPI

from app.api.required_scopes import OPEN, PAGE_FILES, is_open, scopes_of
from app.container import Container
from app.domain import DEFAULT_SCOPES, EVERY_SCOPE, SCOPES, Grant
from app.main import create_app
from app.services import keys as keys_module
from app.settings import Settings
from tests.support.routes import routes

Calling = Callable[[str | None], AbstractAsyncContextManager[httpx2.AsyncClient]]
PATHS = (
    ("POST", "/v1/audio/transcriptions", {"transcribe"}),
    ("POST", "/v1/audio/transcriptions/render", {"transcribe"}),
    ("POST", "/v1/audio/translations", {"transcribe"}),
    ("POST", "/v1/realtime/client_secrets", {"transcribe"}),
    ("GET", "/v1/realtime", {"transcribe"}),
    ("POST", "/v1/audio/speech", {"speak"}),
    ("GET", "/v1/audio/voices", {"read", "voices"}),
    ("GET", "/v1/audio/voices/alloy", {"read", "voices"}),
    ("POST", "/v1/audio/voices", {"voices"}),
    ("DELETE", "/v1/audio/voices/voice_1", {"voices"}),
    ("GET", "/v1/audio/voice_consents", {"read", "voices"}),
    ("POST", "/v1/audio/voice_consents", {"voices"}),
    ("POST", "/v1/audio/voice_consents/cons_1", {"voices"}),
    ("DELETE", "/v1/audio/voice_consents/cons_1", {"voices"}),
    ("GET", "/v1/models", {"read"}),
    ("HEAD", "/v1/models", {"read"}),
    ("GET", "/v1/models/whisper-1", {"read"}),
    ("GET", "/v1/audio/models", {"read"}),
    ("GET", "/v1/about", {"read"}),
    ("GET", "/openapi.json", {"read"}),
    ("GET", "/metrics", {"metrics"}),
)
CLOSED = (
    "/v1",
    "/v1/no/such",
    "/metrics",
    "/metrics/",
    "/openapi.json",
    "/docs",
    "/nothing",
    "/health/else",
    "/healthy",
    "/studio",
    "/studiox/a",
    "/V1/models",
    "//v1/models",
    "/v1/../v1/models",
    "/health/live/../../metrics",
)


@pytest.fixture
def app(container: Container) -> FastAPI:
    return create_app(container)


@pytest.fixture
def calling(app: FastAPI) -> Calling:
    @asynccontextmanager
    async def opened(secret: str | None) -> AsyncIterator[httpx2.AsyncClient]:
        headers = {"authorization": f"Bearer {secret}"} if secret else {}
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
            yield client

    return opened


async def test_only_health_and_the_page_answer_without_a_key(container: Container, calling: Calling) -> None:
    await container.keys.create("a")
    async with calling(None) as client:
        for path in (*CLOSED, *{path for _, path, _ in PATHS}):
            refused = await client.get(path)
            assert refused.status_code == 401, path
            assert set(refused.json()["error"]) == {"message", "type", "param", "code"}
            assert refused.headers["x-request-id"]
        for path in (*OPEN, "/health/live/", "/"):
            assert (await client.get(path)).status_code == 200, path
        page = (await client.get("/")).text
        file = page.split(PAGE_FILES.strip("/") + "/")[1].split('"')[0]
        assert (await client.get(f"{PAGE_FILES}/{file}")).status_code == 200
        assert (await client.get(f"{PAGE_FILES}/x/../../metrics")).status_code in (401, 404)


async def test_without_the_page_its_paths_are_closed_too(container: Container, settings: Settings) -> None:
    await container.keys.create("a")
    hidden = settings.studio.model_copy(update={"enabled": False})
    container.settings = settings.model_copy(update={"studio": hidden})
    transport = httpx2.ASGITransport(create_app(container))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        for path in ("/", "/studio/x/a.js"):
            assert (await client.get(path)).status_code == 401


async def test_without_any_key_everything_is_open_as_before(calling: Calling) -> None:
    async with calling(None) as client:
        for path in ("/metrics", "/openapi.json", "/v1/models", "/v1/audio/voices"):
            assert (await client.get(path)).status_code == 200, path


def test_every_route_has_its_rule(app: FastAPI) -> None:
    """A new route needs a row in `app/api/required_scopes.py`."""
    known = routes(app)
    assert ("POST", "/v1/audio/transcriptions") in known
    assert ("GET", "/v1/realtime") in known
    assert len(known) >= 24
    for method, path in known:
        assert is_open(path, page=True) or scopes_of(method, path), (method, path)


async def test_a_key_does_what_its_scopes_say_and_nothing_else(
    container: Container, calling: Calling
) -> None:
    secrets = {
        scope: (await container.keys.create(scope, grant=Grant(scopes=frozenset({scope}))))[1]
        for scope in SCOPES
    }
    for scope, secret in secrets.items():
        async with calling(secret) as client:
            for method, path, needed in PATHS:
                answer = await client.request(method, path)
                assert (answer.status_code == 403) == (scope not in needed), (scope, method, path)
                if answer.status_code == 403 and method != "HEAD":
                    error = answer.json()["error"]
                    assert error["code"] == "missing_scope"
                    assert error["type"] == "invalid_request_error"
                    assert all(f"`{one}`" in error["message"] for one in needed)
            assert (await client.get("/health/ready")).status_code == 200
            assert (await client.get("/v1/no/such")).status_code == 404


async def test_a_key_without_named_scopes_has_all_but_metrics(container: Container, calling: Calling) -> None:
    key, secret = await container.keys.create("a")
    assert key.grant.scopes == DEFAULT_SCOPES == EVERY_SCOPE - {"metrics"}
    async with calling(secret) as client:
        for method, path, needed in PATHS:
            refused = (await client.request(method, path)).status_code == 403
            assert refused == (needed == {"metrics"}), path


async def test_a_key_of_the_settings_may_do_everything(settings: Settings, container: Container) -> None:
    fixed = keys_module.KeyService(container.keys._store, ["sk-fixed"])
    assert (await fixed.authenticate("Bearer sk-fixed")).grant.scopes == EVERY_SCOPE


async def test_an_expired_key_is_401_and_says_so(container: Container, calling: Calling) -> None:
    soon = int(time.time()) + 100
    _, secret = await container.keys.create("a", grant=Grant(expires=soon))
    _, past = await container.keys.create("b", grant=Grant(expires=soon - 200))
    async with calling(secret) as client:
        assert (await client.get("/v1/models")).status_code == 200
    async with calling(past) as client:
        refused = await client.get("/v1/models")
    assert refused.status_code == 401
    error = refused.json()["error"]
    assert error["code"] == "invalid_api_key"
    assert f"expired on {time.strftime('%Y-%m-%d', time.gmtime(soon - 200))}" in error["message"]
    assert past not in refused.text


async def test_a_rotated_key_goes_on_for_the_overlap(
    container: Container, calling: Calling, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = container.keys
    old, old_secret = await keys.create("a", "news", Grant(scopes=frozenset({"read"})))
    made = await keys.rotate(old, 3600)
    assert made
    new, new_secret = made
    assert (new.name, new.project, new.grant, new.account) == ("a", "news", old.grant, old.id)
    again = await keys.rotate(new, 3600)
    assert again
    assert again[0].account == old.id, "all of a line are counted as one"
    for secret in (old_secret, new_secret, again[1]):
        async with calling(secret) as client:
            assert (await client.get("/v1/models")).status_code == 200
    now = time.time()
    monkeypatch.setattr("app.services.keys.time.time", lambda: now + 3601)
    for secret, status in ((old_secret, 401), (new_secret, 401), (again[1], 200)):
        async with calling(secret) as client:
            assert (await client.get("/v1/models")).status_code == status
    expired = next(key for key in await keys.list() if key.id == new.id)
    assert await keys.rotate(expired, 60) is None, "an expired key is not brought back"


async def test_a_changed_grant_is_obeyed(container: Container, calling: Calling) -> None:
    key, secret = await container.keys.create("a")
    assert await container.keys.change(key.id, Grant(scopes=frozenset({"speak"})))
    async with calling(secret) as client:
        assert (await client.get("/v1/models")).status_code == 403
    await container.keys.revoke(key.id)
    assert not await container.keys.change(key.id, Grant())


async def test_the_document_says_what_needs_no_key(app: FastAPI) -> None:
    paths = app.openapi()["paths"]
    assert {path for path, methods in paths.items() if methods.get("get", {}).get("security") == []} == OPEN
