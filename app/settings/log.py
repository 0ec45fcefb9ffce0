"""The log on standard error."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from app.settings.base import Group


class LogSettings(Group):
    """The log on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Lowest level that is written: debug, info, warning or error."
    )
    format: Literal["text", "json"] = Field(
        "text", description="text: lines for people. json: one JSON object a line, for programs."
    )
