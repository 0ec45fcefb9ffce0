"""Lists for people and for programs.

Law: nothing is shortened, and control characters in names that others chose never reach the terminal.
"""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Mapping, Sequence

TableRow = Mapping[str, str | int | float | bool | None]
"""A row of a list: column -> value. All rows of a list have the same columns."""
GAP = "  "


def show(columns: Sequence[str], rows: Sequence[TableRow], *, as_json: bool) -> None:
    """Prints a list: as JSON if asked for, in aligned columns on a terminal, else as tab-separated lines."""
    if as_json:
        print(json.dumps(list(rows), indent=2, ensure_ascii=False))
        return
    cells = [[printable(row[column]) for column in columns] for row in rows]
    if not sys.stdout.isatty():
        print("".join("\t".join(line) + "\n" for line in cells), end="")
        return
    if not rows:
        print("There are none.")
        return
    for line in aligned([[column.replace("_", " ").upper() for column in columns], *cells]):
        print(line)


def aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Lines whose cells begin in the same column; a line that is too long for the terminal wraps, uncut."""
    widths = [max(width(cell) for cell in column) for column in zip(*lines, strict=True)]
    padded = (
        GAP.join(cell + " " * (wide - width(cell)) for cell, wide in zip(line, widths, strict=True))
        for line in lines
    )
    return [line.rstrip() for line in padded]


def width(text: str) -> int:
    """Columns of a terminal that a text takes."""
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1
        for sign in text
    )


def printable(value: object) -> str:
    """A value as one cell; control characters, which a terminal would obey, are shown as escapes."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "".join(
        sign.encode("unicode_escape").decode()
        if unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        else sign
        for sign in str(value)
    )


def counted(number: int, noun: str) -> str:
    """A number with its noun, such as `1 file` or `2 files`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
