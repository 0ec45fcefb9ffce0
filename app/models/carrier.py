"""One tar file that carries models to a machine without a network.

Law: only files that a manifest in the tar names are read, each is verified, and nothing is written outside
the weights folder. The tar holds `SLUG/manifest.json` before the files of each model.
"""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.models.catalog import ModelEntry, catalog, manifest, parse_entry
from app.models.hub import WeightsError
from app.models.weights import (
    CHUNK,
    MANIFEST,
    STAGING,
    Report,
    WeightsStore,
    file_state,
    move_durably,
    silent,
    slug,
    unslug,
    write_atomically,
)

MANIFEST_BYTES = 1 << 20


def export_models(store: WeightsStore, models: Sequence[str], to: Path, report: Report = silent) -> None:
    """Writes complete, verified models into one tar. Raises `WeightsError`."""
    unfinished = to.with_name(f".{to.name}.new")
    try:
        with tarfile.open(unfinished, "w") as tar:
            for model in models:
                _add(tar, store, model, report)
        move_durably(unfinished, to)
    finally:
        unfinished.unlink(missing_ok=True)


def import_models(store: WeightsStore, file: Path, report: Report = silent) -> list[str]:
    """Takes every model of a tar into the store; gives their names. Raises `WeightsError`."""
    entries: dict[str, ModelEntry] = {}
    try:
        with tarfile.open(file, "r:") as tar:
            for member in tar:
                _take(tar, member, store, entries, report)
    except (tarfile.TarError, OSError, ValueError, KeyError, TypeError):
        raise WeightsError(f"{file.name} is no readable export of models.") from None
    for model, entry in entries.items():
        _finish(store, model, entry)
    return list(entries)


def _add(tar: tarfile.TarFile, store: WeightsStore, model: str, report: Report) -> None:
    folder = store.require(model)
    entry = store.entry(model)
    if entry is None:
        raise WeightsError(f"`{model}` has no manifest, so it cannot be exported: copy its folder instead.")
    data = json.dumps(manifest(entry), indent=1).encode()
    head = tarfile.TarInfo(f"{slug(model)}/{MANIFEST}")
    head.size = len(data)
    tar.addfile(head, io.BytesIO(data))
    for wanted in entry.files:
        info = tarfile.TarInfo(f"{slug(model)}/{wanted.name}")
        info.size = wanted.size
        with (folder / wanted.name).open("rb") as source:
            tar.addfile(info, source)
        report(wanted.name, wanted.size, wanted.size)


def _take(
    tar: tarfile.TarFile,
    member: tarfile.TarInfo,
    store: WeightsStore,
    entries: dict[str, ModelEntry],
    report: Report,
) -> None:
    name, _, file = member.name.partition("/")
    model = unslug(name)
    if not member.isfile():
        raise ValueError(member.name)
    if file == MANIFEST:
        raw = json.loads(_open(tar, member).read(MANIFEST_BYTES))
        # Trust is the decision of the operator of one machine, so it does not travel.
        entries[model] = catalog().get(model) or replace(parse_entry(model, raw), trusted=False)
        return
    wanted = {f.name: f for f in entries[model].files}[file]
    staged = store.path(model) / STAGING / wanted.name
    staged.parent.mkdir(parents=True, exist_ok=True)
    source, done = _open(tar, member), 0
    with staged.open("wb") as target:
        while chunk := source.read(CHUNK):
            target.write(chunk)
            done += len(chunk)
            report(wanted.name, done, wanted.size)
    if file_state(staged, wanted) != "ok":
        staged.unlink()
        raise WeightsError(f"`{file}` of `{model}` in the export has a wrong hash and was not taken.")


def _open(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Any:
    source = tar.extractfile(member)
    if source is None:
        raise ValueError(member.name)
    return source


def _finish(store: WeightsStore, model: str, entry: ModelEntry) -> None:
    with store.locked(model):
        folder = store.path(model)
        for file in entry.files:
            staged = folder / STAGING / file.name
            if not staged.exists():
                raise WeightsError(f"The export lacks `{file.name}` of `{model}`.")
            move_durably(staged, folder / file.name)
        if model not in catalog():
            write_atomically(folder / MANIFEST, json.dumps(manifest(entry), indent=1).encode())
        shutil.rmtree(folder / STAGING)
