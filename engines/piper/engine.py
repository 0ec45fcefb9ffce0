"""Speech by Piper: one small VITS network a voice, many times faster than real time on a CPU.

Kim, Kong, Son (2021), Conditional Variational Autoencoder with Adversarial Learning for End-to-End
Text-to-Speech, https://arxiv.org/abs/2106.06103. The library is GPL-3.0: it is imported only when used.

Law: text in, sound out; which voices there are is read from the files beside the weights.
"""

from __future__ import annotations

import itertools
import json
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engines.common.blocked_layout import with_blocked_layout
from engines.common.installed import installed
from engines.common.onnx import shrinking
from engines.common.resting_session import RestingSession, resting_session
from engines.cores import cores
from engines.errors import WeightsBroken, import_failure
from engines.piper.openvino_network import load_parts
from engines.types import EngineOptions, Gender, Pcm, Samples, Utterance, Voice
from engines.writing_scripts import primary_subtag, runs

if TYPE_CHECKING:
    from piper.phonemize_espeak import EspeakPhonemizer
    from piper.voice import PiperVoice

COST = 0.07
QUALITY = 1
HONOURS: frozenset[str] = frozenset()
SHORTEST = ["a"]
"""The phonemes of the shortest run of a network."""
# Piper's files do not say a voice's gender; the names of the readers do.
_GENDERS: dict[str, Gender] = {
    "alan": "male", "alba": "female", "amy": "female", "bryce": "male", "danny": "male", "joe": "male",
    "john": "male", "kathleen": "female", "kristin": "female", "kusal": "male", "lessac": "female",
    "norman": "male", "ryan": "male", "thorsten": "male", "siwis": "female", "eva_k": "female",
}  # fmt: skip
# espeak-ng has one language for the whole process.
_espeak_lock = threading.Lock()


def voices(folder: Path) -> tuple[Voice, ...]:
    """One voice for each speaker of each `*.onnx` that has its `*.onnx.json`."""
    known: list[Voice] = []
    for path in sorted(folder.glob("*.onnx.json")):
        if path.with_suffix("").is_file():
            known += _voices_of(path)
    return tuple(known)


def load(folder: Path, options: EngineOptions) -> PiperSynthesizer:
    """Looks for voices; each is loaded when it first speaks. Raises `EngineMissing` or `WeightsBroken`."""
    try:
        import piper  # noqa: F401 - is it there?
    except ImportError as failure:
        raise import_failure(failure, "piper", "piper") from failure
    if not voices(folder):
        raise WeightsBroken("The folder holds no Piper voice.")
    return PiperSynthesizer(folder, options)


