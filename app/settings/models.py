"""Which models answer to which names."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from app.default_aliases import DEFAULT_ALIASES
from app.settings.base import Group, added


class ModelsSettings(Group):
    """Which models answer to which names."""

    aliases: dict[str, str] = Field(
        DEFAULT_ALIASES,
        description="Names that clients send, and the installed model that answers to each. The table adds "
        "to the default one; an empty model removes a name.",
    )
    preload: tuple[str, ...] = Field(
        ("whisper-base", "piper-en-us-joe-medium", "kokoro-82m"),
        description="Models that are loaded when the server starts. Others are loaded by their first "
        "request.",
    )
    memory_bytes: int = Field(
        0,
        ge=0,
        description="Bytes of weights that may be in memory at once. Beyond that, the least recently used "
        "model is unloaded. 0 = no limit.",
    )

    @field_validator("aliases", mode="before")
    @classmethod
    def _with_defaults(cls, given: Any) -> Any:
        return added(DEFAULT_ALIASES, given)
