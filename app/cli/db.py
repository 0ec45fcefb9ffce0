"""`antiphon db`: the database's schema."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from app.cli.options import Config

app = typer.Typer(help="Upgrade and inspect the database's schema.", no_args_is_help=True)


@app.command()
def upgrade(config: Config = None) -> None:
    """Bring the schema up to date.

    Make a backup first. Servers of the version before may go on and restart, unless the migration changes or
    removes something that they use: the changelog says so, and such a server then refuses to start.

    Example:
        antiphon db upgrade
    """
    from app.settings.load import load_settings
    from app.store.migrations import upgrade as run

    run(load_settings(config).database_url)
    print("The database is up to date.")


@app.command()
def downgrade(
    revision: Annotated[
        str, typer.Argument(metavar="REVISION", help="Revision to go back to; `base` is an empty database.")
    ],
    config: Config = None,
) -> None:
    """Take the schema back, for an older version of Antiphon.

    Data that the older schema has no place for is lost.

    Example:
        antiphon db downgrade 0001
    """
    from app.settings.load import load_settings
    from app.store.migrations import downgrade as run

    run(load_settings(config).database_url, revision)
    print(f"The database is at {revision}.")


@app.command()
def current(config: Config = None) -> None:
    """Show the schema's revision and the one needed.

    Example:
        antiphon db current
    """
    from app.settings.load import load_settings
    from app.store.database import Database
    from app.store.schema_check import revision_of
    from app.store.tables import HEAD

    async def run() -> str | None:
        database = Database(load_settings(config).database_url)
        try:
            return await revision_of(database)
        finally:
            await database.close()

    print(f"{asyncio.run(run()) or 'empty'} (this version needs {HEAD})")
