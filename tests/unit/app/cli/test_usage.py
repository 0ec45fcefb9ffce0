"""`antiphon usage`, on a database that a server has written."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from app.domain import UsageCounts, UsageEntry
from app.settings.load import load_settings
from app.store.database import Database
from app.store.usage import UsageStore
from tests.support.command import Command

pytestmark = pytest.mark.slow

DAY_SECONDS = 86_400
TODAY = int(time.time()) // DAY_SECONDS * DAY_SECONDS


def day(account: str, start: int, requests: int, heard: float) -> UsageEntry:
    counts = UsageCounts(requests=requests, refused=1, heard=heard, spoken=0.25)
    return UsageEntry(account=account, project="news", span="day", start=start, counts=counts)


def test_use_by_day_and_by_month(antiphon: Command) -> None:
    assert antiphon("db", "upgrade").code == 0
    antiphon("keys", "create", "newsroom")
    key = json.loads(antiphon("keys", "list", "--json").out)[0]["id"]

    async def add() -> None:
        database = Database(load_settings().database_url)
        store = UsageStore(database)
        for _ in range(2):
            entries = [
                day(key, TODAY, 3, 1.5),
                day("open", TODAY, 1, 0),
                day(key, TODAY - 400 * DAY_SECONDS, 9, 9),
            ]
            await store.add(entries, {}, front="f", at=int(time.time()))
        await database.close()

    asyncio.run(add())
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
