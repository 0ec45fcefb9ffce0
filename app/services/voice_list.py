"""Which voices a project can speak with: its own, OpenAI's names, then every local voice by its own name.

Law: which voices are listed, and in which order, is decided here alone; routes and commands decide how they
are shown.
"""

from __future__ import annotations

from app.domain import VOICE_ID, Caller, ListedVoice
from app.errors import VoiceNotFound
from app.models.voicebook import VoiceBook
from app.runtime.blocking_work import WorkThreads
from app.services.voices import VoiceService


class VoiceListService:
    """Lists voices and finds one."""

    def __init__(self, book: VoiceBook, custom: VoiceService, threads: WorkThreads) -> None:
        self._book = book
        self._custom = custom
        self._threads = threads

    async def all(self, caller: Caller) -> list[ListedVoice]:
        """Every voice that the caller may use."""
        own = [ListedVoice(voice.id, voice) for voice in await self._custom.list(caller)]
        return own + await self.local()

    async def local(self) -> list[ListedVoice]:
        """The voices that come with models; needs no database."""
        return await self._threads.run(self._listed)

    async def find(self, caller: Caller, name: str) -> ListedVoice:
        """The voice with this id, or the local voice with this name. Raises `VoiceNotFound`."""
        if name.startswith(VOICE_ID):
            return ListedVoice(name, await self._custom.get(caller, name))
        for voice in await self.local():
            if voice.name == name:
                return voice
        raise VoiceNotFound(name)

    def _listed(self) -> list[ListedVoice]:
        builtin = self._book.builtin()
        named = [ListedVoice(name, voice) for name, voice in builtin.items()]
        rest = [voice for voice in self._book.all() if voice.voice.name not in builtin]
        return named + [ListedVoice(voice.voice.name, voice) for voice in rest]
