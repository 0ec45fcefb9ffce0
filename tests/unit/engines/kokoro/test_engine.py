"""Which languages each voice can read here, by the name of its file and the installed libraries."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from engines.common.installed import installed
from engines.errors import WeightsBroken
from engines.kokoro import engine
from engines.types import Utterance

NAMES = ("af_bella", "ef_dora", "hf_alpha", "jf_alpha", "zf_xiaobei", "xx_none")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("kokoro.onnx", *(f"{name}.bin" for name in NAMES)):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("absent", "extras"),
    [
        ((), {}),
        (("misaki",), {"jf_alpha": "asian", "zf_xiaobei": "asian"}),
        (("pyopenjtalk",), {"jf_alpha": "asian", "zf_xiaobei": "asian"}),
        (("kokoro_onnx",), dict.fromkeys(NAMES[:-1], "kokoro")),
    ],
)
def test_voices_name_the_extra_that_they_need(
    folder: Path, absent: tuple[str, ...], extras: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "installed", lambda *modules: not set(modules) & set(absent))
    voices = {voice.name: voice for voice in engine.voices(folder)}
    assert sorted(voices) == sorted(NAMES[:-1])
    assert {name: voice.extra for name, voice in voices.items() if voice.extra} == extras
    asian = {"zh", "ja"} <= set(voices["af_bella"].also)
    assert asian == (not set(absent) & {"misaki", "pyopenjtalk"})


def test_installed_looks_and_imports_nothing() -> None:
    assert installed("json", "email.mime")
    assert not installed("json", "no_such_module")
    assert not installed("no_such_package.module")


@pytest.mark.parametrize(
    ("files", "device", "taken"),
    [
        (("k.fp16-gpu.onnx", "k.int8.onnx"), "cpu", "k.int8.onnx"),
        (("k.fp16-gpu.onnx", "k.int8.onnx"), "auto", "k.int8.onnx"),
        (("k.fp16-gpu.onnx", "k.int8.onnx"), "cuda", "k.fp16-gpu.onnx"),
        (("k.int8.onnx",), "cuda", "k.int8.onnx"),
        (("k.onnx",), "cpu", "k.onnx"),
    ],
)
def test_the_form_of_the_model_that_the_device_has_code_for(
    tmp_path: Path, files: tuple[str, ...], device: str, taken: str
) -> None:
    for name in files:
        (tmp_path / name).touch()
    assert engine._model(tmp_path, device).name == taken


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(WeightsBroken, match="no Kokoro model"):
        engine._model(tmp_path, "cpu")


def test_a_warm_up_speaks_fast(tmp_path: Path) -> None:
    """The sound of a letter at the usual speed takes more CPU time than all else of the first sentence."""
    np.zeros(engine.STYLE_SHAPE, np.float32).tofile(tmp_path / "af_bella.bin")
    (tmp_path / "k.onnx").touch()
    speeds: list[float] = []

    class Network:
        def get_inputs(self) -> list[Any]:
            return [SimpleNamespace(name="tokens")]

        def run(self, names: None, inputs: dict[str, Any], options: None) -> list[Any]:
            speeds.append(float(inputs["speed"][0]))
            return [np.zeros(10, np.float32)]

    phonemes = SimpleNamespace(passes=lambda text, language, asian: [([5], 0.0)])
    made = engine.KokoroSynthesizer(tmp_path, cast("Any", Network()), cast("Any", phonemes))
    letter = Utterance("A.", "af_bella", "en-US")
    made.warm_up(letter)
    made.synthesize(letter)
    assert speeds == [engine.WARM_UP_SPEED, 1]


@pytest.mark.parametrize("silence", [0.05, 0.14, 0.35])
def test_between_two_passes_is_little_silence_and_nothing_else_is_lost(silence: float) -> None:
    second = 24_000
    sound = np.concatenate([np.zeros(second), np.full(second, 0.5), np.zeros(second)]).astype(np.float32)
    made = engine.joined([(sound, silence), (sound, 0.35)])
    loud = np.flatnonzero(np.abs(made) > 0)
    assert (loud[0], len(made) - loud[-1] - 1, len(loud)) == (second, second, 2 * second)
    assert len(made) == pytest.approx((4 + silence) * second, abs=2)
    assert np.array_equal(engine.joined([(sound, silence)]), sound)
    assert len(engine.joined([])) == 0
    assert len(engine.joined([(np.zeros(5, np.float32), silence)] * 2)) == 10
