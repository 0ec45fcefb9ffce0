"""/v1/audio/voices: OpenAI's create and delete; listing and retrieving are extensions."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.api.deps import CallerOf, IntakeOf, Services
from app.api.idempotency import created_once
from app.api.request_bodies import query_of, read_form
from app.wire.request_fields import SAMPLE
from app.wire.voice_answers import (
    custom_voice_object,
    deleted_voice,
    listed_voice,
    voice_page,
)
from app.wire.voice_requests import page_of_voices, voice_id, voice_request

router = APIRouter(tags=["audio"])


@router.post("/audio/voices")
async def create_voice(request: Request, services: Services, intake: IntakeOf, caller: CallerOf) -> Response:
    """Make a voice from a sample, with the consent of its speaker."""
    most = intake.recording_bytes
    async with read_form(request, intake.limits, services.bodies, file=SAMPLE.name, file_bytes=most) as form:
        wanted = voice_request(form.fields)
        sample = await asyncio.to_thread(form.file(SAMPLE.name).read)

    async def create() -> dict[str, Any]:
        made = await services.custom_voices.create(caller, wanted.name, wanted.consent, sample)
        return custom_voice_object(made)

    parts = ("voice", wanted.name, wanted.consent, sample)
    return await created_once(request, services.idempotency, caller, parts, create)


@router.get("/audio/voices")
async def list_voices(request: Request, services: Services, caller: CallerOf) -> dict[str, Any]:
    """List the voices: the project's own, OpenAI's names, then every local voice by its own name.

    All of them, unless `limit` says less.
    """
    wanted = page_of_voices(query_of(request))
    voices = await services.voices.all(caller)
    return voice_page([listed_voice(voice) for voice in voices], wanted.after, wanted.limit)


@router.get("/audio/voices/{voice}")
async def retrieve_voice(voice: str, services: Services, caller: CallerOf) -> dict[str, Any]:
    """One voice."""
    return listed_voice(await services.voices.find(caller, voice_id(voice)))


@router.delete("/audio/voices/{voice}")
async def delete_voice(voice: str, services: Services, caller: CallerOf) -> dict[str, Any]:
    """Delete a voice; its consent stays."""
    await services.custom_voices.delete(caller, voice_id(voice))
    return deleted_voice(voice)
