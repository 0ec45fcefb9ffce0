"""The server's address and its connections."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from pydantic import Field, field_validator

from app.settings.base import Group


class ServerSettings(Group):
    """Where the server listens."""

    host: str = Field(
        "127.0.0.1",
        description="Address to listen on. Every address but a loopback one (127.0.0.1, ::1) needs an API "
        "key.",
    )
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on. 0 = any free one.")
    certificate: Path | None = Field(
        None,
        description="File with the TLS certificate and the certificates between it and its authority, in PEM "
        "format. The server then speaks HTTPS only. It is read again when it changes. Empty: plain HTTP.",
    )
    key: Path | None = Field(
        None,
        description="File with the private key of the certificate, in PEM format, without a password. Empty: "
        "it is in the file of the certificate.",
    )
    replicas: int = Field(
        1,
        ge=1,
        description="Number of servers that share the database, behind a load balancer. More than one needs "
        "PostgreSQL: the locks of SQLite hold on one machine only.",
    )
    shutdown_seconds: int = Field(
        60, ge=0, description="Seconds that running requests get to finish after a stop signal."
    )
    connections: int = Field(
        1000,
        ge=1,
        description="Number of connections that may be open at once. A new one then replaces the one that "
        "has waited longest for its client.",
    )
    header_bytes: int = Field(
        65_536, ge=1024, description="Largest head of a request (first line and headers), in bytes."
    )
    header_count: int = Field(100, ge=10, description="Largest number of headers in a request.")
    header_seconds: float = Field(
        15,
        gt=0,
        description="Seconds in which the head of a request must arrive, and before it the TLS handshake.",
    )
    idle_seconds: float = Field(
        30, gt=0, description="Seconds without a request after which a connection is closed."
    )
    allowed_hosts: tuple[str, ...] = Field(
        (),
        description="Names in the Host header that are accepted while there are no API keys, in addition to "
        'the loopback names. "*" accepts all.',
    )
    cors_origins: tuple[str, ...] = Field(
        (),
        description='Origins of web pages that may use the API, such as "https://app.example.org". "*" '
        "allows all.",
    )

    @field_validator("host")
    @classmethod
    def _can_be_an_address(cls, host: str) -> str:
        if not host.isprintable() or " " in host:
            raise ValueError("an address has no spaces and no control characters")
        return host

    @field_validator("certificate", "key", mode="before")
    @classmethod
    def _empty_is_none(cls, path: object) -> object:
        return None if path == "" else path


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
