"""When the encoding of silence is computed."""

from __future__ import annotations

import numpy as np

from engines.whisper.encoded_silence import EncodedSilence, Silence
from tests.support.waiting import wait_until


class Encoder:
    """Counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> Silence:
        self.calls += 1
        return Silence(np.zeros((1, 2, 3), np.float32))


def test_whoever_needs_it_first_has_it_computed_once() -> None:
    encoder = Encoder()
    silence = EncodedSilence(encoder, rest=3600)
    assert encoder.calls == 0
    assert silence.value() is silence.value()
    silence.close()
    assert encoder.calls == 1


def test_it_is_computed_after_a_rest_without_being_asked() -> None:
    encoder = Encoder()
    silence = EncodedSilence(encoder, rest=0)
    wait_until(lambda: encoder.calls, 30)
    silence.close()
    assert encoder.calls == 1


def test_a_closed_one_computes_nothing_of_itself() -> None:
    encoder = Encoder()
    EncodedSilence(encoder, rest=3600).close()
    assert encoder.calls == 0
