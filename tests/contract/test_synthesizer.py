"""What every synthesizer must do, run on each of them with its real weights."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from app.runtime.threads_placement import SynthesizerHost
from engines import catalog
from engines.contracts import SpeechEngine, Synthesizer
from engines.errors import EngineMissing
from engines.heap import return_free_memory
from engines.types import EngineOptions, Utterance, Voice
from tests.support import process_tree
from tests.support.fake_engines import ToneEngine, ToneSynthesizer


@dataclass(frozen=True)
class Case:
    """One engine with one of its models."""

    engine: SpeechEngine
    folder: Path
    synthesizer: Synthesizer

    @property
    def voice(self) -> Voice:
        return self.engine.voices(self.folder)[0]

    def say(self, text: str, language: str = "") -> np.ndarray:
        sound = self.synthesizer.synthesize(Utterance(text, self.voice.name, language or self.voice.language))
        assert sound.rate == self.voice.rate
        assert sound.samples.dtype == np.float32
        assert np.isfinite(sound.samples).all()
        assert np.abs(sound.samples).max(initial=0) <= 1.5
        return sound.samples


@pytest.fixture(
    scope="module",
    params=[
        "tones",
        pytest.param("piper", marks=pytest.mark.real),
        pytest.param("kokoro", marks=pytest.mark.real),
    ],
)
def case(
    request: pytest.FixtureRequest, storage: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Case]:
    if request.param == "tones":
        folder = tmp_path_factory.mktemp("tones")
        (folder / "tone.onnx").touch()
        engine: SpeechEngine = ToneEngine(ToneSynthesizer())
    else:
        model = {"piper": "piper-en-us-joe-medium", "kokoro": "kokoro-82m"}[request.param]
        folder = storage / "weights" / model
        engine = catalog.synthesizer(request.param)
    synthesizer = engine.load(folder, EngineOptions(threads=2))
    yield Case(engine, folder, synthesizer)
    synthesizer.close()


def test_voices_have_names_languages_and_rates(case: Case) -> None:
    voices = case.engine.voices(case.folder)
    assert voices
    assert len({voice.name for voice in voices}) == len(voices)
    assert all(voice.rate >= 16_000 and voice.language[:2].islower() for voice in voices)


def test_a_folder_of_another_kind_has_no_voices(case: Case, tmp_path: Path) -> None:
    assert case.engine.voices(tmp_path) == ()
    assert case.engine.voices(tmp_path / "absent") == ()


def test_speech_is_audible_and_longer_for_more_words(case: Case) -> None:
    short, long = case.say("Good morning."), case.say("Good morning, my dear and patient old friend.")
    assert np.abs(short).max() > 0.02
    assert len(long) > 1.5 * len(short)


@pytest.mark.parametrize("text", ["", " ", "...", "—", "\u200b", "\x00"])
def test_what_says_nothing_is_no_error(case: Case, text: str) -> None:
    case.say(text)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Hola, ¿cómo estás?", "es"),
        ("Guten Tag, schöne Grüße.", "de"),
        ("你好，世界。", "zh"),
        ("今日はいい天気ですね。", "ja"),
        ("नमस्ते दुनिया", "hi"),
        ("שלום עולם", "he"),
        ("Hello 你好 and こんにちは.", "en"),
        ("[[not phonemes]] <tag> {x}", "en"),
        ("a" * 40 + " " + "b" * 40, "xx"),
    ],
)
def test_no_language_is_refused(case: Case, text: str, language: str) -> None:
    assert np.abs(case.say(text, language)).max(initial=0) > 0.01


def test_a_long_utterance_is_spoken_to_its_end(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kokoro needs several passes of its network. The bound of one pass is lower here, which is quicker."""
    monkeypatch.setattr("engines.kokoro.phonemes.PHONEMES_PER_PASS", 80)
    once = case.say("One two three four five six.")
    many = case.say("One two three four five six. " * 4)
    assert len(many) > 3 * len(once)


def test_threads_may_share_a_synthesizer(case: Case) -> None:
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(len(case.say("Good morning.")))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert min(found) > 0


def test_built_in_engines_enter_by_the_plugin_door() -> None:
    assert {"piper", "kokoro"} <= set(catalog.names(catalog.SYNTHESIZERS))
    for name, module in {"piper": "engines.piper", "kokoro": "engines.kokoro.engine"}.items():
        assert catalog.synthesizer(name) is cast("SpeechEngine", import_module(module))


@pytest.mark.real
def test_piper_gives_back_what_long_sentences_took(storage: Path) -> None:
    """ONNX Runtime keeps some 400 MB after this sentence; a rest leaves about what the weights need. (With
    OpenVINO, it is less from the start.)
    """
    engine = catalog.synthesizer("piper")
    folder = storage / "weights/piper-en-us-joe-medium"
    made = engine.load(folder, EngineOptions(threads=2, openvino=False))
    voice = engine.voices(folder)[0]
    long = Utterance(", ".join(["the sea threw its spray against the rocks"] * 6), voice.name, voice.language)
    said = made.synthesize(long)
    before = process_tree.resident(os.getpid(), children=False)
    SynthesizerHost(made, catalog.voice_cloner).rest()
    return_free_memory()
    assert process_tree.resident(os.getpid(), children=False) < before - 100_000_000
    assert len(made.synthesize(long).samples) > 0.5 * len(said.samples)
    made.close()


@pytest.mark.real
def test_without_the_asian_libraries_other_voices_still_read(
    storage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("misaki", "misaki.zh", "misaki.ja", "jieba"):
        monkeypatch.setitem(sys.modules, name, None)
    made = catalog.synthesizer("kokoro").load(storage / "weights/kokoro-82m", EngineOptions())
    for text, language in (("Hello 你好.", "en-US"), ("今日はいい天気です", "ja")):
        assert len(made.synthesize(Utterance(text, "af_alloy", language)).samples) > 10_000
    with pytest.raises(EngineMissing, match=r"make \w+ ALL=1"):
        made.synthesize(Utterance("今日は", "jf_alpha", "ja"))
