"""How an operator gets a model whose name somebody has sent.

Law: sentences only, and each command in them works; nothing is looked up outside this machine.
"""

from __future__ import annotations

import re

from app.errors import MOST_NAMES
from app.models.catalog import catalog

_WHISPER = re.compile(r"(?:whisper-)?((?:tiny|base|small|medium)(?:\.en)?|large-v[12])")
"""Names of Whisper models outside of the catalogue that are on the hub for faster-whisper."""


def how_to_get(name: str, who: str = "The operator") -> str:
    """The command that fetches the model, as a sentence; without one if no model of that name is known.

    `who`: "You" where the operator reads it.
    """
    if name in catalog() or name.count("/") == 1:
        return f"{who} can fetch it with `antiphon models pull {name}`."
    if (full := f"whisper-{name}") in catalog():
        return f"{who} can fetch it with `antiphon models pull {full}`; its name is then `{full}`."
    if size := _WHISPER.fullmatch(name):
        hub = f"Systran/faster-whisper-{size[1]}"
        return (
            f"{who} can fetch that size with `antiphon models pull {hub}`; its name is then `{hub}`, "
            "and `models.aliases` can give it another one."
        )
    shown = "which models exist" if who == "You" else "the operator which models exist"
    return f"`antiphon models list` shows {shown}."


def listed(names: list[str]) -> str:
    """The names as text for a message; if there are very many, only some of them."""
    shown = ", ".join(f"'{name}'" for name in names[:MOST_NAMES])
    return shown + (", ..." if len(names) > MOST_NAMES else "")
