"""Synthesizes the utterances of a text, and encodes them to the bytes of a file.

Law: a bounded number of utterances of one text is in work at once, so a client that reads slowly holds back
its own synthesis and nobody else's. `SpokenFile` blocks: one step on a work thread for each utterance.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Hashable, Iterator
from contextlib import aclosing

from app.audio.encode import SPEECH_RATE, Encoder
from app.audio.join_utterances import UtteranceJoiner
from app.audio.voice_loudness import LoudnessBook
from app.domain import LocalVoice, SpeechJob
from app.errors import RequestTimedOut, from_engine
from app.runtime.admission import Permit
from app.runtime.blocking_work import WorkThreads
from app.runtime.runner import Runner
from app.text.instructions import Delivery
from app.text.utterances import Piece, Utterances
from app.tracing import Stopwatch
from engines.errors import EngineError
from engines.types import Pcm, Utterance

Sounds = AsyncGenerator[tuple[Piece, Pcm], None]


async def sounds_of(
    runner: Runner, threads: WorkThreads, job: SpeechJob, voice: LocalVoice, permit: Permit, *, ahead: int
) -> Sounds:
    """The sound of each utterance that is not silent, in order. Raises `ApiError`. `ahead`: utterances that
    are synthesized in parallel.
    """
    running: deque[asyncio.Task[tuple[Piece, Pcm]]] = deque()

    async def speak(piece: Piece) -> tuple[Piece, Pcm]:
        name, profile = voice.voice.name, voice.profile
        utterance = Utterance(piece.text, name, piece.language, profile, job.instructions)
        return piece, await runner.synthesize(voice.model, utterance, permit)

    try:
        async with aclosing(threads.iterate(_pieces(job.text, voice.voice.language))) as pieces:
            async for piece in pieces:
                running.append(asyncio.create_task(speak(piece)))
                while len(running) >= ahead:
                    if len((spoken := await running.popleft())[1].samples):
                        yield spoken
        while running:
            if len((spoken := await running.popleft())[1].samples):
                yield spoken
    except EngineError as failure:
        raise from_engine(failure) from failure
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    if permit.cancel.late:
        raise RequestTimedOut


def _pieces(text: str, language: str) -> Iterator[Piece]:
    """Runs on a thread, one step for each utterance."""
    cutter = Utterances(language)
    yield from cutter.feed(text)
    yield from cutter.flush()


class SpokenFile:
    """Makes the file of one answer: loudness, tempo, pauses and encoding. Call `feed` for each utterance,
    then `flush`.
    """

    def __init__(
        self,
        book: LoudnessBook,
        voice: Hashable,
        *,
        loudness: float,
        speed: float,
        delivery: Delivery,
        encoder: Callable[[], Encoder],
    ) -> None:
        """`voice`: the key of the voice in the loudness book. `loudness`: of the answer, in LUFS. `encoder`:
        opens an encoder; blocks.
        """
        self._book = book
        self._voice = voice
        self._loudness = loudness
        self._speed = speed
        self._delivery = delivery
        self._open_encoder = encoder
        self._opened: tuple[UtteranceJoiner, Encoder] | None = None
        self._samples = 0
        self.encoding = Stopwatch()

    @property
    def seconds(self) -> float:
        """Seconds of sound so far."""
        return self._samples / SPEECH_RATE

    def feed(self, piece: Piece, sound: Pcm) -> bytes:
        """The bytes of one more utterance. The first one decides the gain of the whole answer."""
        with self.encoding.running():
            return self._fed(piece, sound)

    def flush(self) -> bytes:
        """The last bytes; `feed` must have been called before."""
        assert self._opened
        voicing, encoder = self._opened
        with self.encoding.running():
            samples = voicing.flush()
            self._samples += len(samples)
            return encoder.feed(samples) + encoder.flush()

    def _fed(self, piece: Piece, sound: Pcm) -> bytes:
        if self._opened is None:
            gain = self._book.gain(self._voice, sound, self._loudness + self._delivery.gain)
            voicing = UtteranceJoiner(tempo=self._speed * self._delivery.pace, gain=gain)
            self._opened = voicing, self._open_encoder()
        else:
            self._book.note(self._voice, sound)
        voicing, encoder = self._opened
        samples = voicing.feed(sound, piece.pause * self._delivery.pause)
        self._samples += len(samples)
        return encoder.feed(samples)
