"""Stores a custom voice that a fake engine can speak with."""

from __future__ import annotations

import numpy as np

from app.container import Container
from app.domain import AuditEntry, Caller, CustomVoice, SpeakerVector, VoiceConsent

ENTRY = AuditEntry("test", "", "done", {})


async def add_tone_voice(container: Container) -> str:
    """Stores a custom voice of `ToneSynthesizer` with a consent, and returns its id."""
    caller = Caller("default", "open")
    consent = VoiceConsent("cons_tone", "default", "Ann", "en-US", 1)
    speaker = SpeakerVector("pyannote-starter", np.full(256, 1 / 16, np.float32))
    await container.voice_store.add_consent(consent, b"r", speaker, 1_000_000, caller, ENTRY)
    voice = CustomVoice(
        id="voice_tone",
        project="default",
        name="Ann",
        consent=consent.id,
        language="en-US",
        cloner="kokoro-match",
        engine="piper",
        model="tones",
        nearest="high",
        similarity=0.5,
        created=1,
    )
    await container.voice_store.add_voice(voice, b"profile", b"s", 5, caller, ENTRY)
    return voice.id
