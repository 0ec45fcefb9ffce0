"""Which voices exist, and which of them a request means.

Law: looks only at the settings and at the files of speech models; loads no engine's weights. A voice that
cannot speak on this machine is neither listed nor chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

from app.domain import LocalVoice, ModelSpec, SpeechPreference
from app.errors import EngineUnavailable, InvalidValue, ModelUnavailable, UnsupportedValue
from app.models.how_to_get import how_to_get, listed
from app.models.registry import Registry
from app.models.voice_languages import can_read, language_name
from engines import catalog
from engines.contracts import SpeechEngine


@dataclass(frozen=True, slots=True)
class _Voices:
    """The voices of all models in the weights folder."""

    state: Hashable
    """The state of the weights folder when it was read."""
    able: tuple[LocalVoice, ...]
    unable: tuple[LocalVoice, ...]
    """Voices whose engine needs a library that is not installed."""


class VoiceBook:
    """Finds the voice behind a name."""

    def __init__(
        self,
        registry: Registry,
        builtin: Mapping[str, Sequence[str]],
        preferences: Mapping[str, SpeechPreference],
        engines: Callable[[str], SpeechEngine] = catalog.synthesizer,
    ) -> None:
        """`builtin`: for each of OpenAI's voices, the local voices for it. `preferences`: model names under
        which any voice can be used.
        """
        self._registry = registry
        self._builtin = builtin
        self._preferences = preferences
        self._engine = engines
        self._read = _Voices(None, (), ())

    def all(self) -> Sequence[LocalVoice]:
        """Every voice that can speak here; the files are read again when a folder changes."""
        return self._voices().able

    def models(self) -> list[ModelSpec]:
        """The speech models that exist, each with the engine that knows it."""
        models = [self._with_engine(model) for model in self._registry.speech_models()]
        return [model for model in models if model is not None]

    def builtin(self) -> dict[str, LocalVoice]:
        """For each of OpenAI's voices, the local voice that speaks for it; empty if there are no local
        voices.
        """
        able = self.all()
        return {name: self._standing_for(name, able, "best") for name in self._builtin} if able else {}

    def choose(self, model: str, voice: str, language: str | None = None) -> LocalVoice:
        """The voice that a request means. Raises `ApiError`.

        `language`: of the text, if it is written in another script than the Latin one. A voice that cannot
        read it is refused; only one of OpenAI's names may be spoken by another voice, since those speak every
        language.
        """
        candidates = self._candidates(model)
        preference = self._preferences.get(model, "best")
        if voice in self._builtin:
            chosen = self._standing_for(voice, candidates, preference)
            if can_read(chosen.voice, language):
                return chosen
            readers = [v for v in candidates if can_read(v.voice, language)]
            readers = [v for v in readers if v.voice.gender == chosen.voice.gender] or readers
        else:
            same = [v for v in candidates if v.voice.name == voice]
            if not same:
                self._refuse_name(voice, candidates)
            readers = [v for v in same if can_read(v.voice, language)]
        if not readers:
            self._refuse_language(voice, language)
        return self._preferred(readers, preference)

    def check_model(self, model: str) -> None:
        """Raises `ApiError` if this is not the name of a model that speaks."""
        self._registry.resolve(model, "speech")

    def check_language(self, name: str, voice: LocalVoice, language: str | None) -> None:
        """Raises `UnsupportedValue` for a custom voice that cannot read `language`.

        `name`: the one that the client sent. What the voice can read is known from the local voice that it
        was matched to.
        """
        nearest = [v.voice for v in self.all() if v.voice.name == voice.voice.name]
        if not can_read(replace(voice.voice, also=nearest[0].also if nearest else ()), language):
            self._refuse_language(name, language)

    def engine_of(self, voice: LocalVoice) -> SpeechEngine:
        """The engine that speaks with `voice`."""
        return self._engine(voice.model.engine)

    def _candidates(self, model: str) -> Sequence[LocalVoice]:
        """The voices that answer to the name of a model. Raises `ApiError` if there are none."""
        spec = self._registry.resolve(model, "speech")
        voices = self._voices()

        def belongs(voice: LocalVoice) -> bool:
            if model in self._preferences:
                return True
            by_engine = spec.folder == self._registry.weights
            return voice.model.engine == spec.engine if by_engine else voice.model.id == spec.id

        if able := [voice for voice in voices.able if belongs(voice)]:
            return able
        self._refuse_unable([voice for voice in voices.unable if belongs(voice)], model, "model")
        if voices.able:
            raise ModelUnavailable(
                f"The weights of `{model[:200]}` are not installed. {how_to_get(spec.id)}", param="model"
            )
        raise ModelUnavailable(
            "No voices are installed. `antiphon models pull kokoro-82m` and `antiphon models pull "
            "piper-en-us-joe-medium` fetch some.",
            param="model",
        )

    def _standing_for(
        self, name: str, voices: Sequence[LocalVoice], preference: SpeechPreference
    ) -> LocalVoice:
        """The voice that speaks for one of OpenAI's names: any voice if its own are missing."""
        same = [v for v in voices if v.voice.name in self._builtin[name]]
        return self._preferred(same, preference) if same else voices[0]

    def _preferred(self, voices: Sequence[LocalVoice], preference: SpeechPreference) -> LocalVoice:
        if preference == "fast":
            return min(voices, key=lambda v: self.engine_of(v).COST)
        return max(voices, key=lambda v: self.engine_of(v).QUALITY)

    def _refuse_name(self, name: str, candidates: Sequence[LocalVoice]) -> NoReturn:
        """Raises the error that says why no voice has this name."""
        self._refuse_unable([v for v in self._voices().unable if v.voice.name == name], name, "voice")
        if "+" in name:
            why = "Blends of voices are not supported: name one voice."
        else:
            known = listed([*self._builtin, *(v.voice.name for v in candidates)])
            why = f"Supported values are: {known}."
        raise InvalidValue(f"Invalid value: '{name[:100]}' for 'voice'. {why}", param="voice")

    def _refuse_unable(self, voices: Sequence[LocalVoice], name: str, param: str) -> None:
        """Raises `EngineUnavailable` if there are such voices, but their engine is not installed."""
        if voices:
            raise EngineUnavailable(
                f"'{name[:100]}' needs the extra `{voices[0].voice.extra}`, which is not installed on the "
                "server. `make install ALL=1` installs every extra.",
                param=param,
            )

    def _refuse_language(self, name: str, language: str | None) -> NoReturn:
        able = [v.voice for v in self.all() if can_read(v.voice, language)]
        native = sorted(able, key=lambda voice: not can_read(replace(voice, also=()), language))
        readers = [voice.name for voice in native]
        extras = sorted({v.voice.extra for v in self._voices().unable if can_read(v.voice, language)})
        if readers:
            others = f"Voices that can: {listed(readers)}."
        elif extras:
            others = f"Voices that can need the extra `{extras[0]}`: `make install ALL=1` installs it."
        else:
            others = "No voice of this server can."
        spoken = language_name(language or "")
        raise UnsupportedValue(f"The voice '{name[:100]}' cannot speak {spoken}. {others}", param="voice")

    def _voices(self) -> _Voices:
        state = self._registry.state()
        if self._read.state != state:
            voices = [
                LocalVoice(voice, model)
                for model in self.models()
                for voice in self._engine(model.engine).voices(model.folder)
            ]
            able = tuple(voice for voice in voices if not voice.voice.extra)
            self._read = _Voices(state, able, tuple(voice for voice in voices if voice.voice.extra))
        return self._read

    def _with_engine(self, model: ModelSpec) -> ModelSpec | None:
        names = (model.engine,) if model.engine else catalog.names(catalog.SYNTHESIZERS)
        for name in names:
            if self._engine(name).voices(model.folder):
                return replace(model, engine=name)
        return None
