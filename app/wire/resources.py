"""Models and lists as clients see them. Law: pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from app.domain import CustomVoice, LocalVoice, ModelListing, VoiceConsent
from app.errors import ConsentNotFound, InvalidValue, VoiceNotFound
from app.wire.fields import bounded_integer
from app.wire.languages import language_tag
from app.wire.texts import checked_id, is_id

PAGE = 20
LARGEST_PAGE = 100
LONGEST_NAME = 256


def model_object(model: ModelListing, state: str | None) -> dict[str, Any]:
    """`state`: whether it is in memory; None for a name that stands for several models."""
    base = {"id": model.id, "object": "model", "created": model.created, "owned_by": model.owner}
    return base if state is None else base | {"state": state}


def model_list(models: Iterable[tuple[ModelListing, str | None]]) -> dict[str, Any]:
    return {"object": "list", "data": [model_object(model, state) for model, state in models]}


def voice_object(name: str, voice: LocalVoice) -> dict[str, Any]:
    """A voice that is part of a model. `name`: the one that clients send."""
    return {
        "object": "audio.voice",
        "id": name,
        "name": name,
        "created_at": voice.model.created,
        "type": "builtin",
        "model": voice.model.id,
        "engine": voice.model.engine,
        "local_voice": voice.voice.name,
        "language": voice.voice.language,
        "gender": voice.voice.gender,
        "sample_rate": voice.voice.rate,
    }


def custom_voice_object(voice: CustomVoice) -> dict[str, Any]:
    """A voice made from a sample."""
    return {
        "object": "audio.voice",
        "id": voice.id,
        "name": voice.name,
        "created_at": voice.created,
        "type": "audio_sample",
    }


def custom_voice_details(voice: CustomVoice) -> dict[str, Any]:
    """The same with what only we tell."""
    matched = {"matched_voice": voice.nearest, "similarity": round(voice.similarity, 3)}
    return custom_voice_object(voice) | {
        "consent": voice.consent,
        "model": voice.model,
        "engine": voice.engine,
        "cloner": voice.cloner,
        "language": voice.language,
        **(matched if voice.nearest else {}),
    }


def deleted_voice(voice_id: str) -> dict[str, Any]:
    return {"id": voice_id, "object": "audio.voice.deleted", "deleted": True}


def consent_object(consent: VoiceConsent) -> dict[str, Any]:
    return {
        "object": "audio.voice_consent",
        "id": consent.id,
        "name": consent.name,
        "language": consent.language,
        "created_at": consent.created,
    }


def consent_page(consents: Sequence[VoiceConsent], *, more: bool) -> dict[str, Any]:
    return {
        "object": "list",
        "data": [consent_object(consent) for consent in consents],
        "first_id": consents[0].id if consents else None,
        "last_id": consents[-1].id if consents else None,
        "has_more": more,
    }


def deleted_consent(consent_id: str) -> dict[str, Any]:
    return {"id": consent_id, "object": "audio.voice_consent", "deleted": True}


def label(name: str) -> str:
    """A name that people give to a voice or a consent: any text, but no megabyte. Raises `InvalidValue`."""
    kept = "".join(sign for sign in name if unicodedata.category(sign) not in ("Cc", "Cs")).strip()
    if not kept or len(kept) > LONGEST_NAME:
        raise InvalidValue(f"'name' must have 1 to {LONGEST_NAME} characters.", param="name")
    return kept


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


def language(name: str, text: str) -> str:
    """The BCP 47 tag in the field `name`, in its standard form. Raises `InvalidValue`."""
    tag = language_tag(text)
    if tag is None:
        raise InvalidValue(
            f"Invalid language '{text[:50]}': expected a BCP 47 tag such as 'en' or 'en-US'.", param=name
        )
    return tag


def page(items: Sequence[dict[str, Any]], after: str | None, limit: int) -> dict[str, Any]:
    """The `limit` items behind the one whose id is `after`; nothing where there is no such item."""
    ids = [item["id"] for item in items]
    start = 0 if after is None else ids.index(after) + 1 if after in ids else len(ids)
    data = list(items[start : start + limit])
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": start + limit < len(items),
    }


def page_limit(text: str | None) -> int:
    """`limit` of a query. Raises `InvalidValue`."""
    if text is None or text == "":
        return PAGE
    return bounded_integer("limit", text, 1, LARGEST_PAGE)


def page_start(text: str | None) -> str | None:
    """`after` of a query: the id of the last item of the page before. Raises `InvalidValue`."""
    return checked_id("after", text) if text else None
