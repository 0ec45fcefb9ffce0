"""What a browser accepts and has, by its headers (RFC 9110, sections 12.5 and 13.1).

Law: pure; a header that makes no sense is no wish.
"""

from __future__ import annotations

import re
from collections.abc import Collection

MOST_ENTRIES = 50
"""No browser sends more; what comes after them is not read."""


def takes_gzip(accepted: str) -> bool:
    """Whether the header `Accept-Encoding` allows gzip."""
    weights = _weights(accepted)
    return weights.get("gzip", weights.get("*", 0.0)) > 0


def language_for(accepted: str, known: Collection[str], usual: str = "en") -> str:
    """The language of `known` that the header `Accept-Language` likes most."""
    weights = _weights(accepted)
    for tag in sorted(weights, key=weights.__getitem__, reverse=True):
        code = tag.partition("-")[0]
        if weights[tag] > 0 and code in known:
            return code
    return usual


def knows(known: str, tag: str) -> bool:
    """Whether the header `If-None-Match` has the entity tag; a proxy may have made it a weak one."""
    entries = [entry.strip() for entry in known.split(",")[:MOST_ENTRIES]]
    return entries == ["*"] or tag.removeprefix("W/") in {entry.removeprefix("W/") for entry in entries}


def _weights(header: str) -> dict[str, float]:
    """The entries of a header with their weights, in its order."""
    weights: dict[str, float] = {}
    for entry in header.lower().split(",")[:MOST_ENTRIES]:
        name, _, parameter = entry.partition(";")
        weight = parameter.strip().removeprefix("q=")
        weights[name.strip()] = float(weight) if re.fullmatch(r"[01](\.\d{0,3})?", weight) else 1.0
    return weights
