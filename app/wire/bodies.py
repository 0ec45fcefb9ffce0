"""JSON bodies -> plain values. Law: pure; each error names the field."""

from __future__ import annotations

import json
import math
from typing import Any

from app.errors import InvalidRequest, InvalidValue, MissingField
from app.wire.texts import clean

MOST_DIGITS = 300
"""The most digits of a whole number; a longer one exceeds every bound, and is slow to convert."""
MOST_COLLECTIONS = 10_000
"""Objects and arrays in one text. Each takes up to a hundred times its two characters in memory, and while
millions of them are made, Python lets no other thread run."""


class TooManyCollections(ValueError):
    """A text with more objects and arrays than a request can need."""


def json_object(body: bytes, most: int = MOST_COLLECTIONS) -> dict[str, Any]:
    """The object in a body. `most`: objects and arrays. Raises `InvalidRequest`.

    JSON is UTF-8 (RFC 8259, section 8.1), whatever the content type says.
    """
    try:
        raw = load(body.decode("utf-8-sig"), most)
    except TooManyCollections:
        message = f"The body has more than {most} objects and arrays."
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


def load(text: str, most: int = MOST_COLLECTIONS) -> Any:
    """Parsed JSON; whole numbers of any length are taken. Raises `ValueError` or `RecursionError`.

    Brackets within strings are counted too, which no request of a person comes near.
    """
    if text.count("{") + text.count("[") > most:
        raise TooManyCollections
    return json.loads(text, parse_int=_integer)


def _integer(digits: str) -> int | float:
    return (
        int(digits) if len(digits) <= MOST_DIGITS else math.copysign(math.inf, -1 if digits[0] == "-" else 1)
    )
