"""JSON of any size, read and written in pieces: text -> plain values -> text.

Law: pure. While Python's JSON library reads or writes one value, no other thread runs, nor the event loop.
So it calls a function of ours for each object and number that it reads, which lets others run; no object has
more members than are read in a few milliseconds; and lists are written a slice at a time.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

MOST_DIGITS = 300
"""The most digits of a whole number. A longer number exceeds every limit, and converting it is slow."""
MOST_COLLECTIONS = 10_000
"""Objects and arrays in one text. Each takes up to a hundred times its two characters in memory."""
MOST_MEMBERS = 10_000
"""Names and values that may follow each other without a bracket; twice as many if the values are no texts."""
_SMALL_TEXT = 200_000
"""A text of so many characters is read in a few milliseconds, whatever it contains."""
_SLICE_ENTRIES = 500
_LONG_LIST = 100
"""Lists with more entries than this are written a slice at a time."""
_STRETCH = re.compile(
    r'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+"){0,'
    + str(4 * MOST_MEMBERS)  # for the name and for the value: a string, and what follows it
    + r"}+(?P<bracket>[{}\[\]]|$)?",
    re.DOTALL,
)
"""Matches what stands between two brackets. A string in quotation marks may contain brackets."""


class TooManyCollections(ValueError):
    """A text with more objects and arrays than a request can need."""


class TooManyMembers(ValueError):
    """An object or an array with more than `MOST_MEMBERS` simple values in a row."""


def load(text: str, most: int = MOST_COLLECTIONS) -> Any:
    """Parsed JSON; whole numbers of any length are taken. Raises `ValueError` or `RecursionError`.

    Brackets within strings are counted too, which no request of a person comes near.
    """
    if text.count("{") + text.count("[") > most:
        raise TooManyCollections
    if len(text) > _SMALL_TEXT:
        _check_members(text)
    return _DECODER.decode(text)


def dump(value: Any) -> bytes:
    """The same bytes as `json.dumps` gives, in UTF-8."""
    return "".join(_pieces(value)).encode()


def _check_members(text: str) -> None:
    at = 0
    while at < len(text):
        stretch = _STRETCH.match(text, at)
        if stretch is None or stretch["bracket"] is None:
            raise TooManyMembers
        at = stretch.end()


def _integer(digits: str) -> int | float:
    return (
        int(digits) if len(digits) <= MOST_DIGITS else math.copysign(math.inf, -1 if digits[0] == "-" else 1)
    )


def _fraction(digits: str) -> float:
    return float(digits)


def _object(members: dict[str, Any]) -> dict[str, Any]:
    return members


_DECODER = json.JSONDecoder(parse_int=_integer, parse_float=_fraction, object_hook=_object)


def _pieces(value: Any) -> Iterator[str]:
    if isinstance(value, dict) and any(isinstance(member, list | dict) for member in value.values()):
        before = "{"
        for name, member in value.items():
            yield f"{before}{json.dumps(name, ensure_ascii=False)}: "
            yield from _pieces(member)
            before = ", "
        yield "}"
    elif isinstance(value, list) and (len(value) > _SLICE_ENTRIES or any(map(_is_large, value))):
        before, entries = "[", iter(value)
        while part := list(islice(entries, _SLICE_ENTRIES)):
            yield before
            yield from _slice(part)
            before = ", "
        yield "]"
    else:
        yield json.dumps(value, ensure_ascii=False)


def _slice(entries: list[Any]) -> Iterator[str]:
    if not any(map(_is_large, entries)):
        yield json.dumps(entries, ensure_ascii=False)[1:-1]
        return
    before = ""
    for entry in entries:
        yield before
        yield from _pieces(entry)
        before = ", "


def _is_large(value: Any) -> bool:
    """Whether the value contains a list that is longer than usual, so that it is written in slices."""
    if isinstance(value, dict):
        return any(isinstance(member, list) and len(member) > _LONG_LIST for member in value.values())
    return isinstance(value, list) and len(value) > _LONG_LIST