class PiperSynthesizer:
    """The synthesizer over all voices of one folder."""

    def __init__(self, folder: Path, options: EngineOptions) -> None:
        self._folder = folder
        self._options = options
        self._loaded: dict[str, PiperVoice] = {}

    def synthesize(self, utterance: Utterance) -> Pcm:
        stem, _, speaker = utterance.voice.partition("#")
        voice = self._voice(stem)
        rate: int = voice.config.sample_rate
        sentences = self._phonemes(voice, utterance)
        sounds = [self._speak(voice, phonemes, speaker) for phonemes in sentences]
        return Pcm(np.concatenate([np.zeros(0, np.float32), *sounds]), rate)

    def rest(self) -> None:
        """Gives back what ONNX Runtime keeps for sentences as long as the last ones.

        It does so only at the end of a run, so the shortest one is made. After each sentence it would take
        longer, because the memory is needed for the next one.
        """
        options = shrinking(self._options)
        for voice in list(self._loaded.values()) if options else ():
            ids = voice.phonemes_to_ids(SHORTEST)
            inputs: dict[str, NDArray[np.float32] | NDArray[np.int64]] = {
                "input": np.array([ids], np.int64),
                "input_lengths": np.array([len(ids)], np.int64),
                "scales": np.array([voice.config.noise_scale, 1.0, voice.config.noise_w_scale], np.float32),
            }
            if voice.config.num_speakers > 1:
                inputs["sid"] = np.zeros(1, np.int64)
            voice.session.run(None, inputs, options)
            network: Any = voice.session
            network.rest()

    def close(self) -> None:
        self._loaded.clear()

    def _voice(self, stem: str) -> PiperVoice:
        if stem not in self._loaded:
            from piper.config import PiperConfig
            from piper.voice import PiperVoice

            path = self._folder / f"{stem}.onnx"
            config = PiperConfig.from_dict(json.loads(Path(f"{path}.json").read_text("utf-8")))
            network: Any = load_parts(path, self._options) or _whole(path, self._options)
            self._loaded[stem] = PiperVoice(network, config)
        return self._loaded[stem]

    def _phonemes(self, voice: PiperVoice, utterance: Utterance) -> list[list[str]]:
        """Phonemes of each sentence. Text in another language than the voice's is read in that language."""
        # Piper would take text between double brackets for phonemes.
        text = utterance.text.replace("\0", "").replace("[[", "[ [")
        if voice.config.phoneme_type.value != "espeak" or voice.config.espeak_voice == "ar":
            return _spoken(voice.phonemize(text))
        own = voice.config.espeak_voice
        sentences: list[list[str]] = []
        for piece, language in runs(text, utterance.language):
            same = primary_subtag(language) == primary_subtag(own)
            sentences += _espeak(piece, own if same else language, own)
        return _spoken(sentences)

    def _speak(self, voice: PiperVoice, phonemes: list[str], speaker: str) -> Samples:
        from piper.config import SynthesisConfig

        known = [phoneme for phoneme in phonemes if phoneme in voice.config.phoneme_id_map]
        if not any(phoneme.isalpha() for phoneme in known):
            return np.zeros(0, np.float32)
        config = SynthesisConfig(speaker_id=voice.config.speaker_id_map.get(speaker) if speaker else None)
        sound = voice.phoneme_ids_to_audio(voice.phonemes_to_ids(known), config)
        assert isinstance(sound, np.ndarray)  # the result is a pair only if alignments were requested
        return np.asarray(np.clip(sound, -1, 1), np.float32).reshape(-1)


def _whole(path: Path, options: EngineOptions) -> RestingSession:
    rewrite = partial(with_blocked_layout, threads=options.threads or cores())
    return resting_session(path, options, memory_plans=False, rewrite_all=rewrite)


def _espeak(text: str, language: str, fallback: str) -> list[list[str]]:
    """Phonemes of espeak-ng. A language that it does not know is read as the voice's own."""
    from piper.phonemize_espeak import EspeakPhonemizer

    with _espeak_lock:
        phonemizer = _phonemizers.get("espeak") or EspeakPhonemizer()
        _phonemizers["espeak"] = phonemizer
        base = primary_subtag(language)
        for name in dict.fromkeys((_ESPEAK_NAMES.get(base, language.lower()), base, fallback)):
            try:
                return list(phonemizer.phonemize(name, text))
            except (RuntimeError, ValueError):
                continue
    return []


_ESPEAK_NAMES = {"zh": "cmn", "fr": "fr-fr"}
_phonemizers: dict[str, EspeakPhonemizer] = {}


def _spoken(sentences: list[list[str]]) -> list[list[str]]:
    """The sentences that have at least one phoneme that sounds."""
    return [s for s in sentences if any(phoneme.isalpha() for phoneme in s)]


def _voices_of(path: Path) -> list[Voice]:
    try:
        raw = json.loads(path.read_text("utf-8"))
        stem = path.name.removesuffix(".onnx.json")
        language = str(raw.get("language", {}).get("code") or stem.partition("-")[0]).replace("_", "-")
        rate = int(raw["audio"]["sample_rate"])
        speakers = list(raw.get("speaker_id_map") or {}) or [""]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
    gender = _GENDERS.get("".join(itertools.islice(stem.split("-"), 1, 2)), "neutral")
    extra = "" if installed("piper") else "piper"
    return [Voice(f"{stem}#{s}" if s else stem, language, gender, rate, extra=extra) for s in speakers]
