"""GET / if the web page is switched off: JSON that names the paths of the API."""

from __future__ import annotations

from fastapi import APIRouter

from app import __version__

router = APIRouter(include_in_schema=False)


@router.get("/")
async def index() -> dict[str, str]:
    """Where things are on this server."""
    return {
        "name": "Antiphon",
        "version": __version__,
        "base_url": "/v1",
        "openapi": "/openapi.json",
        "models": "/v1/models",
        "voices": "/v1/audio/voices",
        "health": "/health/ready",
        "metrics": "/metrics",
        "docs": "docs/ in the project: README.md and docs/api.md",
    }
