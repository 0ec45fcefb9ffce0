"""CTranslate2's model, loaded when it is first needed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any, cast

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from engines.errors import WeightsBroken
from engines.types import EngineOptions
from engines.whisper import chosen_model, late_model
from engines.whisper.chosen_model import choose_model
from engines.whisper.late_model import LateModel, LateWhisper
from tests.support.ctranslate2_file import write_decoder
from tests.support.waiting import wait_until

OPTIONS = EngineOptions(device="cpu", workers=1)
TOKENS = 40


class LoadedWhisper:
    """CTranslate2's model."""

    def generate(self, *texts: Any, **options: Any) -> tuple[Any, ...]:
        return (*texts, *options.items())

    def align(self, *texts: Any) -> tuple[Any, ...]:
        return texts


class Loader:
    """Loads it, and counts that."""

    def __init__(self) -> None:
        self.loaded = 0

    def __call__(self, *given: Any) -> Any:
        self.loaded += 1
        time.sleep(0.05)  # for others to come meanwhile
        return LoadedWhisper()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_decoder(tmp_path, tokens=TOKENS)
    (tmp_path / "vocabulary.json").write_text(json.dumps([f"token {number}" for number in range(TOKENS)]))
    (tmp_path / "config.json").write_text("{}")
    Tokenizer(WordLevel({"a": 0}, unk_token="a")).save(str(tmp_path / "tokenizer.json"))
    return tmp_path


@pytest.fixture
def loader(monkeypatch: pytest.MonkeyPatch) -> Loader:
    made = Loader()
    monkeypatch.setattr(late_model, "ctranslate2_on_cpu", made)
    return made


def test_it_is_loaded_once_when_it_is_first_needed() -> None:
    loader = Loader()
    whisper = LateWhisper(loader, is_multilingual=True)
    assert (whisper.is_multilingual, whisper.device, loader.loaded) == (True, "cpu", 0)
    assert whisper.align(1, 2) == cast("Any", (1, 2))
    assert whisper.generate(1, beam_size=2) == cast("Any", (1, ("beam_size", 2)))
    assert loader.loaded == 1


def test_several_threads_load_it_once() -> None:
    loader, start = Loader(), Barrier(4, timeout=20)
    whisper = LateWhisper(loader, is_multilingual=True)

    def use(_: int) -> None:
        start.wait()
        whisper.align()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(use, range(4)))
    assert loader.loaded == 1


def test_at_rest_it_is_given_back_some_time_after_its_last_use() -> None:
    loader = Loader()
    whisper = LateWhisper(loader, is_multilingual=True, kept_seconds=0.2)
    whisper.rest()
    whisper.align()
    assert whisper._model
    whisper.rest()
    wait_until(lambda: whisper._model is None, 20)
    whisper.align()
    assert loader.loaded == 2


def test_without_a_rest_it_stays() -> None:
    whisper = LateWhisper(Loader(), is_multilingual=True, kept_seconds=0)
    whisper.align()
    assert whisper._model
    whisper.rest()
    assert whisper._model is None


def test_who_uses_it_again_keeps_it() -> None:
    whisper = LateWhisper(Loader(), is_multilingual=True)
    whisper.align()
    whisper.rest()
    waiting = whisper._timer
    assert waiting
    whisper.align()
    assert waiting.finished.is_set()  # as it is where it was cancelled
    whisper.rest()
    assert whisper._model
    whisper.unload_model()
    assert whisper._timer is None


def test_it_can_be_closed_whether_it_is_loaded_or_not() -> None:
    loader = Loader()
    whisper = LateWhisper(loader, is_multilingual=True)
    whisper.unload_model()
    assert loader.loaded == 0
    whisper.align()
    whisper.unload_model()
    assert whisper._model is None


def test_the_rest_is_read_from_the_files(folder: Path, loader: Loader) -> None:
    (folder / "preprocessor_config.json").write_text('{"feature_size": 128, "processor_class": "Whisper"}')
    model = LateModel(folder, OPTIONS)
    assert model.feature_extractor.mel_filters.shape[0] == 128
    assert model.hf_tokenizer.get_vocab_size() == 1
    assert not model.model.is_multilingual
    assert loader.loaded == 0
    model.model.align()
    assert loader.loaded == 1


def test_a_vocabulary_may_be_a_list_of_lines(folder: Path) -> None:
    (folder / "vocabulary.json").unlink()
    (folder / "vocabulary.txt").write_text("\n".join(map(str, range(TOKENS))))
    assert LateModel(folder, OPTIONS).feature_extractor.mel_filters.shape[0] == 80


def damaged(name: str, data: bytes) -> Callable[[Path], None]:
    return lambda folder: cast("None", (folder / name).write_bytes(data))


@pytest.mark.parametrize(
    "damage",
    [
        damaged("model.bin", b"not a model"),
        damaged("config.json", b"{"),
        damaged("vocabulary.json", b'["one"]'),
        damaged("tokenizer.json", b"{}"),
        damaged("preprocessor_config.json", b"\xff"),
        *(
            lambda folder, name=name: (folder / name).unlink()
            for name in ("model.bin", "config.json", "vocabulary.json", "tokenizer.json")
        ),
    ],
)
def test_other_files_are_left_to_ctranslate2(
    damage: Callable[[Path], None], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which loads them at once, and refuses them if it has to."""
    damage(folder)
    with pytest.raises(Exception):  # noqa: B017,PT011 - of any kind
        LateModel(folder, OPTIONS)
    monkeypatch.setattr(chosen_model, "load_encoder", lambda folder, options: "encoder")
    monkeypatch.setattr(chosen_model, "place_on_cpu", lambda folder, options: ("model", 3))
    assert choose_model(folder, OPTIONS) == cast("Any", ("model", 3, "encoder", None))


def test_weights_that_were_replaced_in_use_are_refused(folder: Path, loader: Loader) -> None:
    model = LateModel(folder, OPTIONS)
    (folder / "model.bin").replace(folder / "old")
    with pytest.raises(WeightsBroken, match="removed or changed"):
        model.model.align()
    write_decoder(folder, tokens=TOKENS)
    with pytest.raises(WeightsBroken, match="removed or changed"):
        model.model.align()
    assert loader.loaded == 0


@pytest.mark.parametrize(
    ("failure", "raised"),
    [
        (RuntimeError("File model.bin is incomplete"), WeightsBroken),
        (RuntimeError("std::bad_alloc"), RuntimeError),
    ],
)
def test_what_ctranslate2_says_of_weights_and_of_memory(
    failure: Exception, raised: type[Exception], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: Path, options: EngineOptions) -> None:
        raise failure

    monkeypatch.setattr(late_model, "ctranslate2_on_cpu", refuse)
    model = LateModel(folder, OPTIONS)
    with pytest.raises(raised) as caught:
        model.model.align()
    assert type(caught.value) is raised
    assert str(folder) not in str(caught.value)
