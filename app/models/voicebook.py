"""Which voices there are, and which of them a request means.

Law: looks only at the settings and at the files of speech models; loads no engine's weights.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace

from app.domain import LocalVoice, ModelSpec, SpeechPreference
from app.errors import EngineUnavailable, InvalidValue, ModelUnavailable
from app.models.registry import Registry
from engines import catalog
from engines.contracts import SpeechEngine
from engines.types import Voice


class VoiceBook:
    """Names -> voices."""

    def __init__(
        self,
        registry: Registry,
        builtin: Mapping[str, Sequence[str]],
        preferences: Mapping[str, SpeechPreference],
        engines: Callable[[str], SpeechEngine] = catalog.synthesizer,
    ) -> None:
        """`builtin`: OpenAI's voices -> local ones. `preferences`: model names that any voice answers to."""
        self._registry = registry
        self._builtin = builtin
        self._preferences = preferences
        self._engine = engines
        self._seen: tuple[Hashable, list[LocalVoice]] = (None, [])

    def all(self) -> list[LocalVoice]:
        """Every voice of every speech model that is there; the files are read again when a folder changes."""
        state = self._registry.state()
        if self._seen[0] != state:
            found = [LocalVoice(voice, model) for model in self.models() for voice in self._voices(model)]
            self._seen = (state, found)
        return self._seen[1]

    def models(self) -> list[ModelSpec]:
        """The speech models that are there, each with the engine that knows it."""
        found = [self._with_engine(model) for model in self._registry.speech_models()]
        return [model for model in found if model is not None]

    def builtin(self) -> dict[str, LocalVoice]:
        """OpenAI's voices and who speaks for them here, where anybody does."""
        there = self.all()
        return {name: self._of(name, there, "best") for name in self._builtin} if there else {}

    def choose(self, model: str, voice: str) -> LocalVoice:
        """The voice that a request means. Raises `ApiError`."""
        wanted = self._registry.resolve(model)
        if wanted.kind != "speech":
            raise EngineUnavailable(f"The model `{wanted.id}` does not do speech.", param="model")
        there = self.all()
        if not there:
            raise ModelUnavailable(
                "No voices are installed. `antiphon models pull kokoro-82m` and `antiphon models pull "
                "piper-en-us-joe-medium` fetch some.",
                param="model",
            )
        own = there if model in self._preferences else [v for v in there if v.model.id == wanted.id]
        if not own:
            raise ModelUnavailable(
                f"The weights of `{wanted.id}` are not installed. Run `antiphon models pull {wanted.id}`.",
                param="model",
            )
        return self._of(voice, own, self._preferences.get(model, "best"))

    def engine_of(self, voice: LocalVoice) -> SpeechEngine:
        """The engine that speaks with `voice`."""
        return self._engine(voice.model.engine)

    def _of(self, name: str, there: Sequence[LocalVoice], preference: SpeechPreference) -> LocalVoice:
        if name not in self._builtin:
            same = [v for v in there if v.voice.name == name]
            if not same:
                raise InvalidValue(
                    _unknown(name, [*self._builtin, *(v.voice.name for v in there)]), param="voice"
                )
            return self._preferred(same, preference)
        # Where none of its own voices is there, a built-in name still speaks: every client sends one.
        same = [v for v in there if v.voice.name in self._builtin[name]]
        return self._preferred(same, preference) if same else there[0]

    def _preferred(self, voices: Sequence[LocalVoice], preference: SpeechPreference) -> LocalVoice:
        if preference == "fast":
            return min(voices, key=lambda v: self.engine_of(v).COST)
        return max(voices, key=lambda v: self.engine_of(v).QUALITY)

    def _with_engine(self, model: ModelSpec) -> ModelSpec | None:
        names = (model.engine,) if model.engine else catalog.names(catalog.SYNTHESIZERS)
        for name in names:
            if self._engine(name).voices(model.folder):
                return replace(model, engine=name)
        return None

    def _voices(self, model: ModelSpec) -> Sequence[Voice]:
        return self._engine(model.engine).voices(model.folder)


def _unknown(name: str, known: Sequence[str]) -> str:
    listed = ", ".join(f"'{k}'" for k in known[:40]) + (", ..." if len(known) > 40 else "")
    return f"Invalid value: '{name[:100]}' for 'voice'. Supported values are: {listed}."
