"""API keys and callers. Law: frozen values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiKey:
    """A key as it is stored: never the secret itself."""

    id: str
    name: str
    project: str
    """The project whose voices and consents the key gives access to."""
    hint: str
    """The last characters of the secret."""
    created: int
    """Unix time of its creation."""
    revoked: int | None = None
    """Unix time at which the key was revoked; None: it is valid."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request."""

    project: str
    key: str
    """Id of the key; `open` if the server needs no key, `settings` for a key of the settings file."""
