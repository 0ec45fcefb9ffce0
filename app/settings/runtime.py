"""Where models run, and how work is queued and batched."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from app.settings.base import Group


class RuntimeSettings(Group):
    """Where models run, and how work is queued and batched."""

    placement: Literal["threads", "processes", "ray"] = Field(
        "processes",
        description="Where models run: `processes` = each in a process of its own, so that a crash of one "
        "costs only the work that it did; `threads` = in the server's process; `ray` = in a Ray cluster "
        "(experimental), see the group `ray`.",
    )
    isolate_readers: bool = Field(
        default=True,
        description="Whether uploads are decoded in processes of their own, so that a crash of a decoder is "
        "the error of one request.",
    )
    child_bytes: int = Field(
        0,
        ge=0,
        description="With placement `processes`: memory, in bytes, beyond which the process of a model is "
        "replaced between two pieces of work. 0 = no limit.",
    )
    stuck_seconds: float = Field(
        60,
        gt=0,
        description="With placement `processes` or `ray`: a call to a model that takes longer than this, and "
        "longer than 20 times the usual time of such work, counts as stuck. Its process is then started "
        "again.",
    )

    batch_rows: int = Field(
        0,
        ge=0,
        le=256,
        description="Largest number of windows that are decoded in one batch. 0 = automatic: 8 on a CPU; "
        "with a GPU 2 to 32 by its memory. A batch that memory does not suffice for is halved.",
    )
    batch_seconds: float = Field(
        0,
        ge=0,
        description="Largest number of seconds of audio that are decoded in one batch. 0 = automatic: 60 on "
        "a CPU, 480 with a GPU.",
    )
    windows_ahead: int = Field(
        0,
        ge=0,
        le=64,
        description="Largest number of windows of one recording that are processed at once. On a CPU, many "
        "recordings at once have fewer each, down to one. 0 = automatic: 6 on a CPU, 16 with a GPU.",
    )
    idle_seconds: float = Field(
        0, ge=0, description="Seconds without a request after which a model is unloaded. 0 = never."
    )
    decode_threads: int = Field(
        0,
        ge=0,
        le=256,
        description="Number of uploads that are decoded at the same time. 0 = automatic: 4; with a GPU the "
        "number of cores, 4 to 32.",
    )
