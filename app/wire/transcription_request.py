"""Forms of transcriptions and translations -> a job for the services, and how its result is rendered.

Law: pure; every value is checked here, with the field's name in the error, before any audio is touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from app.domain import TranscriptionJob, VadOptions
from app.errors import InvalidValue, UnsupportedValue
from app.wire import request_fields as table
from app.wire.checked_values import bounded_integer, bounded_number, invalid_choice
from app.wire.clean_text import clean
from app.wire.cue_breaks import CueRules
from app.wire.diarization_request import speaker_request
from app.wire.field_reader import FormReader
from app.wire.field_row import ObjectPart, RequestField, ResponseFormat
from app.wire.form_notations import Fields
from app.wire.languages import language_code
from app.wire.strict import check_transcription, check_translation
from app.wire.transcription_events import EventOptions
from engines.types import Task

SUBTITLES = ("srt", "vtt")
LEAST_THRESHOLD = 0.01
"""At a threshold of 0 everything would be speech, silence too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestRules:
    """The defaults and rules of the settings for requests."""

    prompt_characters: int
    vad: bool
    """The default of `vad_filter`: whether silence is left out."""
    cues: CueRules
    """The default layout of subtitles."""
    strict: bool = False
    """Whether to refuse the combinations that OpenAI refuses (strict mode)."""


@dataclass(frozen=True, slots=True)
class TranscriptionRequest:
    """One call of transcriptions or translations."""

    job: TranscriptionJob
    format: ResponseFormat
    granularities: frozenset[str]
    stream: bool
    cues: CueRules
    told: EventOptions = field(default_factory=EventOptions)
    """The events that a stream sends."""


def transcription_request(fields: Fields, rules: RequestRules, task: Task) -> TranscriptionRequest:
    """The fields of a form as a request. Raises `ApiError` that names the field."""
    if rules.strict:
        check_transcription(fields) if task == "transcribe" else check_translation(fields)
    if task == "transcribe":
        return transcription(FormReader(fields, "transcriptions"), rules)
    return translation(FormReader(fields, "translations"), rules)


def transcription(reader: FormReader, rules: RequestRules) -> TranscriptionRequest:
    """The fields of a form as a request for a transcription, whose text is in the language of the speech."""
    model = reader.model(table.MODEL)
    form = reader.choice(table.RESPONSE_FORMAT)
    granularities = reader.choices(table.GRANULARITIES)
    stream = reader.flag(table.STREAM)
    speakers = speaker_request(reader, form)
    if speakers and stream and "word" in granularities:
        speakers = replace(speakers, text_first=True)
    included = _included(reader, strict=rules.strict)
    times = stream and "word" in granularities
    job = replace(
        _job(reader, rules, model, "transcribe"),
        language=_language(reader),
        logprobs="logprobs" in included,
        peaks=stream and "peaks" in included,
        words=times or form in SUBTITLES or (form == "verbose_json" and "word" in granularities),
        diarize=speakers,
    )
    request = _request(job, form, granularities, stream=stream, cues=_cues(reader, rules.cues))
    told = EventOptions(
        logprobs=job.logprobs,
        text_first=speakers is not None and speakers.text_first,
        times=times,
        progress="progress" in included,
    )
    return replace(request, told=told)


def _included(reader: FormReader, *, strict: bool) -> frozenset[str]:
    included = reader.choices(table.INCLUDE)
    if strict and (own := sorted(included & table.OWN_INCLUDES)):
        raise invalid_choice(table.INCLUDE.name, own[0], ("logprobs",))
    return included


def translation(reader: FormReader, rules: RequestRules) -> TranscriptionRequest:
    """A translation: the text is in English."""
    model = reader.model(table.MODEL)
    form = reader.choice(table.TRANSLATION_FORMAT)
    job = replace(_job(reader, rules, model, "translate"), words=form in SUBTITLES)
    stream = reader.flag(table.STREAM)
    return _request(job, form, frozenset({"segment"}), stream=stream, cues=_cues(reader, rules.cues))


