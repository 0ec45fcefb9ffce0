"""An answer in speech while it is made: the bytes of its file, and what it has used so far.

Law: iterate `chunks` once, then ask for the `usage`, then close the whole. Closing stops all work for the
text.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from functools import partial

from app.domain import SpeechJob, audio_tokens
from app.runtime.admission import Permit
from app.runtime.blocking_work import WorkThreads
from app.services.steps.key_spending import Charge
from app.services.steps.synthesis import Sounds, SpokenFile
from app.text.utterances import Piece

_TOKEN = re.compile(r"\w{1,6}|[^\w\s]")


@dataclass(frozen=True, slots=True)
class SpeechUsage:
    """The usage that one answer reports."""

    input_tokens: int
    output_tokens: int


class OpenSpeech:
    """The answer to one request: iterate `chunks` once, then read `usage`."""

    def __init__(
        self,
        threads: WorkThreads,
        job: SpeechJob,
        permit: Permit,
        sounds: Sounds,
        file: SpokenFile,
        charge: Charge,
        *,
        first: tuple[Piece, bytes],
        ignored: tuple[str, ...],
    ) -> None:
        """`first`: the first utterance and its bytes, for which the caller has waited; `sounds` gives the
        others.
        """
        self._threads = threads
        self._job = job
        self._permit = permit
        self._sounds = sounds
        self._file = file
        self._charge = charge
        self._first = first
        self.spoken = 0
        """Characters spoken so far."""
        self.ignored = ignored
        """Request parameters that were ignored, wholly or in part."""

    @property
    def deadline(self) -> float | None:
        """Deadline of the request, as a time of the monotonic clock."""
        return self._permit.cancel.deadline

    @property
    def usage(self) -> SpeechUsage:
        return SpeechUsage(len(_TOKEN.findall(self._job.text)), audio_tokens(self._file.seconds))

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The bytes of the file, as soon as they are available. Raises `ApiError`."""
        piece, data = self._first
        self.spoken += len(piece.text)
        if data:
            yield data
        async for piece, sound in self._sounds:
            data = await self._threads.run(partial(self._file.feed, piece, sound))
            self.spoken += len(piece.text)
            self._charge.reach(self._file.seconds)
            if data:
                yield data
        yield await self._threads.run(self._file.flush)

    async def aclose(self) -> None:
        """Stops all work for this text and closes its permit."""
        self._permit.close()
        self._charge.settle(self._file.seconds)
        facts = {"antiphon.audio_seconds": self._file.seconds}
        self._file.encoding.tell("encode", self._permit.span, facts)
        await self._sounds.aclose()
