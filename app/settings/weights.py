"""Where model weights come from."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from app.settings.base import Group


class WeightsSettings(Group):
    """Where model weights come from."""

    offline: bool = Field(
        default=False, description="Never download anything; use only what is installed and local folders."
    )
    hub: str = Field(
        "https://huggingface.co", description="Base URL of the model hub or of a mirror with the same paths."
    )
    mirrors: tuple[Path, ...] = Field(
        (),
        description="Local folders that are searched before the hub: one sub-folder for each model, with "
        "its name.",
    )
