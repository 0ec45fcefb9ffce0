"""Word errors of live sessions without real time: sound waits for the transcriptions, so the result does not
depend on how busy the machine is.

    python -m bench.live_words FOLDER... [--turns] [--late] [--step 2.0] [--pause 0.4] [--clips 20]

Each recording whose text is known is one session: one whole turn that the client commits, or, with `--turns`,
the turns that the server finds. Further sound is given only when no look is running. Prints word errors
beside those of the file endpoint's service, and the CPU time of the looks. `--late`: no word is told before
the end of its turn, which shows what it costs that told words stay.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from app.container import Container
from app.domain import TranscriptionJob
from app.domain.live import ItemCompleted, LiveEvent, LiveSettings, ServerTurns, SoundFormat
from app.services.steps import live_item, live_transcriber
from app.settings.load import load_settings
from app.settings.one_process import in_one_process
from bench.accuracy import SOUND, ours, reference
from bench.live_client import PIECE_SECONDS, hiss
from bench.live_measures import word_errors
from tests.support.sound import RATE, Floats, decode

MODEL = "whisper-1"
STEPS = 20
"""Turns of the event loop within which a session begins its next look, if one is due."""


@dataclass
class Looks:
    """A runner that measures the CPU time of each transcription of a live session (a look)."""

    inner: Any
    running: int = 0
    costs: list[tuple[bool, float]] = field(default_factory=list)
    """For each look: whether it was a draft, and its CPU time in seconds."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def transcribe(self, model: Any, window: Any, options: Any, *rest: Any, **named: Any) -> Any:
        self.running += 1
        began = time.process_time()
        try:
            return await self.inner.transcribe(model, window, options, *rest, **named)
        finally:
            self.running -= 1
            self.costs.append((options.draft, time.process_time() - began))

    async def ended(self) -> None:
        """Returns when no look is running, nor about to begin."""
        for _ in range(STEPS):
            await asyncio.sleep(0)
        while self.running:
            await asyncio.sleep(0.002)
            if not self.running:
                for _ in range(STEPS):
                    await asyncio.sleep(0)


async def spoken(container: Container, looks: Looks, sound: Floats, *, turns: bool) -> str:
    """The text that a live session gives for a recording."""
    texts: list[str] = []

    def tell(event: LiveEvent) -> None:
        if isinstance(event, ItemCompleted):
            texts.append(event.text)

    form = SoundFormat("pcm", RATE)
    chosen = ServerTurns() if turns else None
    settings = LiveSettings(model=MODEL, language="en", format=form, turns=chosen)
    session = await container.services.live.open(settings, tell)
    if turns:
        sound = np.concatenate([hiss(1.0), sound, hiss(1.5)])
    data = (np.clip(sound, -1, 1) * 32_767).astype("<i2").tobytes()
    step = round(PIECE_SECONDS * RATE) * 2
    for at in range(0, len(data), step):
        await session.append(data[at : at + step])
        await looks.ended()
    if not turns:
        session.commit()
    await session.settled()
    await session.close()
    return " ".join(texts)


async def measure(recordings: list[tuple[Path, Floats]], options: argparse.Namespace) -> None:
    container = Container(in_one_process(load_settings()))
    live: Any = container.services.live
    looks = live._runner = Looks(live._runner)
    await live.load(MODEL)
    live_errors = file_errors = words = 0
    seconds = 0.0
    for path, sound in recordings:
        truth = reference(path) or ""
        errors, count = word_errors(truth, await spoken(container, looks, sound, turns=options.turns))
        heard = await ours(container, path, TranscriptionJob(model=MODEL, language="en"))
        live_errors, words = live_errors + errors, words + count
        file_errors += word_errors(truth, heard.text)[0]
        seconds += len(sound) / RATE
    await container.close()
    _print(looks, seconds, words, (live_errors, file_errors))


def _print(looks: Looks, seconds: float, words: int, errors: tuple[int, int]) -> None:
    live, file = (100 * count / words for count in errors)
    print(f"| words, seconds of speech | {words}, {seconds:.0f} |")
    print(f"| word errors, live / file | {live:.2f} / {file:.2f} % ({errors[0]}, {errors[1]}) |")
    print(f"| difference in points | {live - file:+.2f} |")
    for name, kind in (("drafts", True), ("looks with a beam", False)):
        costs = [cost for draft, cost in looks.costs if draft is kind]
        mean = sum(costs) / max(len(costs), 1)
        print(f"| {name}: count, CPU seconds each | {len(costs)}, {mean:.3f} |")
    print(f"| CPU seconds of looks for a second of speech | {sum(c for _, c in looks.costs) / seconds:.3f} |")


def _tell_late() -> None:
    """From now on, words are told at the end of their turns."""

    def settle(self: Any, item: Any, words: Any, *, closing: bool) -> None:
        item.guess = [] if closing else words
        if closing:
            self._add(item, words)

    live_transcriber.ItemTranscriber._settle = settle  # type: ignore[method-assign]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--turns", action="store_true", help="the server finds the turns")
    parser.add_argument("--late", action="store_true", help="no word before the end of its turn")
    parser.add_argument("--step", type=float, default=live_item.USUAL_STEP, help="seconds between two looks")
    parser.add_argument("--pause", type=float, default=live_item.PAUSE_SECONDS)
    parser.add_argument("--clips", type=int, default=0, help="use only so many clips, evenly chosen")
    options = parser.parse_args()
    found = [path for folder in options.folders for path in sorted(folder.rglob("*")) if path.suffix in SOUND]
    paths = [path for path in found if reference(path)]
    if options.clips:
        paths = [paths[number * len(paths) // options.clips] for number in range(options.clips)]
    live_item.USUAL_STEP = options.step
    live_item.PAUSE_SECONDS = options.pause
    if options.late:
        _tell_late()
    recordings = [(path, decode(path.read_bytes())) for path in paths]
    asyncio.run(measure(recordings, options))


if __name__ == "__main__":
    main()
