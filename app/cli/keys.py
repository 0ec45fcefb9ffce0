"""`antiphon keys`: who may call the server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from app.cli.options import Config, Json

if TYPE_CHECKING:
    from app.domain import ApiKey, Grant
    from app.services.keys import KeyService

app = typer.Typer(help="Make, list, rotate, change and revoke API keys.", no_args_is_help=True)
LONGEST_NAME = 200
HIGHEST_LIMIT = 2**31 - 1
Result = TypeVar("Result")
KeyId = Annotated[
    str, typer.Argument(metavar="ID", help="The id that `antiphon keys list` shows, or its beginning.")
]
ScopeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--scope",
        metavar="SCOPE",
        help="What the key may do: transcribe, speak, voices, read or metrics; may be repeated. Without it: "
        "all but metrics.",
    ),
]
Expires = Annotated[
    str | None,
    typer.Option(
        metavar="WHEN", help="When the key ends: a date (UTC) such as 2027-01-31, or a span such as 30d."
    ),
]


def _limit(text: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(
        metavar="N", min=0, max=HIGHEST_LIMIT, help=f"{text} 0: no limit."
    )
    return option


Requests = Annotated[int | None, _limit("Requests that it may begin in a minute.")]
Audio = Annotated[
    int | None, _limit("Seconds of audio, transcribed and spoken, that it may use in a minute.")
]
Parallel = Annotated[int | None, _limit("Requests that are answered at the same time.")]
Monthly = Annotated[int | None, _limit("Seconds of audio that it may use in a calendar month (UTC).")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose key it is; only you see this name.")],
    project: Annotated[
        str, typer.Option(metavar="NAME", help="Keys of one project share voices and consents.")
    ] = "default",
    scope: ScopeOption = None,
    expires: Expires = None,
    requests_per_minute: Requests = None,
    audio_seconds_per_minute: Audio = None,
    parallel: Parallel = None,
    audio_seconds_per_month: Monthly = None,
    config: Config = None,
) -> None:
    """Make a key.

    It is shown once; the database has only its hash.

    Examples:
        antiphon keys create newsroom --project news
        antiphon keys create prometheus --scope metrics --expires 365d
    """
    from app.domain import Grant

    for text in (name, project):
        if not 0 < len(text) <= LONGEST_NAME or not text.isprintable():
            raise typer.BadParameter(f"A name has 1 to {LONGEST_NAME} characters and no control characters.")
    limits = _Limits(requests_per_minute, audio_seconds_per_minute, parallel, audio_seconds_per_month)
    grant = _granted(Grant(), scope, expires, limits)
    key, secret = _with_keys(config, lambda keys: keys.create(name, project, grant))
    print(secret)
    typer.echo(f"{key.id} for {name}: keep it now, it cannot be shown again.", err=True)


@app.command("list")
def list_keys(as_json: Json = False, config: Config = None) -> None:
    """List all keys, without their secrets.

    Through a pipe: tab-separated lines without a heading.

    Example:
        antiphon keys list
    """
    from app.cli.tables import show

    rows = [_shown(key) for key in _with_keys(config, lambda keys: keys.list())]
    columns = ("id", "name", "project", "ends_with", "created", "expires", "scopes", "limits", "state")
    show(columns, rows, as_json=as_json)


@app.command()
def rotate(
    key_id: KeyId,
    overlap: Annotated[
        str, typer.Option(metavar="SPAN", help="How long the old key goes on: 90s, 30m, 24h or 7d.")
    ] = "24h",
    config: Config = None,
) -> None:
    """Make a new key that replaces an old one.

    Both work during the overlap, with the same scopes and limits, and are counted as
    one. The new one is shown once.

    Example:
        antiphon keys rotate key_0123 --overlap 24h
    """
    from app.cli.failures import CommandError
    from app.cli.times import seconds_of, shown

    seconds = seconds_of(overlap)

    async def run(keys: KeyService) -> tuple[ApiKey, str, str]:
        old = await _key(keys, key_id)
        made = await keys.rotate(old, seconds)
        if made is None:
            raise CommandError(f"{old.id} is no longer valid. Make a new key: antiphon keys create NAME")
        return *made, old.id

    key, secret, old_id = _with_keys(config, run)
    print(secret)
    typer.echo(
        f"{key.id} takes the place of {old_id}, which ends at {shown(int(time.time()) + seconds)} UTC at the "
        "latest. Keep it now, it cannot be shown again.",
        err=True,
    )


@app.command()
def change(
    key_id: KeyId,
    scope: ScopeOption = None,
    expires: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="When the key ends: a date (UTC), a span such as 30d, or never."),
    ] = None,
    requests_per_minute: Requests = None,
    audio_seconds_per_minute: Audio = None,
    parallel: Parallel = None,
    audio_seconds_per_month: Monthly = None,
    config: Config = None,
) -> None:
    """Change the scopes, the expiry or the limits of a key.

    What no option names stays as it is. A running server applies the change within five seconds.

    Example:
        antiphon keys change key_0123 --requests-per-minute 60
    """
    from app.cli.failures import CommandError

    limits = _Limits(requests_per_minute, audio_seconds_per_minute, parallel, audio_seconds_per_month)

    async def run(keys: KeyService) -> str:
        key = await _key(keys, key_id)
        grant = _granted(key.grant, scope, expires, limits)
        if grant == key.grant:
            raise CommandError("Nothing would change: name other scopes, another end or other limits.")
        if not await keys.change(key.id, grant):
            raise CommandError(f"{key.id} is revoked.")
        return key.id

    print(f"{_with_keys(config, run)} is changed.")


@app.command()
def revoke(key_id: KeyId, config: Config = None) -> None:
    """Revoke a key.

    A running server refuses it within five seconds.

    Example:
        antiphon keys revoke key_0123
    """
    from app.cli.failures import CommandError

    async def run(keys: KeyService) -> str:
        key = await _key(keys, key_id)
        if not await keys.revoke(key.id):
            raise CommandError(f"{key.id} is already revoked.")
        return key.id

    print(f"{_with_keys(config, run)} is revoked.")


class _Limits:
    """The limits on the command line. None: the option was not given; 0 removes a limit."""

    def __init__(
        self, requests: int | None, audio: int | None, parallel: int | None, monthly: int | None
    ) -> None:
        self.named = {
            "requests_per_minute": requests,
            "audio_seconds_per_minute": audio,
            "parallel": parallel,
            "audio_seconds_per_month": monthly,
        }


def _granted(before: Grant, scopes: Collection[str] | None, expires: str | None, limits: _Limits) -> Grant:
    """The grant `before` with the changes of the command line."""
    from app.cli.times import moment_of
    from app.domain import SCOPES

    for scope in scopes or ():
        if scope not in SCOPES:
            raise typer.BadParameter(f"{scope!r} is no scope. There are: {', '.join(SCOPES)}.")
    given = {name: value or None for name, value in limits.named.items() if value is not None}
    until = before.expires
    if expires is not None:
        until = None if expires == "never" else moment_of(expires)
        if until is not None and until <= time.time():
            raise typer.BadParameter(f"{expires!r} is in the past.")
    return replace(
        before,
        scopes=frozenset(scopes) if scopes else before.scopes,
        expires=until,
        limits=replace(before.limits, **given),
    )


def _shown(key: ApiKey) -> dict[str, str | int | float | bool | None]:
    """The row of a key in the list."""
    from dataclasses import asdict

    from app.cli.times import shown
    from app.domain import SCOPES

    expires = key.grant.expires
    expired = expires is not None and expires <= time.time()
    limits = [f"{name}={value}" for name, value in asdict(key.grant.limits).items() if value is not None]
    return {
        "id": key.id,
        "name": key.name,
        "project": key.project,
        "ends_with": key.hint,
        "created": time.strftime("%Y-%m-%d", time.gmtime(key.created)),
        "expires": "never" if expires is None else shown(expires),
        "scopes": ",".join(scope for scope in SCOPES if scope in key.grant.scopes),
        "limits": " ".join(limits) or "none",
        "state": "revoked" if key.revoked is not None else "expired" if expired else "valid",
    }


async def _key(keys: KeyService, typed: str) -> ApiKey:
    """The only key whose id begins with `typed`. Raises `CommandError`."""
    from app.cli.ids import whole_id

    known = {key.id: key for key in await keys.list()}
    return known[whole_id(typed, known, "key")]


def _with_keys(config: Path | None, use: Callable[[KeyService], Awaitable[Result]]) -> Result:
    from app.services.keys import KeyService
    from app.settings.load import load_settings
    from app.store.database import Database
    from app.store.keys import KeyStore
    from app.store.schema_check import check_schema

    settings = load_settings(config)

    async def run() -> Result:
        database = Database(settings.database_url)
        try:
            await check_schema(database)
            return await use(KeyService(KeyStore(database), settings.auth.keys))
        finally:
            await database.close()

    return asyncio.run(run())
