"""What every voice activity detector promises."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from engines import catalog
from engines.contracts import SpeechDetector
from tests.conftest import JFK, ROOT
from tests.support.sound import Floats, decode, noise, silence


@pytest.fixture(scope="module", params=["silero"])
def detector(request: pytest.FixtureRequest) -> SpeechDetector:
    return catalog.speech_detector(request.param)()


def chances(detector: SpeechDetector, samples: Floats, block: int) -> Floats:
    stream = detector.open()
    parts = [stream.feed(samples[at : at + block]) for at in range(0, len(samples), block)]
    return np.concatenate([*parts, stream.flush()])


def test_speech_is_told_from_silence_and_noise(detector: SpeechDetector) -> None:
    speech = decode(JFK.read_bytes())
    assert np.mean(chances(detector, speech, 16_000) > 0.5) > 0.5
    assert np.mean(chances(detector, silence(10), 16_000)) < 0.01
    assert np.mean(chances(detector, noise(10), 16_000) > 0.5) < 0.1


def test_the_answer_does_not_depend_on_the_blocks(detector: SpeechDetector) -> None:
    speech = decode(JFK.read_bytes())[:50_000]
    whole = chances(detector, speech, len(speech))
    assert len(whole) == -(-len(speech) // detector.open().frame)
    for block in (1, 333, 512, 8_000):
        part = speech[:2_000] if block == 1 else speech
        found = chances(detector, part, block)
        # The last frame is padded, so it may differ.
        assert np.allclose(found[:-1], whole[: len(found) - 1], atol=1e-4)


def test_streams_do_not_disturb_each_other(detector: SpeechDetector) -> None:
    speech = decode(JFK.read_bytes())[:32_000]
    alone = chances(detector, speech, 8_000)
    one, other = detector.open(), detector.open()
    mixed = []
    for at in range(0, len(speech), 8_000):
        mixed.append(one.feed(speech[at : at + 8_000]))
        other.feed(noise(0.5))
    assert np.allclose(np.concatenate([*mixed, one.flush()]), alone, atol=1e-5)


def test_libraries_of_models_are_not_imported_for_it() -> None:
    code = "import sys; from engines.silero import load; load(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert not {"faster_whisper", "ctranslate2", "onnxruntime", "av"} & set(done.stdout.split())
