"""What this build of FFmpeg can do. Law: questions only."""

from __future__ import annotations

DECODERS = ("mp3", "aac", "opus", "vorbis", "flac", "pcm_s16le", "wmav2", "alac")
"""Codecs without which common uploads cannot be read."""


def missing_decoders() -> list[str]:
    """Those of `DECODERS` that are absent. Raises ImportError without PyAV."""
    import av

    return [name for name in DECODERS if name not in av.codecs_available]
