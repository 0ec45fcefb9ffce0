"""Builds the server from its settings, and holds all that is alive while it runs.

Law: construction only. The web app and the command line share it, so both run the same code.
"""

from __future__ import annotations

from app.container.builders import SPEAKER_ENCODER, diarization_model, model_registry, weights_store
from app.container.container import Container
from app.container.start_checks import (
    StartRefused,
    check_exposure,
    check_settings,
    check_spelling,
    check_start,
)

__all__ = [
    "SPEAKER_ENCODER",
    "Container",
    "StartRefused",
    "check_exposure",
    "check_settings",
    "check_spelling",
    "check_start",
    "diarization_model",
    "model_registry",
    "weights_store",
]
