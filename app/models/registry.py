"""Which models there are, and which names they answer to.

Law: looks only at the catalogue, the settings and the weights folder; loads nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from pathlib import Path

from app.domain import ModelListing, ModelSpec
from app.errors import ModelNotFound
from app.models.catalog import catalog
from app.models.weights import MODEL_NAME, slug, unslug

OWNER = "antiphon"
HUB_ENGINE = "faster-whisper"
MARK = "model.bin"
"""The file that makes a folder a CTranslate2 model."""
SOUND_MARKS = ("*.onnx", "model.safetensors")
"""The files that make a folder a speech model, if an engine finds voices in it."""


class Registry:
    """Names -> models."""

    def __init__(self, aliases: Mapping[str, str], weights: Path, speech: Collection[str] = ()) -> None:
        """`speech`: names that stand for any speech model; the voice decides which one."""
        self._aliases = dict(aliases)
        self._speech = tuple(speech)
        self._weights = weights

    def resolve(self, name: str) -> ModelSpec:
        """The model behind a name or an alias. Raises `ModelNotFound`."""
        local = self._aliases.get(name, name)
        if name in self._speech and name not in self._aliases:
            return ModelSpec(name, "speech", "", self._weights, 0, OWNER)
        if entry := catalog().get(local):
            return ModelSpec(
                local, entry.kind, entry.engine, self._weights / slug(local), entry.created, entry.owner
            )
        folder = self._folder(name, local)
        if folder is None:
            raise ModelNotFound(name)
        owner = local.rpartition("/")[0] or OWNER
        if (folder / MARK).is_file() or folder.parent != self._weights:
            return ModelSpec(local, "transcription", HUB_ENGINE, folder, 0, owner)
        return ModelSpec(local, "speech", "", folder, 0, owner)

    def speech_models(self) -> list[ModelSpec]:
        """Models in the weights folder that may speak; one without an engine is asked of all of them."""
        found = [self.resolve(name) for name in sorted(self._folders())]
        return [model for model in found if model.kind == "speech"]

    def state(self) -> Hashable:
        """Changes whenever a model comes, goes or gets another file."""
        if not self._weights.is_dir():
            return ()
        return tuple(sorted((path.name, path.stat().st_mtime_ns) for path in self._weights.iterdir()))

    def listing(self) -> list[ModelListing]:
        """Every name that a client may send, aliases first."""
        folders = {name for name in self._folders() if self.resolve(name).kind != "speaker"}
        names = {*self._aliases, *self._speech, *folders}
        found = [ModelListing(name, self._created(name), OWNER) for name in names]
        return sorted(found, key=lambda model: (model.id not in self._aliases, model.id))

    def find(self, name: str) -> ModelListing:
        """Raises `ModelNotFound`."""
        for model in self.listing():
            if model.id == name:
                return model
        raise ModelNotFound(name)

    def _created(self, name: str) -> int:
        entry = catalog().get(self._aliases.get(name, name))
        return entry.created if entry else 0

    def _folders(self) -> set[str]:
        """Models that lie in the weights folder, by their own names."""
        if not self._weights.is_dir():
            return set()
        marks = (path for mark in (MARK, *SOUND_MARKS) for path in self._weights.glob(f"[!.]*/{mark}"))
        return {unslug(path.parent.name) for path in marks if MODEL_NAME.fullmatch(unslug(path.parent.name))}

    def _folder(self, name: str, local: str) -> Path | None:
        """A model without an entry: a folder that an alias names, or one in the weights folder."""
        chosen = Path(local)
        if name in self._aliases and chosen.is_absolute():
            return chosen
        return self._weights / slug(local) if local in self._folders() else None
