"""The weights store: every model's files, verified, in one folder.

Law: a file gets its final name only when its bytes have the right hash. A file whose bytes were found wrong
is not used; whether they are read is the matter of `hash_book.py`. One process at a time changes a model's
files.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from filelock import FileLock

from app.models.catalog import FileEntry, ModelEntry, catalog
from app.models.durable_files import has_hash, hash_of
from app.models.errors import WeightsError
from app.models.fetch import Fetcher, FetchProgress, silent
from app.models.hash_book import HasHash, HashBook
from app.models.manifest import find_manifest, write_manifest

STAGING = ".fetching"
"""Name of the sub-folder in which files of a model lie until they are complete and verified."""
MODEL_NAME = re.compile(r"[A-Za-z0-9][\w.\-]{0,95}(/[A-Za-z0-9][\w.\-]{0,95})?", re.ASCII)
FileState = Literal["ok", "absent", "damaged"]


@dataclass(frozen=True, slots=True)
class FileCheck:
    """The state of one file."""

    file: FileEntry
    state: FileState


class WeightsStore:
    """The folder of all models."""

    def __init__(
        self,
        folder: Path,
        *,
        hub: str,
        mirrors: Iterable[Path] = (),
        offline: bool = False,
        known: Mapping[str, ModelEntry] | None = None,
        hash_book: Path | None = None,
        reread: bool = True,
    ) -> None:
        """`hub`: address of the model hub. `mirrors`: local folders that are asked first. `known`: models
        that need no manifest; the catalogue if it is None. `hash_book`: a file that keeps the hashes of files
        for later processes. `reread`: whether this process reads every file, or only those that are not in
        the hash book or have changed since.
        """
        self.folder = folder
        self._book = HashBook(hash_book, folder, believed=not reread)
        self.known = catalog() if known is None else known
        self._fetcher = Fetcher(hub=hub, mirrors=mirrors, offline=offline)

    def entry(self, model: str) -> ModelEntry | None:
        """What is known about a model: its catalogue entry, else the manifest beside its files."""
        return self.known.get(model) or find_manifest(model, self.path(model))

    def path(self, model: str) -> Path:
        """The folder of a model, whether it exists or not. Raises `WeightsError` for an impossible name."""
        if not MODEL_NAME.fullmatch(model):
            raise WeightsError(
                f"`{ascii(model)[1:100].strip(chr(39))}` cannot be the name of a model: write `name` or "
                "`owner/name`."
            )
        return self.folder / slug(model)

    def installed(self) -> list[str]:
        """Names of the models that have a folder."""
        folders = self.folder.iterdir() if self.folder.is_dir() else ()
        return sorted(unslug(path.name) for path in folders if path.is_dir() and path.name[0] != ".")

    def check(self, model: str) -> list[FileCheck]:
        """Reads every file of a known model and compares its hash. Empty for a folder without a manifest."""
        entry = self.entry(model)
        return self._check(entry, self.path(model)) if entry else []

    def _check(self, entry: ModelEntry, folder: Path) -> list[FileCheck]:
        with self._book.reading() as matches:
            return [FileCheck(file, file_state(folder / file.name, file, matches)) for file in entry.files]

    def require(self, model: str) -> Path:
        """The folder of a model that is complete and undamaged.

        Raises `WeightsError` without the folder's path, because clients of the server see the message too.
        """
        folder = self.path(model)
        checks = self.check(model)
        states = {check.state for check in checks}
        if "damaged" in states:
            raise WeightsError(
                f"The weights of `{model}` are damaged. `antiphon models pull {model}` repairs them.",
                folder=self.folder,
            )
        unfinished = not checks and (folder / STAGING).exists()
        if "absent" in states or unfinished or not folder.is_dir():
            raise WeightsError(
                f"The weights of `{model}` are not installed. Run `antiphon models pull {model}`. Without a "
                f"network, run `antiphon models export {model}` on a machine that has them, bring the file "
                "here and run `antiphon models import FILE`.",
                folder=self.folder,
            )
        return folder

    def trusted(self, model: str) -> bool:
        """Whether the operator lets the files of this model run code of their author."""
        entry = self.entry(model)
        return entry is not None and entry.trusted

    def pull(self, model: str, report: FetchProgress = silent, *, trust: bool | None = None) -> ModelEntry:
        """Makes a model complete: fetches what is absent or damaged.

        `trust`: whether its files may run code of their author; None leaves that as it is. Raises
        `WeightsError`.
        """
        with self.locked(model):
            entry = self.entry(model) or self._describe(model)
            folder = self.path(model)
            wrong = [check.file for check in self._check(entry, folder) if check.state != "ok"]
            if wrong:
                self._fetcher.fetch(entry, wrong, folder, folder / STAGING, report)
            if entry.id not in self.known:
                entry = _with_hashes(entry, folder)
                entry = entry if trust is None else replace(entry, trusted=trust)
                write_manifest(entry, folder)
            shutil.rmtree(folder / STAGING, ignore_errors=True)
            return entry

    def _describe(self, model: str) -> ModelEntry:
        """An entry for a model that is not known, from the hub's list of files. Raises `WeightsError`."""
        if "/" not in model:
            raise WeightsError(
                f"There is no model `{model}`. The catalogue has: {', '.join(sorted(self.known))}. Models of "
                "the hub have an id such as `owner/name`."
            )
        return self._fetcher.describe(model)

    def remove(self, model: str) -> bool:
        """Deletes a model's files; False if there were none."""
        with self.locked(model):
            folder = self.path(model)
            if not folder.is_dir():
                return False
            shutil.rmtree(folder)
            return True

    def locked(self, model: str) -> FileLock:
        """A lock between processes, for changing a model's files."""
        locks = self.folder / ".locks"
        locks.mkdir(parents=True, exist_ok=True)
        return FileLock(locks / f"{self.path(model).name}.lock")


def slug(model: str) -> str:
    """The name of a model's folder: one path element, from which `unslug` gives the model's name."""
    return model.replace("/", "--")


def unslug(folder: str) -> str:
    return folder.replace("--", "/")


def file_state(path: Path, file: FileEntry, matches: HasHash = has_hash) -> FileState:
    """Whether the bytes at `path` are those of `file`. `matches` tells whether they have a hash."""
    try:
        right = path.stat().st_size == file.size and (not file.sha256 or matches(path, file.sha256))
    except (FileNotFoundError, NotADirectoryError):
        return "absent"
    return "ok" if right else "damaged"


def _with_hashes(entry: ModelEntry, folder: Path) -> ModelEntry:
    """The hub gives no SHA-256 for small files: the first fetch decides what their bytes are."""
    files = (
        file if file.sha256 else replace(file, sha256=hash_of(folder / file.name)) for file in entry.files
    )
    return replace(entry, files=tuple(files))
