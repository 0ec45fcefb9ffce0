"""Which models there are, and which names they answer to.

Law: looks only at the catalogue, the settings and the weights folder; loads nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from app.domain import ModelListing, ModelSpec
from app.errors import ModelNotFound
from app.runtime.catalog import catalog
from app.runtime.weights import MODEL_NAME, slug, unslug

OWNER = "antiphon"
SPEECH_NAMES = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts", "gpt-4o-mini-tts-2025-12-15")
HUB_ENGINE = "faster-whisper"
MARK = "model.bin"
"""The file that makes a folder a CTranslate2 model."""


class Registry:
    """Names -> models."""

    def __init__(self, aliases: Mapping[str, str], weights: Path) -> None:
        self._aliases = dict(aliases)
        self._weights = weights

    def resolve(self, name: str) -> ModelSpec:
        """The model behind a name or an alias. Raises `ModelNotFound`."""
        local = self._aliases.get(name, name)
        if name in SPEECH_NAMES and name not in self._aliases:
            return ModelSpec(name, "speech", "", self._weights, 0, OWNER)
        if entry := catalog().get(local):
            return ModelSpec(
                local, entry.kind, entry.engine, self._weights / slug(local), entry.created, entry.owner
            )
        folder = self._folder(name, local)
        if folder is None:
            raise ModelNotFound(name)
        return ModelSpec(local, "transcription", HUB_ENGINE, folder, 0, local.rpartition("/")[0] or OWNER)

    def listing(self) -> list[ModelListing]:
        """Every name that a client may send, aliases first."""
        names = {*self._aliases, *SPEECH_NAMES, *self._installed()}
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

    def _installed(self) -> set[str]:
        """Models that lie in the weights folder, by their own names."""
        if not self._weights.is_dir():
            return set()
        return {unslug(path.parent.name) for path in self._weights.glob(f"[!.]*/{MARK}")}

    def _folder(self, name: str, local: str) -> Path | None:
        """A model without an entry: a folder that an alias names, or one in the weights folder."""
        chosen = Path(local)
        if name in self._aliases and chosen.is_absolute():
            return chosen
        if not MODEL_NAME.fullmatch(local):
            return None
        folder = self._weights / slug(local)
        return folder if (folder / MARK).is_file() else None
