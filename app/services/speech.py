"""Text to speech: voice, permit, utterances, synthesis, voicing, encoding.

Law: the order of the steps and nothing else. `open` waits for the first sound, so that an earlier failure is
still an error and not a broken file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from app.audio.encode import Encoder, encoder
from app.domain import VOICE_ID, AudioFormat, Caller, LocalVoice, SpeechJob
from app.errors import ApiError, InvalidValue, VoiceNotFound
from app.logs import first_output, note
from app.models.voicebook import VoiceBook
from app.runtime.blocking_work import WorkThreads
from app.runtime.runner import Runner
from app.services.steps.key_spending import Charge
from app.services.steps.open_speech import OpenSpeech
from app.services.steps.shared_loudness import SharedLoudness, VoiceKey
from app.services.steps.synthesis import Sounds, SpokenFile, sounds_of
from app.services.voices import VoiceService
from app.text.instructions import Delivery, delivery
from app.text.language import other_script
from app.text.utterances import Piece, Utterances
from engines.heap import return_free_memory
from engines.types import Pcm

OPERATOR = Caller("default", "cli")
"""The caller of speech from the command line."""
WARM_UP = "Good morning, dear friend, it is half past 7.\n"
WARM_UP_PAUSE = 0.1
"""Seconds between two looks whether the models are loaded."""
WARM_UP_LOOKS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechRules:
    """The rules by which texts are spoken."""

    ahead: int
    """The most utterances of one request that are synthesized in parallel."""
    loudness: float
    """Loudness of every answer, in LUFS."""
    provenance: str = ""
    """A comment that is stored in the metadata of every file, in the formats that have it; empty: none."""


class SpeechService:
    """Text to speech."""

    def __init__(
        self,
        runner: Runner,
        threads: WorkThreads,
        voices: VoiceBook,
        custom: VoiceService,
        loudness: SharedLoudness,
        rules: SpeechRules,
    ) -> None:
        self._runner = runner
        self._threads = threads
        self._voices = voices
        self._custom = custom
        self._rules = rules
        self._loudness = loudness

    async def warm_up(self, loading: Callable[[], bool]) -> None:
        """Loads the text libraries in the background, so that the first request does not wait for them.

        `loading`: whether models are still being loaded; they come first, because no request is answered
        without them.
        """
        for _ in range(WARM_UP_LOOKS):
            if not loading():
                break
            await asyncio.sleep(WARM_UP_PAUSE)
        if any(voice.voice.language.startswith("en") for voice in self._voices.all()):
            self._threads.start(_load_text_libraries)

    async def open(
        self, job: SpeechJob, form: AudioFormat, caller: Caller = OPERATOR, *, whole: bool = False
    ) -> OpenSpeech:
        """Admits the request and waits for its first sound. Raises `ApiError`. The caller must close the
        result.

        `whole`: the header of the file states its length, so nothing is sent before the file is complete.
        """
        voice = await self._voice(job, caller)
        honoured = "instructions" in self._voices.engine_of(voice).HONOURS
        how = Delivery() if honoured else delivery(job.instructions)
        said = job if honoured else replace(job, instructions="")
        file = self._file(
            job, voice, how, partial(encoder, form, whole=whole, comment=self._rules.provenance)
        )
        note(served=voice.model.id)
        await self._loudness.prepare(_key(voice))
        charge = Charge("spoken", 0.0)
        permit = self._runner.admit()
        sounds = sounds_of(self._runner, self._threads, said, voice, permit, ahead=self._rules.ahead)
        try:
            piece, first = await _first(sounds)
            data = await self._threads.run(partial(file.feed, piece, first))
            self._loudness.keep(_key(voice))
        except BaseException:
            permit.close()
            await sounds.aclose()
            raise
        first_output("sound")
        ignored = () if how.complete else ("instructions",)
        return OpenSpeech(
            self._threads, job, permit, sounds, file, charge, first=(piece, data), ignored=ignored
        )

    def _file(
        self, job: SpeechJob, voice: LocalVoice, how: Delivery, opens: Callable[[], Encoder]
    ) -> SpokenFile:
        return SpokenFile(
            self._loudness.book,
            _key(voice),
            loudness=self._rules.loudness,
            speed=job.speed,
            delivery=how,
            encoder=opens,
        )

    async def _voice(self, job: SpeechJob, caller: Caller) -> LocalVoice:
        """The voice with this id, with this local name, or with this name within the project."""
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


def _key(voice: LocalVoice) -> VoiceKey:
    return voice.model.id, voice.id or voice.voice.name


async def _first(sounds: Sounds) -> tuple[Piece, Pcm]:
    """The first utterance with its sound. Raises `InvalidValue` for a text without any utterance."""
    async for sound in sounds:
        return sound
    raise InvalidValue("'input' holds nothing that can be spoken.", param="input")


def _load_text_libraries() -> None:
    """While they load, they need 20 MB more than afterwards. That memory is given back to the system."""
    list(Utterances("en-US").feed(WARM_UP))
    return_free_memory()
