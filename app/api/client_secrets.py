"""/v1/realtime/client_secrets: keys that open live sessions and nothing else, for browsers."""

from __future__ import annotations

import secrets

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from app.api.deps import CallerOf, Intake, IntakeOf, Services
from app.api.live_settings import check_enabled, check_model
from app.api.request_bodies import read_json
from app.domain import Caller
from app.services.use_cases import UseCases
from app.wire.client_secrets import secret_answer, secret_request
from app.wire.realtime_strict import check_session

router = APIRouter(tags=["realtime"])


@router.post("/realtime/client_secrets")
async def create_client_secret(
    request: Request, services: Services, intake: IntakeOf, caller: CallerOf
) -> Response:
    """Make a short-lived key with which a browser opens sessions."""
    return await _secret(request, services, intake, caller, beta=False)


@router.post("/realtime/transcription_sessions")
async def create_transcription_session(
    request: Request, services: Services, intake: IntakeOf, caller: CallerOf
) -> Response:
    """Make a short-lived key, in the format of the beta version of OpenAI's API."""
    return await _secret(request, services, intake, caller, beta=True)


async def _secret(
    request: Request, services: UseCases, intake: Intake, caller: Caller, *, beta: bool
) -> Response:
    check_enabled(intake)
    body = await read_json(request, intake.limits, services.bodies)
    wanted = secret_request(body, services.live.defaults, beta=beta)
    if intake.transcriptions.strict:
        check_session(wanted.session, wanted.settings, beta=beta)
    check_model(services, wanted.settings.model, beta=beta)
    value, secret = services.client_secrets.create(caller, wanted.settings, wanted.seconds)
    session = f"sess_{secrets.token_hex(12)}"
    return JSONResponse(secret_answer(value, secret.expires_at, secret.settings, session, beta=beta))
