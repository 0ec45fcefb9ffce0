"""The web application.

Law: registers routes and middleware; the lifespan opens and closes the container.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig

from app import __version__
from app.api import (
    about,
    client_secrets,
    error_envelope,
    health,
    index,
    models,
    realtime,
    speech,
    studio,
    transcriptions,
    voice_consents,
    voices,
)
from app.api.authentication import KeyCheck
from app.api.deps import Intake
from app.api.every_request import EveryRequest, LastResort
from app.api.host_and_origin import BrowserCheck, Cors
from app.api.key_limits import UseCount
from app.api.openapi_document import openapi_document
from app.api.required_scopes import ScopeCheck
from app.container import Container
from app.services.use_cases import UseCases
from app.settings import Settings
from app.settings.load import load_settings

UNUSED_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}
"""FastAPI's own telemetry would send through any provider that a library has set; ours is `app.tracing`."""


def create_app(container: Container | None = None) -> FastAPI:
    """The server as an ASGI app. Without `container`, one is made from the settings of the file and the
    environment.
    """
    container = container or Container(load_settings())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            await container.open()
            yield
        finally:
            await container.close()

    app = FastAPI(
        title="Antiphon",
        version=__version__,
        summary="The OpenAI Audio API on your own machine.",
        lifespan=lifespan,
        redirect_slashes=False,  # a client cannot send an upload again to the address of a redirect
        docs_url=None,  # FastAPI's page would load scripts from another server
        redoc_url=None,
        telemetry=UNUSED_TELEMETRY,
    )
    app.state.services, app.state.intake = container.services, _intake(container)
    app.openapi = partial(openapi_document, app, container.settings)  # type: ignore[method-assign]  # FastAPI's hook
    _add_routes(app, page=container.settings.studio.enabled)
    _add_middleware(app, container.services, container.settings)
    error_envelope.install(app)
    return app


def _intake(container: Container) -> Intake:
    settings = container.settings
    return Intake(
        limits=settings.request_limits,
        recording_bytes=settings.voices.upload_bytes,
        transcriptions=container.request_rules,
        speech=container.speech_rules,
        realtime=settings.realtime,
    )


def _add_routes(app: FastAPI, *, page: bool) -> None:
    """Registers all routes. `page`: whether `/` is the web page; if not, it is a short JSON answer."""
    for module in (transcriptions, speech, voices, voice_consents, models, about, realtime, client_secrets):
        app.include_router(module.router, prefix="/v1")
    app.include_router(health.router)
    app.include_router(studio.router if page else index.router)


def _add_middleware(app: FastAPI, services: UseCases, settings: Settings) -> None:
    """Middleware from the innermost to the outermost: the one added last sees a request first."""
    server, page = settings.server, settings.studio.enabled
    app.add_middleware(ScopeCheck)
    app.add_middleware(UseCount, usage=services.usage)
    app.add_middleware(
        KeyCheck,
        keys=services.keys,
        secrets=services.client_secrets,
        refused=services.refused_logins,
        page=page,
    )
    app.add_middleware(BrowserCheck, rules=server, keys=services.keys)
    app.add_middleware(LastResort)
    if server.cors_origins:
        app.add_middleware(
            Cors, origins=server.cors_origins
        )  # outside of the error handlers, because pages must be able to read errors
    app.add_middleware(EveryRequest, meters=services.meters)
