"""What is stored on disk, where weights come from, and which models answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from app.openai_names import DEFAULT_ALIASES
from app.settings.base import MIB, Group, added


class StorageSettings(Group):
    """Where weights and the database are stored."""

    folder: Path | None = Field(
        None,
        description="Folder of the weights and the database. Empty: the folder `data` of the checkout that "
        "Antiphon runs from; where it runs from no checkout, the system's folder for application data.",
    )
    database_url: str = Field(
        "",
        description="URL of the database: `postgresql://user:password@host/name` or `sqlite:////path`. "
        "Empty: an SQLite file in the storage folder.",
    )

    free_bytes: int = Field(
        256 * MIB,
        ge=0,
        description="The server says that it is not ready while the disk has less than this left, in bytes.",
    )

    @field_validator("folder", mode="before")
    @classmethod
    def _empty_is_default(cls, folder: object) -> object:
        return None if folder == "" else folder


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
