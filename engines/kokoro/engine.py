"""Speech by Kokoro-82M: StyleTTS 2 with one style table a voice, natural, 24 kHz.

Li, Han, Raghavan, Mischler, Mesgarani (2023), StyleTTS 2, https://arxiv.org/abs/2306.07691; weights by
hexgrad (Apache-2.0), ONNX export of the kokoro-onnx project (MIT).

Law: phonemes in, sound out; the phonemes come from `phonemes.py`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engines.common.installed import installed
from engines.common.onnx import shrinking
from engines.common.resting_session import RestingSession, resting_session
from engines.common.signed_inputs import signed_inputs_are_quick, with_signed_inputs
from engines.errors import EngineError, WeightsBroken, import_failure
from engines.heap import return_large_arrays
from engines.kokoro.openvino_network import KokoroParts, load_parts
from engines.types import EngineOptions, Gender, Pcm, Samples, Utterance, Voice

if TYPE_CHECKING:
    from onnxruntime import RunOptions

    from engines.kokoro.phonemes import Phonemes

COST = 0.5
QUALITY = 2
HONOURS: frozenset[str] = frozenset()
KOKORO_RATE = 24_000
STYLE_SHAPE = (510, 256)
"""Shape of a style table: one style vector for each number of phonemes."""
SILENCE_PEAK = 0.01
"""The largest sample of silence."""
LARGE_BYTES = 4 * 1024 * 1024
"""Freed arrays of at least this size go back to the operating system. Smaller ones are made all the time."""
WARM_UP_SPEED = 5.0
"""A letter takes 0.3 s of sound at this speed, and 1.2 s at the usual one."""
LANGUAGES = {
    "a": "en-US", "b": "en-GB", "e": "es", "f": "fr-FR", "h": "hi",
    "i": "it", "j": "ja", "p": "pt-BR", "z": "zh-CN",
}  # fmt: skip
"""Language by the first letter of a voice's name. (The second letter is the gender.)"""
ALSO = ("hi", "ru")
"""Languages in other scripts that every voice reads intelligibly, as measured with a transcription model.
Greek, Arabic, Hebrew, Korean and Thai were not intelligible."""


def voices(folder: Path) -> tuple[Voice, ...]:
    """The voices of a model: one for each style table in its folder."""
    if not any(folder.glob("*.onnx")):
        return ()
    names = sorted(path.stem for path in folder.glob("??_*.bin"))
    return tuple(_voice(name) for name in names if name[0] in LANGUAGES)


def load(folder: Path, options: EngineOptions) -> KokoroSynthesizer:
    """Loads the model from its folder. Raises `EngineMissing` or `WeightsBroken`."""
    try:
        from engines.kokoro.phonemes import Phonemes

        phonemes = Phonemes()
    except ImportError as failure:
        raise import_failure(failure, "kokoro", "kokoro") from failure
    model = _model(folder, options.device)
    network = load_parts(model, options) or _whole(model, options)
    return_large_arrays(LARGE_BYTES)  # else those of sentences of many lengths stay
    return KokoroSynthesizer(folder, network, phonemes, shrinking(options))


def _whole(model: Path, options: EngineOptions) -> RestingSession:
    rewrite = with_signed_inputs if signed_inputs_are_quick() else None
    return resting_session(model, options, memory_plans=False, packed=False, rewrite=rewrite)


def _model(folder: Path, device: str) -> Path:
    """The model's file. Of several, int8 is for CPUs, and any other for GPUs, which have no code for int8."""
    on_gpu = device == "cuda"
    models = sorted(folder.glob("*.onnx"), key=lambda file: (("int8" in file.name) is on_gpu, file.name))
    if not models:
        raise WeightsBroken("The folder holds no Kokoro model.")
    return models[0]


