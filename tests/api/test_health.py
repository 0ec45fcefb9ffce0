"""The health checks report models, database and disk; the metrics count requests by route."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app import __version__
from app.container import Container
from app.main import create_app
from app.services import readiness
from app.settings import Settings
from tests.support.migrated_database import migrated


@asynccontextmanager
async def server(settings: Settings, **groups: dict[str, Any]) -> AsyncIterator[httpx2.AsyncClient]:
    changed = {name: getattr(settings, name).model_copy(update=update) for name, update in groups.items()}
    migrated(settings.database_url)
    container = Container(settings.model_copy(update=changed))
    transport = httpx2.ASGITransport(create_app(container), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client
    await container.close()


@pytest.fixture
def always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "FRESH_SECONDS", 0.0)


def database(folder: Path) -> Path:
    return folder / "antiphon.db"


async def problems(client: httpx2.AsyncClient) -> dict[str, str]:
    answer = await client.get("/health/ready")
    if answer.status_code == 200:
        assert answer.json() == {"status": "ready"}
        return {}
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    told: dict[str, str] = answer.json()["problems"]
    assert told
    return told


async def test_every_health_path_answers(settings: Settings) -> None:
    async with server(settings) as client:
        for path in ("/health", "/health/", "/health/live"):
            assert (await client.get(path)).json() == {"status": "live", "version": __version__}
            assert (await client.head(path)).status_code == 200
        assert await problems(client) == {}


@pytest.mark.usefixtures("always_fresh")
async def test_a_database_that_is_lost_or_replaced_is_a_problem(settings: Settings, tmp_path: Path) -> None:
    async with server(settings) as client:
        assert await problems(client) == {}
        file = database(tmp_path)
        moved = file.rename(tmp_path / "moved")
        file.write_bytes(b"garbage" * 1000)
        assert "replaced" in (await problems(client))["database"]
        file.unlink()
        assert "antiphon db upgrade" in (await problems(client))["database"]
        moved.rename(file)
        assert await problems(client) == {}
        assert (await client.get("/health/live")).status_code == 200


@pytest.mark.usefixtures("always_fresh")
async def test_a_full_disk_is_a_problem(settings: Settings) -> None:
    async with server(settings, storage={"free_bytes": 1 << 60}) as client:
        assert "`storage.free_bytes`" in (await problems(client))["disk"]


async def test_an_answer_holds_for_a_second(settings: Settings, tmp_path: Path) -> None:
    async with server(settings) as client:
        assert await problems(client) == {}
        database(tmp_path).unlink()
        assert await problems(client) == {}


async def test_where_things_are(settings: Settings) -> None:
    async with server(settings, studio={"enabled": False}) as client:
        told = (await client.get("/")).json()
        assert told["version"] == __version__
        for name in ("openapi", "models", "voices", "health", "metrics"):
            assert (await client.get(told[name])).status_code == 200, name


async def test_requests_are_counted_by_route_and_never_by_what_clients_send(settings: Settings) -> None:
    async with server(settings) as client:
        await client.get("/v1/models")
        for number in range(50):
            await client.get(f"/v1/models/secret-{number}")
            await client.get(f"/no/such/{number}")
            await client.request(f"BREW{number}", "/v1/models")
        page = (await client.get("/metrics")).text
    assert 'antiphon_requests_total{method="GET",route="/v1/models",status="200"} 1.0' in page
    models = 'antiphon_requests_total{method="GET",route="/v1/models/{model:path}",status="404"} 50.0'
    assert models in page
    assert 'antiphon_requests_total{method="GET",route="none",status="404"} 50.0' in page
    assert 'antiphon_requests_total{method="other",route="/v1/models",status="405"} 50.0' in page
    assert 'antiphon_request_seconds_count{route="/v1/models"}' in page
    assert f'antiphon_info{{version="{__version__}"}} 1.0' in page
    assert "secret" not in page
    assert "BREW" not in page
    assert len([line for line in page.splitlines() if line.startswith("antiphon_requests_total")]) < 10
