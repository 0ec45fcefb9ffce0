"""Form fields, in all notations that SDKs, curl and other clients use -> plain values.

Law: pure. `x`, `x[]` and `x[0]` are the list `x`; `x[y]` is the entry `y` of the object `x`. For a field that
takes one value, the last one sent wins. An empty value is an absent one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any

from app.errors import InvalidValue, MissingField
from app.wire.checked_values import bounded_integer, bounded_number, invalid_choice
from app.wire.clean_text import checked_id, clean
from app.wire.json_text import load

_NAME = re.compile(r"(?P<base>[^\[\]]+)(?:\[(?P<key>[^\[\]]*)\])?")
_TRUE = {"true", "1", "yes", "on"}
_FALSE = {"false", "0", "no", "off"}


class Fields:
    """The text fields of one form, asked for by name and kind. Every getter raises `InvalidValue`."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._lists: dict[str, list[str]] = {}
        self._objects: dict[str, dict[str, str]] = {}
        for name, value in pairs:
            self._put(name.strip(), value)

    def _put(self, name: str, value: str) -> None:
        match = _NAME.fullmatch(name)
        base, key = (match["base"], match["key"]) if match else (name, None)
        if key and not key.isdigit():
            self._objects.setdefault(base, {})[key] = value
        else:
            self._lists.setdefault(base, []).append(value)

    def drop(self, name: str) -> None:
        """Frees the memory of a large list that was read."""
        self._lists.pop(name, None)

    def text(self, name: str, default: str = "") -> str:
        values = [value for value in self._lists.get(name, ()) if value != ""]
        return values[-1] if values else default

    def required(self, name: str) -> str:
        """The value of a field that must exist. Raises `MissingField`."""
        value = self.text(name).strip()
        if not value:
            raise MissingField(name)
        return value

    def id(self, name: str) -> str:
        """The id or the name of something that must exist. Raises `MissingField`."""
        return checked_id(name, self.required(name))

    def texts(self, name: str, most: int | None = None) -> tuple[str, ...]:
        """All values of a list; a single JSON array of strings counts as its items, quotes are taken off.

        `most`: entries that an array of data URLs, each with one comma, can have. It is looked at before the
        array is parsed, since a large array of tiny strings takes ten times its own size in memory.
        """
        values = [value for value in self._lists.get(name, ()) if value.strip()]
        if len(values) == 1 and values[0].lstrip().startswith("["):
            if most is not None and values[0].count(",") > 2 * most:
                raise InvalidValue(f"'{name}' has more than {most} entries.", param=name)
            values = self._json_strings(name, values[0])
        return tuple(_unquoted(value.strip()) for value in values)

    def choice(self, name: str, choices: Collection[str], default: str) -> str:
        value = _unquoted(self.text(name, default).strip())
        if value not in choices:
            raise invalid_choice(name, value, choices)
        return value

    def choices(self, name: str, choices: Collection[str]) -> frozenset[str]:
        values = self.texts(name)
        for value in values:
            if value not in choices:
                raise invalid_choice(name, value, choices)
        return frozenset(values)

    def flag(self, name: str, *, default: bool) -> bool:
        text = self.text(name).strip().lower()
        if not text:
            return default
        if text not in _TRUE | _FALSE:
            raise InvalidValue(f"Invalid value for '{name}': expected true or false.", param=name)
        return text in _TRUE

    def number(self, name: str, low: float, high: float) -> float | None:
        """A finite number within low..high; None if absent."""
        text = self.text(name).strip()
        return bounded_number(name, text, low, high) if text else None

    def integer(self, name: str, low: int, high: int) -> int | None:
        """A whole number within low..high; None if absent."""
        text = self.text(name).strip()
        return bounded_integer(name, text, low, high) if text else None

    def object(self, name: str) -> dict[str, Any] | str | None:
        """`x[y]` fields or a JSON object as a dict, other text as it is, None if absent."""
        if name in self._objects:
            return dict(self._objects[name])
        text = self.text(name).strip()
        if not text.startswith("{"):
            return _unquoted(text) or None
        try:
            value = load(text)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise InvalidValue(f"Invalid value for '{name}': not a valid JSON object.", param=name)
        return value

    def _json_strings(self, name: str, text: str) -> list[str]:
        try:
            values = load(text)
        except (ValueError, RecursionError):
            return [text]
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise InvalidValue(f"Invalid value for '{name}': expected a list of strings.", param=name)
        return [clean(value) for value in values]


def _unquoted(text: str) -> str:
    """The text without quotes: users of curl write -F 'x[]="word"'."""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text
