"""/v1/audio/voice_consents."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.api.deps import CallerOf, IntakeOf, Services
from app.api.idempotency import created_once
from app.api.request_bodies import query_of, read_form, read_json
from app.wire.request_fields import RECORDING
from app.wire.voice_answers import (
    consent_object,
    consent_page,
    deleted_consent,
)
from app.wire.voice_requests import consent_id, consent_request, new_name, page_of_consents

router = APIRouter(tags=["audio"])


@router.post("/audio/voice_consents")
async def create_consent(
    request: Request, services: Services, intake: IntakeOf, caller: CallerOf
) -> Response:
    """Record a consent: the recording must say the consent phrase."""
    most = intake.recording_bytes
    async with read_form(
        request, intake.limits, services.bodies, file=RECORDING.name, file_bytes=most
    ) as form:
        wanted = consent_request(form.fields)
        recording = await asyncio.to_thread(form.file(RECORDING.name).read)

    async def create() -> dict[str, Any]:
        return consent_object(await services.consents.create(caller, wanted.name, wanted.language, recording))

    parts = ("consent", wanted.name, wanted.language, recording)
    return await created_once(request, services.idempotency, caller, parts, create)


@router.get("/audio/voice_consents")
async def list_consents(request: Request, services: Services, caller: CallerOf) -> dict[str, Any]:
    """List the consents, newest first."""
    wanted = page_of_consents(query_of(request))
    consents, more = await services.consents.list(caller, wanted.after, wanted.limit or 1)
    return consent_page(consents, more=more)


@router.get("/audio/voice_consents/{consent}")
async def retrieve_consent(consent: str, services: Services, caller: CallerOf) -> dict[str, Any]:
    """One consent."""
    return consent_object(await services.consents.get(caller, consent_id(consent)))


@router.post("/audio/voice_consents/{consent}")
async def update_consent(
    request: Request, consent: str, services: Services, intake: IntakeOf, caller: CallerOf
) -> dict[str, Any]:
    """Rename a consent."""
    body = await read_json(request, intake.limits, services.bodies)
    return consent_object(await services.consents.rename(caller, consent_id(consent), new_name(body)))


@router.delete("/audio/voice_consents/{consent}")
async def delete_consent(consent: str, services: Services, caller: CallerOf) -> dict[str, Any]:
    """Delete a consent, and with it every voice that was enrolled with it."""
    await services.consents.delete(caller, consent_id(consent))
    return deleted_consent(consent)
