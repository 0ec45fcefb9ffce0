"""How closely the server follows OpenAI's."""

from __future__ import annotations

from pydantic import Field

from app.settings.base import Group


class CompatSettings(Group):
    """How closely the server follows OpenAI's."""

    strict: bool = Field(
        default=False, description="Refuse the combinations of model and option that OpenAI refuses."
    )
