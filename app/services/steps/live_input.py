"""The sound of a live session as it arrives: bytes -> samples, and the probability of speech in each frame.

Law: the order of the bytes is kept. While nobody speaks, small pieces are held and processed together,
because the cost of a piece hardly depends on its length. As long as the level stays the same, they are not
even resampled, but kept until something changes or they are too old to matter.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import numpy as np

from app.audio.live_decode import PieceDecoder, Samples16
from app.audio.speech_gate import SpeechGate
from app.audio.steady_level import SteadyLevel
from app.domain.live import SoundFormat
from app.errors import ApiError
from app.runtime.blocking_work import WorkThreads
from app.services.steps.key_spending import Charge
from engines.contracts import SpeechStream
from engines.types import Samples

THREAD_STEP_SECONDS = 10
"""The most seconds of audio that a work thread processes in one step."""
QUICK_SECONDS = 0.5
"""Audio up to this length is decoded on the event loop, because handing it to a thread would take longer."""
HELD_SECONDS = 0.4
"""While nobody speaks, so many seconds of audio are collected and then processed together."""


@dataclass(frozen=True, slots=True)
class Heard:
    """The sound of the latest pieces, decoded."""

    skipped: int
    """Number of frames of unchanging sound before these samples, whose sound was dropped."""
    samples: Samples16
    chances: Samples
    """The speech probabilities of the frames that these samples complete."""


class LiveInput:
    """Turns the bytes that a live session receives into samples and speech probabilities."""

    def __init__(self, threads: WorkThreads, stream: SpeechStream, form: SoundFormat) -> None:
        self._threads = threads
        self._gate = SpeechGate(stream)
        self.frame = stream.frame
        """Samples that one probability covers."""
        self._held = bytearray()
        self._use(form)

    def _use(self, form: SoundFormat) -> None:
        self._form = form
        self._decoder = PieceDecoder(form)
        self._level = SteadyLevel(form.rate)
        self._asleep: deque[Samples16] = deque()  # undecoded samples while nothing changes in the sound
        self._sleeping = 0  # number of samples in `_asleep`
        self._skipped = 0  # number of frames dropped before `_asleep`

    @property
    def held(self) -> float:
        """Seconds of audio that are not decoded yet."""
        return self.seconds(len(self._held)) + self._sleeping / self._form.rate

    @property
    def resting(self) -> bool:
        """Whether nobody speaks and the sound does not change, so that further bytes can wait."""
        return self._gate.resting

    def seconds(self, size: int) -> float:
        """The seconds of sound in `size` bytes of the client's encoding."""
        return size / self._form.width / self._form.rate

    def reformat(self, form: SoundFormat) -> None:
        """Changes the encoding of further bytes. Call `take` before, to decode those that came earlier."""
        self._use(form)

    def hold(self, data: bytes) -> bool:
        """Takes further bytes. Returns whether they can wait, because nobody speaks."""
        self._held += data
        return self._gate.resting and self.seconds(len(self._held)) < HELD_SECONDS

    async def heard(self, spare: Callable[[], float | None]) -> AsyncIterator[Heard]:
        """What is held, piece by piece. Raises `ApiError` if a limit of the key does not allow more; then
        what is held is dropped.

        `spare`: asked for each piece, because a turn may begin or end in the one before it. Seconds of sound
        that matter once somebody speaks; None if all of it does: a turn goes on, or the model has not yet
        heard one.
        """
        self._charge()
        step = THREAD_STEP_SECONDS * self._form.rate * self._form.width
        while self._held:
            samples = self._decoder.raw(bytes(self._held[:step]))
            del self._held[:step]
            keep = spare()
            if keep is not None and self._gate.resting and self._level.holds(samples):
                self._sleep(samples, keep)
                continue
            skipped, samples = self._woken(samples)
            quick = len(samples) <= QUICK_SECONDS * self._form.rate
            hearing = partial(self._decoded, skipped, samples)
            yield hearing() if quick else await self._threads.run(hearing)

    def take(self) -> Heard:
        """Decodes all bytes that wait, in one step. If a limit of the key does not allow them, they are
        dropped.
        """
        with suppress(ApiError):
            self._charge()
        samples = self._decoder.raw(bytes(self._held))
        self._held.clear()
        return self._decoded(*self._woken(samples))

    def flush(self) -> Heard:
        """The samples that the resampler has kept. Call `take` before."""
        samples = self._decoder.flush()
        return Heard(0, samples, self._gate.feed(samples))

    def forget(self) -> None:
        """Drops half a sample that waits for its second byte. Call `take` and `flush` before."""
        self._decoder.forget()

    def _charge(self) -> None:
        """Counts what is held against the limits of the key. Raises `ApiError`; then what is held is
        dropped.
        """
        if not self._held:
            return
        seconds = self.seconds(len(self._held))
        try:
            Charge("heard", seconds).settle(seconds)
        except ApiError:
            self._held.clear()
            raise

    def _sleep(self, samples: Samples16, keep: float) -> None:
        self._asleep.append(samples)
        self._sleeping += len(samples)
        frame = self._level.frame
        excess = self._sleeping - round(keep * self._form.rate)
        if excess < self._form.rate:  # drops at least a second at a time
            return
        frames = excess // frame
        self._skipped += frames
        self._sleeping -= frames * frame
        left = frames * frame
        while left:
            first = self._asleep.popleft()
            if len(first) > left:
                self._asleep.appendleft(first[left:])
            left -= min(left, len(first))

    def _woken(self, samples: Samples16) -> tuple[int, Samples16]:
        """The number of frames that were dropped, and all samples that are not decoded yet."""
        skipped, self._skipped = self._skipped, 0
        if self._asleep:
            samples = np.concatenate([*self._asleep, samples])
            self._asleep.clear()
            self._sleeping = 0
        return skipped, samples

    def _decoded(self, skipped: int, raw: Samples16) -> Heard:
        samples = self._decoder.wide(raw)
        heard = Heard(skipped, samples, self._gate.feed(samples))
        if self._gate.resting:
            self._level.learn(raw[-round(self._form.rate * HELD_SECONDS) :])
        else:
            self._level.forget()
        return heard
