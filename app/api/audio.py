"""The endpoints of the Audio API whose engines are not part of this version.

Law: a request is checked as the contract says and then refused with the reason, so that a client is told
what is wrong and never gets a made-up answer.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from app.api.deps import Services
from app.api.forms import read_form
from app.errors import EngineUnavailable, NotFound

router = APIRouter(tags=["audio"])
NO_VOICES = "This version of Antiphon has no custom voices: no engine here can make one."


@router.post("/audio/voices")
async def create_voice(request: Request, services: Services) -> None:
    """Make a custom voice. Not served by this version."""
    async with read_form(request, services.settings.limits, services.uploads) as form:
        form.fields.required("name")
        form.fields.required("consent")
        form.file("audio_sample")
    raise EngineUnavailable(NO_VOICES)


@router.post("/audio/voice_consents")
async def create_consent(request: Request, services: Services) -> None:
    """Record a consent. Not served by this version."""
    async with read_form(request, services.settings.limits, services.uploads) as form:
        form.fields.required("name")
        form.fields.required("language")
        form.file("recording")
    raise EngineUnavailable(NO_VOICES)


@router.get("/audio/voice_consents")
async def list_consents() -> dict[str, Any]:
    """List consents: there are none."""
    return {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}


@router.get("/audio/voice_consents/{consent}")
async def retrieve_consent(consent: str) -> None:
    """One consent: there are none."""
    raise _absent(consent)


@router.post("/audio/voice_consents/{consent}")
async def update_consent(consent: str) -> None:
    """Rename a consent: there are none."""
    raise _absent(consent)


@router.delete("/audio/voice_consents/{consent}")
async def delete_consent(consent: str) -> None:
    """Delete a consent: there are none."""
    raise _absent(consent)


@router.delete("/audio/voices/{voice}")
async def delete_voice(voice: str) -> None:
    """Delete a voice: there are none."""
    raise _absent(voice)


def _absent(name: str) -> NotFound:
    return NotFound(f"There is no '{name[:100]}'.", code="not_found")
