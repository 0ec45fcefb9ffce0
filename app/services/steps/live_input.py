"""The sound of a live session as it arrives: bytes -> samples, and the probability of speech in each frame.

Law: the order of the bytes is kept. While nobody speaks, small pieces are held and decoded together, because
the cost of a piece hardly depends on its length.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

from app.audio.live_decode import PieceDecoder, Samples16
from app.audio.speech_gate import SpeechGate
from app.domain.live import SoundFormat
from app.errors import ApiError
from app.runtime.work_threads import WorkThreads
from app.services.steps.key_spending import Charge
from engines.contracts import SpeechStream
from engines.types import Samples

PIECE_SECONDS = 10
"""The most seconds of audio that a work thread processes in one step."""
QUICK_SECONDS = 0.5
"""Audio up to this length takes less time on the event loop than the way to a thread."""
HELD_SECONDS = 0.4
"""Seconds of audio that are held while nobody speaks."""

Heard = tuple[Samples16, Samples]
"""Samples, and the probabilities of the frames that are complete now."""


class LiveInput:
    """Turns the bytes that a live session receives into samples and speech probabilities."""

    def __init__(self, threads: WorkThreads, stream: SpeechStream, form: SoundFormat) -> None:
        self._threads = threads
        self._gate = SpeechGate(stream)
        self.frame = stream.frame
        """Samples that one probability covers."""
        self._form = form
        self._decoder = PieceDecoder(form)
        self._held = bytearray()

    @property
    def held(self) -> float:
        """Seconds of audio that are not decoded yet."""
        return self.seconds(len(self._held))

    def seconds(self, size: int) -> float:
        """Of so many bytes."""
        return size / self._form.width / self._form.rate

    def reformat(self, form: SoundFormat) -> None:
        """The encoding of the bytes from now on."""
        self._form = form
        self._decoder = PieceDecoder(form)

    def hold(self, data: bytes) -> bool:
        """Takes further bytes. Returns whether they can wait, because nobody speaks."""
        self._held += data
        return self._gate.resting and self.held < HELD_SECONDS

    async def heard(self) -> AsyncIterator[Heard]:
        """What is held, piece by piece. Raises `ApiError` if a limit of the key does not allow more; then
        what is held is dropped.
        """
        seconds = self.held
        try:
            Charge("heard", seconds).settle(seconds)
        except ApiError:
            self._held.clear()
            raise
        step = PIECE_SECONDS * self._form.rate * self._form.width
        quick = QUICK_SECONDS * self._form.rate * self._form.width
        while self._held:
            piece = bytes(self._held[:step])
            del self._held[:step]
            hearing = partial(self._decoded, piece)
            yield hearing() if len(piece) <= quick else await self._threads.run(hearing)

    def take(self) -> Heard:
        """What is held, at once."""
        piece = bytes(self._held)
        self._held.clear()
        return self._decoded(piece)

    def flush(self) -> Heard:
        """What the resampler still holds. Call `take` before."""
        samples = self._decoder.flush()
        return samples, self._gate.feed(samples)

    def _decoded(self, data: bytes) -> Heard:
        samples = self._decoder.feed(data)
        return samples, self._gate.feed(samples)
