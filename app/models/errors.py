"""What can go wrong with weights. Law: messages are whole sentences that say which command helps."""

from __future__ import annotations

from pathlib import Path


class WeightsError(Exception):
    """Weights are absent or cannot be used; the message says why and which command helps.

    Clients of the server see the message, so it names no path: the attribute `folder` has it, for people at
    the machine itself.
    """

    def __init__(self, message: str, *, folder: Path | None = None) -> None:
        super().__init__(message)
        self.folder = folder


class MirrorError(Exception):
    """One source does not deliver a file; the message is a short reason, and the next source is tried."""
