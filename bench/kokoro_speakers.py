"""Measures the speaker vector of each of Kokoro's voices, for `engines/kokoro/match.py`.

.venv/bin/python -m bench.kokoro_speakers
"""

from __future__ import annotations

import time

import av
import numpy as np

from app.audio.frame_samples import samples
from engines.kokoro import engine as kokoro
from engines.kokoro import match as kokoro_match
from engines.speakers import encoder
from engines.types import SAMPLE_RATE, EngineOptions, Pcm, Samples, Utterance
from tests.conftest import ROOT

TEXTS = {
    "en": "The old lighthouse stood above the bay, and every ship that came home knew its light.",
    "es": "El viejo faro estaba sobre la bahía, y cada barco que volvía a casa conocía su luz.",
    "fr": "Le vieux phare se dressait au-dessus de la baie, et chaque bateau connaissait sa lumière.",
    "hi": "पुराना प्रकाशस्तंभ खाड़ी के ऊपर खड़ा था और हर जहाज़ उसकी रोशनी को जानता था।",
    "it": "Il vecchio faro stava sopra la baia, e ogni nave che tornava a casa conosceva la sua luce.",
    "ja": "古い灯台は湾の上に立っていて、帰ってくる船はみなその光を知っていました。",
    "pt": "O velho farol ficava sobre a baía, e cada navio que voltava para casa conhecia a sua luz.",
    "zh": "古老的灯塔矗立在海湾之上，每一艘回家的船都认识它的光。",
}


def at_16_khz(sound: Pcm) -> Samples:
    convert = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
    frame = av.AudioFrame.from_ndarray(sound.samples[None], format="flt", layout="mono")
    frame.sample_rate = sound.rate
    frames = [*convert.resample(frame), *convert.resample(None)]
    return np.concatenate([samples(piece) for piece in frames]).astype(np.float32)


def main() -> None:
    weights = ROOT / "data/weights"
    options = EngineOptions()
    hears = encoder.load(weights / "pyannote-starter", options)
    synthesizer = kokoro.load(weights / "kokoro-82m", options)
    names, vectors = [], []
    for voice in kokoro.voices(weights / "kokoro-82m"):
        began = time.monotonic()
        sound = synthesizer.synthesize(Utterance(TEXTS[voice.language[:2]], voice.name, voice.language))
        samples = at_16_khz(sound)
        heard = np.flatnonzero(np.abs(samples) > 0.01)
        names.append(voice.name)
        vectors.append(hears.embed(Pcm(samples[heard[0] : heard[-1]])))
        print(f"{voice.name}: {sound.seconds:.1f} s in {time.monotonic() - began:.1f} s", flush=True)
    np.savez(kokoro_match.SPEAKERS, names=np.array(names), vectors=np.stack(vectors))


if __name__ == "__main__":
    main()
