"""Voices cloned from a few seconds of speech: Kyutai's Pocket TTS, a language model over audio latents.

Rouard, Orsini, Roebel, Zeghidour, Défossez (2025), Continuous Audio Language Models,
https://arxiv.org/abs/2509.06926; code MIT, weights CC-BY-4.0 behind the hub's terms.

A model is a folder with `model.safetensors`, `tokenizer.json` and, unless it is the English model, the
library's `config.yaml`. `NAME.safetensors` beside them are stock voices.

Law: sound in, profile out; profile and text in, sound out. Nothing is ever fetched.
"""

from __future__ import annotations

import os
import tempfile
from collections import OrderedDict
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from engines.common.installed import installed
from engines.common.pytorch import set_threads
from engines.contracts import Synthesizer
from engines.errors import EngineError, UnsupportedInput, WeightsBroken, import_failure
from engines.types import EngineOptions, Pcm, Samples, SpeakerSample, Utterance, Voice, VoiceProfile

ENGINE = MODEL = "pocket-tts"
LOADS = True
COST = 0.7
QUALITY = 1
HONOURS: frozenset[str] = frozenset()
RATE = 24_000
WEIGHTS, TOKENIZER, CONFIG = "model.safetensors", "tokenizer.json", "config.yaml"
LONGEST_SAMPLE = 20.0
"""Seconds of a sample that are used; more would make the profile larger, not better."""
CACHED_STATES = 4
"""The most voices whose states stay in memory; each takes a few megabytes."""


def voices(folder: Path) -> tuple[Voice, ...]:
    """The stock voices beside the model."""
    if not (folder / WEIGHTS).is_file():
        return ()
    names = sorted(path.stem for path in folder.glob("*.safetensors") if path.name != WEIGHTS)
    extra = "" if installed("torch", "pocket_tts") else "cloning"
    return tuple(Voice(name, "en-US", "neutral", RATE, extra=extra) for name in names)


def load(folder: Path, options: EngineOptions) -> PocketSynthesizer:
    """Loads the model from its folder. Raises `EngineMissing` or `WeightsBroken`."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        import torch  # noqa: F401 - is it there?
        from pocket_tts import TTSModel
    except ImportError as failure:
        raise import_failure(failure, "pocket-tts", "cloning") from failure
    try:
        with tempfile.TemporaryDirectory() as work:
            model = TTSModel.load_model(config=_config(folder, Path(work)))
    except Exception as wrong:  # the library and its dependencies raise exceptions of any class
        raise WeightsBroken("The Pocket TTS model cannot be loaded.") from wrong
    set_threads(options.threads or 1)
    return PocketSynthesizer(model, folder)


def enroll(sample: SpeakerSample, synthesizer: Synthesizer | None) -> VoiceProfile:
    """The speaker's state, computed once. Raises `EngineError`."""
    if not isinstance(synthesizer, PocketSynthesizer):
        raise EngineError("Pocket TTS enrolls speakers with its own model.")
    return VoiceProfile(ENGINE, synthesizer.state_of(sample.sound), "", 0.0)


class PocketSynthesizer:
    """One model, and the states of the most recently used voices."""

    def __init__(self, model: Any, folder: Path) -> None:
        self._model = model
        self._folder = folder
        self._states: OrderedDict[bytes, Any] = OrderedDict()

    def synthesize(self, utterance: Utterance) -> Pcm:
        text = " ".join(utterance.text.replace("\0", " ").split())
        if not any(sign.isalnum() for sign in text):
            return Pcm(np.zeros(0, np.float32), RATE)
        state = self._state(utterance.profile or self._stock(utterance.voice))
        sound = self._model.generate_audio(state, text, copy_state=True)
        return Pcm(np.asarray(sound.detach().cpu().reshape(-1), np.float32), self._model.sample_rate)

    def state_of(self, sound: Pcm) -> bytes:
        """A profile: half-precision tensors as safetensors, under a megabyte for each second of sample."""
        import torch
        from safetensors.torch import save

        if sound.rate != RATE or sound.seconds < 1:
            raise UnsupportedInput("A sample for Pocket TTS is at least a second of sound at 24 kHz.")
        samples = np.ascontiguousarray(sound.samples[: int(LONGEST_SAMPLE * RATE)])
        state = self._model.get_state_for_audio_prompt(torch.from_numpy(samples)[None])
        return bytes(
            save(
                {
                    f"{module}/{name}": tensor.half() if tensor.is_floating_point() else tensor
                    for module, tensors in state.items()
                    for name, tensor in tensors.items()
                }
            )
        )

    def close(self) -> None:
        self._states.clear()
        self._model = None

    def _state(self, profile: bytes) -> Any:
        key = sha256(profile).digest()
        if key not in self._states:
            self._states[key] = _parsed(profile)
            if len(self._states) > CACHED_STATES:
                self._states.popitem(last=False)
        self._states.move_to_end(key)
        return self._states[key]

    def _stock(self, name: str) -> bytes:
        if name not in {voice.name for voice in voices(self._folder)}:
            raise EngineError(f"There is no voice `{name}`.")
        return (self._folder / f"{name}.safetensors").read_bytes()


def _parsed(profile: bytes) -> dict[str, dict[str, Any]]:
    import torch
    from safetensors.torch import load as parse

    state: dict[str, dict[str, Any]] = {}
    try:
        tensors = parse(profile)
    except Exception as wrong:  # errors of its Rust code have no common base class
        raise WeightsBroken("The voice's profile is damaged.") from wrong
    for key, tensor in tensors.items():
        module, _, name = key.partition("/")
        state.setdefault(module, {})[name] = tensor.float() if tensor.dtype == torch.float16 else tensor
    return state


def _config(folder: Path, work: Path) -> Path:
    """The model's configuration, with every path in its own folder, so that the library downloads nothing."""
    import pocket_tts
    import yaml

    own = folder / CONFIG
    default = Path(pocket_tts.__file__).parent / "config/english.yaml"
    config: dict[str, Any] = yaml.safe_load((own if own.exists() else default).read_text("utf-8"))
    for part in (config, config["flow_lm"], config["mimi"]):
        part.pop("weights_path", None)
    config.pop("weights_path_without_voice_cloning", None)
    config["weights_path"] = str(folder / WEIGHTS)
    table: Samples | dict[str, Any] = config["flow_lm"]["lookup_table"]
    assert isinstance(table, dict)
    table["tokenizer"], table["tokenizer_path"] = "tokenizers", str(folder / TOKENIZER)
    written = work / "config.yaml"
    written.write_text(yaml.safe_dump(config), "utf-8")
    return written
