"""What can be wrong with a voice, its sample or its consent."""

from __future__ import annotations

from app.errors.base import InvalidRequest, NotFound


class PhraseNotHeard(InvalidRequest):
    """The recording does not say the consent phrase."""

    param = "recording"
    code = "consent_phrase_mismatch"

    def __init__(self, heard: str, expected: str) -> None:
        super().__init__(
            f"The recording does not say the consent phrase and nothing else. Heard: '{heard[:300]}'. "
            f"Expected: '{expected}'"
        )


class ConsentOutdated(InvalidRequest):
    """The consent's speaker vector comes from an encoder that is no longer used."""

    param = "consent"
    code = "consent_outdated"

    def __init__(self, consent: str) -> None:
        super().__init__(
            f"The consent '{consent[:100]}' was recorded with another speaker encoder than the one that this "
            "server uses now, so the speaker cannot be compared. Record a new consent and use its id."
        )


class SpeakerMismatch(InvalidRequest):
    """The speaker of the sample is not the speaker of the consent."""

    param = "audio_sample"
    code = "speaker_mismatch"

    def __init__(self, score: float, threshold: float) -> None:
        super().__init__(
            f"The speaker of the sample does not sound like the speaker of the consent (similarity "
            f"{score:.2f}, needed {threshold:.2f})."
        )


class SeveralSpeakers(InvalidRequest):
    """More than one person speaks in the sample."""

    param = "audio_sample"
    code = "several_speakers"

    def __init__(self) -> None:
        super().__init__("The sample seems to have more than one speaker. Send one of the speaker alone.")


class VoiceLimit(InvalidRequest):
    """The project has as many voices as it may."""

    code = "voice_limit_reached"

    def __init__(self, limit: int) -> None:
        super().__init__(f"This project has {limit} voices, the most that it may. Delete one first.")


class ConsentLimit(InvalidRequest):
    """The project has as many consents as it may."""

    code = "consent_limit_reached"

    def __init__(self, limit: int) -> None:
        super().__init__(f"This project has {limit} voice consents, the most that it may. Delete one first.")


class VoiceNotFound(NotFound):
    """No voice of that name or id."""

    code = "voice_not_found"
    param = "voice"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no voice '{name[:100]}'.")


class ConsentNotFound(NotFound):
    """No consent of that id."""

    code = "consent_not_found"

    def __init__(self, name: str, param: str | None = None) -> None:
        super().__init__(f"There is no voice consent '{name[:100]}'.", param=param)
