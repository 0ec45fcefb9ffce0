"""Checks before the first request: if one fails, the server does not start and says why.

Law: checks only, quick and without loading a model. Messages name the setting and what to do.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from importlib.util import find_spec

from app.container.builders import diarization_model, model_registry
from app.models.registry import Registry
from app.runtime.ray_node import found_token, unreadable_token
from app.services.keys import KeyService
from app.settings import Settings
from app.settings.server import is_loopback
from app.store.database import Database
from app.store.schema_check import check_schema
from app.tracing import tracing_installed
from engines import catalog

log = logging.getLogger(__name__)


class StartRefused(Exception):
    """The server must not start like this; the message says what to do."""


async def check_start(settings: Settings, database: Database, keys: KeyService) -> None:
    """Runs all checks that may stop the start. Raises `DatabaseError` or `StartRefused`."""
    check_settings(settings)
    await check_schema(database)
    await check_exposure(settings, keys)
    check_models(settings, model_registry(settings))


def check_settings(settings: Settings) -> None:
    """Runs the checks that need neither models nor the database. Raises `StartRefused`."""
    check_replicas(settings)
    check_tracing(settings)
    check_ray(settings)


def check_replicas(settings: Settings) -> None:
    """Checks that several servers share a database that all of them can reach. Raises `StartRefused`."""
    if settings.server.replicas > 1 and settings.database_url.startswith("sqlite"):
        raise StartRefused(
            f"`server.replicas` is {settings.server.replicas}, and the database is SQLite, whose locks hold "
            "on one machine only. Set `storage.database_url` to a PostgreSQL database (`antiphon backup` and "
            "`antiphon restore` move what is there), or run one server."
        )


def check_tracing(settings: Settings) -> None:
    """Checks that the extra `otel` is installed if traces are sent. Raises `StartRefused`."""
    if settings.tracing.endpoint and not tracing_installed():
        raise StartRefused(
            "`tracing.endpoint` is set, and OpenTelemetry is not installed. Install it with `make install "
            "OTEL=1` or `pip install 'antiphon[otel]'`, or leave `tracing.endpoint` empty."
        )


def check_ray(settings: Settings) -> None:
    """Checks that a Ray cluster has the extra `ray` and a token, because whoever can reach the cluster can
    run code there. Raises `StartRefused`.
    """
    if settings.runtime.placement != "ray":
        return
    if find_spec("ray") is None:
        raise StartRefused(
            '`runtime.placement` is "ray", and Ray is not installed. Install it with `make install RAY=1` or '
            "`pip install 'antiphon[ray]'`."
        )
    if file := unreadable_token():
        raise StartRefused(f"RAY_AUTH_TOKEN_PATH names {file}: it is empty, or this user cannot read it.")
    if not found_token(settings.folder):
        raise StartRefused(
            '`runtime.placement` is "ray", and there is no token for the cluster. `antiphon ray up` makes '
            "one for a try; for a cluster of your own set RAY_AUTH_TOKEN_PATH to the file with its token."
        )


async def check_exposure(settings: Settings, keys: KeyService) -> None:
    """Checks that a server without keys listens only on its own machine. Raises `StartRefused`."""
    if is_loopback(settings.server.host) or settings.auth.allow_open or await keys.asks_for_keys():
        return
    raise StartRefused(
        f"Without an API key, anyone who reaches {settings.server.host} could use this server. Make a key "
        "with `antiphon keys create NAME`, or set `auth.keys`, or listen on 127.0.0.1; to serve everyone on "
        "purpose, set `auth.allow_open = true`."
    )


def check_models(settings: Settings, registry: Registry) -> None:
    """Checks that every model and engine that a setting names exists. Raises `StartRefused`.

    An alias without a model is only logged, because the other names still work.
    """
    for setting, names in _named_models(settings):
        for problem in registry.unknown(names, setting):
            raise StartRefused(problem)
    check_spelling(settings, registry)
    name = settings.diarization.model
    for problem in registry.unknown([name], "diarization.model"):
        # Any other name is a folder, or a pipeline of the hub that was pulled.
        if not diarization_model(settings, registry).folder.is_dir():
            raise StartRefused(problem)
    cloners = catalog.names(catalog.VOICE_CLONERS)
    if settings.voices.cloner not in cloners:
        raise StartRefused(
            f"`voices.cloner` names `{settings.voices.cloner}`, which is no engine that makes voices. There "
            f"are: {', '.join(cloners)}."
        )
    for warning in registry.warnings():
        log.warning(warning)


def check_spelling(settings: Settings, registry: Registry) -> None:
    """Checks names that are wrong whatever models are fetched. Raises `StartRefused`."""
    for setting, names in (*_named_models(settings), ("diarization.model", [settings.diarization.model])):
        final = [name for name in names if "/" not in settings.models.aliases.get(name, name)]
        for problem in registry.unknown(final, setting):
            raise StartRefused(problem)


def _named_models(settings: Settings) -> Iterator[tuple[str, Sequence[str]]]:
    """Each setting that names models, with the names that it has."""
    yield "models.preload", settings.models.preload
    yield "voices.phrase_model", [settings.voices.phrase_model]
    if settings.voices.cloner_model:
        yield "voices.cloner_model", [settings.voices.cloner_model]
