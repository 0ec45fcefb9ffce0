"""Settings for programs that load their models into their own process: one-shot commands and benches."""

from __future__ import annotations

from app.settings import Settings


def in_one_process(settings: Settings) -> Settings:
    """A copy of the settings with which engines and decoders run in this process, without child processes.

    A program that uses a model once would pay for the start of a process and protect nobody else.
    """
    here = {"placement": "threads", "isolate_readers": False}
    return settings.model_copy(update={"runtime": settings.runtime.model_copy(update=here)})
