"""`antiphon usage` and `antiphon audit`, on a database that a server has written."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable

import pytest

from app.container import Container
from app.domain import Grant, KeyLimits, UsageCounts, UsageEntry
from app.settings.source import load_settings
from app.store.database import Database
from app.store.usage import UsageStore
from tests.support.command import Command

pytestmark = pytest.mark.slow
DAY_SECONDS = 86_400
TODAY = int(time.time()) // DAY_SECONDS * DAY_SECONDS


@pytest.fixture(autouse=True)
def database(antiphon: Command) -> None:
    assert antiphon("db", "upgrade").code == 0


def written(use: Callable[[Database], Awaitable[None]]) -> None:
    async def run() -> None:
        database = Database(load_settings().database_url)
        await use(database)
        await database.close()

    asyncio.run(run())


def day(account: str, start: int, requests: int, heard: float) -> UsageEntry:
    counts = UsageCounts(requests=requests, refused=1, heard=heard, spoken=0.25)
    return UsageEntry(account=account, project="news", span="day", start=start, counts=counts)


def test_use_by_day_and_by_month(antiphon: Command) -> None:
    antiphon("keys", "create", "newsroom")
    key = json.loads(antiphon("keys", "list", "--json").out)[0]["id"]

    async def add(database: Database) -> None:
        store = UsageStore(database)
        for _ in range(2):
            entries = [
                day(key, TODAY, 3, 1.5),
                day("open", TODAY, 1, 0),
                day(key, TODAY - 400 * DAY_SECONDS, 9, 9),
            ]
            await store.add(entries, {}, front="f", at=int(time.time()))

    written(add)
    rows = json.loads(antiphon("usage", "--json").out)
    assert [(row["key"], row["name"], row["requests"]) for row in rows] == [
        (key, "newsroom", 6),
        ("open", "", 2),
    ]
    mine = rows[0]
    assert (mine["heard_seconds"], mine["spoken_seconds"], mine["refused"]) == (3.0, 0.5, 2)
    months = json.loads(antiphon("usage", "--by", "month", "--since", "500d", "--json").out)
    assert [row["requests"] for row in months] == [18, 6, 2]
    assert months[1]["period"] == time.strftime("%Y-%m", time.gmtime(TODAY))
    lines = antiphon("usage").out.splitlines()
    assert lines[0].split("\t")[1] == key
    assert "is no date" in antiphon("usage", "--since", "ever").err


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
