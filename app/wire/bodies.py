"""JSON bodies -> plain values. Law: pure; what is wrong with a body is said with the field's name."""

from __future__ import annotations

import json
from typing import Any

from app.errors import InvalidRequest, InvalidValue, MissingField


def json_object(body: bytes) -> dict[str, Any]:
    """Raises `InvalidRequest`."""
    try:
        # Half a surrogate pair can be escaped in JSON, but never be sent or spoken.
        text = json.dumps(json.loads(body), ensure_ascii=False).encode(errors="replace")
        raw = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidRequest("The body is not valid JSON.", code="invalid_json") from None
    if not isinstance(raw, dict):
        raise InvalidRequest("The body must be a JSON object.", code="invalid_json")
    return raw


def required_text(raw: dict[str, Any], name: str, field: str = "") -> str:
    """The text of `name`, called `field` in errors. Raises `MissingField` or `InvalidValue`."""
    value = raw.get(name)
    if value is None or (isinstance(value, str) and not value.strip()):
        raise MissingField(field or name)
    if not isinstance(value, str):
        raise InvalidValue(f"Invalid type for '{field or name}': expected a string.", param=field or name)
    return value
