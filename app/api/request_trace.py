"""The tracing span of one request.

Law: the facts of the access line, by the names of OpenTelemetry where it has them. No path, no query and no
address: a client chose them.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.types import Scope

from app.api import access_log
from app.runtime.http_meters import known_method
from app.tracing import describe, traced

if TYPE_CHECKING:
    from opentelemetry.trace import Span

UNTRACED = ("/health", "/metrics")
"""Requests with these beginnings of paths are not traced, because probes send them every few seconds."""
ROUTE_OPERATIONS = {
    "/v1/audio/transcriptions": "speech_to_text",
    "/v1/audio/translations": "speech_to_text",
    "/v1/realtime": "speech_to_text",
    "/v1/audio/speech": "text_to_speech",
}
"""The attribute `gen_ai.operation.name` for each route."""
TOLD = ("audio_seconds", "queued_s", "worked_s", "first_s", "error", "refused")
"""Facts of the access log line that are added to the span too."""


def traced_request(scope: Scope) -> AbstractContextManager[Span | None]:
    """Traces a request. Its span is a child of the client's span, if the client sent one. Yields None if it
    is not traced.
    """
    if scope["path"].startswith(UNTRACED):
        return nullcontext()
    return traced(Headers(scope=scope).get("traceparent"))


def describe_request(
    span: Span, scope: Scope, routed: Scope, fields: Mapping[str, object], facts: Mapping[str, object]
) -> None:
    """Adds the facts about an answered request to its span. `fields`, `facts`: those of
    the access log line.
    """
    method, route = known_method(scope.get("method", "GET")), access_log.route_of(routed)
    status = int(str(fields["status"]))
    found = {name: value for name in TOLD if isinstance(value := facts.get(name), str | int | float)}
    describe(
        span,
        f"{method} {route}" if route else method,
        {
            "http.request.method": method,
            "http.route": route,
            "http.response.status_code": status,
            "gen_ai.operation.name": ROUTE_OPERATIONS.get(route or ""),
            "gen_ai.request.model": str(facts.get(access_log.MODEL_SERVED, "")) or None,
            "antiphon.request_id": str(fields["request_id"]),
            "antiphon.outcome": str(facts.get("outcome", fields["outcome"])),
        }
        | {f"antiphon.{name}": value for name, value in found.items()},
        failure=str(facts.get(access_log.ERROR, status)) if status >= 500 else None,
    )
