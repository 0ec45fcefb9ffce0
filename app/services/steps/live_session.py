"""One live session: pieces of sound -> turns, and the items that they make.

Law: a session is one request with one permit. The time of the audio decides where turns are, not the clock.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from app.domain import ModelSpec
from app.domain.live import (
    ItemCommitted,
    ItemFailed,
    LiveEvent,
    LiveSettings,
    ServerTurns,
    SpeechStarted,
    SpeechStopped,
)
from app.errors import ApiError, InvalidRequest
from app.runtime.admission import Permit
from app.runtime.blocking_work import WorkThreads
from app.runtime.runner import Runner
from app.services.steps.live_buffer import SoundBuffer
from app.services.steps.live_input import HELD_SECONDS, Heard, LiveInput
from app.services.steps.live_item import LiveItem
from app.services.steps.live_memory import SoundClaim
from app.services.steps.live_transcriber import ItemTranscriber, LookRules
from app.services.steps.live_turns import TurnFinder, TurnRules
from engines.contracts import SpeechStream
from engines.types import SAMPLE_RATE

LONGEST_TURN = 300.0
"""Seconds of unbroken speech after which a turn is cut; what is no speech is dropped as it is heard."""
LEAST_COMMIT = 0.1
"""The least seconds of audio in an item."""
IDLE_SECONDS = 2.0
"""Seconds of the audio between two turns that are kept, in addition to the padding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRules:
    """The limits of a session, and how it transcribes."""

    model: str
    """The model of sessions that name none."""
    looks: LookRules
    buffer_seconds: float
    """The most seconds of audio that the client may leave uncommitted."""
    ahead_seconds: float
    """Seconds of speech that may wait for the model; while there is more, no further audio is read."""


