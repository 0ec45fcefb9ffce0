"""An opened audio -> its windows, in order: decode, detect, cut.

Law: an iterator that does one step for each window and blocks, so it runs on a decoder thread.
"""

from __future__ import annotations

from collections.abc import Iterator

from app.audio.decode import AudioSource
from app.audio.windows import Cut, CutRules, EverythingIsSpeech, WindowCutter
from app.domain import VadOptions
from app.runtime.runner import Runner
from engines.contracts import SpeechStream


def cuts(source: AudioSource, vad: VadOptions | None, runner: Runner) -> Iterator[Cut]:
    """`vad`: None takes everything for speech that is not digital silence. Raises what decoding raises."""
    detector: SpeechStream = runner.detect() if vad else EverythingIsSpeech()
    cutter = WindowCutter(_rules(vad))
    for block in source.blocks():
        yield from cutter.feed(block, detector.feed(block))
    yield from cutter.flush(detector.flush())


def _rules(vad: VadOptions | None) -> CutRules:
    if vad is None:
        return CutRules(padding=0.0)
    return CutRules(
        threshold=vad.threshold,
        padding=vad.prefix_padding_ms / 1000,
        silence=vad.silence_duration_ms / 1000,
    )