class KokoroSynthesizer:
    """The network and its style tables."""

    def __init__(
        self,
        folder: Path,
        network: RestingSession | KokoroParts,
        phonemes: Phonemes,
        run: RunOptions | None = None,
    ) -> None:
        """`run`: options of each run of the network."""
        self._folder = folder
        self._run = run
        self._network: RestingSession | KokoroParts | None = network
        self._tokens_input = network.get_inputs()[0].name
        self._phonemes = phonemes

    def synthesize(self, utterance: Utterance) -> Pcm:
        return self._sound(utterance, speed=1)

    def warm_up(self, utterance: Utterance) -> None:
        """Speaks fast: what the first sentence prepares does not depend on how long it is."""
        self._sound(utterance, speed=WARM_UP_SPEED)

    def _sound(self, utterance: Utterance, *, speed: float) -> Pcm:
        style = self._blend(utterance.profile) if utterance.profile else self._style(utterance.voice)
        # A Chinese or Japanese voice needs its library; other voices read such text as well as they can.
        asian = utterance.voice[:1] in ("j", "z")
        passes = self._phonemes.passes(utterance.text, utterance.language, asian=asian)
        sounds = [(self._speak(tokens, style, speed), silence) for tokens, silence in passes]
        return Pcm(joined(sounds), KOKORO_RATE)

    def rest(self) -> None:
        """Gives back the weights, what OpenVINO keeps for the next sentence (ONNX Runtime keeps nothing), and
        words.
        """
        self._phonemes.rest()
        if self._network:
            self._network.rest()

    def close(self) -> None:
        self._phonemes.close()
        self._network = None

    def _speak(self, tokens: list[int], style: NDArray[np.float32], speed: float) -> Samples:
        assert self._network, "a closed engine is not used"
        inputs = {
            self._tokens_input: np.array([[0, *tokens, 0]], np.int64),
            "style": style[min(len(tokens), len(style)) - 1][None],
            "speed": np.array([speed], np.float32),
        }
        return np.asarray(self._network.run(None, inputs, self._run)[0], np.float32).reshape(-1)

    def _blend(self, profile: bytes) -> NDArray[np.float32]:
        """The style table of a matched voice (`match.py`): a weighted mean of the stock ones."""
        try:
            weights = {str(name): float(weight) for name, weight in json.loads(profile).items()}
        except (ValueError, AttributeError, TypeError) as wrong:
            raise WeightsBroken("The voice's profile is damaged.") from wrong
        total = sum(weights.values())
        if not weights or total <= 0:
            raise WeightsBroken("The voice's profile is empty.")
        return np.asarray(sum(w / total * self._style(name) for name, w in weights.items()), np.float32)

    def _style(self, voice: str) -> NDArray[np.float32]:
        """The style table, read anew for each utterance: half a megabyte that would stay for each voice."""
        if voice not in {known.name for known in voices(self._folder)}:
            raise EngineError(f"There is no voice `{voice}`.")
        try:
            table = np.fromfile(self._folder / f"{voice}.bin", "<f4")
        except OSError as wrong:
            raise WeightsBroken(f"The voice `{voice}` is damaged.") from wrong
        if table.size != STYLE_SHAPE[0] * STYLE_SHAPE[1]:
            raise WeightsBroken(f"The voice `{voice}` is damaged.")
        return table.reshape(STYLE_SHAPE)


def joined(sounds: Sequence[tuple[Samples, float]]) -> Samples:
    """The sounds of passes as one, each with the most seconds of silence after it.

    Each begins and ends with more silence than there is between two sentences of one pass.
    """
    kept, before = [np.zeros(0, np.float32)], None
    for number, (sound, silence) in enumerate(sounds):
        loud = np.flatnonzero(np.abs(sound) > SILENCE_PEAK)
        first, last = (loud[0], loud[-1] + 1) if len(loud) else (0, len(sound))
        room = int(silence * KOKORO_RATE / 2)
        begin = 0 if before is None else max(0, first - before)
        kept.append(sound[begin : last + room if number < len(sounds) - 1 else len(sound)])
        before = room
    return np.concatenate(kept)


def _voice(name: str) -> Voice:
    """The voice of that name. The languages that it can read depend on the libraries for Chinese and
    Japanese, which are an extra.
    """
    asian = installed("misaki", "jieba", "pyopenjtalk", "jaconv")
    also = (*ALSO, *(("zh", "ja") if asian else ()))
    extra = "" if asian or name[0] not in "jz" else "asian"
    extra = extra if installed("kokoro_onnx") else "kokoro"
    return Voice(name, LANGUAGES[name[0]], _gender(name), KOKORO_RATE, also=also, extra=extra)


def _gender(name: str) -> Gender:
    return {"f": "female", "m": "male"}.get(name[1], "neutral")  # type: ignore[return-value]  # literals of Gender
