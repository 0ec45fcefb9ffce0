"""Fetches a model's files: which sources are tried, in which order, and when a file is accepted.

Law: a delivered file stays in a staging folder until its size and hash are verified.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from app.models.catalog import FileEntry, ModelEntry
from app.models.durable_files import has_hash, move_durably
from app.models.errors import MirrorError, WeightsError
from app.models.hub import ask_hub
from app.models.mirrors import FolderMirror, Mirror, hub_mirror, url_mirror
from app.models.packages import PackageMirror

PARALLEL_FILES = 4
"""Files that are fetched at once."""
FetchProgress = Callable[[str, int, int], None]
"""Called with a file's name, its bytes so far and its size in bytes; from several threads."""


def silent(name: str, done: int, total: int) -> None:
    """A progress function that does nothing."""


class Fetcher:
    """Fetches files from the sources of weights."""

    def __init__(self, *, hub: str, mirrors: Iterable[Path], offline: bool) -> None:
        self._hub = hub
        self._folders = tuple(mirrors)
        self._offline = offline

    def describe(self, model: str) -> ModelEntry:
        """Makes an entry for the model `owner/name` from the hub's list of its files.
        Raises `WeightsError`.
        """
        if self._offline:
            raise WeightsError(f"`{model}` is not in the catalogue, and fetching is switched off.")
        return ask_hub(self._hub, model, _token())

    def fetch(
        self,
        entry: ModelEntry,
        files: Sequence[FileEntry],
        folder: Path,
        staging: Path,
        report: FetchProgress,
    ) -> None:
        """Downloads `files` into `folder`; a file is moved there once its hash is verified.
        Raises `WeightsError`.
        """
        if self._offline and not self._folders:
            raise WeightsError(
                f"The weights of `{entry.id}` are not complete here, and fetching is switched off. "
                f"{_carried(entry.id)}"
            )
        staging.mkdir(parents=True, exist_ok=True)
        mirrors = self._mirrors(entry, folder.name, staging)

        def one(file: FileEntry) -> None:
            staged = staging / file.name
            staged.parent.mkdir(parents=True, exist_ok=True)
            _fetch_file(entry, file, staged, mirrors, report)
            move_durably(staged, folder / file.name)

        with ThreadPoolExecutor(PARALLEL_FILES) as pool:
            for job in [pool.submit(one, file) for file in files]:
                job.result()

    def _mirrors(self, entry: ModelEntry, folder: str, staging: Path) -> list[Mirror]:
        """The sources in the order in which they are tried."""
        mirrors: list[Mirror] = [FolderMirror(mirror / folder) for mirror in self._folders]
        if self._offline:
            return mirrors
        if entry.hub:
            mirrors.append(hub_mirror(self._hub, entry.hub, _token()))
        return [*mirrors, url_mirror(), PackageMirror(staging)]


def _fetch_file(
    entry: ModelEntry, file: FileEntry, staged: Path, mirrors: Sequence[Mirror], report: FetchProgress
) -> None:
    """Writes the file to `staged`, from the first source that delivers the right bytes."""
    reasons = []
    for mirror in [mirror for mirror in mirrors if mirror.offers(file)]:
        try:
            return _fetch_from(mirror, file, staged, report)
        except MirrorError as reason:
            reasons.append(f"{mirror.name}: {reason}")
    told = "; ".join(reasons) or "no place is known that has it"
    raise WeightsError(
        f"`{file.name}` of `{entry.id}` could not be fetched ({told}). If this machine has no network: "
        f"{_carried(entry.id)}"
    )


def _fetch_from(mirror: Mirror, file: FileEntry, staged: Path, report: FetchProgress) -> None:
    """Downloads a file from one source. If the file was resumed and its hash is wrong, it is downloaded once
    more from the start.
    """
    for _ in range(2):
        resumed = staged.exists()
        mirror.fetch(file, staged, lambda done: report(file.name, done, file.size))
        if staged.stat().st_size == file.size and (not file.sha256 or has_hash(staged, file.sha256)):
            return
        staged.unlink(missing_ok=True)
        if not resumed:
            break
    raise MirrorError("delivered bytes with a wrong size or hash, which were thrown away")


def _carried(model: str) -> str:
    return (
        f"On a machine with a network run `antiphon models pull {model}` and `antiphon models export {model} "
        "-o models.tar`, bring the file here and run `antiphon models import models.tar`."
    )


def _token() -> str:
    """The token for the model hub: HF_TOKEN, or what is in the file that HF_TOKEN_FILE names.

    Raises `WeightsError` if that file cannot be read.
    """
    token, path = os.environ.get("HF_TOKEN", ""), os.environ.get("HF_TOKEN_FILE", "")
    if token or not path:
        return token
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise WeightsError("The file that HF_TOKEN_FILE names cannot be read.") from None
