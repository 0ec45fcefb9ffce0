"""`antiphon keys`: who may call the server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from app.cli.options import Config, Json

if TYPE_CHECKING:
    from app.services.keys import KeyService

app = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)
LONGEST_NAME = 200
Result = TypeVar("Result")


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose key it is; only you see this name.")],
    project: Annotated[
        str, typer.Option(metavar="NAME", help="Keys of one project share voices and consents.")
    ] = "default",
    config: Config = None,
) -> None:
    """Make a key.

    It is shown once; the database has only its hash.

    Example:
        antiphon keys create newsroom --project news
    """
    for text in (name, project):
        if not 0 < len(text) <= LONGEST_NAME or not text.isprintable():
            raise typer.BadParameter(f"A name has 1 to {LONGEST_NAME} characters and no control characters.")
    key, secret = _with_keys(config, lambda keys: keys.create(name, project))
    print(secret)
    typer.echo(f"{key.id} for {name}: keep it now, it cannot be shown again.", err=True)


@app.command("list")
def list_keys(as_json: Json = False, config: Config = None) -> None:
    """List all keys, without their secrets.

    Through a pipe: tab-separated lines without a heading.

    Example:
        antiphon keys list
    """
    from app.cli.output import show

    rows = [
        {
            "id": key.id,
            "name": key.name,
            "project": key.project,
            "ends_with": key.hint,
            "created": time.strftime("%Y-%m-%d", time.gmtime(key.created)),
            "state": "valid" if key.revoked is None else "revoked",
        }
        for key in _with_keys(config, lambda keys: keys.list())
    ]
    show(("id", "name", "project", "ends_with", "created", "state"), rows, as_json=as_json)


@app.command()
def revoke(
    key_id: Annotated[
        str, typer.Argument(metavar="ID", help="The id that `antiphon keys list` shows, or its beginning.")
    ],
    config: Config = None,
) -> None:
    """Revoke a key.

    A running server refuses it within five seconds.

    Example:
        antiphon keys revoke key_0123
    """
    from app.cli.failures import CommandError
    from app.cli.ids import whole_id

    async def run(keys: KeyService) -> str:
        whole = whole_id(key_id, (key.id for key in await keys.list()), "key")
        if not await keys.revoke(whole):
            raise CommandError(f"{whole} is already revoked.")
        return whole

    print(f"{_with_keys(config, run)} is revoked.")


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
