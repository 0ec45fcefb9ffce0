"""Which codecs this build of FFmpeg has. Law: it asks and changes nothing."""

from __future__ import annotations

DECODERS = ("mp3", "aac", "opus", "vorbis", "flac", "pcm_s16le", "wmav2", "alac")
"""Codecs without which common uploads cannot be read."""


def missing_decoders() -> list[str]:
    """The codecs of `DECODERS` that are absent. Raises ImportError if PyAV is not installed."""
    import av

    return [name for name in DECODERS if name not in av.codecs_available]
