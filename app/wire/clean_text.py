"""Cleans text from clients, so that it can be stored, logged and sent back.

Law: pure. Free text is cleaned; names and ids with control characters are refused.
"""

from __future__ import annotations

import re

from app.errors import InvalidValue

LONGEST_ID = 256
"""The most characters of the name or the id of a voice, a consent or a model."""
_NOT_IN_IDS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def clean(text: str) -> str:
    """The text without NUL, which no database stores; a lone surrogate, which cannot be encoded, becomes
    U+FFFD.
    """
    text = text.replace("\0", "")
    return text if text.isascii() else re.sub(r"[\ud800-\udfff]", "\ufffd", text)


def one_line(text: str) -> str:
    """The text as `clean` gives it, on one line: a subtitle ends at an empty one."""
    return " ".join(clean(text).split())


def is_id(text: str) -> bool:
    """Whether a name or an id can exist: one line of 1 to `LONGEST_ID` characters."""
    return 0 < len(text) <= LONGEST_ID and not _NOT_IN_IDS.search(text)


def checked_id(name: str, text: str) -> str:
    """The id in the field `name`. Raises `InvalidValue`."""
    if not is_id(text):
        raise InvalidValue(
            f"Invalid value for '{name}': expected one line of 1 to {LONGEST_ID} characters.", param=name
        )
    return text
