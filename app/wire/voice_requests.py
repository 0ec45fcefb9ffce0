"""Requests for voices and consents, and the pages of lists.

Law: pure; every value is checked here, with the field's name in the error.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from app.errors import ConsentNotFound, EngineUnavailable, InvalidValue, VoiceNotFound
from app.wire import request_fields as table
from app.wire.clean_text import checked_id, is_id
from app.wire.field_reader import BodyReader, FormReader
from app.wire.field_row import RequestField
from app.wire.form_notations import Fields
from app.wire.json_bodies import json_object
from app.wire.languages import language_tag


@dataclass(frozen=True, slots=True)
class VoiceRequest:
    """A request to create a voice; the sample is a file of the form."""

    name: str
    consent: str
    """Id of a consent."""


@dataclass(frozen=True, slots=True)
class ConsentRequest:
    """A request to create a consent; the recording is a file of the form."""

    name: str
    language: str
    """BCP 47 tag in its standard form."""


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A request for one page of a list."""

    after: str | None
    """Id of the last item of the page before."""
    limit: int | None
    """Number of items; None: all of them."""


def voice_request(fields: Fields) -> VoiceRequest:
    """The fields of a form as a request for a voice. Raises `ApiError` that names the field."""
    return voice(FormReader(fields, "voices"))


def voice(reader: FormReader) -> VoiceRequest:
    """The fields of the form as a request. Raises `ApiError` that names the field."""
    name = _label(reader.text(table.NAME))
    if reader.choice(table.VOICE_TYPE) == "prompt":
        raise EngineUnavailable(
            "Voices from a prompt are not made here: send an audio_sample.", param=table.VOICE_TYPE.name
        )
    return VoiceRequest(name, reader.id(table.CONSENT))


def consent_request(fields: Fields) -> ConsentRequest:
    """The fields of a form as a request for a consent. Raises `InvalidValue` or `MissingField`."""
    return consent(FormReader(fields, "voice_consents"))


def consent(reader: FormReader) -> ConsentRequest:
    """The fields of the form as a request. Raises `InvalidValue` or `MissingField`."""
    name = _label(reader.text(table.NAME))
    text = reader.raw(table.CONSENT_LANGUAGE)
    tag = language_tag(text)
    if tag is None:
        raise InvalidValue(
            f"Invalid language '{text[:50]}': expected a BCP 47 tag such as 'en' or 'en-US'.",
            param=table.CONSENT_LANGUAGE.name,
        )
    return ConsentRequest(name, tag)


def new_name(body: bytes) -> str:
    """The name in the body of a renaming. Raises `InvalidRequest`."""
    return renamed(BodyReader(json_object(body), "consent"))


def renamed(reader: BodyReader) -> str:
    """The new name of a consent. Raises `InvalidValue` or `MissingField`."""
    return _label(reader.text(table.NAME))


def page_of_consents(query: Fields) -> PageRequest:
    """The wanted page of a list of consents. Raises `InvalidValue`."""
    return page(FormReader(query, "list_consents"), table.LIMIT)


def page_of_voices(query: Fields) -> PageRequest:
    """The wanted page of a list of voices. Raises `InvalidValue`."""
    return page(FormReader(query, "list_voices"), table.VOICE_LIMIT)


def page(reader: FormReader, limit: RequestField) -> PageRequest:
    """The page that a query asks for. `limit`: the row of its size. Raises `InvalidValue`."""
    after = reader.raw(table.AFTER)
    start = checked_id(table.AFTER.name, after) if after else None
    size = reader.integer(limit)
    return PageRequest(start, int(limit.default) if size is None and limit.default else size)


def voice_id(text: str) -> str:
    """The id in a path. Raises `VoiceNotFound` for one that no voice can have."""
    if not is_id(text):
        raise VoiceNotFound(text)
    return text


def consent_id(text: str) -> str:
    """The id in a path. Raises `ConsentNotFound` for one that no consent can have."""
    if not is_id(text):
        raise ConsentNotFound(text)
    return text


def _label(name: str) -> str:
    """A name that a person chooses: any text on one line."""
    label = "".join(sign for sign in name if unicodedata.category(sign) not in ("Cc", "Cs")).strip()
    if not label:
        raise InvalidValue(f"'name' must have 1 to {table.NAME.high:g} characters.", param=table.NAME.name)
    return label
