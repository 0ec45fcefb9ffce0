"""/v1/audio/voices: OpenAI's create and delete; listing and retrieving are extensions."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request

from app.api.deps import CallerOf, Services
from app.api.documents import VOICE_DOC
from app.api.forms import read_form
from app.api.streaming import while_connected
from app.container import Container
from app.domain import VOICE_ID, Caller
from app.errors import VoiceNotFound
from app.wire.request_fields import SAMPLE
from app.wire.resources import (
    custom_voice_details,
    custom_voice_object,
    deleted_voice,
    voice_object,
    voice_page,
)
from app.wire.voice_requests import page_of_voices, voice_id, voice_request

router = APIRouter(tags=["audio"])
EXTENSION = {"x-antiphon-extension": True}


@router.post("/audio/voices", openapi_extra=VOICE_DOC)
async def create_voice(request: Request, services: Services, caller: CallerOf) -> dict[str, Any]:
    """Make a voice from a sample, with the consent of its speaker."""
    limits, most = services.settings.limits, services.settings.voices.upload_bytes
    async with read_form(request, limits, services.uploads, file=SAMPLE.name, file_bytes=most) as form:
        wanted = voice_request(form.fields)
        sample = await asyncio.to_thread(form.file(SAMPLE.name).read)
    creating = services.custom_voices.create(caller, wanted.name, wanted.consent, sample)
    return custom_voice_object(await while_connected(request, creating))


@router.get("/audio/voices", openapi_extra=EXTENSION)
async def list_voices(
    services: Services, caller: CallerOf, after: str | None = None, limit: str | None = None
) -> dict[str, Any]:
    """List the voices: the project's own, OpenAI's names, then every local voice by its own name.

    All of them, unless `limit` says less.
    """
    wanted = page_of_voices(after, limit)
    return voice_page(await _voices(services, caller), wanted.after, wanted.limit)


@router.get("/audio/voices/{voice}", openapi_extra=EXTENSION)
async def retrieve_voice(voice: str, services: Services, caller: CallerOf) -> dict[str, Any]:
    """One voice."""
    if voice.startswith(VOICE_ID):
        return custom_voice_details(await services.custom_voices.get(caller, voice_id(voice)))
    for found in await asyncio.to_thread(_local, services):
        if found["id"] == voice:
            return found
    raise VoiceNotFound(voice)


@router.delete("/audio/voices/{voice}")
async def delete_voice(voice: str, services: Services, caller: CallerOf) -> dict[str, Any]:
    """Delete a voice; its consent stays."""
    await services.custom_voices.delete(caller, voice_id(voice))
    return deleted_voice(voice)


async def _voices(services: Container, caller: Caller) -> list[dict[str, Any]]:
    custom = await services.custom_voices.list(caller)
    return [custom_voice_details(voice) for voice in custom] + await asyncio.to_thread(_local, services)


def _local(services: Container) -> list[dict[str, Any]]:
    builtin = services.voices.builtin()
    named = [voice_object(name, voice) for name, voice in builtin.items()]
    own = [voice_object(v.voice.name, v) for v in services.voices.all() if v.voice.name not in builtin]
    return named + own
