"""How speech is transcribed, who speaks in it, and how its subtitles look."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, NonNegativeInt, field_validator

from app.settings.base import Group


class TranscriptionSettings(Group):
    """How speech is transcribed."""

    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where models run. auto = a GPU if there is one, else the CPU."
    )
    device_index: tuple[NonNegativeInt, ...] = Field(
        (),
        description="Numbers of the GPUs that share the work. Empty = automatic: the first one that is "
        "mostly free, and all that are like it.",
    )
    compute_type: str = Field(
        "auto",
        description="Number format of the weights, as CTranslate2 names it. auto = int8 on a CPU, float16 "
        "on a GPU.",
    )
    workers: int = Field(
        0,
        ge=0,
        le=256,
        description="Parallel batches per model (per GPU). 0 = automatic: 2 per GPU; on a CPU, cores "
        "divided by threads.",
    )
    threads: int = Field(
        0, ge=0, le=1024, description="CPU threads of each worker. 0 = automatic: 1 on two cores, 4 on many."
    )
    adaptive_windows: bool = Field(
        default=True,
        description="Encode only the part of a window with speech; use the full 30-second window if the "
        "result looks wrong.",
    )
    greedy_first: bool = Field(
        default=True,
        description="Try greedy decoding first, and repeat with beam search only where the result is "
        "doubtful. A `beam_size` in the request always applies.",
    )
    beam_size: int = Field(5, ge=1, le=20, description="Beam size of requests that name none.")
    vad: bool = Field(
        default=True,
        description="Skip stretches without speech in requests that do not say whether to (voice activity "
        "detection).",
    )

    @field_validator("device_index", mode="before")
    @classmethod
    def _one_number(cls, given: Any) -> Any:
        """One number alone, as the environment gives it, is a list of one."""
        return (given,) if isinstance(given, int) else given


class DiarizationSettings(Group):
    """How speakers are told apart."""

    model: str = Field(
        "pyannote-starter",
        description="Diarization model: a name in the catalogue, a hub id that `antiphon models pull` has "
        "fetched, or the folder of a pyannote pipeline.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto",
        description="Where the model runs. auto = pipelines of pyannote.audio on a GPU if there is one, all "
        "else on the CPU. cuda needs another ONNX Runtime for the starter model (docs/gpu.md).",
    )
    threads: int = Field(
        1,
        ge=1,
        le=1024,
        description="CPU threads of the model. More than one gains little, because the networks are small.",
    )
    one_speaker_threshold: float = Field(
        0.33,
        ge=-1,
        le=1,
        description="Cosine similarity below which two parts of a known speaker's clip count as two "
        "speakers.",
    )


class SubtitlesSettings(Group):
    """Layout of srt and vtt subtitles in requests that do not give it."""

    line_width: int = Field(
        42, ge=10, le=200, description="Longest line, in columns. A wide character takes two columns."
    )
    lines: int = Field(2, ge=1, le=5, description="Largest number of lines in a subtitle.")
    longest_seconds: float = Field(
        7.0, ge=1, le=60, description="Longest time that a subtitle is shown, in seconds."
    )
    shortest_seconds: float = Field(
        1.0,
        ge=0,
        le=10,
        description="Shortest time that a subtitle is shown, in seconds, if the next one starts late enough.",
    )
    columns_per_second: float = Field(
        17.0,
        ge=1,
        description="Reading speed in columns a second. Subtitles stay longer for it if the next one starts "
        "late enough.",
    )
