"""What the server remembers of one engine on one device while it is unloaded and loaded again. Law: values
only.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from app.runtime.crash_history import CrashHistory
from app.runtime.stuck_calls import CallTimes


@dataclass(slots=True)
class EngineRecord:
    """The times, crashes and device of one engine."""

    times: CallTimes
    history: CrashHistory = field(default_factory=CrashHistory)
    device: str = "unknown"
    """`cpu` or `cuda`; known after the first load."""
