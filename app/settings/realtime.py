"""Live transcription over WebSocket: what a session may cost."""

from __future__ import annotations

from pydantic import Field

from app.settings.base import Group


class RealtimeSettings(Group):
    """Live transcription over WebSocket (`/v1/realtime`)."""

    enabled: bool = Field(default=True, description="Serve `/v1/realtime`. If false, it answers 404.")
    model: str = Field("whisper-1", description="Transcription model of sessions that name none.")
    session_seconds: float = Field(
        3600,
        gt=0,
        le=86_400,
        description="Longest session, in seconds. `limits.request_seconds` applies too.",
    )
    sessions: int = Field(
        0,
        ge=0,
        description="Number of sessions at once. A further one gets 429. 0 = four for each core, at most "
        "half of `limits.requests`.",
    )
    buffer_seconds: float = Field(
        600, ge=1, description="Seconds of audio that a session may hold before the client commits it."
    )
    ahead_seconds: float = Field(
        30,
        ge=1,
        description="Seconds of speech that may wait for the model. The server then reads nothing more from "
        "the client until there is less.",
    )
    unread_bytes: int = Field(
        1_048_576,
        ge=4096,
        description="Bytes of events that a client may leave unread. Then the connection is closed.",
    )
    unread_seconds: float = Field(
        30,
        gt=0,
        description="Seconds in which a client must read its next event. Then the connection is closed.",
    )
    shutdown_seconds: float = Field(
        10, ge=0, description="Seconds that committed audio gets to be transcribed after a stop signal."
    )
    secrets: int = Field(
        10_000,
        ge=1,
        description="Number of client secrets that may be valid at once, a quarter of them of one API key. A "
        "further one gets 429.",
    )
    origins: tuple[str, ...] = Field(
        (),
        description="Origins of web pages that may open a session. Empty = any, since with API keys a page "
        "needs one of them.",
    )
