"""API keys and callers. Law: frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field

SCOPES = ("transcribe", "speak", "voices", "read", "metrics")
EVERY_SCOPE = frozenset(SCOPES)
DEFAULT_SCOPES = EVERY_SCOPE - {"metrics"}
"""The scopes of a key that was made without naming any."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyLimits:
    """How much one key may use. None: only the limits of the server hold."""

    requests_per_minute: int | None = None
    audio_seconds_per_minute: int | None = None
    parallel: int | None = None
    """Requests that are answered at the same time."""
    audio_seconds_per_month: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """What a key may do, and for how long."""

    scopes: frozenset[str] = DEFAULT_SCOPES
    expires: int | None = None
    """Unix time from which the key is refused; None: never."""
    limits: KeyLimits = field(default_factory=KeyLimits)


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
    grant: Grant = field(default_factory=Grant)
    counted_as: str = ""
    """Id of the key that this one has replaced, under which its use is counted; empty: its own."""

    @property
    def account(self) -> str:
        """The id under which its use is counted."""
        return self.counted_as or self.id


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request."""

    project: str
    key: str
    """Id of the key; `open` if the server needs no key, `settings` for a key of the settings file."""
    grant: Grant = field(default=Grant(scopes=EVERY_SCOPE))
    counted_as: str = ""
    """See the field of the same name in `ApiKey`."""

    @property
    def account(self) -> str:
        """The id under which its use is counted."""
        return self.counted_as or self.key
