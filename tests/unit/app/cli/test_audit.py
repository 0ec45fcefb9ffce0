"""`antiphon audit`, on a database that a server has written."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from app.container import Container
from app.domain import Grant, KeyLimits
from app.settings.load import load_settings
from tests.support.command import Command

pytestmark = pytest.mark.slow

DAY_SECONDS = 86_400
TODAY = int(time.time()) // DAY_SECONDS * DAY_SECONDS


@pytest.fixture(autouse=True)
def database(antiphon: Command) -> None:
    assert antiphon("db", "upgrade").code == 0


def test_what_happened_to_keys(antiphon: Command) -> None:
    antiphon("keys", "create", "a", "--parallel", "2")
    key = json.loads(antiphon("keys", "list", "--json").out)[0]["id"]
    secret = antiphon("keys", "rotate", key).out.strip()
    antiphon("keys", "change", key, "--parallel", "3")
    antiphon("keys", "revoke", key)
    rows = json.loads(antiphon("audit", "--json").out)
    assert [row["action"] for row in rows] == ["key.create", "key.rotate", "key.change", "key.revoke"]
    assert rows[0]["details"]["parallel"] == 2
    assert rows[1]["details"]["replaced"] == key
    assert {row["key"] for row in rows} == {"cli"}
    assert secret not in str(rows)
    assert len(antiphon("audit", "--only", "key.r").out.splitlines()) == 2
    assert (
        antiphon("audit", "--since", time.strftime("%Y-%m-%d", time.gmtime(TODAY + 2 * DAY_SECONDS))).out
        == ""
    )


def test_starts_and_refused_logins(antiphon: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_MODELS_PRELOAD", "[]")
    monkeypatch.setenv("ANTIPHON_AUTH_KEYS", "sk-secret-0123456789")

    async def run() -> None:
        container = Container(load_settings())
        await container.open()
        for number in range(500):
            container.services.refused_logins.note(f"10.0.0.{number % 40}")
        await container.close()

    asyncio.run(run())
    start, first, rest = json.loads(antiphon("audit", "--json").out)
    assert start["action"] == "server.start"
    assert {"auth.keys", "storage.folder", "models.preload"} <= set(start["details"]["settings"].split(", "))
    named = start["details"]["settings"]
    assert not [name for name in named.split(", ") if name.startswith(("runtime.", "limits.", "transc"))]
    assert "sk-secret" not in str(start)
    assert (first["action"], first["details"]) == ("login.refuse", {"requests": 1, "addresses": "10.0.0.0"})
    assert rest["details"]["requests"] == 499
    assert len(rest["details"]["addresses"].split(", ")) == 10


def test_a_grant_is_read_back_as_it_was_written(antiphon: Command) -> None:
    limits = KeyLimits(
        requests_per_minute=1, audio_seconds_per_minute=2, parallel=3, audio_seconds_per_month=4
    )
    grant = Grant(scopes=frozenset({"metrics", "read"}), expires=TODAY + DAY_SECONDS, limits=limits)

    async def run() -> None:
        container = Container(load_settings())
        made, _ = await container.keys.create("a", grant=grant)
        assert await container.keys.list() == [made]
        await container.close()

    asyncio.run(run())
