"""Odd requests of every kind: not one 5xx, nothing that hangs, each refusal in the envelope."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any, TypeVar
from urllib.parse import quote

import pytest

from app.container import Container
from tests.support.fuzz import ODD_TEXTS, Outcomes, RawCaller, cut, mutated
from tests.support.sound import tone, wav

pytestmark = pytest.mark.slow

Choice = TypeVar("Choice", str, bytes)
Cases = Callable[[str], Iterator[tuple[int, Random]]]
CLIP = wav(tone(0.3))
FORMS = ("transcriptions", "transcriptions", "transcriptions", "translations", "voices", "voice_consents")
FIELDS = (
    "model",
    "file",
    "language",
    "languages[]",
    "prompt",
    "keywords[]",
    "hotwords",
    "response_format",
    "timestamp_granularities[]",
    "include[]",
    "temperature",
    "stream",
    "chunking_strategy",
    "vad_filter",
    "chunking_strategy[type]",
    "chunking_strategy[threshold]",
    "beam_size",
    "known_speaker_names[]",
    "known_speaker_references[]",
    "diarize",
    "num_speakers",
    "max_speakers",
    "max_line_width",
    "max_line_count",
    "max_cue_seconds",
    "name",
    "consent",
    "recording",
    "audio_sample",
    "type",
    "x[y][z]",
    "",
    "[",
    "\ud800",
)
CHARSETS = (
    "",
    "; charset=utf-8",
    "; charset=undefined",
    "; charset=unicode_escape",
    '; charset="',
    "; charset=\0",
)
PATHS = (
    "audio/transcriptions",
    "audio/translations",
    "audio/speech",
    "audio/voices",
    "audio/voices",
    "audio/voices/{}",
    "models",
    "models",
    "models/whisper-1",
    "audio/voice_consents",
    "audio/voice_consents/{}",
    "models/{}",
    "audio/{}",
    "{}",
    "",
)
METHODS = ("POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "")


def encoded(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def usually(chance: Random, right: Choice, odd: Sequence[Choice]) -> Choice:
    return right if chance.random() < 0.7 else chance.choice(odd)


def a_form(chance: Random) -> bytes:
    parts = [
        (
            "model",
            encoded(usually(chance, "whisper-1", ODD_TEXTS)),
            False,
        )
    ]
    file = CLIP if chance.random() < 0.5 else mutated(CLIP[:2000], chance)
    parts.append((usually(chance, "file", ("recording", "audio_sample")), file, True))
    for _ in range(chance.choice((0, 1, 1, 2, 2, 6))):
        name, value = chance.choice(FIELDS), encoded(chance.choice(ODD_TEXTS))
        parts += [(name, value, chance.random() < 0.1)] * chance.choice((1, 1, 1, 2, 20))
    body = b""
    for name, value, is_file in parts:
        also = b'; filename="' + encoded(chance.choice(ODD_TEXTS)) + b'"' if is_file else b""
        body += b'--x\r\nContent-Disposition: form-data; name="' + encoded(name) + b'"' + also + b"\r\n\r\n"
        body += value + b"\r\n"
    body += b"--x--\r\n"
    return mutated(body, chance) if chance.random() < 0.15 else body


def a_value(chance: Random, depth: int = 0) -> Any:
    kinds: list[Callable[[], Any]] = [
        lambda: chance.choice(ODD_TEXTS),
        lambda: chance.choice((0, 1, -1, 10**400, 1e308, float("inf"), float("nan"), True, False, None)),
        lambda: "a\ud800",
    ]
    if depth < 3:
        kinds += [
            lambda: [a_value(chance, depth + 1) for _ in range(chance.randrange(3))],
            lambda: {
                chance.choice(ODD_TEXTS[:8]): a_value(chance, depth + 1),
                "id": a_value(chance, depth + 1),
            },
        ]
    return chance.choice(kinds)()


async def test_forms(caller: RawCaller, cases: Cases) -> None:
    outcomes = Outcomes()
    for case, chance in cases("forms"):
        kind = b"multipart/form-data; boundary=" + usually(chance, b"x", (b'"x"', b"", b"y"))
        headers = [(b"content-type", kind + usually(chance, "", CHARSETS).encode())]
        target = b"/v1/audio/" + chance.choice(FORMS).encode()
        outcomes.add(case, await caller("POST", target, headers, cut(a_form(chance), chance)))
    outcomes.assert_deep()


async def test_json_bodies(caller: RawCaller, cases: Cases) -> None:
    outcomes = Outcomes()
    for case, chance in cases("json"):
        speech = {"model": "tts-1", "input": "Hello there.", "voice": "alloy", "response_format": "pcm"}
        names = (*speech, "speed", "instructions", "stream_format", "stream", "name", "language")
        for _ in range(chance.randrange(4)):
            speech[chance.choice(names)] = a_value(chance)
        body = json.dumps(speech).encode()
        body = mutated(body, chance) if chance.random() < 0.3 else body
        target = chance.choice((b"/v1/audio/speech", b"/v1/audio/speech", b"/v1/audio/voice_consents/cons_1"))
        kind = [
            (
                b"content-type",
                chance.choice((b"application/json", b"text/plain", b"application/json; charset=utf-7")),
            )
        ]
        outcomes.add(case, await caller("POST", target, kind, cut(body, chance)))
    outcomes.assert_deep()


async def test_paths_and_queries(caller: RawCaller, cases: Cases) -> None:
    outcomes = Outcomes()
    for case, chance in cases("paths"):
        odd = quote(encoded(chance.choice(ODD_TEXTS))[:600], safe=chance.choice(("", "/.?#%")))
        path = chance.choice(PATHS).replace("{}", odd)
        names = [chance.choice(("limit", "after", "limit", odd[:9])) for _ in range(chance.randrange(3))]
        query = "&".join(f"{name}={quote(encoded(chance.choice(ODD_TEXTS)))}" for name in names)
        target = f"{usually(chance, '/v1/', ('/', '//', '/v1//'))}{path}?{query}".encode()
        outcomes.add(case, await caller(usually(chance, "GET", METHODS), target))
    outcomes.assert_deep()


async def test_headers(caller: RawCaller, cases: Cases) -> None:
    names = (
        b"authorization",
        b"content-type",
        b"content-length",
        b"x-request-id",
        b"accept",
        b"openai-project",
        b"origin",
        b"cookie",
        b"\xff",
    )
    outcomes = Outcomes()
    for case, chance in cases("headers"):
        headers = [
            (
                chance.choice(names),
                chance.choice((encoded(chance.choice(ODD_TEXTS))[:500], chance.randbytes(20))),
            )
            for _ in range(chance.randrange(6))
        ]
        target, method = chance.choice(
            ((b"/v1/models", "GET"), (b"/v1/audio/speech", "POST"), (b"/v1/audio/voices", "POST"))
        )
        outcomes.add(case, await caller(method, target, headers, [b"{}"]))
    outcomes.assert_deep()


async def test_nothing_is_left_behind(container: Container, caller: RawCaller, cases: Cases) -> None:
    """All of a hundred requests at once; afterwards every place is free."""
    chances = [chance for _, chance in cases("together")][:100]
    kind = [(b"content-type", b"multipart/form-data; boundary=x")]
    answers = await asyncio.gather(
        *(
            caller("POST", b"/v1/audio/transcriptions", kind, cut(a_form(chance), chance))
            for chance in chances
        )
    )
    outcomes = Outcomes()
    for case, answer in enumerate(answers):
        outcomes.add(case, answer)
    outcomes.assert_deep()
    assert container.uploads.count == 0
