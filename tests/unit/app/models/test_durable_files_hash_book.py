"""The hash book: a later process does not read files again that have not changed."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from app.models import durable_files
from app.models.errors import WeightsError
from app.models.weights import WeightsStore
from tests.support.fake_hub import Hub
from tests.support.toy_model import DATA, KNOWN


@pytest.fixture(autouse=True)
def _settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files count as settled as soon as they are written, and this process knows no hashes."""
    monkeypatch.setattr(durable_files, "SETTLED_SECONDS", -1.0)
    monkeypatch.setattr(durable_files, "_known_hashes", {})


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are hashed."""
    names: list[str] = []
    real = hashlib.file_digest

    def counted(file: object, name: str) -> object:
        names.append(Path(getattr(file, "name", "")).name)
        return real(file, name)  # type: ignore[arg-type]

    monkeypatch.setattr(hashlib, "file_digest", counted)
    return names


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return tmp_path / "book.json"


def later_process() -> None:
    durable_files._known_hashes.clear()


def made(tmp_path: Path, hub: Hub, book: Path | None) -> WeightsStore:
    return WeightsStore(tmp_path / "weights", hub=hub.url, known=KNOWN, hash_book=book)


def test_a_later_process_does_not_read_what_has_not_changed(
    tmp_path: Path, hub: Hub, book: Path, reads: list[str]
) -> None:
    made(tmp_path, hub, book).pull("toy")
    made(tmp_path, hub, book).require("toy")
    later_process()
    reads.clear()
    made(tmp_path, hub, book).require("toy")
    assert reads == []


def test_a_store_without_a_book_reads_everything(
    tmp_path: Path, hub: Hub, book: Path, reads: list[str]
) -> None:
    made(tmp_path, hub, book).pull("toy")
    later_process()
    reads.clear()
    made(tmp_path, hub, None).check("toy")
    assert sorted(reads) == sorted(DATA)


def test_a_flipped_byte_is_found_although_size_and_time_are_set_back(
    tmp_path: Path, hub: Hub, book: Path
) -> None:
    made(tmp_path, hub, book).pull("toy")
    later_process()
    path = tmp_path / "weights" / "toy" / "model.bin"
    before = path.stat()
    with path.open("r+b") as opened:
        opened.write(bytes([DATA["model.bin"][0] ^ 1]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(WeightsError, match="damaged"):
        made(tmp_path, hub, book).require("toy")


def test_a_file_that_was_replaced_is_read(tmp_path: Path, book: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"some")
    durable_files.hash_of(path)
    durable_files.keep_hashes(book)
    later_process()
    durable_files.recall_hashes(book)
    other = tmp_path / "other"
    other.write_bytes(b"else")
    other.replace(path)
    assert durable_files.hash_of(path) == hashlib.sha256(b"else").hexdigest()


ROW = [1, 2, 3, 4, 5, "0" * 64]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"{}",
        b"7",
        b"[7]",
        b"[[]]",
        b"[" * 100_000,
        json.dumps([ROW[1:]]).encode(),
        json.dumps([[*ROW[:5], "0" * 63]]).encode(),
        json.dumps([[*ROW[:5], None]]).encode(),
        json.dumps([["1", *ROW[1:]]]).encode(),
        b"\xff",
    ],
)
def test_a_damaged_book_is_ignored(book: Path, data: bytes) -> None:
    book.write_bytes(data)
    durable_files.recall_hashes(book)
    assert durable_files._known_hashes == {}


def test_a_book_is_written_only_if_it_would_change(book: Path) -> None:
    durable_files.keep_hashes(book)
    assert not book.exists()
    durable_files._known_hashes[1, 2, 3, 4, 5] = "0" * 64
    durable_files.keep_hashes(book)
    assert json.loads(book.read_bytes()) == [ROW]
    first = book.stat().st_ino
    durable_files.keep_hashes(book)
    assert book.stat().st_ino == first


def test_a_book_is_bounded(book: Path) -> None:
    for number in range(durable_files.MOST_HASHES + 1):
        durable_files._known_hashes[number, 2**63, 2**63, 2**63, 2**63] = "f" * 64
    durable_files.keep_hashes(book)
    assert book.stat().st_size < durable_files.HASH_BOOK_BYTES
    later_process()
    durable_files.recall_hashes(book)
    assert len(durable_files._known_hashes) == durable_files.MOST_HASHES


def test_a_book_that_cannot_be_written_is_left_out(tmp_path: Path) -> None:
    durable_files._known_hashes[1, 2, 3, 4, 5] = "0" * 64
    (tmp_path / "file").write_bytes(b"")
    durable_files.keep_hashes(tmp_path / "file" / "book.json")
