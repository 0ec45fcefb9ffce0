"""`antiphon audit`: who did what."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.options import Config, Json

if TYPE_CHECKING:
    from app.domain import AuditRecord

COLUMNS = ("at", "project", "key", "action", "subject", "outcome", "details")


def audit(
    since: Annotated[
        str, typer.Option(metavar="SPAN", help="How far back: a span such as 7d, or a date (UTC).")
    ] = "7d",
    only: Annotated[
        str, typer.Option("--only", metavar="ACTION", help="Actions that begin so: key, voice or consent.")
    ] = "",
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Show who did what, oldest first.

    Keys that were made, changed, rotated and revoked; refused logins; voices and
    consents with the result of each check; and each start of a server with the names
    of the settings that differ from the defaults.

    Example:
        antiphon audit --since 7d --json
    """
    from app.cli.tables import show
    from app.cli.times import past

    records = asyncio.run(_read(config, past(since), only))
    if as_json:
        listed = [{**_row(record), "at": record.at, "details": record.entry.details} for record in records]
        sys.stdout.write(json.dumps(listed, indent=2, ensure_ascii=False) + "\n")
        return
    show(COLUMNS, [_row(record) for record in records], as_json=False)


def _row(record: AuditRecord) -> dict[str, str | int | float | bool | None]:
    details = " ".join(f"{name}={value}" for name, value in record.entry.details.items())
    return {
        "at": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(record.at)),
        "project": record.caller.project,
        "key": record.caller.key,
        "action": record.entry.action,
        "subject": record.entry.subject,
        "outcome": record.entry.outcome,
        "details": details,
    }


async def _read(config: Config, since: int, action: str) -> list[AuditRecord]:
    from app.settings.load import load_settings
    from app.store.audit import audit_records
    from app.store.database import Database
    from app.store.schema_check import check_schema

    database = Database(load_settings(config).database_url)
    try:
        await check_schema(database)
        return await audit_records(database, since, action)
    finally:
        await database.close()
