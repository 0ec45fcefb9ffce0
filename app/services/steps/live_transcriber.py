"""Transcribes the audio of one item of a live session and sends its words as soon as they are final.

Law: one look at the audio at a time. Words that were told are never changed: they are the item's text.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from app.domain import Transcript
from app.domain.live import ItemCompleted, ItemFailed, ItemText, LiveEvent, LiveWord
from app.errors import ApiError, from_engine
from app.runtime.admission import Permit
from app.runtime.runner import RowWatch, Runner
from app.services.steps.live_agreement import (
    WITHOUT_SPACES,
    agreed,
    continuation,
    retimed,
    unspaced,
    words_of,
)
from app.services.steps.live_buffer import SoundBuffer
from app.services.steps.live_item import LiveItem
from app.services.steps.live_turns import SpeechSpan, stretch
from engines.errors import EngineError
from engines.punctuation import SENTENCE_ENDS
from engines.types import (
    SAMPLE_RATE,
    LanguageGuess,
    Pcm,
    Segment,
    TranscribeOptions,
    Window,
    WindowResult,
)

log = logging.getLogger(__name__)
MOST_SECONDS = 28.0
"""The most seconds of audio in one look."""
TRIM_SECONDS = 12.0
"""If a look would have more seconds of audio than this, it begins after the last final word."""
TRIM_AGE = 2.0
"""A look begins after a final word only if that word ended so many seconds before the end of the audio."""
PAD_SECONDS = 0.3
"""Seconds of sound before and after the speech that a look includes."""
CONTEXT_CHARACTERS = 200
"""The most characters of the preceding text that the model is given as its prompt."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LookRules:
    """How looks (transcriptions of a part of an item) are decoded."""

    quick: TranscribeOptions
    """Options for looks while the person is speaking."""
    careful: TranscribeOptions
    """Options for looks whose words are sent at once, without a second look that agrees."""


