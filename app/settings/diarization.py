"""How speakers are told apart."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from app.settings.base import Group


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
