"""`antiphon serve`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from app.settings import Settings


def serve(
    host: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Address to listen on, instead of the settings'.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, max=65535, help="Port to listen on, instead of the settings'."),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="Settings file.")] = None,
    prepare: Annotated[
        bool, typer.Option("--prepare", help="First fetch missing weights and migrate the database.")
    ] = False,
) -> None:
    """Serve the API.

    Examples:
        antiphon serve --prepare

        ANTIPHON_AUTH_KEYS=sk-my-key antiphon serve --host 0.0.0.0 --port 9000
    """
    from app.settings.source import load_settings
    from app.telemetry import set_up_logging

    settings = _with_address(load_settings(config), host, port)
    if prepare:
        settings = _prepare(settings)
    asyncio.run(_preflight(settings))
    set_up_logging(settings.log.level, settings.log.format)
    _run(settings)


def _with_address(settings: Settings, host: str | None, port: int | None) -> Settings:
    given = {key: value for key, value in (("host", host), ("port", port)) if value is not None}
    return settings.model_copy(update={"server": settings.server.model_copy(update=given)})


def _prepare(settings: Settings) -> Settings:
    """Fetches weights and migrates the database. What cannot be fetched is told and not preloaded.

    Raises `WeightsError` if nothing could be fetched.
    """
    from app.cli.progress import fetch_report
    from app.container import SPEAKER_ENCODER, weights_store
    from app.models.errors import WeightsError
    from app.store.schema import upgrade_if_needed

    store = weights_store(settings)
    failed: dict[str, WeightsError] = {}
    for name in (*settings.models.preload, SPEAKER_ENCODER, *_diarizer(settings)):
        model = settings.models.aliases.get(name, name)
        if Path(model).is_absolute():
            continue
        try:
            with fetch_report() as report:
                store.pull(model, report)
        except WeightsError as wrong:
            failed[name] = wrong
    if settings.models.preload and all(name in failed for name in settings.models.preload):
        raise next(iter(failed.values()))
    for name, reason in failed.items():
        print(f"antiphon: {reason} The server starts without `{name}`.", file=sys.stderr)
    upgrade_if_needed(settings.database_url)
    kept = tuple(name for name in settings.models.preload if name not in failed)
    return settings.model_copy(update={"models": settings.models.model_copy(update={"preload": kept})})


def _diarizer(settings: Settings) -> tuple[str, ...]:
    """The diarization model, where its engine is installed."""
    from app.container import diarization_model, model_registry
    from engines import catalog
    from engines.errors import EngineError

    try:
        catalog.diarizer(diarization_model(settings, model_registry(settings)).engine).check()
    except EngineError:
        return ()
    return (settings.diarization.model,)


async def _preflight(settings: Settings) -> None:
    """What would stop the start is said in a sentence here, before a server begins."""
    from app.container import check_start
    from app.services.keys import KeyService
    from app.store.database import Database
    from app.store.keys import KeyStore

    database = Database(settings.database_url)
    try:
        await check_start(settings, database, KeyService(KeyStore(database), settings.auth.keys))
    finally:
        await database.close()


def _run(settings: Settings) -> None:
    import logging

    import uvicorn

    from app.container import Container
    from app.main import create_app

    server = settings.server
    logging.getLogger("antiphon").info("the API will be at http://%s:%d/v1", server.host, server.port)
    uvicorn.run(
        create_app(Container(settings)),
        host=server.host,
        port=server.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=server.shutdown_seconds,
    )
