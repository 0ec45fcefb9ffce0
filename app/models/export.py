"""One tar file that carries models to a machine without a network.

The tar holds `SLUG/manifest.json` and after it the files of that model, then the next model.

Law: only files that a manifest names are read, each at most once, none beyond the size in its manifest, and
each is verified before it is used. Nothing is written outside the folders of the models.
"""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

from app.models.catalog import FileEntry, ModelEntry
from app.models.durable_files import move_durably
from app.models.errors import WeightsError
from app.models.fetch import FetchProgress, silent
from app.models.manifest import MANIFEST, MANIFEST_BYTES, manifest_bytes, read_manifest, write_manifest
from app.models.mirrors import CHUNK_BYTES, copy_bounded
from app.models.weights import STAGING, WeightsStore, file_state, slug, unslug


def export_models(
    store: WeightsStore, models: Sequence[str], to: Path, report: FetchProgress = silent
) -> None:
    """Writes complete, verified models into one tar. Raises `WeightsError`."""
    unfinished = to.with_name(f".{to.name}.new")
    try:
        with tarfile.open(unfinished, "w") as tar:
            for model in models:
                _add(tar, store, model, report)
        move_durably(unfinished, to)
    except OSError as wrong:
        raise WeightsError(f"{to} cannot be written: {wrong.strerror}.") from None
    finally:
        unfinished.unlink(missing_ok=True)


def import_models(store: WeightsStore, file: Path, report: FetchProgress = silent) -> list[str]:
    """Takes every model of a tar into the store; returns their names. Raises `WeightsError`.

    Models before a damaged one are taken.
    """
    try:
        with _SmallReads(file) as opened, tarfile.open(fileobj=opened, mode="r:") as tar:
            folders = groupby(tar, key=lambda member: member.name.partition("/")[0])
            models = [_take(tar, unslug(name), members, store, report) for name, members in folders]
    except (tarfile.TarError, EOFError, ValueError, RecursionError):
        raise WeightsError(f"{file} is not an export of models, or is damaged.") from None
    except OSError as wrong:
        raise WeightsError(f"{file} cannot be imported: {wrong.strerror or 'it cannot be read'}.") from None
    if not models:
        raise WeightsError(f"{file} holds no models.")
    return list(dict.fromkeys(models))


class _SmallReads(io.FileIO):
    """A file that refuses to read much at once: a header of a tar may claim a length of gigabytes."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size <= CHUNK_BYTES:
            raise ValueError("a header of the tar is too long")
        return super().read(size)


def _add(tar: tarfile.TarFile, store: WeightsStore, model: str, report: FetchProgress) -> None:
    folder = store.require(model)
    entry = store.entry(model)
    if entry is None:
        raise WeightsError(f"`{model}` has no manifest, so it cannot be exported: copy its folder instead.")
    # Trust is the decision of the operator of one machine, so it does not travel.
    data = manifest_bytes(replace(entry, trusted=False))
    head = tarfile.TarInfo(f"{slug(model)}/{MANIFEST}")
    head.size = len(data)
    tar.addfile(head, io.BytesIO(data))
    for file in entry.files:
        info = tarfile.TarInfo(f"{slug(model)}/{file.name}")
        info.size = file.size
        with (folder / file.name).open("rb") as source:
            tar.addfile(info, source)
        report(file.name, file.size, file.size)


def _take(
    tar: tarfile.TarFile,
    model: str,
    members: Iterable[tarfile.TarInfo],
    store: WeightsStore,
    report: FetchProgress,
) -> str:
    """Takes one model from a tar. Its manifest is the first of `members`."""
    folder = store.path(model)
    remaining = iter(members)
    entry = _entry(tar, model, next(remaining))
    entry = store.known.get(model, entry)
    with store.locked(model):
        staging = folder / STAGING
        shutil.rmtree(staging, ignore_errors=True)
        try:
            _stage(tar, entry, remaining, staging, report)
            for file in entry.files:
                move_durably(staging / file.name, folder / file.name)
            if model not in store.known:
                write_manifest(entry, folder)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
    return model


def _entry(tar: tarfile.TarFile, model: str, member: tarfile.TarInfo) -> ModelEntry:
    if member.name != f"{slug(model)}/{MANIFEST}" or not member.isfile() or member.issparse():
        raise WeightsError(f"The export does not begin `{model}` with a manifest.")
    if member.size > MANIFEST_BYTES:
        raise WeightsError(f"The manifest of `{model}` is longer than {MANIFEST_BYTES >> 20} MiB.")
    entry = read_manifest(model, _open(tar, member).read(MANIFEST_BYTES))
    return replace(entry, trusted=False)


def _stage(
    tar: tarfile.TarFile,
    entry: ModelEntry,
    members: Iterable[tarfile.TarInfo],
    staging: Path,
    report: FetchProgress,
) -> None:
    """Writes and verifies all files of one model. Sizes are compared before a byte is written."""
    missing = {file.name: file for file in entry.files}
    for member in members:
        name = member.name.partition("/")[2]
        file = missing.pop(name, None)
        shown = ascii(name)[1:100]
        if file is None:
            raise WeightsError(f"The export holds a file of `{entry.id}` that it should not hold: {shown}.")
        if not member.isfile() or member.issparse() or member.size != file.size:
            raise WeightsError(
                f"`{name}` of `{entry.id}` in the export is not a plain file of {file.size} bytes, as its "
                "manifest says."
            )
        _write(_open(tar, member), staging / name, file, report)
        if file_state(staging / name, file) != "ok":
            raise WeightsError(f"`{name}` of `{entry.id}` in the export has a wrong hash and was not taken.")
    if missing:
        raise WeightsError(f"The export lacks `{next(iter(missing))}` of `{entry.id}`.")


def _write(source: Any, to: Path, file: FileEntry, report: FetchProgress) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    with to.open("wb") as target:
        copy_bounded(source, target, file.size, lambda done: report(file.name, done, file.size))


def _open(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Any:
    source = tar.extractfile(member)
    if source is None:
        raise ValueError(member.name)
    return source
