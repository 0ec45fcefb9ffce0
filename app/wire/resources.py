"""Models and lists as clients see them. Law: pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from app.domain import LocalVoice, ModelListing
from app.errors import InvalidValue

PAGE = 20
LARGEST_PAGE = 100


def model_object(model: ModelListing) -> dict[str, Any]:
    return {"id": model.id, "object": "model", "created": model.created, "owned_by": model.owner}


def model_list(models: Iterable[ModelListing]) -> dict[str, Any]:
    return {"object": "list", "data": [model_object(model) for model in models]}


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
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= LARGEST_PAGE:
        raise InvalidValue(f"Invalid value for 'limit': expected 1 to {LARGEST_PAGE}.", param="limit")
    return int(text)
