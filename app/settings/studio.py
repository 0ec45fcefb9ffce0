"""The web page."""

from __future__ import annotations

from pydantic import Field

from app.settings.base import Group


class StudioSettings(Group):
    """The web page at `/`."""

    enabled: bool = Field(default=True, description="Serve the web page. If false, `/` answers with JSON.")
