"""The media type of each format that an answer can have.

Law: data only.
"""

from __future__ import annotations

from collections.abc import Mapping

from app.domain import AudioFormat
from app.wire.field_row import RenderFormat, ResponseFormat

SPEECH_MEDIA_TYPES: Mapping[AudioFormat, str] = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg; codecs=opus",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
TRANSCRIPT_MEDIA_TYPES: Mapping[ResponseFormat, str] = {
    "json": "application/json",
    "diarized_json": "application/json",
    "verbose_json": "application/json",
    "text": "text/plain; charset=utf-8",
    "srt": "text/plain; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
}
RENDERED_MEDIA_TYPES: Mapping[RenderFormat, str] = {
    "srt": "text/plain; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
    "text": "text/plain; charset=utf-8",
    "json": "application/json",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}
