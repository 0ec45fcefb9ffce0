"""The JSON of voices and consents, and of their lists. Law: pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.domain import CustomVoice, ListedVoice, LocalVoice, VoiceConsent


def voice_page(items: Sequence[dict[str, Any]], after: str | None, limit: int | None) -> dict[str, Any]:
    """A page of the list of voices; clients of Kokoro-FastAPI and Open WebUI read the key `voices`. `limit`:
    None for all.
    """
    listed = page(items, after, limit)
    return listed | {"voices": [{"id": voice["id"], "name": voice["name"]} for voice in listed["data"]]}


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
    """A custom voice, in OpenAI's shape."""
    return {
        "object": "audio.voice",
        "id": voice.id,
        "name": voice.name,
        "created_at": voice.created,
        "type": "audio_sample",
    }


def custom_voice_details(voice: CustomVoice) -> dict[str, Any]:
    """A custom voice, with the extensions of this server."""
    matched = {"matched_voice": voice.nearest, "similarity": round(voice.similarity, 3)}
    return custom_voice_object(voice) | {
        "consent": voice.consent,
        "model": voice.model,
        "engine": voice.engine,
        "cloner": voice.cloner,
        "language": voice.language,
        **(matched if voice.nearest else {}),
    }


def listed_voice(listed: ListedVoice) -> dict[str, Any]:
    """Any voice of a list, with all fields."""
    if isinstance(listed.voice, CustomVoice):
        return custom_voice_details(listed.voice)
    return voice_object(listed.name, listed.voice)


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


def page(items: Sequence[dict[str, Any]], after: str | None, limit: int | None) -> dict[str, Any]:
    """At most `limit` items that follow the item with the id `after`; none if there is no such item."""
    ids = [item["id"] for item in items]
    start = 0 if after is None else ids.index(after) + 1 if after in ids else len(ids)
    data = list(items[start:][:limit])
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": start + len(data) < len(items),
    }
