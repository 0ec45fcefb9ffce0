"""A client of a live session that sends sound at the pace of speech, and notes each event with its time.

Law: knows the protocol and the clock; what the figures mean stands in `live_measures`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
from websockets.asyncio.client import ClientConnection, connect

from bench.accuracy import plain, reference
from tests.support.server import KEY, Server
from tests.support.sound import RATE, Floats, decode, wav

WIRE_RATE = 24_000
PIECE_SECONDS = 0.1
"""Seconds of sound in one append."""
LEAD_SECONDS = 1.0
"""Seconds before the first word of a session."""
PAUSE_SECONDS = 1.6
"""Seconds of silence between two clips."""
NOISE_LEVEL = 0.0005
"""Root mean square of the noise of a quiet microphone; full scale is 1."""
COMPLETED = "conversation.item.input_audio_transcription.completed"
FAILED = "conversation.item.input_audio_transcription.failed"
DELTA = "conversation.item.input_audio_transcription.delta"


@dataclass(frozen=True)
class KnownWord:
    """A word of a recording and when it is spoken, in seconds."""

    text: str
    start: float
    end: float

    def later(self, seconds: float) -> KnownWord:
        return replace(self, start=self.start + seconds, end=self.end + seconds)


@dataclass(frozen=True)
class Clip:
    """One recording."""

    name: str
    samples: Floats
    words: tuple[KnownWord, ...]
    """The words that the file endpoint recognises. The first one begins and the last one
    ends with the sound.
    """
    text: str
    """The text that the file endpoint recognises."""
    truth: str | None
    """The true text, if there is a text file beside the recording."""
    full: str = ""
    """The text that the file endpoint recognises with full windows and a beam, if `truth` is not known."""

    @property
    def seconds(self) -> float:
        return len(self.samples) / RATE


@dataclass(frozen=True)
class Script:
    """What one session sends: sound, and the words in it."""

    samples: Floats
    words: tuple[KnownWord, ...]
    spoken: float
    """Seconds of recordings in it, without the pauses between them."""


@dataclass
class Seen:
    """All events that a session received, with the times since its audio began."""

    events: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    late: float = 0.0
    """The longest delay with which the client itself sent a piece, in seconds."""

    def of(self, *kinds: str) -> list[tuple[float, dict[str, Any]]]:
        return [(at, event) for at, event in self.events if event["type"] in kinds]

    @property
    def text(self) -> str:
        return " ".join(event["transcript"] for _, event in self.of(COMPLETED))


def hiss(seconds: float, seed: int = 3) -> Floats:
    return np.random.default_rng(seed).normal(0, NOISE_LEVEL, int(seconds * RATE)).astype(np.float32)


def file_answer(server: Server, samples: Floats) -> dict[str, Any]:
    """The answer of the file endpoint, with word times."""
    fields = {
        "model": "whisper-1",
        "language": "en",
        "response_format": "verbose_json",
        "timestamp_granularities[]": "word",
    }
    with server.client() as client:
        answer = client.post("/audio/transcriptions", data=fields, files={"file": ("a.wav", wav(samples))})
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def read_clip(server: Server, path: Path) -> Clip:
    """A recording, with the words that the file endpoint recognises."""
    samples = decode(path.read_bytes())
    answer = file_answer(server, samples)
    words = [KnownWord(word["word"].strip(), word["start"], word["end"]) for word in answer["words"]]
    if words:
        first, last = edges(samples)
        words[0] = replace(words[0], start=min(first, words[0].end))
        words[-1] = replace(words[-1], end=max(last, words[-1].start))
    truth = reference(path)
    return Clip(path.name, samples, tuple(words), answer["text"], plain(truth) if truth else None)


def edges(samples: Floats) -> tuple[float, float]:
    """First and last sample of the sound: of the stretches of 20 ms that are at most 35 dB below the loud
    ones.
    """
    frames = samples[: len(samples) // 320 * 320].reshape(-1, 320)
    levels = np.sqrt((frames**2).mean(axis=1))
    loud = np.flatnonzero(levels > np.percentile(levels, 95) / 56)
    return float(loud[0] * 0.02), float((loud[-1] + 1) * 0.02)


def script(clips: list[Clip], pause: float = PAUSE_SECONDS, tail: float = 3.0) -> Script:
    """All clips with pauses between them."""
    parts, words, at = [hiss(LEAD_SECONDS)], list[KnownWord](), LEAD_SECONDS
    for clip in clips:
        parts += [clip.samples, hiss(pause)]
        words += [word.later(at) for word in clip.words]
        at += clip.seconds + pause
    samples = np.concatenate([*parts, hiss(tail)])
    return Script(samples, tuple(words), sum(clip.seconds for clip in clips))


def frames(samples: Floats, seconds: float = PIECE_SECONDS) -> list[str]:
    """The appends of a sound, ready to be sent."""
    size = round(len(samples) * WIRE_RATE / RATE)
    spectrum = np.fft.rfft(samples)
    wide = np.zeros(size // 2 + 1, spectrum.dtype)
    wide[: len(spectrum)] = spectrum[: len(wide)]
    sound = np.fft.irfft(wide, size) * (size / len(samples))
    data = (np.clip(sound, -1, 1) * 32_767).astype("<i2").tobytes()
    step = round(seconds * WIRE_RATE) * 2
    encoded = (base64.b64encode(data[at : at + step]).decode() for at in range(0, len(data), step))
    return [f'{{"type":"input_audio_buffer.append","audio":"{text}"}}' for text in encoded]


async def opened(server: Server, **audio_input: Any) -> ClientConnection:
    """A session that is set to English."""
    url = server.url.replace("http", "ws", 1) + "/realtime?intent=transcription"
    socket = await connect(
        url,
        additional_headers={"Authorization": f"Bearer {KEY}"},
        proxy=None,
        compression=None,  # as OpenAI's libraries connect
        max_size=2**24,
        open_timeout=60,
    )
    chosen = {"transcription": {"model": "whisper-1", "language": "en"}} | audio_input
    session = {"type": "transcription", "audio": {"input": chosen}}
    await socket.send(json.dumps({"type": "session.update", "session": session}))
    while json.loads(await socket.recv())["type"] != "session.updated":
        pass
    return socket


async def speak(
    socket: ClientConnection, pieces: list[str], *, commit: bool = False, pace: float = 1.0
) -> Seen:
    """Sends at the pace of speech; returns when all committed items have ended."""
    seen = Seen()
    began = time.monotonic()
    listening = asyncio.create_task(_listen(socket, seen, began))
    for number, piece in enumerate(pieces):
        due = began + (number + 1) * PIECE_SECONDS / pace  # a piece is sent when its last sample was spoken
        await asyncio.sleep(max(due - time.monotonic(), 0))
        seen.late = max(seen.late, time.monotonic() - due)
        await socket.send(piece)
    if commit:
        await socket.send('{"type": "input_audio_buffer.commit"}')
    async with asyncio.timeout(120):
        while not _settled(seen, at_least=int(commit)):
            await asyncio.sleep(0.05)
    listening.cancel()
    return seen


async def _listen(socket: ClientConnection, seen: Seen, began: float) -> None:
    async for frame in socket:
        seen.events.append((time.monotonic() - began, json.loads(frame)))


def _settled(seen: Seen, at_least: int) -> bool:
    committed = len(seen.of("input_audio_buffer.committed"))
    started = max(len(seen.of("input_audio_buffer.speech_started")), at_least)
    return committed >= started and len(seen.of(COMPLETED, FAILED)) == committed


def scrape(server: Server) -> str:
    return httpx2.get(f"{server.root}/metrics", timeout=60).text
