"""What one request may cost, and how work is queued and batched."""

from __future__ import annotations

from pydantic import Field

from app.settings.base import MIB, Group


class LimitsSettings(Group):
    """What one request may cost; all else is refused at once."""

    upload_bytes: int = Field(25 * MIB, ge=1, description="Largest upload, in bytes; OpenAI's is 25 MiB.")
    audio_seconds: float = Field(4 * 3600, gt=0, description="Longest audio, in seconds.")
    request_seconds: float = Field(3600, gt=0, description="Longest time one request may take, in seconds.")
    uploads: int = Field(256, ge=1, description="Uploads received or held at once; the next gets 429.")
    upload_idle_seconds: float = Field(
        60, gt=0, description="Longest pause within an upload, in seconds; then it is given up."
    )
    download_idle_seconds: float = Field(
        60,
        gt=0,
        description="Longest time in which a client reads nothing of its answer, in seconds; then the "
        "connection ends.",
    )
    requests: int = Field(64, ge=1, description="Requests worked on or waiting at once; the next gets 429.")
    queued_seconds: float = Field(
        36_000,
        gt=0,
        description="Seconds of audio that all requests together may still have to be worked on; the next "
        "gets 429, unless it is alone.",
    )
    decoded_seconds: float = Field(
        7200,
        gt=0,
        description="Seconds of decoded audio that all requests together may hold in memory (64 kB each); "
        "the next gets 429, unless it is alone.",
    )
    fields: int = Field(100, ge=1, description="Form fields in one request.")
    field_bytes: int = Field(
        1 * MIB, ge=1, description="Largest JSON body, or text of a form with all its fields, in bytes."
    )
    reference_bytes: int = Field(
        4 * MIB, ge=1, description="Largest clip of a known speaker, in bytes; a request may have four."
    )
    prompt_characters: int = Field(
        100_000, ge=0, description="Longest prompt; the model itself uses the last 223 tokens."
    )


class RuntimeSettings(Group):
    """How work is queued and batched."""

    batch_rows: int = Field(8, ge=1, le=256, description="Windows that are decoded together at most.")
    batch_seconds: float = Field(
        60, gt=0, description="Seconds of audio that are decoded together at most; more for a GPU."
    )
    windows_ahead: int = Field(
        4, ge=1, le=64, description="Windows of one request that are in work at once; more for a GPU."
    )
    idle_seconds: float = Field(
        0, ge=0, description="Unload a model that nobody has asked for this long, in seconds; 0: never."
    )
    decode_threads: int = Field(4, ge=1, le=256, description="Uploads that are decoded at the same time.")
