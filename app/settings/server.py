"""Where the server listens, who may call it, and what it logs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from app.settings.base import Group


class ServerSettings(Group):
    """Where the server listens."""

    host: str = Field("127.0.0.1", description="Address to listen on; any but a loopback one needs keys.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")
    shutdown_seconds: int = Field(
        60, ge=0, description="How long running requests may go on after a stop signal."
    )
    connections: int = Field(
        1000,
        ge=1,
        description="Connections open at once; a new one then replaces the one that has waited longest for "
        "its client.",
    )
    header_bytes: int = Field(
        65_536, ge=1024, description="Largest head of a request (first line and headers), in bytes."
    )
    header_count: int = Field(100, ge=10, description="Headers of a request at most.")
    header_seconds: float = Field(
        15, gt=0, description="Longest time in which the head of a request must arrive, in seconds."
    )
    idle_seconds: float = Field(
        30, gt=0, description="A connection without requests is closed after this many seconds."
    )
    allowed_hosts: tuple[str, ...] = Field(
        (),
        description="Names in the Host header that are answered while there are no API keys, beside the "
        'loopback names; "*" allows all.',
    )
    cors_origins: tuple[str, ...] = Field(
        (),
        description='Origins of web pages that may use the API, like "https://app.example.org"; "*" allows '
        "all.",
    )


class AuthSettings(Group):
    """Who may call."""

    keys: tuple[str, ...] = Field(
        (), description="API keys that are accepted, beside those made with `antiphon keys create`."
    )
    allow_open: bool = Field(
        default=False,
        description="Serve without any key on an address that others can reach; name it in "
        "`server.allowed_hosts` too.",
    )

    @field_validator("keys")
    @classmethod
    def _not_blank(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        if any(not key.strip() or key != key.strip() or " " in key for key in keys):
            raise ValueError("a key is at least one character and has no spaces")
        return keys


class CompatSettings(Group):
    """How close to the letter of OpenAI's service."""

    strict: bool = Field(
        default=False, description="Refuse the combinations of model and option that OpenAI refuses."
    )


class StudioSettings(Group):
    """The web page at `/`."""

    enabled: bool = Field(default=True, description="Serve the page. Without it, `/` answers with JSON.")


class LogSettings(Group):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level written.")
    format: Literal["text", "json"] = Field("text", description="Lines for people or for machines.")
