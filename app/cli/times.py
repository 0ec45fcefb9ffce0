"""Times as people type them: `24h`, `30d`, `2027-01-31`."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

import typer

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
LONGEST_SECONDS = 100 * 365 * 86_400
"""The longest span that can be typed, in seconds: a hundred years."""
_SPAN = re.compile(r"(\d{1,10})([smhdw])")


def seconds_of(text: str) -> int:
    """The seconds of a span such as `90s`, `24h` or `7d`. Raises `typer.BadParameter`."""
    found = _SPAN.fullmatch(text.strip())
    seconds = int(found[1]) * UNITS[found[2]] if found else LONGEST_SECONDS + 1
    if seconds > LONGEST_SECONDS:
        raise typer.BadParameter(f"{text!r} is no span of time. Write 90s, 30m, 24h, 7d or 2w.")
    return seconds


def moment_of(text: str) -> int:
    """The Unix time of a date (its beginning, in UTC), of a date with a time, or of a span from now on.

    Raises `typer.BadParameter`.
    """
    if _SPAN.fullmatch(text.strip()):
        return int(time.time()) + seconds_of(text)
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no date. Write 2027-01-31, 2027-01-31T12:00, or a span from now on such as 30d."
        ) from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def past(text: str) -> int:
    """The Unix time of a date, or of a span before now. Raises `typer.BadParameter`."""
    if _SPAN.fullmatch(text.strip()):
        return int(time.time()) - seconds_of(text)
    return moment_of(text)


def shown(moment: int) -> str:
    """A Unix time as `2027-01-31 12:00`, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(moment))
