"""Layout of subtitles in requests that do not give it."""

from __future__ import annotations

from pydantic import Field

from app.settings.base import Group


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
