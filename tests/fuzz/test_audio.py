"""Broken sound in forty containers: read or refused, never a fault of ours, bounded in time and memory."""

from __future__ import annotations

import io
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import numpy as np
import pytest

from app.audio.decode import open_audio
from app.errors import InvalidRequest
from tests.fuzz.containers import broken, seeds
from tests.support.fuzz import LONGEST_ANSWER, Outcomes, RawCaller, cut

pytestmark = pytest.mark.slow

Cases = Callable[[str], Iterator[tuple[int, Random]]]
LIMIT = 60.0
"""Seconds of audio that a case may decode to."""
GROWTH = 150 * 1024
"""Kilobytes by which the process may grow over all cases; FFmpeg's and NumPy's caches need some."""


def resident() -> int:
    """Kilobytes of memory that the process holds; 0 where the system does not tell."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmRSS"))


def outcome(data: bytes) -> str:
    """What the reader makes of a file; anything but a refusal with status 400 fails the test."""
    try:
        source = open_audio(io.BytesIO(data), limit=LIMIT, cancelled=lambda: False)
        try:
            count = 0
            for block in source.blocks():
                assert np.isfinite(block).all()
                assert np.abs(block).max() <= 1
                count += len(block)
            assert count <= (LIMIT + 1) * 16_000
        finally:
            source.close()
    except InvalidRequest as refused:  # 400
        return type(refused).__name__
    return "read"


def test_every_seed_is_read() -> None:
    refused = {name for name, data in seeds().items() if outcome(data) != "read"}
    assert refused == {"wav of 65 channels", "wav without samples"}


def test_broken_files_are_read_or_refused(cases: Cases) -> None:
    outcomes: Counter[str] = Counter()
    slowest = (0.0, "", -1)
    before = 0
    for done, (case, chance) in enumerate(cases("decoder")):
        name, data = broken(chance)
        began = time.monotonic()
        try:
            outcomes[outcome(data)] += 1
        except BaseException as failure:
            failure.add_note(f"case {case}: {name}")
            raise
        slowest = max(slowest, (time.monotonic() - began, name, case))
        before = before or (resident() if done == 100 else 0)
    after = resident()
    print(f"decoder: {dict(outcomes)}; slowest {slowest}; resident {before} -> {after} kB")
    assert slowest[0] < LONGEST_ANSWER, slowest
    assert outcomes["read"] * 20 >= outcomes.total(), outcomes
    assert not before or after - before < GROWTH


async def test_broken_uploads_get_an_answer_of_the_contract(cases: Cases, caller: RawCaller) -> None:
    outcomes = Outcomes()
    slowest = (0.0, "", -1)
    before = 0
    content_type = [(b"content-type", b"multipart/form-data; boundary=x")]
    for done, (case, chance) in enumerate(cases("upload")):
        name, data = broken(chance)
        form = chance.choice((b"json", b"verbose_json", b"srt", b"text"))
        body = b""
        for field, value in ((b"model", b"whisper-1"), (b"response_format", form), (b"file", data)):
            also = b'; filename="a.wav"' if field == b"file" else b""
            body += b'--x\r\nContent-Disposition: form-data; name="' + field + b'"' + also + b"\r\n\r\n"
            body += value + b"\r\n"
        body += b"--x--\r\n"
        began = time.monotonic()
        answer = await caller("POST", b"/v1/audio/transcriptions", content_type, cut(body, chance))
        slowest = max(slowest, (time.monotonic() - began, name, case))
        outcomes.add(case, answer)
        before = before or (resident() if done == 100 else 0)
    after = resident()
    print(f"uploads: {dict(outcomes.counts)}; slowest {slowest}; resident {before} -> {after} kB")
    outcomes.assert_deep()
    assert not before or after - before < GROWTH
