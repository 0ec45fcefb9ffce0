"""Helpers of all fuzzers: random cases, odd values, a raw caller of the app, and a check of each answer.

A case can be run again by its number: `pytest tests/fuzz --fuzz-first 1234 --fuzz-cases 1`.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import unquote

from fastapi import FastAPI

CASES = 150
"""Number of cases of each fuzzer if the command line does not give one."""
LONGEST_ANSWER = 60.0
"""Seconds after which a request counts as hung."""
KEYS = {"message", "type", "param", "code"}
ODD_TEXTS: Sequence[str] = (
    "",
    " ",
    "\0",
    "a\0b",
    "nan",
    "inf",
    "1e999",
    "-1",
    "0",
    "1",
    "0.5",
    "1_0",
    "٣",
    "9" * 400,
    "9" * 5000,
    "true",
    "FALSE",
    "null",
    "[]",
    "{",
    "{}",
    "[[",
    '["a", 1]',
    '["a\\ud800"]',
    '{"type": "server_vad"}',
    '{"type": "server_vad", "threshold": 1' + "0" * 400 + "}",
    "server_vad",
    "auto",
    "en",
    "english",
    "esperanto",
    "en-US",
    "x-x",
    "xx" * 200,
    "json",
    "verbose_json",
    "diarized_json",
    "srt",
    "vtt",
    "text",
    "word",
    "logprobs",
    "whisper-1",
    "tts-1",
    "alloy",
    "mp3",
    "pcm",
    "wav",
    "opus",
    "sse",
    "../../etc/passwd",
    "/etc/passwd",
    "C:\\con",
    "http://127.0.0.1:1/a",
    "file:///etc/passwd",
    "data:audio/wav;base64,AAAA",
    "data:,x",
    "data:;base64,%%",
    "voice_" + "0" * 32,
    "cons_" + "0" * 32,
    "x" * 5000,
    "é" * 300,
    "\u202eabc",
    "\u2028",
    "\ufeff",
    "\U0010ffff",
    "'; --",
    "%00",
    "%ff",
    "<script>",
    "{{7*7}}",
    "${x}",
    "\r\nX-Evil: 1",
    "\x7f\x9b",
)
"""Texts that have caused errors in some program, and valid ones, with which a case gets beyond the first
checks.
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the app."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


class RawCaller:
    """Calls an ASGI app in this process as a server does, with bytes that no client library sends."""

    def __init__(self, app: FastAPI, host: bytes = b"test") -> None:
        self._app = app
        self._host = host

    async def __call__(
        self,
        method: str,
        target: bytes,
        headers: Sequence[tuple[bytes, bytes]] = (),
        body: Sequence[bytes] = (),
    ) -> Answer:
        """Calls the app. `target`: path and query as in the request line. `body`: sent in as many chunks as
        it has.
        """
        path, _, query = target.partition(b"?")
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path.decode("latin-1")),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": [(b"host", self._host), *headers],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8000),
            "state": {},
        }
        return await asyncio.wait_for(self._answer(scope, body), LONGEST_ANSWER)

    async def _answer(self, scope: dict[str, Any], body: Sequence[bytes]) -> Answer:
        chunks = iter(body)
        answered = asyncio.Event()
        heads: list[dict[str, Any]] = []
        parts: list[bytes] = []
        complete = False

        async def receive() -> dict[str, Any]:
            nonlocal complete
            if complete:
                await answered.wait()
                return {"type": "http.disconnect"}
            chunk = next(chunks, None)
            complete = chunk is None
            return {"type": "http.request", "body": chunk or b"", "more_body": not complete}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                heads.append(message)
            else:
                parts.append(message.get("body", b""))

        try:
            await self._app(scope, receive, send)  # type: ignore[arg-type]  # the shapes are ASGI's
        finally:
            answered.set()
        assert len(heads) == 1, "one answer for each request"
        return Answer(heads[0]["status"], dict(heads[0]["headers"]), b"".join(parts))


class Outcomes:
    """Checks each answer: it must be a success or an error envelope, and never an internal error."""

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()
        """Number of answers by status."""

    def add(self, case: int, answer: Answer) -> None:
        """Counts an answer, and fails if it is neither a success nor the envelope of an error. `case`:
        the number with which the case can be run again.
        """
        self.counts[answer.status] += 1
        if 200 <= answer.status < 300:
            return
        assert 400 <= answer.status < 500, (case, answer.status, answer.body[:500])
        if answer.body:  # answers to HEAD have no body
            error = json.loads(answer.body)["error"]
            assert set(error) == KEYS, case
            assert error["message"], case
            leaks = [leak for leak in ("Traceback", 'File "', "site-packages") if leak in error["message"]]
            assert not leaks, (case, error)

    def assert_deep(self) -> None:
        """Fails if too few cases succeeded: then the fuzzer would only test the first check of each route."""
        assert self.counts[200] * 20 >= self.counts.total(), self.counts


def randoms(seed: str, first: int, count: int) -> Iterator[tuple[int, Random]]:
    """The number and the random generator of each case."""
    for case in range(first, first + count):
        yield case, Random(f"{seed} {case}")


def mutated(data: bytes, chance: Random) -> bytes:
    """`data` with up to eight random changes: bytes are flipped, removed, repeated or inserted."""
    changed = bytearray(data)
    for _ in range(chance.randint(0, 8)):
        at, length = chance.randrange(len(changed) + 1), chance.choice((1, 1, 2, 8, 100))
        change: Callable[[], Any] = chance.choice(
            (
                lambda at=at: changed.__setitem__(slice(at, at + 1), bytes([chance.randrange(256)])),
                lambda at=at, length=length: changed.__delitem__(slice(at, at + length)),
                lambda at=at, length=length: changed.__setitem__(slice(at, at), changed[at : at + length]),
                lambda at=at, length=length: changed.__setitem__(slice(at, at), chance.randbytes(length)),
            )
        )
        change()
    return bytes(changed)


def cut(data: bytes, chance: Random) -> list[bytes]:
    """`data` in one to five chunks, as it may come over the network."""
    ends = sorted(chance.randrange(len(data) + 1) for _ in range(chance.randrange(5)))
    return [data[a:b] for a, b in zip([0, *ends], [*ends, len(data)], strict=True)]
