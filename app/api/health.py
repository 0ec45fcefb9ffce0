"""GET /health/live, /health/ready and /metrics: for whoever starts and watches this server. No key."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from app.api.deps import Everything

router = APIRouter(tags=["health"])
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


@router.get("/health/live")
async def live() -> dict[str, str]:
    """Whether the process answers."""
    return {"status": "live"}


@router.get("/health/ready")
async def ready(server: Everything) -> Response:
    """Whether every preloaded model can answer; 503 with the reasons until then."""
    problems = await server.problems()
    if problems:
        return JSONResponse({"status": "starting", "problems": problems}, 503, {"Retry-After": "1"})
    return JSONResponse({"status": "ready"})


@router.get("/metrics")
async def metrics(server: Everything) -> Response:
    """Counters in Prometheus's text format."""
    return Response(server.meters.page(), media_type=PROMETHEUS)
