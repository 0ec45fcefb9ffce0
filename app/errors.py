"""Every failure that a client can see: status, type, code and param beside its one-line meaning.

Law: named classes, one screen each kind; one handler (`app.api.faults`) renders them all. Messages help the
person who asked and leak nothing: no paths, no stack traces, no keys.
"""

from __future__ import annotations

import errno

from engines import errors as engine_errors


class ApiError(Exception):
    """A failure with its place in the OpenAI error envelope."""

    status = 500
    type = "server_error"
    code: str | None = None
    param: str | None = None
    retry_after: int | None = None
    """Seconds after which trying again makes sense."""

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = _encodable(message)
        self.param = _encodable(param) if param is not None else self.param
        self.code = code if code is not None else self.code

    def envelope(self) -> dict[str, dict[str, str | None]]:
        """The body of the answer."""
        keys = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        return {"error": keys}


def _encodable(text: str) -> str:
    """What a client sent may be quoted: half a surrogate pair in it would fail when the answer is encoded."""
    return text if text.isascii() else text.encode(errors="replace").decode()


class InvalidRequest(ApiError):
    """The request itself is wrong."""

    status = 400
    type = "invalid_request_error"


class MissingField(InvalidRequest):
    """A required field is absent."""

    code = "missing_required_parameter"

    def __init__(self, name: str) -> None:
        super().__init__(f"Missing required parameter: '{name}'.", param=name)


class InvalidValue(InvalidRequest):
    """A field holds a value that it cannot hold."""

    code = "invalid_value"


class UnsupportedValue(InvalidRequest):
    """A value that exists, but not for this model."""

    code = "unsupported_value"


class NotAudio(InvalidRequest):
    """The file cannot be read as sound."""

    param = "file"
    code = "invalid_value"


class AudioTooShort(InvalidRequest):
    """Less than a tenth of a second."""

    param = "file"
    code = "audio_too_short"

    def __init__(self) -> None:
        super().__init__("Audio file is too short. Minimum audio length is 0.1 seconds.")


class AudioTooLong(InvalidRequest):
    """More seconds than the settings allow."""

    param = "file"
    code = "invalid_value"

    def __init__(self, seconds: float | None, limit: float) -> None:
        known = f"audio duration {seconds:g} seconds is" if seconds is not None else "audio duration is"
        super().__init__(f"{known} longer than {limit:g} seconds which is the maximum for this model")


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
    """The consent's speaker was measured by another encoder than the one of today."""

    param = "consent"
    code = "consent_outdated"

    def __init__(self, consent: str) -> None:
        super().__init__(
            f"The consent '{consent[:100]}' was recorded with another speaker encoder than the one that this "
            "server uses now, so the speaker cannot be compared. Record a new consent and use its id."
        )


class SpeakerMismatch(InvalidRequest):
    """The sample's speaker is not the consent's."""

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


class EngineUnavailable(InvalidRequest):
    """The model needs an engine that is not installed or not part of this version."""

    code = "engine_unavailable"


class Unauthorized(ApiError):
    """No key, or a wrong one."""

    status = 401
    type = "invalid_request_error"


class NotFound(ApiError):
    """No such thing."""

    status = 404
    type = "invalid_request_error"


class UnknownUrl(NotFound):
    """No such path."""

    code = "unknown_url"


class ModelNotFound(NotFound):
    """No model of that name."""

    code = "model_not_found"
    param = "model"

    def __init__(self, name: str) -> None:
        super().__init__(f"The model `{name[:200]}` does not exist or you do not have access to it.")


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


class MethodNotAllowed(ApiError):
    """The path exists, but not with this method."""

    status = 405
    type = "invalid_request_error"
    code = "method_not_allowed"


class RequestTimedOut(ApiError):
    """The request took longer than the settings allow."""

    status = 408
    type = "server_error"
    code = "timeout"

    def __init__(self) -> None:
        super().__init__("The request took longer than this server allows, and was given up.")


class UploadTooLarge(ApiError):
    """More bytes than the settings allow."""

    status = 413
    type = "server_error"

    def __init__(self, limit: int, read: int) -> None:
        super().__init__(f"413: Maximum content size limit ({limit}) exceeded ({read} bytes read)")


class Overloaded(ApiError):
    """Every place in the queue is taken."""

    status = 429
    type = "requests"
    code = "rate_limit_exceeded"

    def __init__(self, retry_after: int = 1) -> None:
        super().__init__("The server is busy with other requests. Try again shortly.")
        self.retry_after = retry_after


class InternalError(ApiError):
    """A fault of ours; the log has the details under the request id."""

    def __init__(self) -> None:
        super().__init__("The server had an error while processing your request. Sorry about that!")


class ModelUnavailable(ApiError):
    """The model exists, but its weights are absent or damaged."""

    status = 503
    code = "model_unavailable"
    retry_after = 30


class ShuttingDown(ApiError):
    """The server is being stopped."""

    status = 503
    code = "shutting_down"
    retry_after = 5

    def __init__(self) -> None:
        super().__init__("The server is shutting down.")


class StorageUnavailable(ApiError):
    """The database is locked, stopped or cannot be reached."""

    status = 503
    code = "storage_unavailable"
    retry_after = 5

    def __init__(self, state: str = "cannot be reached") -> None:
        super().__init__(
            f"The server's database {state} at the moment. Nothing was stored; try again shortly."
        )


class StorageFull(ApiError):
    """The server's disk is full."""

    status = 507
    code = "storage_full"
    retry_after = 60

    def __init__(self) -> None:
        super().__init__(
            "The server's disk is full, so the request was given up. Its operator must make room; other "
            "requests may still work."
        )


def from_os(error: OSError) -> ApiError:
    """The failure of a system call as the client sees it."""
    return StorageFull() if error.errno in (errno.ENOSPC, errno.EDQUOT) else InternalError()


def from_engine(error: engine_errors.EngineError) -> ApiError:
    """The failure of an engine as the client sees it."""
    if isinstance(error, engine_errors.EngineMissing):
        return EngineUnavailable(str(error), param="model")
    if isinstance(error, engine_errors.UnsupportedInput):
        return UnsupportedValue(str(error))
    if isinstance(error, engine_errors.WeightsBroken):
        return ModelUnavailable(str(error))
    return InternalError()
