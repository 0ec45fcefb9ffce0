"""Values of requests within bounds: numbers, and names of a list.

Law: pure; each error names the field.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from typing import Any

from app.errors import InvalidValue

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
LONGEST_NUMBER = 100
"""The most characters of a number in a form or a query."""


def bounded_number(name: str, value: Any, low: float, high: float) -> float:
    """A finite number within low..high, from a string or a JSON value. Raises `InvalidValue`."""
    number = _number(value)
    if not math.isfinite(number) or not low <= number <= high:
        raise InvalidValue(
            f"Invalid value for '{name}': expected a number between {low:g} and {high:g}.", param=name
        )
    return number


def bounded_integer(name: str, value: Any, low: int, high: int) -> int:
    """A whole number within low..high, from a string or a JSON value. Raises `InvalidValue`."""
    number = bounded_number(name, value, low, high)
    if number != int(number):
        raise InvalidValue(f"Invalid value for '{name}': expected a whole number.", param=name)
    return int(number)


def _number(value: Any) -> float:
    """NaN if the value is not a number. Notations that only Python accepts (1_000, digits of other scripts,
    "nan") are refused.
    """
    if isinstance(value, str):
        plain = value.strip()
        fits = len(plain) <= LONGEST_NUMBER and _NUMBER.fullmatch(plain)
        return float(plain) if fits else math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf


def invalid_choice(name: str, value: str, choices: Collection[str]) -> InvalidValue:
    listed = ", ".join(f"'{choice}'" for choice in choices)
    return InvalidValue(
        f"Invalid value: '{value[:100]}' for '{name}'. Supported values are: {listed}.", param=name
    )
