"""GET /v1/about."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from app.api.deps import Services
from app.wire.about import about_object

router = APIRouter(tags=["models"])


@router.get("/about", openapi_extra={"x-antiphon-extension": True})
async def about(services: Services) -> dict[str, Any]:
    """Version, limits, features and consent phrases of this server."""
    return about_object(services.about.about())
