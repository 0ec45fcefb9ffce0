"""What is kept on disk, where weights come from, and which models answer."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator

from app.names import TRANSCRIPTION_NAMES
from app.settings.base import Group


class StorageSettings(Group):
    """What is kept on disk."""

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

    @field_validator("folder", mode="before")
    @classmethod
    def _empty_is_default(cls, folder: object) -> object:
        return None if folder == "" else folder


class WeightsSettings(Group):
    """Where model weights come from."""

    offline: bool = Field(default=False, description="Never fetch anything; use what is there.")
    hub: str = Field("https://huggingface.co", description="Base URL of the model hub or of its mirror.")
    mirrors: tuple[Path, ...] = Field(
        (), description="Local folders to look in first: one sub-folder a model, named like the model."
    )


class ModelsSettings(Group):
    """Which models answer to which names."""

    aliases: dict[str, str] = Field(
        dict.fromkeys(TRANSCRIPTION_NAMES, "whisper-base"),
        description="Names that clients send, and the local model that answers.",
    )
    preload: tuple[str, ...] = Field(
        ("whisper-base", "piper-en-us-joe-medium", "kokoro-82m"),
        description="Models that are loaded at the start; the others at first use.",
    )
    memory_bytes: int = Field(
        0,
        ge=0,
        description="Bytes of weights in memory at once; whoever was used longest ago leaves first. 0: no "
        "bound.",
    )