class ItemTranscriber:
    """Transcribes the items of one session."""

    def __init__(
        self,
        runner: Runner,
        permit: Permit,
        buffer: SoundBuffer,
        rules: LookRules,
        tell: Callable[[LiveEvent], None],
    ) -> None:
        self._runner = runner
        self._permit = permit
        self._buffer = buffer
        self._rules = rules
        self._tell = tell
        self._row = RowWatch()

    async def run(self, item: LiveItem) -> None:
        """Transcribes an item again and again, until its last words have been sent."""
        try:
            while item.end is None:
                if item.due:
                    await self._look_early(item)
                else:  # `changed` may have been set for the look before
                    await item.changed.wait()
                    item.changed.clear()
            while await self._look(item, last=True):
                pass
        except ApiError as failure:
            self._end(item, ItemFailed(item.name, "server_error", failure.code, failure.message))
        except Exception:
            log.exception("a live item failed")
            self._end(item, ItemFailed(item.name, "server_error", None, "The server had an error."))
        else:
            self._end(item, self._completed(item))

    def _end(self, item: LiveItem, event: LiveEvent) -> None:
        item.over = True
        self._tell(event)

    async def _look_early(self, item: LiveItem) -> None:
        """Looks at audio that is not complete. A failure costs nothing but this look. If the audio ends while
        the look still waits for the model, the look is given up, because the last one, which is urgent,
        includes its audio.
        """
        spoken, self._row, item.hurried = item.heard, RowWatch(), False
        look = asyncio.ensure_future(self._look(item, last=False))
        ended = asyncio.ensure_future(item.ended.wait())
        try:
            await asyncio.wait({look, ended}, return_when=asyncio.FIRST_COMPLETED)
            if look.done() or not self._row.waits:
                await look
        except Exception as failure:
            item.failed = spoken
            told = isinstance(failure, ApiError)
            log.warning("a look at live audio failed: %s", failure, exc_info=not told)
        finally:
            ended.cancel()
            look.cancel()
            await asyncio.gather(look, return_exceptions=True)

    async def _look(self, item: LiveItem, *, last: bool) -> bool:
        """Transcribes once. Returns whether there may be more audio to transcribe."""
        frame = self._buffer.frame
        first = item.done // frame
        end = self._buffer.end if item.end is None else item.end
        part = self._speech(item, first, end // frame)
        if part is None:
            if not last:
                item.looked = item.heard
            return False
        closing = last or part.full
        spoken = (first + part.end) * frame if part.full else item.heard
        paused = end - spoken >= item.pause * SAMPLE_RATE
        if last and not part.full and item.guess and item.looked >= spoken:
            self._add(item, item.guess)  # the last look included all of its audio
            item.guess = []
            return False
        trims = not closing and item.heard - item.done > TRIM_SECONDS * SAMPLE_RATE
        options = self._options(item, careful=closing or paused, timed=trims)
        words = await self._words(item, first, part, options)
        item.looked = max(item.looked, spoken)
        self._settle(item, words, closing=closing)
        if part.full:
            item.done, item.sure = (first + part.end) * frame, []
        elif trims:
            self._trim(item, spoken)
        return part.full

    def _speech(self, item: LiveItem, first: int, end: int) -> SpeechSpan | None:
        """The frames from `first` on that are worth a look; None if nobody speaks there."""
        frames = SAMPLE_RATE / self._buffer.frame
        return stretch(
            self._buffer.chances(first, max(end, first)),
            item.threshold,
            most=int(MOST_SECONDS * frames),
            pad=round(PAD_SECONDS * frames),
        )

    def _options(self, item: LiveItem, *, careful: bool, timed: bool) -> TranscribeOptions:
        """How a look is decoded. `timed`: whether exact times of the words are needed, which take one
        more pass of the decoder.
        """
        chosen = self._rules.careful if careful else self._rules.quick
        if not item.told:  # the mistakes of the first words are most of the price of words that stay
            chosen = replace(chosen, beam_size=self._rules.careful.beam_size)
        words = timed or item.language in WITHOUT_SPACES
        return replace(chosen, words=words, logprobs=item.settings.logprobs)

    async def _words(
        self, item: LiveItem, first: int, part: SpeechSpan, options: TranscribeOptions
    ) -> list[LiveWord]:
        frame = self._buffer.frame
        start = max((first + part.start) * frame, item.done)
        sound = self._buffer.sound(start, (first + part.end) * frame)
        before = "".join(word.text for word in item.told[: len(item.told) - len(item.sure)])[
            -CONTEXT_CHARACTERS:
        ]
        window = Window(
            Pcm(sound),
            start=start / SAMPLE_RATE,
            language=item.language,
            prompt=f"{item.settings.prompt} {before}".strip(),
            hotwords=item.settings.keywords,
        )
        result = await self._transcribed(item, window, options, urgent=item.end is not None)
        item.prompt_tokens = max(item.prompt_tokens, result.prompt_tokens)
        if result.segments:
            item.detected = result.language.code
            if not options.draft or len(sound) >= 2 * SAMPLE_RATE:
                item.language = item.language or item.detected
        return words_of(result.segments)

    async def _transcribed(
        self, item: LiveItem, window: Window, options: TranscribeOptions, *, urgent: bool
    ) -> WindowResult:
        try:
            return await self._runner.transcribe(
                item.model, window, options, self._permit, urgent=urgent, watch=self._row
            )
        except EngineError as failure:
            raise from_engine(failure) from failure

    def _settle(self, item: LiveItem, words: list[LiveWord], *, closing: bool) -> None:
        """Sends the words that are final now; at the end of a stretch of speech, all of them."""
        known = continuation([word.text for word in item.sure], [word.text for word in words])
        item.sure = retimed(item.sure, words[:known])
        rest = words[known:]
        count = len(rest)
        if not closing:
            count = agreed([word.text for word in item.guess], [word.text for word in rest])
        item.guess = rest[count:]
        self._add(item, rest[:count])

    def _add(self, item: LiveItem, words: list[LiveWord]) -> None:
        if not item.told and words:
            words = [unspaced(words[0]), *words[1:]]
        words = [word for word in words if word.text]
        if words:
            item.told += words
            item.sure += words
            item.language = item.language or item.detected  # further words are of the same language
            self._tell(ItemText(item.name, tuple(words), item.settings.logprobs))

    def _trim(self, item: LiveItem, heard: int) -> None:
        """Makes the next look begin after the final words. `heard`: where the speech of this look ends."""
        latest = heard / SAMPLE_RATE - TRIM_AGE
        old = [index for index, word in enumerate(item.sure) if word.end <= latest]
        ends = [index for index in old if item.sure[index].text.rstrip().endswith(SENTENCE_ENDS)]
        if old:
            cut = (ends or old)[-1]
            item.done = max(item.done, int(item.sure[cut].end * SAMPLE_RATE))
            del item.sure[: cut + 1]

    def _completed(self, item: LiveItem) -> ItemCompleted:
        seconds = ((item.end or item.start) - item.start) / SAMPLE_RATE
        transcript = Transcript(
            task="transcribe",
            language=LanguageGuess(item.language, 1.0) if item.language and item.told else None,
            duration=seconds,
            segments=tuple(Segment(word.end, word.end, word.text, word.tokens) for word in item.told),
            prompt_tokens=item.prompt_tokens,
        )
        return ItemCompleted(item.name, item.text, transcript, item.settings)
