"""How speech is transcribed."""

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
    openvino: bool = Field(
        default=True,
        description="Run Whisper base by OpenVINO on CPUs that compute in bfloat16. It takes two thirds to "
        "three quarters of the time, and some 300 MB of memory.",
    )
    adaptive_windows: bool = Field(
        default=True,
        description="Encode only the part of a window with speech; use the full 30-second window if the "
        "result looks wrong.",
    )
    window_seconds: float = Field(
        30,
        ge=5,
        le=30,
        description="Longest window into which audio is cut, in seconds. It is cut in silence. With 15, a "
        "long file takes a fifth less time on a CPU, and more words are wrong (docs/decisions/0004).",
    )
    greedy_first: bool = Field(
        default=False,
        description="Try greedy decoding first, and repeat with beam search only where the result is "
        "doubtful: cheaper for very clear speech, dearer for all other speech. A `beam_size` in the request "
        "always applies.",
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
