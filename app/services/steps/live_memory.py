"""The memory that a live session claims for its audio: in steps, as needed, and given back as it is freed.

Law: seconds of audio. A session keeps 16 bits of each sample and not 32, so it claims half of its seconds.
"""

from __future__ import annotations

from app.errors import InvalidRequest, Overloaded
from app.runtime.admission import Permit

CLAIM_SECONDS = 30.0
"""Seconds of audio in one step."""


class SoundClaim:
    """The claim of one session. It never falls below the first step."""

    def __init__(self, permit: Permit) -> None:
        """Claims the first step. Raises `Overloaded`."""
        self._permit = permit
        self._seconds = 0.0
        self._step()

    def reach(self, seconds: float) -> None:
        """Claims memory for so many seconds of audio, or for none of them. Raises `InvalidRequest` if the
        server has not enough to give.
        """
        before = self._seconds
        while seconds > self._seconds:
            try:
                self._step()
            except Overloaded:
                self.fit(before)
                message = "The server has no room for more audio now. Commit or clear what is there."
                raise InvalidRequest(message, code="input_audio_buffer_full") from None

    def fit(self, seconds: float) -> None:
        """Gives back whole steps that so many seconds of audio do not need."""
        while self._seconds - CLAIM_SECONDS >= max(seconds, CLAIM_SECONDS):
            self._permit.release(CLAIM_SECONDS / 2)
            self._seconds -= CLAIM_SECONDS

    def _step(self) -> None:
        self._permit.claim(0.0, CLAIM_SECONDS / 2)
        self._seconds += CLAIM_SECONDS
