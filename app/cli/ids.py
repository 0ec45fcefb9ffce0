"""Ids as people type them: whole, or a beginning that only one of them has."""

from __future__ import annotations

from collections.abc import Iterable

from app.cli.failures import CommandError

SHOWN_CANDIDATES = 10
"""Candidates that are listed for an ambiguous beginning."""


def whole_id(typed: str, ids: Iterable[str], what: str) -> str:
    """The only id that begins with `typed`. Raises `CommandError` if none or several do.

    `what`: the name of the thing, for the sentence.
    """
    known = sorted(set(ids))
    if typed in known:
        return typed
    matches = [known_id for known_id in known if typed and known_id.startswith(typed)]
    if len(matches) == 1:
        return matches[0]
    if not matches:
        raise CommandError(f"There is no {what} {typed!r}.")
    listed = "\n".join(f"  {known_id}" for known_id in matches[:SHOWN_CANDIDATES])
    more = f"\n  and {len(matches) - SHOWN_CANDIDATES} more" if len(matches) > SHOWN_CANDIDATES else ""
    raise CommandError(f"{len(matches)} {what}s begin with {typed!r}; type more of one:\n{listed}{more}")
