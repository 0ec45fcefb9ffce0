"""The whole sound of an upload and the speech in it, for checking consents and voice samples.

Law: bounded by seconds before anything is decoded; blocks, so it runs on a thread.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from app.errors import InvalidRequest
from app.runtime.admission import Permit
from app.runtime.blocking_work import WorkThreads
from app.runtime.runner import Runner
from app.services.steps.key_spending import Charge
from app.services.steps.open_upload import open_source
from engines.types import SAMPLE_RATE, Pcm, Samples

SPEECH_PROBABILITY = 0.5
"""Least probability of speech of a frame that counts as speech."""


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Sound of `SAMPLE_RATE` hertz and the speech in it."""

    sound: Pcm
    speech: Pcm
    """The stretches in which somebody speaks, joined."""
    chances: Samples
    """The probability of speech (0..1) of each frame, the padded last one included."""


async def listen(
    runner: Runner, threads: WorkThreads, file: BinaryIO, seconds: float, permit: Permit, param: str
) -> Recording:
    """The sound of an upload of at most `seconds`. Raises `ApiError` that names `param`."""
    permit.claim(0.0, seconds)
    charge = Charge("heard", 0.0)
    try:
        heard = await threads.run(lambda: _listen(runner, threads, file, seconds, permit))
        charge.settle(heard.sound.seconds)
        return heard
    except InvalidRequest as wrong:
        wrong.param = param
        raise


def _listen(
    runner: Runner, threads: WorkThreads, file: BinaryIO, seconds: float, permit: Permit
) -> Recording:
    samples = _decoded(threads, file, seconds, permit)
    detector = runner.detect()
    chances = np.concatenate([detector.feed(samples), detector.flush()])
    mask = np.repeat(_widened(chances >= SPEECH_PROBABILITY), detector.frame)[: len(samples)]
    return Recording(Pcm(samples), Pcm(samples[mask]), chances)


async def whole_sound(
    threads: WorkThreads, data: bytes, seconds: float, rate: int, permit: Permit, param: str
) -> Pcm:
    """The sound of an upload of at most `seconds`, at `rate` hertz. Raises `ApiError` that names `param`."""
    try:
        file = io.BytesIO(data)
        return await threads.run(lambda: Pcm(_decoded(threads, file, seconds, permit, rate=rate), rate))
    except InvalidRequest as wrong:
        wrong.param = param
        raise


def _decoded(
    threads: WorkThreads, file: BinaryIO, seconds: float, permit: Permit, *, rate: int = SAMPLE_RATE
) -> Samples:
    source = open_source(threads, file, limit=seconds, cancelled=permit.cancel.is_set, rate=rate)
    try:
        return np.concatenate([np.zeros(0, np.float32), *source.blocks()])
    finally:
        source.close()


def _widened(speech: np.ndarray) -> np.ndarray:
    """The mask with one more frame on each side, so that the edges of words are not cut off."""
    wide = speech.copy()
    wide[1:] |= speech[:-1]
    wide[:-1] |= speech[1:]
    return wide


def chunks(speech: Pcm, seconds: float) -> list[Samples]:
    """The speech in pieces of `seconds`; a shorter rest at the end is left out."""
    size = int(seconds * SAMPLE_RATE)
    return [speech.samples[at : at + size] for at in range(0, len(speech.samples) - size + 1, size)]
