"""Who calls. Law: frozen values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is stored: never the secret itself."""

    id: str
    name: str
    project: str
    """Whose voices and consents it sees."""
    hint: str
    """The last characters of the secret."""
    created: int
    """Unix time."""
    revoked: int | None = None
    """Unix time; None: valid."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request."""

    project: str
    key: str
    """Id of the key; `open` where no keys are asked for, `settings` for one of the settings file."""
