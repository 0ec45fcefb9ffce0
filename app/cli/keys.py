"""`antiphon keys`: who may call the server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from app.services.keys import KeyService

app = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)
Config = Annotated[Path | None, typer.Option(help="Settings file.")]
Result = TypeVar("Result")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Whose key it is, for your own eyes.")],
    project: Annotated[str, typer.Option(help="Keys of one project share voices and consents.")] = "default",
    config: Config = None,
) -> None:
    """Make a key. It is shown once and kept as a hash.

    Example:
        antiphon keys create newsroom --project news
    """
    if not 0 < len(name) <= 200 or not 0 < len(project) <= 200:
        raise typer.BadParameter("Names have 1 to 200 characters.")
    key, secret = _with_keys(config, lambda keys: keys.create(name, project))
    print(secret)
    typer.echo(f"{key.id} for {name}: keep it now, it cannot be shown again.", err=True)


@app.command("list")
def list_keys(config: Config = None) -> None:
    """Show all keys, without their secrets.

    Example:
        antiphon keys list
    """
    from rich.console import Console
    from rich.table import Table

    table = Table("id", "name", "project", "ends with", "made", "state")
    for key in _with_keys(config, lambda keys: keys.list()):
        made = time.strftime("%Y-%m-%d", time.gmtime(key.created))
        state = "valid" if key.revoked is None else "revoked"
        table.add_row(key.id, key.name, key.project, key.hint, made, state)
    Console().print(table)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="The id, as `list` shows it.")], config: Config = None
) -> None:
    """Revoke a key; a running server refuses it within five seconds.

    Example:
        antiphon keys revoke key_0123456789abcdef01234567
    """
    if not _with_keys(config, lambda keys: keys.revoke(key_id)):
        typer.echo(f"antiphon: there is no valid key {key_id}.", err=True)
        raise typer.Exit(1)
    print(f"{key_id} is revoked.")


def _with_keys(config: Path | None, use: Callable[[KeyService], Awaitable[Result]]) -> Result:
    from app.services.keys import KeyService
    from app.settings.source import load_settings
    from app.store.database import Database
    from app.store.keys import KeyStore

    settings = load_settings(config)

    async def run() -> Result:
        database = Database(settings.database_url)
        try:
            await database.check()
            return await use(KeyService(KeyStore(database), settings.auth.keys))
        finally:
            await database.close()

    return asyncio.run(run())
