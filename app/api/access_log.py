"""The access line and the metrics of one request, when it has ended.

Law: facts only: neither texts nor names of files, and no key but its id.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from starlette.types import Scope

from app.api import error_envelope
from app.domain import Caller
from app.runtime.http_meters import HttpMeters

log = logging.getLogger("antiphon.access")
API = "/v1"
CALLER = "antiphon.caller"
"""Key of the ASGI scope under which the key check stores the caller for the routes."""
ERROR, REFUSED, MODEL_SERVED, FIRST_KIND, FIRST_SECONDS, DECODE_SECONDS = (
    "error", "refused", "served", "first_output", "first_s", "decode_s",
)  # fmt: skip
"""Names of facts that other modules add to the access log line."""


def route_of(scope: Scope) -> str | None:
    """The template of the route that answered, such as `/v1/models/{model}`; None if no route matched."""
    path: str | None = getattr(scope.get("route"), "path", None)
    if path is None or path.startswith(API) or not scope["path"].startswith(API + "/"):
        return path
    return API + path  # FastAPI gives the path within the included router


def write(scope: Scope, routed: Scope, fields: Mapping[str, object], facts: Mapping[str, object]) -> None:
    """Writes the access log line. For health checks, which come every few seconds, it has the level debug."""
    caller: Caller | None = routed.get(CALLER)
    line: dict[str, object] = {
        "method": scope.get("method"),
        "path": scope["path"][:200],
        "route": route_of(routed),
        **fields,
        "key": caller.key if caller else None,
        "project": caller.project if caller else None,
    }
    level = logging.DEBUG if scope["path"].startswith("/health") else logging.INFO
    name = "request" if scope["type"] == "http" else "websocket"
    log.log(level, name, extra=line | dict(facts))


def count(meters: HttpMeters, scope: Scope, routed: Scope, status: int, seconds: float, facts: Any) -> None:
    """Counts an answered request in the metrics."""
    method = scope.get("method", "GET")
    error = str(facts.get(ERROR, "") or (status if status >= 400 else ""))
    meters.answered(method, route_of(routed), status, seconds, error_type=error)
    if reason := facts.get(REFUSED):
        meters.refused(reason)
    if FIRST_KIND in facts and MODEL_SERVED in facts:
        meters.first_output(facts[MODEL_SERVED], facts[FIRST_KIND], facts[FIRST_SECONDS])
    if DECODE_SECONDS in facts:
        meters.decoded(facts[DECODE_SECONDS])


def outcome_of(status: int, *, complete: bool) -> str:
    """How a request ended. `left`: the client closed the connection before the end; `cut`: the answer broke
    off; `refused`: the answer is an error.
    """
    if status in (0, error_envelope.CLIENT_GONE):
        return "left"
    if not complete:
        return "cut"
    return "refused" if status >= 400 else "done"
