"""Names of models: which exist, what an alias means, and the messages about unknown names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.errors import InvalidValue, ModelNotFound
from app.models.catalog import catalog
from app.models.registry import Registry


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    for name, file in (("mine", "model.bin"), ("me--speaker", "voice.onnx"), ("notes", "readme.txt")):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).touch()
    return tmp_path


def registry(weights: Path, **aliases: str) -> Registry:
    named = {name.replace("_", "-"): local for name, local in aliases.items()}
    return Registry(named, weights, ("tts-1",), ("kokoro", "piper"))


def names(known: Registry) -> list[str]:
    return [model.id for model in known.listing()]


def test_what_lies_in_the_weights_folder_is_listed(weights: Path) -> None:
    assert names(registry(weights)) == ["me/speaker", "mine", "tts-1"]
    assert [model.id for model in registry(weights).listing("speech")] == ["me/speaker", "tts-1"]


def test_a_dead_alias_is_told_and_not_listed(weights: Path) -> None:
    known = registry(
        weights, whisper_1="whisper-tiny", folder=str(weights / "gone"), good="mine", absent="whisper-base"
    )
    assert names(known) == ["absent", "good", "me/speaker", "mine", "tts-1"]
    first, second = known.warnings()
    assert "`whisper-1` of `models.aliases` has no effect, because there is no model `whisper-tiny`" in first
    assert "antiphon models pull Systran/faster-whisper-tiny" in first
    assert "`folder`" in second
    with pytest.raises(ModelNotFound):
        known.resolve("whisper-1")


def test_a_folder_anywhere_answers_to_its_alias(weights: Path, tmp_path: Path) -> None:
    known = registry(weights, mine=str(tmp_path))
    assert known.resolve("mine").folder == tmp_path
    assert known.warnings() == []


def test_an_unknown_model_names_those_that_exist(weights: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"`x` does not exist.*Models here: `good`, `me/speaker`, `mine`"):
        registry(weights, good="mine").resolve("x")
    with pytest.raises(ModelNotFound, match=r"Models here: `good`, `mine`\. ") as told:
        registry(weights, good="mine").resolve("whisper-large-v3", "transcription")
    assert "antiphon models pull whisper-large-v3" in told.value.message
    with pytest.raises(ModelNotFound, match=r"antiphon models pull owner/name"):
        registry(weights).find("owner/name")


def test_a_model_of_another_kind_is_told_by_the_name_that_was_sent(weights: Path) -> None:
    known = registry(weights, whisper_1="mine")
    with pytest.raises(
        InvalidValue, match=r"'whisper-1' transcribes; needed is one that speaks: 'me/speaker'"
    ):
        known.resolve("whisper-1", "speech")
    with pytest.raises(
        InvalidValue, match=r"'tts-1' speaks; needed is one that transcribes: 'whisper-1', 'mine'"
    ):
        known.resolve("tts-1", "transcription")


def test_advice_names_only_commands_that_work(weights: Path) -> None:
    known = registry(weights)
    for name in (
        "whisper-tiny",
        "large-v3",
        "large-v3-turbo",
        "distil-large-v3.5",
        "large-v2",
        "pyannote-starter",
        "owner/name",
        "nonsense",
        "whisper-huge",
    ):
        (told,) = known.unknown([name], "models.preload") or ["known"]
        for model in re.findall(r"models pull ([^`]+)`", told):
            assert model in catalog() or model.count("/") == 1
    assert known.unknown(["whisper-base", "mine", "tts-1", "piper"], "models.preload") == []


def test_an_engine_is_a_name_for_its_models(weights: Path) -> None:
    known = registry(weights)
    assert known.resolve("kokoro").engine == "kokoro"
    assert "kokoro" not in names(known)
    (weights / "kokoro-82m").mkdir()
    (weights / "kokoro-82m" / "kokoro.onnx").touch()
    assert "kokoro" in names(known)
    assert "piper" not in names(known)


@pytest.mark.parametrize("name", ["", "..", "../mine", "/etc", "a" * 10_000, "mine/", "a\0b", "*", "[m]ine"])
def test_odd_names_are_not_found(weights: Path, name: str) -> None:
    with pytest.raises(ModelNotFound):
        registry(weights).resolve(name)
