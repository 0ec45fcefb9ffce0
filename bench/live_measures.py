"""Computes delays and errors of live sessions, from the words that were spoken and the events that came.

Law: pure, but for the counters of the system.
"""

from __future__ import annotations

import difflib
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jiwer

from app.services.steps.live_agreement import folded
from bench.accuracy import plain
from bench.live_client import COMPLETED, DELTA, KnownWord, Script, Seen
from tests.support import process_tree
from tests.support.server import Server

LONG_TURN_SECONDS = 5.0
"""The delay of the first delta is measured for turns of at least so many seconds."""


@dataclass(frozen=True)
class Turn:
    """One committed item with the words that were spoken in it."""

    words: tuple[KnownWord, ...]
    first: float | None
    """Seconds from the start of the first word to the first delta."""
    completed: float
    """Seconds from the end of the last word to the event `completed`."""

    @property
    def seconds(self) -> float:
        return self.words[-1].end - self.words[0].start


def turns(script: Script, seen: Seen) -> list[Turn]:
    """The turns that the server found, without those in which no word is known."""
    starts = {event["item_id"]: event["audio_start_ms"] / 1000 for _, event in seen.of(STARTED)}
    ends = {event["item_id"]: event["audio_end_ms"] / 1000 for _, event in seen.of(STOPPED)}
    found = []
    for at, event in seen.of(COMPLETED):
        item = event["item_id"]
        words = tuple(w for w in script.words if starts[item] <= (w.start + w.end) / 2 <= ends[item])
        deltas = [when for when, told in seen.of(DELTA) if told["item_id"] == item]
        if words:
            first = deltas[0] - words[0].start if deltas else None
            found.append(Turn(words, first, at - words[-1].end))
    return found


STARTED, STOPPED = "input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped"


def word_delays(script: Script, seen: Seen) -> list[float]:
    """Seconds from the end of each word to the delta that has it, of the words that were understood."""
    told = [(text, at) for at, event in seen.of(DELTA) for text in event["delta"].split()]
    known = [folded(word.text) for word in script.words]
    matcher = difflib.SequenceMatcher(None, known, [folded(text) for text, _ in told], autojunk=False)
    return [
        told[block.b + offset][1] - script.words[block.a + offset].end
        for block in matcher.get_matching_blocks()
        for offset in range(block.size)
    ]


def taken_back(seen: Seen) -> int:
    """Number of items whose transcript differs from the sum of their deltas."""
    texts: dict[str, str] = {}
    for _, event in seen.of(DELTA):
        texts[event["item_id"]] = texts.get(event["item_id"], "") + event["delta"]
    return sum(texts.get(event["item_id"], "") != event["transcript"] for _, event in seen.of(COMPLETED))


def word_errors(truth: str, said: str) -> tuple[int, int]:
    """Errors, and words of the truth."""
    done = jiwer.process_words(plain(truth) or "-", plain(said) or "-")
    return done.substitutions + done.deletions + done.insertions, len(plain(truth).split())


def spread(values: Sequence[float]) -> str:
    """Median and 95th percentile."""
    if len(values) < 2:
        return f"{values[0]:.2f} s (once)" if values else "none"
    high = statistics.quantiles(values, n=20, method="inclusive")[-1]
    return f"{statistics.median(values):.2f} / {high:.2f} s"


class Clock:
    """CPU seconds of the server with its children, of this client, and of everybody else on the machine."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._began, self._start = time.monotonic(), self._now()

    def _now(self) -> tuple[float, float, float]:
        mine = sum(os.times()[:2])
        fields = [int(text) for text in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
        busy = (sum(fields) - fields[3] - fields[4]) / process_tree.TICKS
        return process_tree.cpu_seconds(self._server.process.pid), mine, busy

    def read(self) -> tuple[float, float, float, float]:
        """Since it was made: elapsed seconds, and CPU seconds of the server, of this client, and of all other
        processes.
        """
        server, mine, busy = (now - then for now, then in zip(self._now(), self._start, strict=True))
        return time.monotonic() - self._began, server, mine, max(busy - server - mine, 0.0)

    def load(self) -> str:
        """Cores that other processes used meanwhile. The measured delays mean something only if that is
        nearly zero.
        """
        seconds, _, mine, others = self.read()
        return f"others used {others / seconds:.2f} cores, the client {mine / seconds:.2f}"


def resident(server: Server) -> float:
    """Resident memory of the server and its child processes, in megabytes."""
    return process_tree.resident(server.process.pid) / 1e6
