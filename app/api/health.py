"""/health, /health/live, /health/ready and /metrics: for programs that start and watch this server. No key is
needed.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from app.api.deps import Everything
from app.services.readiness import ReadinessService

router = APIRouter(tags=["health"])
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


@router.get("/health")
@router.get("/health/live")
async def live() -> dict[str, str]:
    """Liveness: the process answers."""
    return {"status": "live"}


@router.get("/health/ready")
async def ready(request: Request) -> Response:
    """Readiness: 200 if models, database and disk can do their work, else 503 with the problems."""
    readiness: ReadinessService = request.app.state.readiness
    problems = await readiness.problems()
    if problems:
        return JSONResponse({"status": "not ready", "problems": problems}, 503, {"Retry-After": "1"})
    return JSONResponse({"status": "ready"})


@router.get("/metrics")
async def metrics(server: Everything) -> Response:
    """Counters in Prometheus's text format."""
    return Response(server.meters.page(), media_type=PROMETHEUS)
