"""The answer of a route that creates something, for requests that may be sent again (`Idempotency-Key`)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request
from starlette.responses import JSONResponse, Response

from app.api.answer_lifetime import while_connected
from app.domain import Caller
from app.services.idempotency import IdempotencyService

KEY_HEADER, REPLAYED_HEADER = "idempotency-key", "idempotent-replayed"


async def created_once(
    request: Request,
    service: IdempotencyService,
    caller: Caller,
    parts: tuple[str | bytes, ...],
    create: Callable[[], Awaitable[dict[str, Any]]],
) -> Response:
    """Calls `IdempotencyService.once`. The body of the request must have been read before."""
    key = request.headers.get(KEY_HEADER)
    creating = service.once(caller, key, parts, create)
    answer, earlier = await while_connected(request, creating)
    return JSONResponse(answer, headers={REPLAYED_HEADER: "true"} if earlier else None)
