"""The OpenAPI document: FastAPI's list of routes, with requests and answers from the tables of `app.wire`.

Law: no facts are stated here: fields come from `request_fields`, the shapes of answers from `answer_schemas`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.api.required_scopes import OPEN
from app.services.idempotency import LONGEST_KEY
from app.settings import Settings
from app.wire.answer_schemas import SCHEMAS, TEXT, ref
from app.wire.field_row import Endpoint
from app.wire.field_schemas import EXTENSION, object_schema, parameters
from app.wire.media_types import RENDERED_MEDIA_TYPES, SPEECH_MEDIA_TYPES
from app.wire.realtime_schemas import REALTIME_SCHEMAS

FORM, JSON, EVENTS = "multipart/form-data", "application/json", "text/event-stream"
BINARY = {"type": "string", "format": "binary"}
ERRORS = {
    400: "The request is wrong; `param` names the field.",
    401: "No key, a wrong one, or one that has expired.",
    403: "The key lacks the scope, or a page of another site asks, or under a name that is not the server's.",
    404: "There is no such thing.",
    408: "The upload stopped, or the work took too long.",
    409: "The first request with this `Idempotency-Key` is still worked on. Try again later.",
    413: "The upload has too many bytes.",
    429: "The server is busy. `Retry-After` tells when to try again.",
    426: "The path is for WebSockets alone.",
    431: "The head of the request is too large.",
    500: "A fault of the server; its log has the details under `x-request-id`.",
    503: "A model or the database cannot be used now, or the server stops. Try again later.",
    507: "The disk of the server is full. `Retry-After` tells when to try again.",
}  # fmt: skip
READING_STATUSES = (400, 401, 403, 404, 429, 431, 500, 503)
WORKING_STATUSES = (*READING_STATUSES, 408, 507)
UPLOADING_STATUSES = tuple(status for status in ERRORS if status not in (409, 426))
CREATING_STATUSES = (*UPLOADING_STATUSES, 409)
RETRIED_STATUSES = (409, 429, 503, 507)
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A key of the client's choice. The same request with the same key gets the first one's "
    "answer, and nothing is made twice.",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY},
}
REPLAYED = {
    "Idempotent-Replayed": {
        "description": "`true`: this is the answer of an earlier request with the same key.",
        "schema": {"type": "string", "enum": ["true"]},
    }
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """The request and the answers of one route."""

    id: str
    answers: dict[str, dict[str, Any]]
    """Schemas of a successful answer by media type. A client that can read only one takes the first that it
    knows.
    """
    errors: tuple[int, ...] = READING_STATUSES
    endpoint: Endpoint | None = None
    """The endpoint of `request_fields` whose fields it takes."""
    body: str = ""
    """Media type of the request's body; empty if the fields are query parameters."""
    schema: str = ""
    """Name of the schema, for a body whose fields are not in the table of request fields."""
    extension: bool = False
    creates: bool = False
    """Whether it makes something once for each `Idempotency-Key`."""
    also: dict[int, dict[str, Any]] = field(default_factory=dict)
    """Further answers of this route, by status."""


def _json(name: str) -> dict[str, dict[str, Any]]:
    return {JSON: ref(name)}


def _any(*names: str) -> dict[str, Any]:
    return {"anyOf": [ref(name) for name in names]}


def _events(*names: str) -> dict[str, Any]:
    """The answer of a stream: plain text, for clients without support for server-sent events."""
    return TEXT | {"description": f"Server-sent events; the data of each is one of: {', '.join(names)}."}


# Text stands first, because a generated client that reads only one kind of answer can then take every format.
_TRANSCRIPTIONS = {
    "text/plain": TEXT,
    "text/vtt": TEXT,
    JSON: _any("Transcription", "VerboseTranscription", "DiarizedTranscription"),
    EVENTS: _events(
        "TranscriptDelta",
        "SpeakerSegment",
        "TranscriptDone",
        "TranscriptionProgress",
        "TranscriptionPeaks",
        "Error",
    ),
}
_TRANSLATIONS = _TRANSCRIPTIONS | {JSON: _any("Transcription", "VerboseTranscription")}
_SPEECH = dict.fromkeys(SPEECH_MEDIA_TYPES.values(), BINARY) | {
    EVENTS: _events("SpeechDelta", "SpeechDone", "Error")
}
_FILE_SCHEMAS = {JSON: {"type": "object"}, RENDERED_MEDIA_TYPES["docx"]: BINARY}
_RENDERED = {
    media_type: _FILE_SCHEMAS.get(media_type, TEXT)
    for media_type in (kind.partition(";")[0] for kind in RENDERED_MEDIA_TYPES.values())
}
_STATUS = {
    "type": "object",
    "required": ["status"],
    "properties": {"status": TEXT, "problems": {"type": "object"}, "crashed_models": {"type": "object"}},
}

