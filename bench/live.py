"""Live transcription, measured from outside: delays, accuracy, cost and memory of paced sessions.

    python -m bench.live FOLDER... [--parts lone,many,half,accuracy,silent,memory,file]

FOLDER holds recordings of one speaker each; `NAME.txt` beside `NAME.flac` is what is said
(`bench.made_speech` writes both), and `librispeech.tsv` has the texts of 56 clips, typed by hand and not the
corpus's own. Where there is none, word errors are counted against the file endpoint's text with full windows
and a beam, from a second server, which has errors too: these figures say how far live and file texts are
from the best that the model gives, not how many words are wrong.
Starts a server with default settings and Whisper base. Words, and when they end, are those of the file
endpoint; where the sound of a recording begins and ends is measured. Each part says how many cores others
used meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection

from app.settings import Settings
from bench.accuracy import SOUND, reference
from bench.live_client import (
    PIECE_SECONDS,
    Clip,
    Script,
    Seen,
    file_answer,
    frames,
    hiss,
    opened,
    read_clip,
    script,
    speak,
)
from bench.live_measures import (
    LONG_TURN_SECONDS,
    Clock,
    resident,
    spread,
    taken_back,
    turns,
    word_delays,
    word_errors,
)
from tests.conftest import JFK, ROOT
from tests.support.server import Server, running
from tests.support.sound import decode

SILENT_SESSIONS = 200
HELD_SESSIONS = 50
"""Number of sessions over which the memory is divided."""


def row(what: str, figure: str, goal: str = "") -> None:
    print(f"| {what} | {figure} | {goal} |", flush=True)


class Bench:
    """The parts, each on its own sessions."""

    def __init__(self, server: Server, clips: list[Clip], options: argparse.Namespace) -> None:
        self.server = server
        self.clips = clips
        self.options = options

    async def _spoken(self, scripts: list[Script]) -> tuple[list[Seen], Clock]:
        """Runs all sessions. Each begins a little later than the last one, so that looks do not coincide."""
        sockets = [await opened(self.server) for _ in scripts]
        pieces = [frames(one.samples) for one in scripts]
        clock = Clock(self.server)

        async def one(number: int) -> Seen:
            await asyncio.sleep(number * 1.3 / len(scripts))
            return await speak(sockets[number], pieces[number])

        seen = list(await asyncio.gather(*(one(number) for number in range(len(scripts)))))
        for socket in sockets:
            await socket.close()
        return seen, clock

    def _share(self, count: int, each: int) -> list[Script]:
        """For `count` sessions `each` clips, beginning at different ones."""
        size = len(self.clips)
        step = max(size // each, 1) if count == 1 else 1  # a lone session has clips of all readers
        return [
            script([self.clips[(number * size // count + k * step) % size] for k in range(each)])
            for number in range(count)
        ]

    def _figures(self, name: str, scripts: list[Script], seen: list[Seen], clock: Clock) -> None:
        seconds, used, _, _ = clock.read()
        pairs = list(zip(scripts, seen, strict=True))
        found = [turn for pair in pairs for turn in turns(*pair)]
        firsts = [
            turn.first for turn in found if turn.first is not None and turn.seconds >= LONG_TURN_SECONDS
        ]
        delays = [delay for pair in pairs for delay in word_delays(*pair)]
        spoken = sum(one.spoken for one in scripts)
        alone = len(scripts) == 1
        print(f"\n{name}: {len(found)} turns, {spoken:.0f} s of speech; {clock.load()}", flush=True)
        print(f"the client was at most {max(one.late for one in seen):.2f} s late")
        row("first delta after the first word began", spread(firsts), "1.8 / 2.5 s" if alone else "")
        row("delay of a word, mean", f"{statistics.mean(delays):.2f} s", "2.0 s" if alone else "")
        row(
            "`completed` after the last word, median / 95 %",
            spread([turn.completed for turn in found]),
            "1.0 / 1.5 s" if alone else "2.5 s (95 %)",
        )
        row("items whose deltas are not their transcript", str(sum(taken_back(one) for one in seen)), "0")
        row("CPU seconds for a second of speech", f"{used / spoken:.3f}", "0.25")
        row("cores that the server used", f"{used / seconds:.2f}")

    async def lone(self) -> None:
        scripts = self._share(1, self.options.turns)
        self._figures("One session", scripts, *await self._spoken(scripts))

    async def many(self) -> None:
        for count in self.options.sessions:
            scripts = self._share(count, max(self.options.turns // 3, 4))
            self._figures(f"{count} sessions", scripts, *await self._spoken(scripts))

    async def half(self) -> None:
        """Sessions that speak half of the time."""
        count, size = 14, len(self.clips)
        scripts = [
            script([self.clips[(number * 3 + k) % size] for k in range(3)], pause=8.0)
            for number in range(count)
        ]
        self._figures(f"{count} sessions, half of the time", scripts, *await self._spoken(scripts))

    async def accuracy(self) -> None:
        """Each clip as one whole turn, against the file endpoint."""
        clock = Clock(self.server)
        texts: dict[str, str] = {}
        rest = list(self.clips)

        async def worker() -> None:
            while rest:
                clip = rest.pop()
                socket = await opened(self.server, turn_detection=None)
                seen = await speak(socket, frames(clip.samples), commit=True)
                await socket.close()
                texts[clip.name] = seen.text

        await asyncio.gather(*(worker() for _ in range(self.options.beside)))
        print(f"\nAccuracy: {len(self.clips)} whole turns, {self.options.beside} at once; {clock.load()}")
        rows = [(clip, texts[clip.name]) for clip in self.clips]
        row("words that differ from the file endpoint's", _percent([word_errors(c.text, t) for c, t in rows]))
        self._errors("what is said", [(clip.truth, clip.text, said) for clip, said in rows])
        self._errors("the text of full windows", [(clip.full, clip.text, said) for clip, said in rows])
        if self.options.show:
            for clip, said in rows:
                print(f"{clip.name}\n  live {said}\n  file {clip.text}\n  true {clip.truth or clip.full}")

    def _errors(self, against: str, rows: list[tuple[str | None, str, str]]) -> None:
        """Prints word errors. `rows`: the true text, if it is known, the text of the file endpoint, and
        the live text.
        """
        known = [(truth, file, said) for truth, file, said in rows if truth]
        if not known:
            return
        live = [word_errors(truth, said) for truth, _, said in known]
        file = [word_errors(truth, heard) for truth, heard, _ in known]
        words = sum(count for _, count in live)
        pair = f"{_percent(live)} / {_percent(file)}"
        row(f"word errors against {against}, live / file ({len(known)} clips, {words} words)", pair)
        row(
            "difference in points",
            f"{100 * sum(a - b for (a, _), (b, _) in zip(live, file, strict=True)) / words:+.2f}",
            "1.0",
        )

    async def silent(self) -> None:
        """Sessions whose microphone is open while nobody speaks."""
        for name, samples in (("digital silence", hiss(1.0) * 0), ("a quiet microphone's noise", hiss(1.0))):
            pieces = frames(samples)
            count = SILENT_SESSIONS
            sockets = [await opened(self.server) for _ in range(count)]
            await asyncio.gather(*(speak(socket, pieces * 3) for socket in sockets))
            clock = Clock(self.server)
            await asyncio.gather(*(self._quiet(number, sockets[number], pieces) for number in range(count)))
            seconds, used, _, _ = clock.read()
            print(f"\n{SILENT_SESSIONS} sessions with {name}; {clock.load()}")
            row("share of one core", f"{100 * used / seconds:.0f} %", "10 %")
            appends = count * self.options.quiet / PIECE_SECONDS
            row("CPU time for an append", f"{1e6 * used / appends:.0f} microseconds", "50")
            await asyncio.gather(*(socket.close() for socket in sockets))

    async def _quiet(self, number: int, socket: ClientConnection, pieces: list[str]) -> None:
        """Returns when the server has read all of it."""
        await asyncio.sleep(number * PIECE_SECONDS / SILENT_SESSIONS)  # not all at the same moment
        await speak(socket, pieces * self.options.quiet)
        await (await socket.ping())

    async def memory(self) -> None:
        """Resident memory, divided by sessions."""
        print("\nMemory of a session")
        quiet = frames(hiss(1.0)) * 5
        await self._held("silent", HELD_SESSIONS, quiet, "0.3 MB")
        talk = frames(self._share(1, 2)[0].samples[: 16_000 * 12])
        await self._held("speaking", HELD_SESSIONS, talk, "3 MB", turn_detection=None)
        full = frames(hiss(599.0), 10.0)
        await self._held("full buffer", 4, full, "25 MB", turn_detection=None)

    async def _held(self, name: str, count: int, pieces: list[str], goal: str, **chosen: object) -> None:
        warm = await opened(self.server, **chosen)
        await speak(warm, pieces[:20], pace=10)
        before = resident(self.server)
        sockets = [await opened(self.server, **chosen) for _ in range(count)]
        await asyncio.gather(*(speak(socket, pieces, pace=20) for socket in sockets))
        await asyncio.sleep(5)
        row(name, f"{(resident(self.server) - before) / count:.2f} MB", goal)
        await asyncio.gather(*(socket.close() for socket in [warm, *sockets]))

    async def file(self) -> None:
        """The file endpoint alone and beside four speaking sessions."""
        clip = min(self.clips, key=lambda one: abs(one.seconds - 8))
        alone = await self._file_times(clip, lambda: asyncio.sleep(8))
        scripts = self._share(4, 4)
        beside = await self._file_times(clip, lambda: self._spoken(scripts))
        print("\nA file beside four speaking sessions")
        ratio = statistics.median(beside) / statistics.median(alone)
        row("latency, times that alone", f"{ratio:.2f} ({len(beside)} files)", "2")

    async def _file_times(self, clip: Clip, meanwhile: Callable[[], Awaitable[object]]) -> list[float]:
        other = asyncio.ensure_future(meanwhile())
        await asyncio.sleep(2)
        taken = []
        while not other.done():
            began = time.monotonic()
            await asyncio.to_thread(file_answer, self.server, clip.samples)
            taken.append(time.monotonic() - began)
            await asyncio.sleep(0.7)
        await other
        return taken


def _percent(counts: list[tuple[int, int]]) -> str:
    return f"{100 * sum(a for a, _ in counts) / sum(n for _, n in counts):.2f} %"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, help="default: the clip in this repository")
    parser.add_argument("--parts", default="lone,many,half,accuracy,silent,memory,file")
    parser.add_argument("--turns", type=int, default=20, help="clips that a lone session says")
    parser.add_argument("--clips", type=int, default=0, help="use only so many clips, evenly chosen")
    parser.add_argument("--sessions", type=int, nargs="*", default=[8])
    parser.add_argument("--beside", type=int, default=4, help="sessions at once while accuracy is measured")
    parser.add_argument("--quiet", type=int, default=20, help="seconds of silence")
    parser.add_argument("--show", action="store_true", help="print every text")
    parser.add_argument("--placement", default=Settings().runtime.placement)
    parser.add_argument("--storage", type=Path, default=ROOT / "data")
    options = parser.parse_args()
    paths = [path for folder in options.folders for path in sorted(folder.rglob("*")) if path.suffix in SOUND]
    if options.clips:
        paths = [paths[number * len(paths) // options.clips] for number in range(options.clips)]
    given = {
        "REALTIME_ENABLED": "true",
        "REALTIME_SESSIONS": "300",
        "LIMITS_REQUESTS": "400",
        "LIMITS_DECODED_SECONDS": "200000",
        "RUNTIME_PLACEMENT": options.placement,
    }
    with tempfile.TemporaryDirectory() as folder:
        given["STORAGE_DATABASE_URL"] = f"sqlite:///{folder}/antiphon.db"
        texts = _full_texts(paths, options, Path(folder), given) if "accuracy" in options.parts else {}
        with running(options.storage, Path(folder) / "log", **given) as server:
            clips = [read_clip(server, path) for path in paths or [JFK]]
            clips = [replace(clip, full=texts.get(clip.name, "")) for clip in clips if clip.words]
            bench = Bench(server, clips, options)
            seconds = sum(clip.seconds for clip in clips)
            print(f"{len(clips)} clips, {seconds:.0f} s; placement {options.placement}")
            for part in options.parts.split(","):
                asyncio.run(getattr(bench, part)())


def _full_texts(
    paths: list[Path], options: argparse.Namespace, folder: Path, given: dict[str, Any]
) -> dict[str, str]:
    """The texts of recordings whose words are not known, by path: full windows, a beam, its own server."""
    unknown = [path for path in paths if reference(path) is None]
    if not unknown:
        return {}
    full = given | {"TRANSCRIPTION_ADAPTIVE_WINDOWS": "false", "TRANSCRIPTION_GREEDY_FIRST": "false"}
    with running(options.storage, folder / "full.log", **full) as server:
        return {path.name: file_answer(server, decode(path.read_bytes()))["text"] for path in unknown}


if __name__ == "__main__":
    main()
