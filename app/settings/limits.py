"""Limits of requests."""

from __future__ import annotations

from pydantic import Field

from app.settings.base import MIB, Group


class LimitsSettings(Group):
    """Limits of requests. A request that exceeds one is refused at once."""

    upload_bytes: int = Field(
        1024 * MIB,
        ge=1,
        description="Largest upload, in bytes. With compat.strict at most OpenAI's limit, 25 MiB.",
    )
    audio_seconds: float = Field(4 * 3600, gt=0, description="Longest audio of one request, in seconds.")
    request_seconds: float = Field(
        3600, gt=0, description="Longest time that one request may take, in seconds."
    )
    uploads: int = Field(
        256, ge=1, description="Number of uploads that are received at once. A further one gets 429."
    )
    upload_idle_seconds: float = Field(
        60, gt=0, description="Longest pause within an upload, in seconds. Then the upload is refused."
    )
    download_idle_seconds: float = Field(
        60,
        gt=0,
        description="A client must read what was sent within so many seconds, or read at least 1,000 bytes a "
        "second. Otherwise the connection is closed.",
    )
    requests: int = Field(
        0,
        ge=0,
        description="Number of requests that run or wait at once. A further one gets 429. 0 = automatic: 64 "
        "on a CPU, 256 with a GPU.",
    )
    queued_seconds: float = Field(
        36_000,
        gt=0,
        description="Seconds of audio that all accepted requests together may still have to process. A "
        "request that would exceed this gets 429, except when no other request is running.",
    )
    decoded_seconds: float = Field(
        0,
        ge=0,
        description="Seconds of decoded audio that all requests together may hold in memory (64 kB a "
        "second). A request that would exceed this gets 429, except when no other request is "
        "running. 0 = automatic: 7200 on a CPU, 28800 with a GPU.",
    )
    fields: int = Field(100, ge=1, description="Number of form fields in one request.")
    field_bytes: int = Field(
        1 * MIB, ge=1, description="Largest JSON body, and most text in all fields of a form, in bytes."
    )
    reference_bytes: int = Field(
        4 * MIB, ge=1, description="Largest clip of a known speaker, in bytes. A request may have four clips."
    )
    prompt_characters: int = Field(
        100_000,
        ge=0,
        description="Longest prompt, in characters. The model itself uses the last 223 tokens of it.",
    )
