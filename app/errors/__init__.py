"""Every failure that a client can see: status, type, code and param beside its one-line meaning.

Law: each failure is a class with a name; one handler (`app.api.error_envelope`) renders them all. Messages
help the person who asked and leak nothing: no paths, no stack traces, no keys.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from app.errors.base import ApiError, InvalidRequest, NotFound
from app.errors.connections import (
    HeadersTooLarge,
    HostNotAllowed,
    OriginNotAllowed,
    TooManyConnections,
    UpgradeRequired,
)
from app.errors.idempotency import IdempotencyKeyInUse, IdempotencyKeyReused
from app.errors.key_limits import KeyRateLimited, QuotaUsedUp
from app.errors.server import (
    EngineCrashed,
    InternalError,
    ModelUnavailable,
    OutOfMemory,
    ShuttingDown,
    StorageFull,
    StorageUnavailable,
    from_os,
)
from app.errors.voices import (
    ConsentLimit,
    ConsentNotFound,
    ConsentOutdated,
    PhraseNotHeard,
    SeveralSpeakers,
    SpeakerMismatch,
    VoiceLimit,
    VoiceNotFound,
)
from engines import errors as engine_errors

__all__ = [
    "ApiError",
    "AudioTooLong",
    "AudioTooShort",
    "ConsentLimit",
    "ConsentNotFound",
    "ConsentOutdated",
    "EngineCrashed",
    "EngineUnavailable",
    "HeadersTooLarge",
    "HostNotAllowed",
    "IdempotencyKeyInUse",
    "IdempotencyKeyReused",
    "InternalError",
    "InvalidRequest",
    "InvalidValue",
    "KeyRateLimited",
    "MethodNotAllowed",
    "MissingField",
    "MissingScope",
    "ModelNotFound",
    "ModelUnavailable",
    "NotAudio",
    "NotFound",
    "OriginNotAllowed",
    "OutOfMemory",
    "Overloaded",
    "PhraseNotHeard",
    "QuotaUsedUp",
    "RequestTimedOut",
    "SeveralSpeakers",
    "ShuttingDown",
    "SpeakerMismatch",
    "StorageFull",
    "StorageUnavailable",
    "TooManyConnections",
    "Unauthorized",
    "UnknownUrl",
    "UnsupportedValue",
    "UpgradeRequired",
    "UploadTooLarge",
    "VoiceLimit",
    "VoiceNotFound",
    "from_engine",
    "from_os",
]


MOST_NAMES = 40
"""The most names that one message lists."""


class MissingField(InvalidRequest):
    """A required field is absent."""

    code = "missing_required_parameter"

    def __init__(self, name: str) -> None:
        super().__init__(f"Missing required parameter: '{name}'.", param=name)


class InvalidValue(InvalidRequest):
    """A field has a value that is not allowed for it."""

    code = "invalid_value"


class UnsupportedValue(InvalidRequest):
    """A value that other models support, but not this one."""

    code = "unsupported_value"


class NotAudio(InvalidRequest):
    """The file cannot be read as sound."""

    param = "file"
    code = "invalid_value"


class AudioTooShort(InvalidRequest):
    """The audio is shorter than a tenth of a second."""

    param = "file"
    code = "audio_too_short"

    def __init__(self) -> None:
        super().__init__("Audio file is too short. Minimum audio length is 0.1 seconds.")


class AudioTooLong(InvalidRequest):
    """The audio has more seconds than the settings allow."""

    param = "file"
    code = "invalid_value"

    def __init__(self, seconds: float | None, limit: float) -> None:
        known = f"audio duration {seconds:g} seconds is" if seconds is not None else "audio duration is"
        super().__init__(f"{known} longer than {limit:g} seconds which is the maximum for this model")


class EngineUnavailable(InvalidRequest):
    """The model needs an engine that is not installed or not part of this version."""

    code = "engine_unavailable"


class Unauthorized(ApiError):
    """The API key is absent or wrong."""

    status = 401
    type = "invalid_request_error"


class MissingScope(ApiError):
    """The API key is not meant for this."""

    status = 403
    type = "invalid_request_error"
    code = "missing_scope"

    def __init__(self, needed: str) -> None:
        """`needed`: the scope that is needed, or several scopes of which one is enough."""
        super().__init__(
            f"You have insufficient permissions for this operation: the API key needs the scope {needed}."
        )


class UnknownUrl(NotFound):
    """No such path."""

    code = "unknown_url"


class ModelNotFound(NotFound):
    """No model of that name."""

    code = "model_not_found"
    param = "model"

    def __init__(self, name: str, known: Sequence[str] = (), advice: str = "") -> None:
        """`known`: names that exist. `advice`: a sentence about how to get the model."""
        sentences = [f"The model `{name[:200]}` does not exist or you do not have access to it."]
        if known:
            more = ", ..." if len(known) > MOST_NAMES else ""
            sentences.append(f"Models here: {', '.join(f'`{name}`' for name in known[:MOST_NAMES])}{more}.")
        super().__init__(" ".join([*sentences, advice]).strip())


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
    """The upload has more bytes than the settings allow."""

    status = 413
    type = "server_error"

    def __init__(self, limit: int, read: int) -> None:
        super().__init__(f"413: Maximum content size limit ({limit}) exceeded ({read} bytes read)")


class Overloaded(ApiError):
    """Every place in the queue is taken."""

    status = 429
    type = "requests"
    code = "rate_limit_exceeded"

    def __init__(self, retry_after: int = 1, reason: str = "requests") -> None:
        """`reason`: the limit that was reached: `requests`, `seconds`, `memory` or `uploads`."""
        super().__init__("The server is busy with other requests. Try again shortly.")
        self.retry_after = retry_after
        self.refused = reason


def from_engine(error: engine_errors.EngineError) -> ApiError:
    """The failure of an engine as the client sees it."""
    for kind, told in _TOLD.items():
        if isinstance(error, kind):
            return told(error)
    return InternalError()


def _down(error: engine_errors.EngineError) -> ApiError:
    failure = ModelUnavailable("The model is being started again. Try again shortly.", param="model")
    if isinstance(error, engine_errors.EngineDown):
        failure.retry_after = max(1, math.ceil(error.pause))
    return failure


def _died(error: engine_errors.EngineError) -> ApiError:
    """Whoever kills the processes of an engine from outside is not the request, which may come again."""
    killed = isinstance(error, engine_errors.EngineDied) and error.killed
    return _down(error) if killed else EngineCrashed()


_TOLD: dict[type[engine_errors.EngineError], Callable[[engine_errors.EngineError], ApiError]] = {
    engine_errors.DeviceLost: lambda error: ModelUnavailable(str(error), param="model"),
    engine_errors.EngineMissing: lambda error: EngineUnavailable(str(error), param="model"),
    engine_errors.EngineOutOfMemory: lambda _: OutOfMemory(),
    engine_errors.EngineDied: _died,
    engine_errors.EngineDown: _down,
    engine_errors.GivenUp: lambda _: ShuttingDown(),
    engine_errors.LibraryBroken: lambda error: ModelUnavailable(str(error), param="model"),
    engine_errors.UnsupportedInput: lambda error: UnsupportedValue(str(error)),
    engine_errors.WeightsBroken: lambda error: ModelUnavailable(str(error)),
}
