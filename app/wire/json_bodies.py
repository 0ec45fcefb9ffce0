"""JSON bodies -> plain values. Law: pure; each error names the field."""

from __future__ import annotations

from typing import Any

from app.errors import InvalidRequest, InvalidValue, MissingField
from app.wire.clean_text import clean
from app.wire.json_text import MOST_COLLECTIONS, MOST_MEMBERS, TooManyCollections, TooManyMembers, load


def json_object(body: bytes, most: int = MOST_COLLECTIONS) -> dict[str, Any]:
    """The object in a body. `most`: the most objects and arrays in it. Raises `InvalidRequest`.

    JSON is UTF-8 (RFC 8259, section 8.1), whatever the content type says.
    """
    try:
        raw = load(body.decode("utf-8-sig"), most)
    except TooManyCollections:
        message = f"The body has more than {most} objects and arrays."
        raise InvalidRequest(message, code="invalid_json") from None
    except TooManyMembers:
        message = f"An object or an array of the body has more than {MOST_MEMBERS} simple values."
        raise InvalidRequest(message, code="invalid_json") from None
    except (ValueError, RecursionError):
        raise InvalidRequest("The body is not valid JSON.", code="invalid_json") from None
    if not isinstance(raw, dict):
        raise InvalidRequest("The body must be a JSON object.", code="invalid_json")
    return raw


def required_text(raw: dict[str, Any], name: str, field: str = "") -> str:
    """The text of `name`, called `field` in errors. Raises `MissingField` or `InvalidValue`."""
    text = optional_text(raw, name, field)
    if not text.strip():
        raise MissingField(field or name)
    return text


def optional_text(raw: dict[str, Any], name: str, field: str = "") -> str:
    """The text of `name`; empty where it is absent or null. Raises `InvalidValue`."""
    value = raw.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidValue(f"Invalid type for '{field or name}': expected a string.", param=field or name)
    return clean(value)


def optional_flag(raw: dict[str, Any], name: str) -> bool | None:
    """True, false, or None where it is absent or null. Raises `InvalidValue`."""
    value = raw.get(name)
    if value is not None and not isinstance(value, bool):
        raise InvalidValue(f"Invalid value for '{name}': expected true or false.", param=name)
    return value