class LiveSession:
    """One client's audio. Its methods are called one after the other."""

    def __init__(
        self,
        runner: Runner,
        threads: WorkThreads,
        model_of: Callable[[str], ModelSpec],
        rules: LiveRules,
        permit: Permit,
        claim: SoundClaim,
        stream: SpeechStream,
        settings: LiveSettings,
        tell: Callable[[LiveEvent], None],
    ) -> None:
        """`model_of`: the model behind a name. `tell`: is given what happens, and does not block."""
        self._model_of = model_of
        self._rules = rules
        self._permit = permit
        self._tell = tell
        self.settings = settings
        self._claim = claim
        self._input = LiveInput(threads, stream, settings.format)
        self._buffer = SoundBuffer(stream.frame)
        self._from = 0  # position of the first sample that is not committed
        self._seen = 0  # frames that were searched for turns
        self._finder = self._new_finder()
        self._open: LiveItem | None = None
        self._waiting: deque[LiveItem] = deque()  # incomplete items, in order
        self._previous: str | None = None
        self._more, self._eased = asyncio.Event(), asyncio.Event()
        self._transcriber = ItemTranscriber(runner, permit, self._buffer, self._rules.looks, tell)
        self._running: asyncio.Task[None] | None = None
        self._worker = asyncio.create_task(self._work())

    @property
    def rest(self) -> float:
        """Seconds for which further audio may be left unread, because nobody speaks."""
        return HELD_SECONDS if self._idle and self._input.resting else 0.0

    def update(self, settings: LiveSettings) -> None:
        """Changes the settings; a change applies from the next item on. Raises `InvalidRequest`."""
        self._model_of(settings.model)
        open_audio = self._open or (self.settings.turns is None and self._uncommitted() > 0)
        if settings.format != self.settings.format and open_audio:
            raise InvalidRequest(
                "The format cannot change while audio is not committed. Commit or clear it.",
                param="session.audio.input.format",
                code="invalid_state",
            )
        self._advance(self._input.take())
        if settings.format != self.settings.format:
            self._input.reformat(settings.format)
        turns_changed, self.settings = settings.turns != self.settings.turns, settings
        if turns_changed and self._open is None:
            self._finder = self._new_finder()

    async def append(self, data: bytes) -> None:
        """Takes further audio. Waits while too much audio is waiting for the model. Raises `ApiError`."""
        seconds = self._input.seconds(len(data))
        if not self._finds_turns and self._uncommitted() + seconds > self._rules.buffer_seconds:
            most = f"{self._rules.buffer_seconds:g} seconds"
            message = f"The buffer holds {most} and is full. Commit or clear it."
            raise InvalidRequest(message, code="input_audio_buffer_full")
        self._claim.reach(self._needed(self._input.held + seconds))
        if self._input.hold(data):
            return
        async for heard in self._input.heard(lambda: None if self._waiting or not self._idle else self._kept):
            self._advance(heard)
            await self._keep_up()

    def commit(self) -> None:
        """Makes an item of the uncommitted audio. Raises `InvalidRequest` if there is too little of it."""
        self._flush()
        seconds = self._uncommitted()
        if seconds < LEAST_COMMIT - 0.001:
            raise InvalidRequest(
                "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, "
                f"but buffer only has {seconds * 1000:.2f}ms of audio.",
                code="input_audio_buffer_commit_empty",
            )
        item = self._open or self._begin(self._from)
        self._finder.end(self._seen)
        self._end(item, self._buffer.end)

    def clear(self) -> None:
        """Drops the uncommitted audio."""
        self._flush()
        self._input.forget()
        dropped, self._open = self._open, None
        if dropped and dropped in self._waiting:
            if self._running and self._waiting[0] is dropped:
                self._running.cancel()
            else:
                self._waiting.remove(dropped)
        self._from = self._buffer.end
        self._finder = self._new_finder()
        self._drop()

    async def settled(self) -> None:
        """Returns when all that is committed is completed."""
        while any(item.end is not None for item in self._waiting):
            self._eased.clear()
            await self._eased.wait()

    async def give_up(self, reason: ApiError) -> None:
        """Ends the work. Each item that is committed and not complete fails for this reason."""
        await self._stop()
        for item in (one for one in self._waiting if one.end is not None and not one.over):
            self._tell(ItemFailed(item.name, "server_error", reason.code, reason.message))
        self._waiting.clear()

    @property
    def left(self) -> float:
        """Seconds until the session's permit ends; after that, no model works for it."""
        return self._permit.cancel.left

    async def close(self) -> None:
        """Cancels the running work and frees everything that the session holds."""
        self._permit.close()
        await self._stop()

    async def _stop(self) -> None:
        for task in filter(None, (self._worker, self._running)):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def _flush(self) -> None:
        self._advance(self._input.take())
        self._advance(self._input.flush())

    def _advance(self, heard: Heard) -> None:
        """Appends decoded audio, and finds the turns in it."""
        self._buffer.skip(heard.skipped)
        self._seen += heard.skipped
        self._buffer.add(heard.samples, heard.chances)
        if self._open is None and self.settings.turns is None and self._buffer.end > self._from:
            self._begin(self._from)
        chances = heard.chances.tolist()
        if self._open is None and self._finder.quiet(chances):
            self._seen, chances = self._seen + len(chances), []
        for chance in chances:
            frame, self._seen = self._seen, self._seen + 1
            if self._open is None or self._open.settings.turns is not None:
                silence = self._frames(self._open.silence if self._open else 0.0)
                for edge in self._finder.feed(frame, chance, silence):
                    self._turn(edge.kind, edge.frame * self._buffer.frame)
            if self._open:
                self._open.note(self._buffer, frame, chance)
        self._drop()

    def _turn(self, kind: str, position: int) -> None:
        milliseconds = position * 1000 // SAMPLE_RATE
        if kind == "start" and self.settings.turns is not None:
            item = self._begin(max(position, self._from))
            self._finder.begin(position // self._buffer.frame)  # it may be new, if a long turn was cut
            self._tell(SpeechStarted(item.name, milliseconds))
            for frame in range(position // self._buffer.frame, self._seen - 1):
                (chance,) = self._buffer.chances(frame, frame + 1) or (0.0,)
                item.note(self._buffer, frame, chance)
        elif kind == "stop" and self._open:
            self._tell(SpeechStopped(self._open.name, milliseconds))
            self._end(self._open, position)

    def _begin(self, start: int) -> LiveItem:
        name, model = f"item_{secrets.token_hex(10)}", self._model_of(self.settings.model)
        self._open = item = LiveItem(name, start, self.settings, model)
        self._waiting.append(item)
        self._more.set()
        return item

    def _end(self, item: LiveItem, end: int) -> None:
        item.finish(end)
        self._from = end
        self._open = None
        if self.settings.turns != item.settings.turns:
            self._finder = self._new_finder()
        self._tell(ItemCommitted(item.name, self._previous))
        self._previous = item.name

    @property
    def _idle(self) -> bool:
        """Whether the server finds the turns, and there is none now."""
        return self._open is None and self.settings.turns is not None

    @property
    def _finds_turns(self) -> bool:
        """Whether the server, and not the client, ends the turn that is open and those that follow."""
        return self.settings.turns is not None and (not self._open or self._open.settings.turns is not None)

    def _needed(self, new: float) -> float:
        """Seconds of memory that are needed. `new`: seconds of audio that are not in the buffer yet."""
        return self._buffer.seconds + (min(new, LONGEST_TURN) if self._finds_turns else new)

    @property
    def _kept(self) -> float:
        """Seconds of the audio between two turns that may belong to the next one."""
        turns = self.settings.turns if isinstance(self.settings.turns, ServerTurns) else ServerTurns()
        return IDLE_SECONDS + turns.prefix_padding_ms / 1000

    def _uncommitted(self) -> float:
        """Seconds of audio that the client has not committed."""
        return (self._buffer.end - self._from) / SAMPLE_RATE + self._input.held

    def _new_finder(self) -> TurnFinder:
        turns = self.settings.turns if isinstance(self.settings.turns, ServerTurns) else ServerTurns()
        padding = self._frames(turns.prefix_padding_ms / 1000)
        rules = TurnRules(threshold=turns.threshold, padding=padding, longest=self._frames(LONGEST_TURN))
        return TurnFinder(rules, -(-self._from // self._buffer.frame))

    def _frames(self, seconds: float) -> int:
        return round(seconds * SAMPLE_RATE / self._buffer.frame)

    def _drop(self) -> None:
        """Forgets the audio that nobody needs any more."""
        if self._idle:
            self._from = max(self._from, self._buffer.end - round(self._kept * SAMPLE_RATE))
        self._buffer.drop(min([self._from, *(item.done for item in self._waiting)]))
        self._claim.fit(self._needed(self._input.held))

    async def _keep_up(self) -> None:
        """Returns when at most `ahead_seconds` of speech wait for the model."""
        while sum(item.behind for item in self._waiting) > self._rules.ahead_seconds:
            self._eased.clear()
            self._waiting[0].hurry()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._eased.wait(), 0.1)

    async def _work(self) -> None:
        """Transcribes one item after the other."""
        while True:
            while not self._waiting:
                self._more.clear()
                await self._more.wait()
            item = self._waiting[0]
            self._running = asyncio.create_task(self._transcriber.run(item))
            await asyncio.wait({self._running})
            self._running = None
            self._waiting.popleft()
            self._drop()
            self._eased.set()
