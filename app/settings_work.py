"""The settings of the work itself: transcription, limits, queues. `settings.py` has the rest and the law."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

MIB = 1024 * 1024


class Group(BaseModel):
    """A table of the settings file."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TranscriptionSettings(Group):
    """How speech is transcribed."""

    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where models run: auto takes a GPU if there is one."
    )
    device_index: tuple[int, ...] = Field(
        (0,), min_length=1, description="GPUs that share the work, by their numbers."
    )
    compute_type: str = Field("auto", description="CTranslate2 type: auto is int8 on CPUs, float16 on GPUs.")
    workers: int = Field(
        0,
        ge=0,
        le=256,
        description="Batches that a model works on at once, on each GPU or on all cores; 0: two on a GPU, "
        "on a CPU as many as its cores feed.",
    )
    threads: int = Field(
        0, ge=0, le=1024, description="CPU threads of one worker; 0: one on two cores, four on many."
    )
    adaptive_windows: bool = Field(
        default=True,
        description="Let the encoder see what there is to hear, not always 30 seconds, and all 30 where "
        "that result is doubtful.",
    )
    greedy_first: bool = Field(
        default=True,
        description="Decode without beams first, and with them where the result is unsure; a request's own "
        "`beam_size` is always kept to.",
    )
    beam_size: int = Field(5, ge=1, le=20, description="Beams where a request does not say.")
    vad: bool = Field(
        default=True, description="Leave out stretches without speech where a request does not say."
    )


class LimitsSettings(Group):
    """What one request may cost; all else is refused at once."""

    upload_bytes: int = Field(25 * MIB, ge=1, description="Largest upload, in bytes; OpenAI's is 25 MiB.")
    audio_seconds: float = Field(4 * 3600, gt=0, description="Longest audio, in seconds.")
    request_seconds: float = Field(3600, gt=0, description="Longest time one request may take, in seconds.")
    uploads: int = Field(256, ge=1, description="Uploads received or held at once; the next gets 429.")
    upload_idle_seconds: float = Field(
        60, gt=0, description="Longest pause within an upload, in seconds; then it is given up."
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
    field_bytes: int = Field(1 * MIB, ge=1, description="Largest form field that is not a file, in bytes.")
    reference_bytes: int = Field(
        4 * MIB, ge=1, description="Largest clip of a known speaker, in bytes; four at most in a request."
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
