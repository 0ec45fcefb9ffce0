"""The loudness of voices: measured here, and shared with other servers through the database.

Law: speech never waits for a write, and goes on without the database.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from app.audio.voice_loudness import LoudnessBook
from app.errors import ApiError
from app.store.voice_loudness import LoudnessStore

FIND_SECONDS = 1.0
"""The most seconds to wait for the measurement of another server, once for each voice."""
KEEP_FACTOR = 2.0
"""A measurement is written if it covers so many times the seconds of the one written before."""
VoiceKey = tuple[str, str]
"""Id of the model, and id or name of the voice."""


class SharedLoudness:
    """The loudness of voices. Used on the event loop only, but for `book`."""

    def __init__(self, store: LoudnessStore) -> None:
        self.book = LoudnessBook()
        self._store = store
        self._kept: dict[VoiceKey, float] = {}
        """Seconds that the stored measurement of each voice covers."""
        self._asked: set[VoiceKey] = set()
        self._writing: set[asyncio.Task[None]] = set()
        self._sharing = False

    def share(self) -> None:
        """Uses the database from now on. It is called once the schema was checked; commands never call it,
        because they need no database.
        """
        self._sharing = True

    async def prepare(self, voice: VoiceKey) -> None:
        """Loads the measurement of another server, for a voice that this server has not measured."""
        if not self._sharing or voice in self._asked or self.book.knows(voice):
            return
        with suppress(ApiError, TimeoutError):
            async with asyncio.timeout(FIND_SECONDS):
                if found := await self._store.find(*voice):
                    self.book.seed(voice, *found)
                    self._kept[voice] = found[1]
            self._asked.add(voice)

    def keep(self, voice: VoiceKey) -> None:
        """Writes the measurement of a voice in the background, if it covers much more speech than the stored
        one.
        """
        power, seconds = self.book.measured(voice)
        if not self._sharing or not seconds or seconds < KEEP_FACTOR * self._kept.get(voice, 0.0):
            return
        self._kept[voice] = seconds
        task = asyncio.get_running_loop().create_task(self._write(voice, power, seconds))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def close(self) -> None:
        """Waits until the running writes have ended."""
        await asyncio.gather(*self._writing, return_exceptions=True)

    async def _write(self, voice: VoiceKey, power: float, seconds: float) -> None:
        with suppress(ApiError):
            await self._store.keep(*voice, power, seconds)
