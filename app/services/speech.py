"""Text to speech: permit, utterances, synthesis one ahead, voicing, encoding.

Law: the order of the steps and nothing else. What is made ahead is bounded, so a client that reads slowly
holds back its own synthesis and nobody else's.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass

from app.audio.encode import RATE, encoder
from app.audio.loudness import LoudnessBook
from app.audio.voicing import Voicing
from app.domain import VOICE_ID, AudioFormat, Caller, LocalVoice, SpeechJob
from app.errors import ApiError, InvalidValue, RequestTimedOut, VoiceNotFound, from_engine
from app.models.voicebook import VoiceBook
from app.runtime.admission import Permit
from app.runtime.runner import Runner
from app.runtime.threads import WorkThreads
from app.services.voices import VoiceService
from app.text.delivery import Delivery, delivery
from app.text.language import other_script
from app.text.utterances import Piece, Utterances
from engines.errors import EngineError
from engines.types import Pcm, Utterance

AUDIO_TOKENS_A_SECOND = 10
HOUSE = Caller("default", "cli")
"""Who speaks where nobody calls over the network."""
WARM_UP = "Good morning, dear friend, it is half past 7 😀.\n"
_TOKEN = re.compile(r"\w{1,6}|[^\w\s]")


@dataclass(frozen=True, slots=True)
class SpeechUsage:
    """What an answer counted."""

    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechRules:
    """How texts are spoken."""

    ahead: int
    """Utterances of one request that are in work at once."""
    loudness: float
    """Of every answer, in LUFS."""
    provenance: str = ""
    """Tag of every file; empty: none."""


class SpeechService:
    """Speaks."""

    def __init__(
        self,
        runner: Runner,
        threads: WorkThreads,
        voices: VoiceBook,
        custom: VoiceService,
        rules: SpeechRules,
    ) -> None:
        self._runner = runner
        self._threads = threads
        self._voices = voices
        self._custom = custom
        self._rules = rules
        self._loudness = LoudnessBook()

    def warm_up(self) -> None:
        """Loads what reads texts in the background, so that the first request need not."""
        if any(voice.voice.language.startswith("en") for voice in self._voices.all()):
            self._threads.start(lambda: list(Utterances("en-US").feed(WARM_UP)))

    async def open(
        self, job: SpeechJob, form: AudioFormat, caller: Caller = HOUSE, *, whole: bool = False
    ) -> OpenSpeech:
        """Admits the request and waits for its first sound. Raises `ApiError`; the caller closes the result.

        `whole`: the file tells its length, and nothing is sent before it is complete.
        """
        voice = await self._voice(job, caller)
        honours = self._voices.engine_of(voice).HONOURS
        how = Delivery() if "instructions" in honours else delivery(job.instructions)
        made = OpenSpeech(
            self._runner,
            self._threads,
            job if "instructions" in honours else _without_instructions(job),
            voice,
            how,
            self._loudness,
            self._rules.loudness,
            self._rules.ahead,
            self._runner.admit(),
        )
        try:
            await made.begin(form, whole=whole, comment=self._rules.provenance)
        except BaseException:
            await made.aclose()
            raise
        return made

    async def _voice(self, job: SpeechJob, caller: Caller) -> LocalVoice:
        """By id, by the name of a local voice, or by the project's own name for one of its voices."""
        if job.voice.startswith(VOICE_ID):
            await self._threads.run(lambda: self._voices.check_model(job.model))
            return await self._custom_voice(job, caller, VoiceNotFound(job.voice))
        try:
            return await self._threads.run(
                lambda: self._voices.choose(job.model, job.voice, other_script(job.text))
            )
        except InvalidValue as unknown:
            if unknown.param != "voice":
                raise
            return await self._custom_voice(job, caller, unknown)

    async def _custom_voice(self, job: SpeechJob, caller: Caller, unknown: ApiError) -> LocalVoice:
        """A voice of the project. Raises `unknown` if there is none of that name."""
        voice = await self._custom.to_speak(caller, job.voice)
        if voice is None:
            raise unknown
        await self._threads.run(lambda: self._voices.check_language(job.voice, voice, other_script(job.text)))
        return voice


