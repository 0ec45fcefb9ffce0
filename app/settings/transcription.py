"""How speech is transcribed, who speaks in it, and how its subtitles look."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from app.settings.base import Group


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


class DiarizationSettings(Group):
    """How speakers are told apart."""

    model: str = Field(
        "pyannote-starter",
        description="Diarization model: a name in the catalogue, a hub id that `antiphon models pull` has "
        "fetched, or the folder of a pyannote pipeline.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where the model runs.")
    threads: int = Field(1, ge=1, le=1024, description="CPU threads; more gain little on small networks.")
    one_speaker_threshold: float = Field(
        0.33,
        ge=-1,
        le=1,
        description="Similarity under which two stretches of a known speaker's clip are two speakers'.",
    )


class SubtitlesSettings(Group):
    """The shape of srt and vtt cues where a request does not say."""

    line_width: int = Field(42, ge=10, le=200, description="Columns of a line; a wide character takes two.")
    lines: int = Field(2, ge=1, le=5, description="Lines of a cue.")
    longest_seconds: float = Field(7.0, ge=1, le=60, description="Longest time a cue is shown.")
    shortest_seconds: float = Field(
        1.0, ge=0, le=10, description="Shortest time a cue is shown, where the next one leaves room."
    )
    columns_per_second: float = Field(
        17.0, ge=1, description="Reading speed that cues keep to, where the speech leaves room."
    )