def _job(reader: FormReader, rules: RequestRules, model: str, task: Task) -> TranscriptionJob:
    return TranscriptionJob(
        model=model,
        task=task,
        prompt=reader.text(table.PROMPT, rules.prompt_characters),
        hotwords=_hotwords(reader),
        temperature=reader.number(table.TEMPERATURE),
        beam_size=reader.integer(table.BEAM_SIZE),
        vad=_vad(reader, default=rules.vad),
    )


def _request(
    job: TranscriptionJob, form: str, granularities: frozenset[str], *, stream: bool, cues: CueRules
) -> TranscriptionRequest:
    chosen: ResponseFormat = form  # type: ignore[assignment]  # a checked choice
    return TranscriptionRequest(job, chosen, granularities, stream=stream, cues=cues)


def _language(reader: FormReader) -> str | None:
    """`language`, or the only one of `languages[]`; None if there are several: the language is
    detected then.
    """
    given = reader.raw(table.LANGUAGE)
    several = tuple(_code(table.LANGUAGES, text) for text in reader.texts(table.LANGUAGES))
    if given:
        return _code(table.LANGUAGE, given)
    return several[0] if len(several) == 1 else None


def _code(field: RequestField, text: str) -> str:
    code = language_code(text)
    if code is None:
        raise InvalidValue(
            f"Invalid language '{text[:50]}'. Language parameter must be specified in ISO-639-1 format.",
            param=field.name,
        )
    return code


def _hotwords(reader: FormReader) -> tuple[str, ...]:
    """OpenAI's `keywords[]` and the field's usual name, `hotwords` (a list, or one text with commas)."""
    words = [*reader.texts(table.KEYWORDS), *reader.texts(table.HOTWORDS)]
    parts = [clean(part).strip() for word in words for part in word.split(",")]
    return tuple(part for part in parts if part)[: table.MOST_HOTWORDS]


def _vad(reader: FormReader, *, default: bool) -> VadOptions | None:
    """How silence is treated: `chunking_strategy` asks for it, `vad_filter` decides."""
    strategy = reader.object(table.CHUNKING)
    options = _strategy(strategy) if strategy is not None else None
    detect = reader.flag(table.VAD_FILTER, default=default or options is not None)
    return (options or VadOptions()) if detect else None


def _strategy(value: Mapping[str, Any] | str) -> VadOptions:
    name, choices = table.CHUNKING.name, table.CHUNKING.choices
    if isinstance(value, str):
        if value not in choices:
            raise invalid_choice(name, value, choices)
        return VadOptions()
    if "type" not in value:
        raise InvalidValue(
            f"'{name}' needs a type: '{name}[type]=server_vad' with the other keys.", param=f"{name}[type]"
        )
    if value["type"] not in choices:
        raise invalid_choice(f"{name}[type]", _said(value["type"]), choices)
    if unknown := set(value) - {"type", *(part.name for part in table.CHUNKING.parts)}:
        raise UnsupportedValue(f"Unknown key in '{name}': '{min(unknown)[:50]}'.", param=name)
    numbers = {part.name: _part(f"{name}[{part.name}]", part, value) for part in table.CHUNKING.parts}
    if value["type"] == "auto":
        return VadOptions()
    return VadOptions(
        threshold=max(numbers["threshold"], LEAST_THRESHOLD),
        prefix_padding_ms=int(numbers["prefix_padding_ms"]),
        silence_duration_ms=int(numbers["silence_duration_ms"]),
    )


def _part(name: str, part: ObjectPart, value: Mapping[str, Any]) -> float:
    """One number of the object, or its default. `name`: for errors."""
    if part.name not in value:
        return part.default
    if part.kind == "integer":
        return bounded_integer(name, value[part.name], int(part.low), int(part.high))
    return bounded_number(name, value[part.name], part.low, part.high)


def _said(value: Any) -> str:
    """The form in which an error quotes a value that should be text."""
    return value if isinstance(value, str) else type(value).__name__


def _cues(reader: FormReader, default: CueRules) -> CueRules:
    return CueRules(
        width=reader.integer(table.LINE_WIDTH) or default.width,
        lines=reader.integer(table.LINE_COUNT) or default.lines,
        longest=reader.number(table.CUE_SECONDS, default=default.longest),
        shortest=default.shortest,
        speed=default.speed,
    )
