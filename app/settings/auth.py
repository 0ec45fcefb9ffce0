"""Who may use the server."""

from __future__ import annotations

from pydantic import Field, field_validator

from app.settings.base import Group


class AuthSettings(Group):
    """Who may use the server."""

    keys: tuple[str, ...] = Field(
        (), description="API keys that are accepted, in addition to those made with `antiphon keys create`."
    )
    allow_open: bool = Field(
        default=False,
        description="Serve without any API key even on an address that other machines can reach.",
    )

    @field_validator("keys")
    @classmethod
    def _not_blank(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        if any(not key.strip() or key != key.strip() or " " in key for key in keys):
            raise ValueError("a key is at least one character and has no spaces")
        return keys
