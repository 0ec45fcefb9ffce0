"""A model of two small files, for tests of the weights store."""

from __future__ import annotations

import hashlib
import os

from app.models.catalog import FileEntry, HubSource, ModelEntry, Part
from app.models.weights import WeightsStore

DATA = {"model.bin": os.urandom(3_000_000), "config.json": b'{"a": 1}'}


def toy_file(name: str, *parts: Part) -> FileEntry:
    return FileEntry(name, len(DATA[name]), hashlib.sha256(DATA[name]).hexdigest(), parts)


TOY = ModelEntry(
    "toy", "transcription", "faster-whisper", "Toy", "MIT", "us", 1, tuple(map(toy_file, DATA)),
    hub=HubSource("us/toy", "rev"),
)  # fmt: skip
KNOWN = {"toy": TOY}
"""The models that the store knows, in place of the catalogue."""


def bytes_of(store: WeightsStore, model: str = "toy") -> dict[str, bytes]:
    """The files of a model, by name."""
    return {path.name: path.read_bytes() for path in store.path(model).iterdir() if path.is_file()}
