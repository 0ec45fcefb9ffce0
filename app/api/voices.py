"""GET /v1/audio/voices: an extension; OpenAI lists no voices."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter

from app.api.deps import Services
from app.container import Container
from app.errors import NotFound
from app.wire.resources import page, page_limit, voice_object

router = APIRouter(tags=["audio"])
EXTENSION = {"x-antiphon-extension": True}


@router.get("/audio/voices", openapi_extra=EXTENSION)
async def list_voices(
    services: Services, after: str | None = None, limit: str | None = None
) -> dict[str, Any]:
    """List the voices: OpenAI's names first, then every local voice by its own name."""
    return page(await asyncio.to_thread(_voices, services), after, page_limit(limit))


@router.get("/audio/voices/{voice}", openapi_extra=EXTENSION)
async def retrieve_voice(voice: str, services: Services) -> dict[str, Any]:
    """One voice."""
    for found in await asyncio.to_thread(_voices, services):
        if found["id"] == voice:
            return found
    raise NotFound(f"There is no voice '{voice[:100]}'.", code="voice_not_found")


def _voices(services: Container) -> list[dict[str, Any]]:
    builtin = services.voices.builtin()
    named = [voice_object(name, voice) for name, voice in builtin.items()]
    own = [voice_object(v.voice.name, v) for v in services.voices.all() if v.voice.name not in builtin]
    return named + own