class OpenSpeech:
    """One text on its way: iterate `chunks` once, then ask for the `usage`."""

    def __init__(
        self,
        runner: Runner,
        threads: WorkThreads,
        job: SpeechJob,
        voice: LocalVoice,
        how: Delivery,
        book: LoudnessBook,
        target: float,
        ahead: int,
        permit: Permit,
    ) -> None:
        self._runner = runner
        self._threads = threads
        self._job = job
        self._voice = voice
        self._how = how
        self._book = book
        self._target = target
        self._ahead = ahead
        self._permit = permit
        self._sounds = self._all_sounds()
        self._samples = 0
        self.spoken = 0
        """Characters spoken so far."""
        self.ignored: tuple[str, ...] = () if how.complete else ("instructions",)
        """Parameters that were not honoured, or not in full."""

    async def begin(self, form: AudioFormat, *, whole: bool, comment: str = "") -> None:
        """Waits for the first sound. Raises `ApiError`."""
        try:
            self._first = await anext(self._sounds)
        except EngineError as failure:
            raise from_engine(failure) from failure
        except StopAsyncIteration:
            if self._permit.cancel.late:
                raise RequestTimedOut from None
            raise InvalidValue("'input' holds nothing that can be spoken.", param="input") from None
        gain = await self._threads.run(self._gain)
        self._voicing = Voicing(tempo=self._job.speed * self._how.pace, gain=gain)
        self._encoder = encoder(form, whole=whole, comment=comment)

    @property
    def deadline(self) -> float | None:
        """Of the request, by the monotonic clock."""
        return self._permit.cancel.deadline

    @property
    def usage(self) -> SpeechUsage:
        seconds = self._samples / RATE
        return SpeechUsage(len(_TOKEN.findall(self._job.text)), math.ceil(seconds * AUDIO_TOKENS_A_SECOND))

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The bytes of the file, as soon as they are there. Raises `ApiError`."""
        try:
            if data := await self._encoded(*self._first):
                yield data
            async for piece, sound in self._sounds:
                if data := await self._encoded(piece, sound):
                    yield data
        except EngineError as failure:
            raise from_engine(failure) from failure
        if self._permit.cancel.late:
            raise RequestTimedOut
        yield await self._threads.run(self._end)

    async def aclose(self) -> None:
        """Stops all work for this text and gives its place back."""
        self._permit.close()
        await self._sounds.aclose()

    async def _all_sounds(self) -> AsyncGenerator[tuple[Piece, Pcm], None]:
        """Each utterance that sounds, in order, a bounded number in work at once."""
        running: deque[asyncio.Task[tuple[Piece, Pcm]]] = deque()
        try:
            async with aclosing(self._threads.iterate(self._pieces())) as pieces:
                async for piece in pieces:
                    running.append(asyncio.create_task(self._speak(piece)))
                    while len(running) >= self._ahead:
                        made = await running.popleft()
                        if len(made[1].samples):
                            yield made
            while running:
                made = await running.popleft()
                if len(made[1].samples):
                    yield made
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    def _pieces(self) -> Iterator[Piece]:
        """Runs on a thread, one step for each utterance."""
        cutter = Utterances(self._voice.voice.language)
        yield from cutter.feed(self._job.text)
        yield from cutter.flush()

    async def _speak(self, piece: Piece) -> tuple[Piece, Pcm]:
        voice = self._voice
        utterance = Utterance(
            piece.text, voice.voice.name, piece.language, voice.profile, self._job.instructions
        )
        return piece, await self._runner.synthesize(voice.model, utterance, self._permit)

    async def _encoded(self, piece: Piece, sound: Pcm) -> bytes:
        def step() -> bytes:
            if sound is not self._first[1]:
                self._book.note(self._key, sound)
            samples = self._voicing.feed(sound, piece.pause * self._how.pause)
            self._samples += len(samples)
            return self._encoder.feed(samples)

        data = await self._threads.run(step)
        self.spoken += len(piece.text)
        return data

    def _end(self) -> bytes:
        samples = self._voicing.flush()
        self._samples += len(samples)
        return self._encoder.feed(samples) + self._encoder.flush()

    def _gain(self) -> float:
        return self._book.gain(self._key, self._first[1], self._target + self._how.gain)

    @property
    def _key(self) -> tuple[str, str]:
        return self._voice.model.id, self._voice.id or self._voice.voice.name


def _without_instructions(job: SpeechJob) -> SpeechJob:
    return SpeechJob(job.model, job.text, job.voice, job.speed)
