"""Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html), as the SDKs read them.

Law: pure framing: bare `data:` lines, each event closed by a blank line.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": keep-alive\n\n"


def comment(text: str) -> bytes:
    """A comment line: clients ignore it, and it keeps the connection in use."""
    return f": {' '.join(text.split())}\n\n".encode()


def frame(event: Mapping[str, Any]) -> bytes:
    """One event. JSON has no raw line breaks, so one line is enough."""
    return b"data: " + json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"
