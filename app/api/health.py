"""/health, /health/live, /health/ready and /metrics: for programs that start and watch this server."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from app import __version__
from app.api.deps import Services

router = APIRouter(tags=["health"])
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


@router.get("/health")
@router.get("/health/live")
async def live() -> dict[str, str]:
    """Liveness: the process answers. It tells its version, which a report of a fault should name."""
    return {"status": "live", "version": __version__}


@router.get("/health/ready")
async def ready(services: Services) -> Response:
    """Readiness: 200 if models, database and disk can do their work, else 503 with the problems.

    Either answer also names other models whose process keeps ending.
    """
    problems = await services.readiness.problems()
    crashes = services.readiness.crashes()
    further = {"crashed_models": crashes} if crashes else {}
    if problems:
        told = {"status": "not ready", "problems": problems, **further}
        return JSONResponse(told, 503, {"Retry-After": "1"})
    return JSONResponse({"status": "ready", **further})


@router.get("/metrics")
async def metrics(services: Services) -> Response:
    """Counters in Prometheus's text format."""
    return Response(await services.metrics.page(), media_type=PROMETHEUS)
