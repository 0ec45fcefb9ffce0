"""Traces over OTLP, which are off until an endpoint is set."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import Field, field_validator

from app.settings.base import Group


class TracingSettings(Group):
    """Traces for an OpenTelemetry collector."""

    endpoint: str = Field(
        "",
        description="URL of an OpenTelemetry collector that takes OTLP over HTTP, such as "
        "`http://127.0.0.1:4318`; without a path, `/v1/traces` is added. Empty: nothing is recorded or sent. "
        "Needs the extra `otel`.",
    )
    headers: dict[str, str] = Field(
        {}, description="Headers that are sent to the collector, such as its key: name = value."
    )
    sample: float = Field(
        1.0,
        ge=0,
        le=1,
        description="Share of the requests that are traced. A client that sends `traceparent` decides for "
        "its own.",
    )

    @field_validator("endpoint")
    @classmethod
    def _is_a_url(cls, endpoint: str) -> str:
        parts = urlsplit(endpoint)
        if endpoint and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise ValueError("it is no URL that begins with http:// or https://")
        return endpoint
