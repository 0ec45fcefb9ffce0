"""What is read from the files beside the weights, where OpenVINO hears."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from engines.types import EngineOptions
from engines.whisper import chosen_model
from engines.whisper.chosen_model import choose_model
from engines.whisper.model_files import ModelFiles
from tests.support.ctranslate2_file import write_decoder

OPTIONS = EngineOptions(device="cpu", workers=1)
TOKENS = 40


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_decoder(tmp_path, tokens=TOKENS)
    (tmp_path / "vocabulary.json").write_text(json.dumps([f"token {number}" for number in range(TOKENS)]))
    (tmp_path / "config.json").write_text("{}")
    Tokenizer(WordLevel({"a": 0}, unk_token="a")).save(str(tmp_path / "tokenizer.json"))
    return tmp_path


def test_what_is_needed_is_read_from_the_files(folder: Path) -> None:
    (folder / "preprocessor_config.json").write_text('{"feature_size": 128, "processor_class": "Whisper"}')
    model = ModelFiles(folder)
    assert model.feature_extractor.mel_filters.shape[0] == 128
    assert model.hf_tokenizer.get_vocab_size() == 1
    assert not model.model.is_multilingual
    model.model.unload_model()


def test_a_vocabulary_may_be_a_list_of_lines(folder: Path) -> None:
    (folder / "vocabulary.json").unlink()
    (folder / "vocabulary.txt").write_text("\n".join(map(str, range(TOKENS))))
    assert ModelFiles(folder).feature_extractor.mel_filters.shape[0] == 80


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
    """Which refuses them if it has to."""
    damage(folder)
    with pytest.raises(Exception):  # noqa: B017,PT011 - of any kind
        ModelFiles(folder)
    monkeypatch.setattr(chosen_model, "load_encoder", lambda folder, options: "encoder")
    monkeypatch.setattr(chosen_model, "place_on_cpu", lambda folder, options: ("model", 3))
    assert choose_model(folder, OPTIONS) == cast("Any", ("model", 3, "encoder", None))
