"""GET /health/live and /health/ready: for whoever starts, restarts and routes to this server. No key."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from app.api.deps import Services

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live")
async def live() -> dict[str, str]:
    """Whether the process answers."""
    return {"status": "live"}


@router.get("/ready")
async def ready(services: Services) -> Response:
    """Whether every preloaded model can answer; 503 with the reasons until then."""
    problems = services.problems()
    if problems:
        return JSONResponse({"status": "starting", "problems": problems}, 503, {"Retry-After": "1"})
    return JSONResponse({"status": "ready"})
