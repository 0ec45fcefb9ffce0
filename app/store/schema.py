"""Migrations: up, down and where we are.

Law: Alembic is imported here and in `migrations` alone, and only when it is used.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from app.store.database import Database, prepared
from app.store.tables import HEAD

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"


def upgrade(url: str, revision: str = "head") -> None:
    """Brings the database's schema up to a revision."""
    from alembic import command

    command.upgrade(_config(url), revision)


def downgrade(url: str, revision: str) -> None:
    """Takes the database's schema back to a revision; `base` is an empty database."""
    from alembic import command

    command.downgrade(_config(url), revision)


def newest() -> str:
    """The revision at the end of the migrations folder."""
    from alembic.script import ScriptDirectory

    return str(ScriptDirectory(str(MIGRATIONS)).get_current_head())


def upgrade_if_needed(url: str) -> None:
    """Brings the schema up to date; without work to do Alembic is not even imported."""
    if asyncio.run(_is_current(url)):
        return
    upgrade(url)


def _config(url: str) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["url"] = prepared(url).replace("sqlite+aiosqlite", "sqlite")
    return config


async def _is_current(url: str) -> bool:
    database = Database(url)
    try:
        return await database.revision() == HEAD
    finally:
        await database.close()
