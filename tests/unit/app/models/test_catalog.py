"""The catalogue of models, and manifests made from it."""

from __future__ import annotations

from app.models.catalog import catalog
from app.models.manifest import manifest_bytes, read_manifest


def test_manifests_read_back() -> None:
    for entry in catalog().values():
        again = read_manifest(entry.id, manifest_bytes(entry))
        assert [(f.name, f.size, f.sha256) for f in again.files] == [
            (f.name, f.size, f.sha256) for f in entry.files
        ]


def test_every_entry_of_the_catalogue_is_whole() -> None:
    for entry in catalog().values():
        assert entry.licence
        assert entry.files
        for wanted in entry.files:
            assert wanted.size > 0
            assert len(wanted.sha256) == 64
            assert entry.hub or wanted.parts or wanted.url