OPERATIONS: dict[tuple[str, str], Operation] = {
    ("post", "/v1/audio/transcriptions"): Operation(
        id="createTranscription",
        endpoint="transcriptions",
        body=FORM,
        answers=_TRANSCRIPTIONS,
        errors=UPLOADING_STATUSES,
    ),
    ("post", "/v1/audio/transcriptions/render"): Operation(
        id="renderTranscription",
        endpoint="render",
        body=JSON,
        answers=_RENDERED,
        errors=WORKING_STATUSES,
        extension=True,
    ),
    ("get", "/v1/about"): Operation(id="about", answers=_json("About"), extension=True),
    ("post", "/v1/audio/translations"): Operation(
        id="createTranslation",
        endpoint="translations",
        body=FORM,
        answers=_TRANSLATIONS,
        errors=UPLOADING_STATUSES,
    ),
    ("post", "/v1/audio/speech"): Operation(
        id="createSpeech", endpoint="speech", body=JSON, answers=_SPEECH, errors=WORKING_STATUSES
    ),
    ("post", "/v1/audio/voices"): Operation(
        id="createVoice",
        endpoint="voices",
        body=FORM,
        answers=_json("Voice"),
        errors=CREATING_STATUSES,
        creates=True,
    ),
    ("get", "/v1/audio/voices"): Operation(
        id="listVoices", endpoint="list_voices", answers=_json("VoiceList"), extension=True
    ),
    ("get", "/v1/audio/voices/{voice}"): Operation(
        id="retrieveVoice", answers=_json("Voice"), extension=True
    ),
    ("delete", "/v1/audio/voices/{voice}"): Operation(id="deleteVoice", answers=_json("DeletedVoice")),
    ("post", "/v1/audio/voice_consents"): Operation(
        id="createVoiceConsent",
        endpoint="voice_consents",
        body=FORM,
        answers=_json("VoiceConsent"),
        errors=CREATING_STATUSES,
        creates=True,
    ),
    ("get", "/v1/audio/voice_consents"): Operation(
        id="listVoiceConsents", endpoint="list_consents", answers=_json("VoiceConsentList")
    ),
    ("get", "/v1/audio/voice_consents/{consent}"): Operation(
        id="retrieveVoiceConsent", answers=_json("VoiceConsent")
    ),
    ("post", "/v1/audio/voice_consents/{consent}"): Operation(
        id="updateVoiceConsent",
        endpoint="consent",
        body=JSON,
        answers=_json("VoiceConsent"),
        errors=WORKING_STATUSES,
    ),
    ("delete", "/v1/audio/voice_consents/{consent}"): Operation(
        id="deleteVoiceConsent", answers=_json("DeletedVoiceConsent")
    ),
    ("get", "/v1/realtime"): Operation(
        id="connectRealtime", answers={}, errors=(400, 401, 403, 404, 426, 429, 500, 503)
    ),
    ("post", "/v1/realtime/client_secrets"): Operation(
        id="createClientSecret",
        body=JSON,
        schema="ClientSecretRequest",
        answers=_json("ClientSecret"),
        errors=WORKING_STATUSES,
    ),
    ("post", "/v1/realtime/transcription_sessions"): Operation(
        id="createTranscriptionSession",
        body=JSON,
        schema="TranscriptionSessionRequest",
        answers=_json("TranscriptionSession"),
        errors=WORKING_STATUSES,
    ),
    ("get", "/v1/audio/models"): Operation(id="listAudioModels", answers=_json("ModelList"), extension=True),
    ("get", "/v1/models"): Operation(id="listModels", answers=_json("ModelList")),
    ("get", "/v1/models/{model}"): Operation(id="retrieveModel", answers=_json("Model")),
    ("get", "/health/live"): Operation(id="live", answers={JSON: _STATUS}, errors=(500,)),
    ("get", "/health/ready"): Operation(
        id="ready", answers={JSON: _STATUS}, errors=(500,), also={503: {JSON: _STATUS}}
    ),
    ("get", "/metrics"): Operation(id="metrics", answers={"text/plain": TEXT}, errors=(401, 403, 500)),
}


def openapi_document(app: FastAPI, settings: Settings) -> dict[str, Any]:
    """The document of a server with these settings; the first call builds it."""
    if app.openapi_schema:
        return app.openapi_schema
    document = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
    for path, methods in document["paths"].items():
        for method, spoken in methods.items():
            operation = OPERATIONS.get((method, path))
            _describe(spoken, operation, settings)
            if path in OPEN:
                spoken["security"] = []
    document["components"] = {
        "schemas": SCHEMAS | REALTIME_SCHEMAS,
        "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
    }
    document["security"] = [{}, {"key": []}]
    app.openapi_schema = document
    return document


def _describe(spoken: dict[str, Any], operation: Operation | None, settings: Settings) -> None:
    """Replaces FastAPI's description of a route; a route without a row in the table keeps the description of
    its success.
    """
    spoken["responses"] = {
        status: answer for status, answer in spoken.get("responses", {}).items() if status == "200"
    } | {str(status): _error(status) for status in (operation.errors if operation else READING_STATUSES)}
    if operation is None:
        return
    spoken["operationId"] = operation.id
    if operation.answers:
        spoken["responses"]["200"] = {"description": "Success.", "content": _contents(operation.answers)}
    else:
        del spoken["responses"]["200"]
    for status, answers in operation.also.items():
        spoken["responses"][str(status)] = {"description": "Not yet.", "content": _contents(answers)}
    if operation.extension:
        spoken[EXTENSION] = True
    paths = [given for given in spoken.get("parameters", []) if given["in"] == "path"]
    queries = parameters(operation.endpoint, settings) if operation.endpoint and not operation.body else []
    headers = [IDEMPOTENCY_KEY] if operation.creates else []
    if paths or queries or headers:
        spoken["parameters"] = paths + queries + headers
    if operation.creates:
        spoken["responses"]["200"]["headers"] = REPLAYED
    if operation.body:
        schema = object_schema(operation.endpoint, settings) if operation.endpoint else ref(operation.schema)
        needed = operation.endpoint is not None
        spoken["requestBody"] = {"required": needed, "content": {operation.body: {"schema": schema}}}


def _contents(answers: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {media_type: {"schema": schema} for media_type, schema in answers.items()}


def _error(status: int) -> dict[str, Any]:
    headers = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}
    return {
        "description": ERRORS[status],
        "content": _contents({JSON: ref("Error")}),
        **({"headers": headers} if status in RETRIED_STATUSES else {}),
    }
