"""The app's own values, which services take and return.

Law: frozen, typed, no behaviour beyond one-line properties. What an engine sees is in `engines/types.py`;
what a client sees is in `app/wire`.
"""

from app.domain.callers import DEFAULT_SCOPES, EVERY_SCOPE, SCOPES, ApiKey, Caller, Grant, KeyLimits
from app.domain.models import About, ModelKind, ModelListing, ModelSpec
from app.domain.speech import AUDIO_TOKENS, AudioFormat, LocalVoice, SpeechJob, SpeechPreference, audio_tokens
from app.domain.transcripts import (
    Progress,
    SpeakerReference,
    SpeakerRequest,
    SpokenSegment,
    SpokenText,
    Transcript,
    TranscriptEvent,
    TranscriptionJob,
    VadOptions,
    WindowText,
)
from app.domain.usage import SharedUsage, Span, UsageCounts, UsageEntry
from app.domain.voices import (
    VOICE_ID,
    AuditEntry,
    AuditRecord,
    CustomVoice,
    ListedVoice,
    SpeakerVector,
    VoiceConsent,
)

__all__ = [
    "AUDIO_TOKENS",
    "DEFAULT_SCOPES",
    "EVERY_SCOPE",
    "SCOPES",
    "VOICE_ID",
    "About",
    "ApiKey",
    "AudioFormat",
    "AuditEntry",
    "AuditRecord",
    "Caller",
    "CustomVoice",
    "Grant",
    "KeyLimits",
    "ListedVoice",
    "LocalVoice",
    "ModelKind",
    "ModelListing",
    "ModelSpec",
    "Progress",
    "SharedUsage",
    "Span",
    "SpeakerReference",
    "SpeakerRequest",
    "SpeakerVector",
    "SpeechJob",
    "SpeechPreference",
    "SpokenSegment",
    "SpokenText",
    "Transcript",
    "TranscriptEvent",
    "TranscriptionJob",
    "UsageCounts",
    "UsageEntry",
    "VadOptions",
    "VoiceConsent",
    "WindowText",
    "audio_tokens",
]
