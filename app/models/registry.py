"""Which models exist, and which names they answer to.

Law: looks only at the catalogue, the settings and the weights folder; loads nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping
from pathlib import Path

from app.domain import ModelKind, ModelListing, ModelSpec
from app.errors import InvalidValue, ModelNotFound
from app.models.catalog import catalog
from app.models.how_to_get import how_to_get, listed
from app.models.weights import MODEL_NAME, slug, unslug

OWNER = "antiphon"
HUB_ENGINE = "faster-whisper"
MARK = "model.bin"
"""A folder with this file is a CTranslate2 model."""
SOUND_MARKS = ("*.onnx", "model.safetensors")
"""A folder with one of these files is a speech model, if an engine finds voices in it."""
DOES: Mapping[ModelKind, str] = {
    "transcription": "transcribes",
    "speech": "speaks",
    "speaker": "compares speakers",
    "diarization": "tells speakers apart",
}


class Registry:
    """Finds the model behind a name."""

    def __init__(
        self,
        aliases: Mapping[str, str],
        weights: Path,
        speech: Collection[str] = (),
        engines: Collection[str] = (),
    ) -> None:
        """`aliases`: name -> local model or absolute folder. `speech`: names that stand for any speech model;
        the voice decides which one. `engines`: names of speech engines, which stand for any of their models.
        """
        self._aliases = dict(aliases)
        self._speech = tuple(speech)
        self._engines = tuple(engines)
        self.weights = weights

    def resolve(self, name: str, kind: ModelKind | None = None) -> ModelSpec:
        """The model behind a name or an alias. `kind`: what it must do, for a name that a client sent.

        Raises `ModelNotFound`, or `InvalidValue` for a model of another kind.
        """
        model = self._resolve(name)
        if model is None or (kind and self._never_fetched(name)):
            raise ModelNotFound(name, [model.id for model in self.listing(kind)], how_to_get(name))
        if kind and model.kind != kind:
            able = listed([model.id for model in self.listing(kind)]) or "none"
            raise InvalidValue(
                f"The model '{name[:200]}' {DOES[model.kind]}; needed is one that {DOES[kind]}: {able}.",
                param="model",
            )
        return model

    def speech_models(self) -> list[ModelSpec]:
        """Models in the weights folder that may speak; one without an engine is asked of all of them."""
        models = [self._resolve(name) for name in sorted(self._folders())]
        return [model for model in models if model and model.kind == "speech"]

    def state(self) -> Hashable:
        """A value that changes whenever a model is added, removed or gets another file."""
        if not self.weights.is_dir():
            return ()
        return tuple(sorted((path.name, path.stat().st_mtime_ns) for path in self.weights.iterdir()))

    def listing(self, kind: ModelKind | None = None) -> list[ModelListing]:
        """Every name that a client may send, aliases first; `kind`: only those that do this."""
        models: dict[str, ModelSpec | None] = {name: self._resolve(name) for name in self._names()}
        served = ("transcription", "speech", "diarization") if kind is None else (kind,)
        models_of_kind = [
            ModelListing(name, model.created, OWNER)
            for name, model in models.items()
            if model and model.kind in served
        ]
        return sorted(models_of_kind, key=lambda model: (model.id not in self._aliases, model.id))

    def find(self, name: str) -> ModelListing:
        """The model of a name that clients may send. Raises `ModelNotFound`."""
        known = self.listing()
        for model in known:
            if model.id == name:
                return model
        raise ModelNotFound(name, [model.id for model in known], how_to_get(name))

    def unknown(self, names: Iterable[str], setting: str) -> list[str]:
        """A sentence for each model name in the settings that does not exist."""
        return [
            f"`{setting}` names `{name}`, which is neither in the catalogue nor in the weights folder. "
            f"{how_to_get(self._aliases.get(name, name), who='You')}"
            for name in names
            if self._resolve(name) is None
        ]

    def warnings(self) -> list[str]:
        """A sentence for each alias whose model does not exist: it answers 404 and is not listed."""
        return [
            f"The alias `{name}` of `models.aliases` has no effect, because there is no model `{local}`. "
            f"{how_to_get(local)}"
            for name, local in self._aliases.items()
            if self._resolve(name) is None
        ]

    def _never_fetched(self, name: str) -> bool:
        """Whether the name is in the catalogue, but no operator has fetched the model: to clients it is
        unknown.
        """
        entry = None if name in self._aliases else catalog().get(name)
        return entry is not None and not entry.starter and not (self.weights / slug(name)).is_dir()

    def _resolve(self, name: str) -> ModelSpec | None:
        local = self._aliases.get(name, name)
        if name in self._speech and name not in self._aliases:
            return ModelSpec(name, "speech", "", self.weights, 0, OWNER)
        if entry := catalog().get(local):
            folder = self.weights / slug(local)
            return ModelSpec(local, entry.kind, entry.engine, folder, entry.created, entry.owner)
        model = self._in_folder(name, local)
        if model is None and name in self._engines:
            return ModelSpec(name, "speech", name, self.weights, 0, OWNER)
        return model

    def _in_folder(self, name: str, local: str) -> ModelSpec | None:
        """A model without an entry: a folder that an alias names, or one in the weights folder."""
        owner = local.rpartition("/")[0] or OWNER
        outside = Path(local)
        if name in self._aliases and outside.is_absolute():
            exists = outside.is_dir()
            return ModelSpec(local, "transcription", HUB_ENGINE, outside, 0, owner) if exists else None
        folder = self.weights / slug(local)
        if not MODEL_NAME.fullmatch(local) or not _holds_model(folder):
            return None
        if (folder / MARK).is_file():
            return ModelSpec(local, "transcription", HUB_ENGINE, folder, 0, owner)
        return ModelSpec(local, "speech", "", folder, 0, owner)

    def _names(self) -> set[str]:
        speakers = {model.engine for model in self.speech_models()}
        return {*self._aliases, *self._speech, *self._folders(), *(speakers & set(self._engines))}

    def _folders(self) -> set[str]:
        """Models that lie in the weights folder, by their own names."""
        if not self.weights.is_dir():
            return set()
        names = {unslug(folder.name): folder for folder in self.weights.iterdir()}
        return {name for name, folder in names.items() if MODEL_NAME.fullmatch(name) and _holds_model(folder)}


def _holds_model(folder: Path) -> bool:
    return any(True for mark in (MARK, *SOUND_MARKS) for _ in folder.glob(mark))
