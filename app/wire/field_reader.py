"""Reads the fields of a request by their rows in the table; a field without a row cannot be read.

Law: pure; bounds and choices come from the row, and errors name the field.
"""

from __future__ import annotations

from typing import Any

from app.errors import InvalidValue, ModelNotFound
from app.wire.checked_values import bounded_number, invalid_choice
from app.wire.clean_text import clean, is_id
from app.wire.field_row import Endpoint, RequestField
from app.wire.form_notations import Fields
from app.wire.json_bodies import optional_flag, optional_text, required_text


class Reader:
    """Remembers which fields were read, and refuses to read a field of another endpoint."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self.asked: set[RequestField] = set()

    def _name(self, field: RequestField) -> str:
        assert self._endpoint in field.endpoints, (self._endpoint, field.name)
        self.asked.add(field)
        return field.name


class FormReader(Reader):
    """A form's fields. Every method raises `InvalidValue` or `MissingField`."""

    def __init__(self, fields: Fields, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self._fields = fields

    def text(self, field: RequestField, most: float | None = None) -> str:
        """Free text, empty if absent. `most`: the value of the row's `high_setting`."""
        name = self._name(field)
        text = self._fields.required(name) if field.required else self._fields.text(name)
        return _within(field, clean(text), most)

    def raw(self, field: RequestField) -> str:
        """The text exactly as it was sent, for values that their own parser checks."""
        name = self._name(field)
        return self._fields.required(name) if field.required else self._fields.text(name).strip()

    def model(self, field: RequestField) -> str:
        """The name of a model. Raises `ModelNotFound` for a name that no model can have."""
        return _model(self._fields.required(self._name(field)))

    def id(self, field: RequestField) -> str:
        return self._fields.id(self._name(field))

    def texts(self, field: RequestField) -> tuple[str, ...]:
        return self._fields.texts(self._name(field), field.most)

    def drop(self, field: RequestField) -> None:
        """Frees the memory of a large value that was read before."""
        self._fields.drop(self._name(field))

    def choice(self, field: RequestField) -> str:
        return self._fields.choice(self._name(field), field.choices, str(field.default))

    def choices(self, field: RequestField) -> frozenset[str]:
        """The values that were sent, or the default."""
        values = self._fields.choices(self._name(field), field.choices)
        return values or frozenset({str(field.default)} if field.default else ())

    def flag(self, field: RequestField, *, default: bool | None = None) -> bool:
        """`default`: if the row has none, because it is a setting or depends on other fields."""
        return self._fields.flag(self._name(field), default=bool(_default(field, default)))

    def number(self, field: RequestField, *, default: float | None = None) -> float:
        """A number within the bounds of the row. `default`: the value of the row's `default_setting`."""
        value = self._fields.number(self._name(field), *_bounds(field))
        return float(_default(field, default)) if value is None else value

    def integer(self, field: RequestField) -> int | None:
        """A whole number within the bounds of the row; None if absent."""
        low, high = _bounds(field)
        return self._fields.integer(self._name(field), int(low), int(high))

    def object(self, field: RequestField) -> dict[str, Any] | str | None:
        """An object, a text, or None if absent."""
        return self._fields.object(self._name(field))


class BodyReader(Reader):
    """A JSON object's fields. Every method raises `InvalidValue` or `MissingField`."""

    def __init__(self, raw: dict[str, Any], endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self._raw = raw

    def value(self, field: RequestField) -> Any:
        return self._raw.get(self._name(field))

    def text(self, field: RequestField, most: float | None = None) -> str:
        """Free text, empty if absent. `most`: the value of the row's `high_setting`."""
        read = required_text if field.required else optional_text
        return _within(field, read(self._raw, self._name(field)), most)

    def model(self, field: RequestField) -> str:
        """The name of a model. Raises `ModelNotFound` for a name that no model can have."""
        return _model(required_text(self._raw, self._name(field)))

    def choice(self, field: RequestField) -> str:
        """One of the row's choices. If the request has none, the row's default."""
        read = required_text if field.required else optional_text
        text = read(self._raw, self._name(field)) or str(field.default)
        if text not in field.choices:
            raise invalid_choice(field.name, text, field.choices)
        return text

    def flag(self, field: RequestField) -> bool:
        """True or false. If the request does not have the field, the row's default."""
        value = optional_flag(self._raw, self._name(field))
        return bool(_default(field, None)) if value is None else value

    def number(self, field: RequestField) -> float:
        """A number within the bounds of the row, or the row's default."""
        value = self.value(field)
        if value is None:
            return float(_default(field, None))
        return bounded_number(field.name, value, *_bounds(field))


def _bounds(field: RequestField) -> tuple[float, float]:
    assert field.low is not None
    assert field.high is not None
    return field.low, field.high


def _default(field: RequestField, given: float | None) -> float:
    """The default of the row. `given`: the default, if the row states none."""
    assert (field.default is None) != (given is None), field.name
    default = field.default if given is None else given
    assert isinstance(default, int | float), field.name
    return default


def _within(field: RequestField, text: str, most: float | None) -> str:
    """The text, if it is not too long. `most`: the value of the row's `high_setting`, if it has one."""
    assert bool(field.high_setting) != (most is None), field.name
    most = field.high if most is None else most
    if most is not None and len(text) > most:
        raise InvalidValue(f"'{field.name}' has more than {most:g} characters.", param=field.name)
    return text


def _model(name: str) -> str:
    if not is_id(name):
        raise ModelNotFound(name)
    return name
