"""Which voice speaks: by name, by model, by preference, and only in languages that it can read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app.domain import LocalVoice, ModelSpec
from app.errors import ApiError, EngineUnavailable, InvalidValue, ModelUnavailable, UnsupportedValue
from app.models.registry import Registry
from app.models.voice_languages import can_read, script_of
from app.models.voicebook import VoiceBook
from engines.contracts import Synthesizer
from engines.types import EngineOptions, Voice

ENGLISH = Voice("ann", "en-US", "female", also=("hi",))
SPANISH = Voice("eva", "es", "female")
CHINESE, CHINESE_MAN = Voice("mei", "zh-CN", "female"), Voice("wei", "zh-CN", "male")
JAPANESE = Voice("yuki", "ja", "female", extra="asian")


class FixedVoices:
    """A speech engine that has these voices and never speaks."""

    HONOURS: frozenset[str] = frozenset()

    def __init__(self, cost: float, quality: int, *voices: Voice) -> None:
        self.COST = cost
        self.QUALITY = quality
        self._voices = voices

    def voices(self, folder: Path) -> tuple[Voice, ...]:
        return self._voices

    def load(self, folder: Path, options: EngineOptions) -> Synthesizer:
        raise AssertionError


@pytest.fixture
def book(tmp_path: Path) -> Callable[..., VoiceBook]:
    def made(*fine: Voice, fast: tuple[Voice, ...] = ()) -> VoiceBook:
        engines = {"kokoro": FixedVoices(0.5, 2, *fine), "piper": FixedVoices(0.1, 1, *fast)}
        for name in ("kokoro-82m", "piper-en-us-joe-medium"):
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / "x.onnx").touch()
        registry = Registry({"whisper-1": "whisper-base"}, tmp_path, ("tts-1", "tts-1-hd"), tuple(engines))
        builtin = {"alloy": ("ann",), "onyx": ("nobody",)}
        return VoiceBook(registry, builtin, {"tts-1": "fast", "tts-1-hd": "best"}, engines.__getitem__)

    return made


def test_a_preference_chooses_the_engine(book: Callable[..., VoiceBook]) -> None:
    both = book(ENGLISH, fast=(ENGLISH,))
    assert both.choose("tts-1", "ann").model.engine == "piper"
    assert both.choose("tts-1-hd", "ann").model.engine == "kokoro"
    assert both.choose("kokoro", "ann").model.engine == "kokoro"
    assert both.choose("piper", "alloy").model.engine == "piper"
    assert both.choose("kokoro-82m", "ann").model.id == "kokoro-82m"


def test_a_voice_of_another_model_is_unknown_to_this_one(book: Callable[..., VoiceBook]) -> None:
    with pytest.raises(InvalidValue, match=r"'eva' for 'voice'.*'alloy', 'onyx', 'ann'"):
        book(ENGLISH, fast=(SPANISH,)).choose("kokoro", "eva")


def test_a_blend_is_refused_in_words(book: Callable[..., VoiceBook]) -> None:
    with pytest.raises(InvalidValue, match=r"Blends of voices are not supported"):
        book(ENGLISH, SPANISH).choose("kokoro", "ann+eva")


def test_a_language_that_a_voice_cannot_read_is_refused_with_those_that_can(
    book: Callable[..., VoiceBook],
) -> None:
    both = Voice("bob", "en-US", also=("zh",))
    known = book(ENGLISH, both, CHINESE_MAN, CHINESE)
    told = r"'ann' cannot speak Chinese. Voices that can: 'wei', 'mei', 'bob'"
    with pytest.raises(UnsupportedValue, match=told):
        known.choose("tts-1", "ann", "zh")
    assert known.choose("tts-1", "ann", "hi").voice == ENGLISH
    assert known.choose("tts-1", "mei", "zh").voice == CHINESE
    assert known.choose("tts-1", "mei", None).voice == CHINESE
    with pytest.raises(UnsupportedValue, match=r"'ann' cannot speak Korean. No voice of this server can"):
        known.choose("tts-1", "ann", "ko")


def test_a_name_of_openai_is_spoken_by_a_voice_that_can(book: Callable[..., VoiceBook]) -> None:
    known = book(ENGLISH, CHINESE_MAN, CHINESE)
    assert known.choose("tts-1", "alloy", None).voice == ENGLISH
    assert known.choose("tts-1", "alloy", "zh").voice == CHINESE
    with pytest.raises(UnsupportedValue, match=r"'alloy' cannot speak Korean"):
        known.choose("tts-1", "alloy", "ko")


def test_a_voice_without_its_library_is_neither_listed_nor_chosen(book: Callable[..., VoiceBook]) -> None:
    known = book(ENGLISH, JAPANESE)
    assert [voice.voice.name for voice in known.all()] == ["ann"]
    assert {voice.voice.name for voice in known.builtin().values()} == {"ann"}
    with pytest.raises(EngineUnavailable, match=r"'yuki' needs the extra `asian`.*make install ALL=1"):
        known.choose("tts-1", "yuki")
    for voice in ("ann", "alloy"):
        with pytest.raises(UnsupportedValue, match=r"cannot speak Japanese.*need the extra `asian`"):
            known.choose("tts-1", voice, "ja")
    with pytest.raises(EngineUnavailable, match=r"`asian`"):
        book(JAPANESE, fast=(ENGLISH,)).choose("kokoro", "alloy")


def test_custom_voices_read_what_their_nearest_voice_reads(book: Callable[..., VoiceBook]) -> None:
    known = book(ENGLISH)
    model = ModelSpec("kokoro-82m", "speech", "kokoro", Path(), 0, "")
    known.check_language("mine", LocalVoice(Voice("ann", "en-US"), model, b"x", "voice_1"), "hi")
    for nearest in ("ann", ""):
        with pytest.raises(UnsupportedValue, match=r"'mine' cannot speak Chinese"):
            known.check_language("mine", LocalVoice(Voice(nearest, "en-US"), model, b"x", "voice_1"), "zh")
    known.check_language("mine", LocalVoice(Voice("", "zh-CN"), model, b"x", "voice_1"), "zh")


def test_no_voices_at_all(tmp_path: Path) -> None:
    registry = Registry({}, tmp_path / "none", ("tts-1",), ("kokoro",))
    empty = VoiceBook(registry, {"alloy": ("ann",)}, {"tts-1": "fast"})
    assert empty.builtin() == {}
    for model in ("tts-1", "kokoro"):
        with pytest.raises(ModelUnavailable, match=r"No voices.*models pull kokoro-82m"):
            empty.choose(model, "alloy")


def test_models_that_do_not_speak(book: Callable[..., VoiceBook]) -> None:
    for model in ("whisper-1", "nothing"):
        for use in (lambda m: book(ENGLISH).choose(m, "alloy"), lambda m: book(ENGLISH).check_model(m)):
            with pytest.raises(ApiError) as told:
                use(model)
            assert told.value.param == "model"


@pytest.mark.parametrize(
    ("voice", "text", "readable"),
    [
        ("en-US", None, True), ("en-US", "zh", False), ("zh-CN", "zh", True), ("zh-TW", "zh", True),
        ("ja", "ja", True), ("ja", "zh", True), ("zh-CN", "ja", False), ("uk-UA", "ru", True),
        ("kk-KZ", "ru", True), ("fa-IR", "ar", True), ("ne-NP", "hi", True), ("ru-RU", "el", False),
        ("", "zh", False), ("nonsense!", "zh", False),
    ],
)  # fmt: skip
def test_scripts_decide(voice: str, text: str | None, readable: bool) -> None:
    assert can_read(Voice("x", voice), text) is readable
    assert script_of("zh-Hant") == script_of("zh")
