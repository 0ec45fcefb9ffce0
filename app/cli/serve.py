"""`antiphon serve`."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.options import Config

if TYPE_CHECKING:
    import socket

    from app.container import Container
    from app.settings import Settings

SWITCH_SECONDS = 0.001
"""Seconds after which a thread gives Python's lock to another one that waits for it. With Python's own 5 ms
the event loop waits for work threads longer than most of its steps take."""


def serve(
    host: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Address to listen on, instead of the settings'.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, max=65535, help="Port to listen on, instead of the settings'."),
    ] = None,
    config: Config = None,
    prepare: Annotated[
        bool,
        typer.Option(
            "--prepare",
            help="First fetch missing weights, migrate the database and, where a key is needed and there is "
            "none, make one and show it.",
        ),
    ] = False,
) -> None:
    """Serve the API.

    Examples:
        antiphon serve --prepare
        ANTIPHON_AUTH_KEYS=sk-my-key antiphon serve --host 0.0.0.0 --port 9000
    """
    from app.logs import set_up_logging

    with _no_search_for_garbage():
        settings = _checked(_settings(config, host, port), prepare=prepare)
        asyncio.run(_preflight(settings))
        set_up_logging(settings.log.level, settings.log.format)
        faulthandler.enable()  # a crash in native code leaves its stack
        _tell_settings(config)
        _run(settings)


def _settings(config: Path | None, host: str | None, port: int | None) -> Settings:
    """The settings, with the host and the port of the command line. Raises `SettingsError`."""
    from app.settings.load import load_settings

    given = {"ANTIPHON_SERVER_HOST": host, "ANTIPHON_SERVER_PORT": port}
    options = {name: str(value) for name, value in given.items() if value is not None}
    others = {name: value for name, value in os.environ.items() if name.removesuffix("_FILE") not in options}
    return load_settings(config, others | options)


def _tell_settings(config: Path | None) -> None:
    from app.settings.default_paths import settings_file

    path = settings_file(config, os.environ)
    source = path.absolute() if path else "no file; defaults and environment"
    logging.getLogger("antiphon").info("settings: %s", source)


def _check_listening(settings: Settings) -> None:
    """Fails at once if the port is in use or the certificate is not usable, before weights are fetched.

    Raises `CannotListen` and `CertificateUnusable`.
    """
    from app.api.listening import listen
    from app.api.tls import certificate_of

    certificate_of(settings.server)
    for opened in listen(settings.server.host, settings.server.port):
        opened.close()


def _checked(settings: Settings, *, prepare: bool) -> Settings:
    """The settings of a server that can listen. With `prepare`, weights are fetched and the database is
    migrated before. Raises like `_check_listening` and `_prepare`.
    """
    _check_listening(settings)
    return _prepare(settings) if prepare else settings


def _prepare(settings: Settings) -> Settings:
    """Fetches weights and migrates the database. A model that cannot be fetched is reported and not
    preloaded.

    Raises `StartRefused` for settings that do not go together and for a name that no model can have,
    `WeightsError` if nothing could be fetched.
    """
    from app.cli.progress import fetch_report
    from app.container import SPEAKER_ENCODER, check_settings, check_spelling, model_registry, weights_store
    from app.models.errors import WeightsError
    from app.store.migrations import upgrade_if_needed, upgrade_in_a_copy

    check_settings(settings)
    check_spelling(settings, model_registry(settings))
    store = weights_store(settings, reread=False)
    failed: dict[str, WeightsError] = {}
    for name in dict.fromkeys((*settings.models.preload, SPEAKER_ENCODER, *_diarizer(settings))):
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
    upgrade_if_needed(settings.database_url, upgrade_in_a_copy)
    asyncio.run(_first_key(settings))
    kept = tuple(name for name in settings.models.preload if name not in failed)
    return settings.model_copy(update={"models": settings.models.model_copy(update={"preload": kept})})


async def _first_key(settings: Settings) -> None:
    """Creates a first API key, because a server without keys does not start on an address that others can
    reach.
    """
    from app.services.keys import KeyService
    from app.settings.server import is_loopback
    from app.store.database import Database
    from app.store.keys import KeyStore

    if is_loopback(settings.server.host) or settings.auth.allow_open:
        return
    database = Database(settings.database_url)
    try:
        keys = KeyService(KeyStore(database), settings.auth.keys)
        if await keys.asks_for_keys():
            return
        _, secret = await keys.create("first")
    finally:
        await database.close()
    print(
        f"antiphon: There was no API key, so one was made. It is shown only now: {secret}\n"
        "antiphon: `antiphon keys create NAME` makes more, `antiphon keys revoke` takes one back.",
        file=sys.stderr,
    )


def _diarizer(settings: Settings) -> tuple[str, ...]:
    """The diarization model, if its engine is installed."""
    from app.container import diarization_model, model_registry
    from engines import catalog
    from engines.errors import EngineError

    try:
        catalog.diarizer(diarization_model(settings, model_registry(settings)).engine).check()
    except EngineError:
        return ()
    return (settings.diarization.model,)


async def _preflight(settings: Settings) -> None:
    """Checks that the server can start, so that a failure is one sentence."""
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
    """Serves until a signal stops it. Raises `CannotListen`."""
    from app.api.listening import listen
    from app.api.open_files import affordable_connections
    from app.container import Container
    from engines.heap import is_without_models

    if settings.runtime.placement != "threads":
        is_without_models()
    sockets = listen(settings.server.host, settings.server.port)
    host, port = sockets[0].getsockname()[:2]
    scheme = "https" if settings.server.certificate else "http"
    url = f"{scheme}://[{host}]:{port}/v1" if ":" in host else f"{scheme}://{host}:{port}/v1"
    logging.getLogger("antiphon").info("the API will be at %s", url)
    affordable_connections(settings)  # engines inherit the limit of open files that this raises
    container = Container(settings)
    try:
        container.preload()
        _serve(container, sockets)
    finally:
        container.abandon()


def _serve(container: Container, sockets: list[socket.socket]) -> None:
    with _interrupts_held():  # The models are loaded while these libraries are imported.
        from app.api.server import Server
        from app.main import create_app

    server = Server(create_app(container), container.settings)
    gc.collect()
    gc.freeze()  # no other thread runs while Python looks through all objects, so there should be few
    gc.enable()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        server.run(sockets)
    except SystemExit:  # uvicorn raises it after a failed start, which it has logged
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        pass
    if not server.started:
        raise typer.Exit(1)


@contextmanager
def _no_search_for_garbage() -> Iterator[None]:
    """Python does not look for garbage until this ends, or until it is enabled: nearly all objects that
    imports make are used for good, and looking through them takes a seventh of the time of all imports.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Raises `KeyboardInterrupt` for a Ctrl-C at the end of the block: libraries that are interrupted while
    they are imported may raise errors of their own.
    """
    seen: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: seen.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if seen:
        raise KeyboardInterrupt
