"""Whisper base's decoder on OpenVINO beside CTranslate2's in int8: CPU time of a token.

    .venv/bin/python -m bench.decoders RECORDING

Both decode the same encodings of the recording on one thread, to texts of forty tokens each: the end token is
suppressed, so that both take the same steps. Each figure is the median of three.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from bench.bench_stt import commit
from engines.types import EngineOptions, Samples
from engines.whisper.ctranslate2_arrays import as_rows, numbers
from engines.whisper.features import Features
from engines.whisper.quick_decoder import decoder_of
from engines.whisper.tokens import WhisperTokens
from tests.conftest import ROOT
from tests.support.sound import decode

CASES = ((1, 1000), (2, 1000), (4, 1000), (8, 1000), (1, 3000), (4, 3000), (8, 3000))
"""Rows, and frames of each."""
TOKENS = 40
ROUNDS = 3


def cost(decode_all: Callable[[], list[int]]) -> float:
    """CPU milliseconds of a token. `decode_all` returns the lengths of the texts."""
    decode_all()
    spent = []
    for _ in range(ROUNDS):
        began = time.process_time()
        lengths = decode_all()
        spent.append(1000 * (time.process_time() - began))
        assert lengths == [TOKENS] * len(lengths)
    return statistics.median(spent) / sum(lengths)


def measure(recording: Path, folder: Path) -> None:
    from faster_whisper import WhisperModel

    model = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=1, local_files_only=True)
    tokens = WhisperTokens(model.hf_tokenizer, multilingual=model.model.is_multilingual)
    tokens.suppressed += [tokens.eot]
    ours = decoder_of(folder, EngineOptions(device="cpu", threads=1, workers=1), tokens)
    prompt = tokens.start("en", "transcribe")
    whole = Features(model.feature_extractor, 1).of(decode(recording.read_bytes()))

    def theirs(encoded: Samples, beams: int) -> list[int]:
        found = model.model.generate(
            as_rows(encoded),
            [prompt] * len(encoded),
            beam_size=beams,
            max_length=2 * TOKENS,
            return_scores=True,
            return_no_speech_prob=True,
            suppress_tokens=tokens.suppressed,
        )
        return [len(one.sequences_ids[0]) for one in found]

    def quick(encoded: Samples, beams: int) -> list[int]:
        found = ours.generate(
            ours.listen(encoded), [prompt] * len(encoded), beams=beams, most_tokens=[TOKENS] * len(encoded)
        )
        return [len(one.tokens) for one in found]

    for rows, frames in CASES:
        starts = np.linspace(0, max(whole.shape[1] - frames, 0), rows).astype(int)
        encoded = np.concatenate([numbers(model.encode(_piece(whole, start, frames))) for start in starts])
        for beams in (5, 1):
            costs = [cost(partial(one, encoded, beams)) for one in (theirs, quick)]
            print(
                f"{rows} x {frames} frames, {beams} beams: CTranslate2 {costs[0]:.1f} ms, "
                f"OpenVINO {costs[1]:.1f} ms ({costs[1] / costs[0]:.2f})",
                flush=True,
            )


def _piece(features: Samples, start: int, frames: int) -> Samples:
    part = features[None, :, start : start + frames]
    return np.pad(part, ((0, 0), (0, 0), (0, frames - part.shape[2])), constant_values=float(part.min()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--model", type=Path, default=ROOT / "data/weights/whisper-base")
    chosen = parser.parse_args()
    print(f"commit {commit()}", flush=True)
    measure(chosen.recording, chosen.model)


if __name__ == "__main__":
    main()
