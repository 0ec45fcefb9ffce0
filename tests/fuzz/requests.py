"""Odd requests of four kinds: forms, JSON bodies, paths with queries, headers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar
from urllib.parse import quote

from tests.support.fuzz import ODD_TEXTS, mutated
from tests.support.sound import tone, wav

Choice = TypeVar("Choice", str, bytes)
Header = tuple[bytes, bytes]
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
HEADERS = (
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
METHODS = ("POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "")


@dataclass(frozen=True, slots=True)
class OddRequest:
    """One request, as bytes that no client library sends."""

    method: str
    target: bytes
    headers: Sequence[Header] = ()
    body: bytes = b""


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


def form_request(chance: Random) -> OddRequest:
    kind = b"multipart/form-data; boundary=" + usually(chance, b"x", (b'"x"', b"", b"y"))
    headers = [(b"content-type", kind + usually(chance, "", CHARSETS).encode())]
    return OddRequest("POST", b"/v1/audio/" + chance.choice(FORMS).encode(), headers, a_form(chance))


def json_request(chance: Random) -> OddRequest:
    speech = {"model": "tts-1", "input": "Hello there.", "voice": "alloy", "response_format": "pcm"}
    names = (*speech, "speed", "instructions", "stream_format", "stream", "name", "language")
    for _ in range(chance.randrange(4)):
        speech[chance.choice(names)] = a_value(chance)
    body = json.dumps(speech).encode()
    body = mutated(body, chance) if chance.random() < 0.3 else body
    target = chance.choice((b"/v1/audio/speech", b"/v1/audio/speech", b"/v1/audio/voice_consents/cons_1"))
    kind = chance.choice((b"application/json", b"text/plain", b"application/json; charset=utf-7"))
    return OddRequest("POST", target, [(b"content-type", kind)], body)


def path_request(chance: Random) -> OddRequest:
    odd = quote(encoded(chance.choice(ODD_TEXTS))[:600], safe=chance.choice(("", "/.?#%")))
    path = chance.choice(PATHS).replace("{}", odd)
    names = [chance.choice(("limit", "after", "limit", odd[:9])) for _ in range(chance.randrange(3))]
    query = "&".join(f"{name}={quote(encoded(chance.choice(ODD_TEXTS)))}" for name in names)
    target = f"{usually(chance, '/v1/', ('/', '//', '/v1//'))}{path}?{query}".encode()
    return OddRequest(usually(chance, "GET", METHODS), target)


def header_request(chance: Random) -> OddRequest:
    headers = [
        (
            chance.choice(HEADERS),
            chance.choice((encoded(chance.choice(ODD_TEXTS))[:500], chance.randbytes(20))),
        )
        for _ in range(chance.randrange(6))
    ]
    target, method = chance.choice(
        ((b"/v1/models", "GET"), (b"/v1/audio/speech", "POST"), (b"/v1/audio/voices", "POST"))
    )
    return OddRequest(method, target, headers, b"{}")


KINDS: dict[str, Callable[[Random], OddRequest]] = {
    "forms": form_request, "json": json_request, "paths": path_request, "headers": header_request
}  # fmt: skip
"""The makers of odd requests, by the name of the fuzzer; the name is also its seed."""
