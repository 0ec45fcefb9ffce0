"""`antiphon usage`: what each key has used."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from app.cli.options import Config, Json

if TYPE_CHECKING:
    from app.cli.tables import TableRow
    from app.domain import ApiKey, UsageCounts, UsageEntry

DAY_FORMAT, MONTH_FORMAT = "%Y-%m-%d", "%Y-%m"
COLUMNS = ("period", "key", "name", "project", "requests", "refused", "heard_seconds", "spoken_seconds")


def usage(
    since: Annotated[
        str, typer.Option(metavar="SPAN", help="How far back: a span such as 30d, or a date (UTC).")
    ] = "30d",
    by: Annotated[
        Literal["day", "month"], typer.Option(help="One line for each key and day, or month.")
    ] = "day",
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Show what each key has used.

    Requests, requests that a limit of the key has refused, and seconds of audio that
    were transcribed (heard) and made (spoken). Days and months are in UTC. Keys that were
    rotated into each other are one; `settings` are the keys of the settings, `open` is
    a server without keys.

    Example:
        antiphon usage --since 90d --by month
    """
    from app.cli.tables import show
    from app.cli.times import past

    entries, keys = asyncio.run(_read(config, past(since)))
    named = {key.id: key.name for key in keys}
    sums = _summed(entries, DAY_FORMAT if by == "day" else MONTH_FORMAT)
    rows = [_row(*where, counts, named) for where, counts in sums.items()]
    show(COLUMNS, rows, as_json=as_json)


def _row(period: str, account: str, project: str, counts: UsageCounts, named: Mapping[str, str]) -> TableRow:
    return {
        "period": period,
        "key": account,
        "name": named.get(account, ""),
        "project": project,
        "requests": counts.requests,
        "refused": counts.refused,
        "heard_seconds": round(counts.heard, 1),
        "spoken_seconds": round(counts.spoken, 1),
    }


def _summed(entries: Iterable[UsageEntry], form: str) -> dict[tuple[str, str, str], UsageCounts]:
    """The counts by period, account and project, in that order."""
    sums: dict[tuple[str, str, str], UsageCounts] = {}
    for entry in entries:
        key = (time.strftime(form, time.gmtime(entry.start)), entry.account, entry.project)
        sums[key] = sums[key] + entry.counts if key in sums else entry.counts
    return dict(sorted(sums.items()))


async def _read(config: Config, since: int) -> tuple[list[UsageEntry], list[ApiKey]]:
    from app.settings.load import load_settings
    from app.store.database import Database
    from app.store.keys import KeyStore
    from app.store.schema_check import check_schema
    from app.store.usage import UsageStore

    database = Database(load_settings(config).database_url)
    try:
        await check_schema(database)
        day = since // 86_400 * 86_400
        return await UsageStore(database).days(day), [key for key, _ in await KeyStore(database).all()]
    finally:
        await database.close()
