"""The hash book: a later process does not read files again that were right and have not changed."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.models import durable_files, hash_book
from app.models.errors import WeightsError
from app.models.hash_book import HashBook
from app.models.weights import WeightsStore
from tests.support.fake_hub import Hub
from tests.support.toy_model import DATA, KNOWN

SOME = hashlib.sha256(b"some").hexdigest()


@pytest.fixture(autouse=True)
def _settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files count as settled as soon as they are written."""
    monkeypatch.setattr(durable_files, "SETTLED_SECONDS", -1.0)


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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "weights").mkdir()
    return tmp_path / "weights"


def made(tmp_path: Path, hub: Hub, book: Path | None, *, reread: bool = False) -> WeightsStore:
    return WeightsStore(tmp_path / "weights", hub=hub.url, known=KNOWN, hash_book=book, reread=reread)


def rows(book: Path) -> dict[str, list[object]]:
    return dict(json.loads(book.read_bytes()))


def matches(book: Path, path: Path, sha256: str = SOME) -> bool:
    with HashBook(book, path.parent).reading() as has_hash:
        return has_hash(path, sha256)


def test_a_later_process_does_not_read_what_has_not_changed(
    tmp_path: Path, hub: Hub, book: Path, reads: list[str]
) -> None:
    made(tmp_path, hub, book).pull("toy")
    made(tmp_path, hub, book).require("toy")
    reads.clear()
    made(tmp_path, hub, book).require("toy")
    assert reads == []


def test_a_store_that_rereads_reads_everything_and_writes_what_it_found(
    tmp_path: Path, hub: Hub, book: Path, reads: list[str]
) -> None:
    made(tmp_path, hub, book).pull("toy")
    for _ in range(2):
        reads.clear()
        made(tmp_path, hub, book, reread=True).check("toy")
        assert sorted(reads) == sorted(DATA)
    assert {name.removeprefix("toy/") for name in rows(book)} == set(DATA)


def test_verify_removes_the_row_of_a_file_that_rotted(tmp_path: Path, hub: Hub, book: Path) -> None:
    store = made(tmp_path, hub, book)
    store.pull("toy")
    store.require("toy")
    path = tmp_path / "weights" / "toy" / "model.bin"
    path.write_bytes(bytes(len(DATA["model.bin"])))
    kept, found = rows(book), path.stat()
    stamp = durable_files.stamp_of(found)
    assert stamp
    kept["toy/model.bin"][:5] = stamp  # as if the disk had changed the bytes, which changes no stamp
    book.write_text(json.dumps(kept))
    made(tmp_path, hub, book).require("toy")
    states = {check.file.name: check.state for check in made(tmp_path, hub, book, reread=True).check("toy")}
    assert states["model.bin"] == "damaged"
    assert set(rows(book)) == {"toy/config.json"}
    for later in (store, made(tmp_path, hub, book)):  # and one that was open during the check
        with pytest.raises(WeightsError, match="damaged"):
            later.require("toy")


def test_a_wrong_hash_in_the_book_is_not_believed(tmp_path: Path, hub: Hub, book: Path) -> None:
    made(tmp_path, hub, book).pull("toy")
    made(tmp_path, hub, book).require("toy")
    right = rows(book)
    book.write_text(json.dumps({name: [*row[:5], "0" * 64] for name, row in right.items()}))
    made(tmp_path, hub, book).require("toy")
    assert rows(book) == right


def test_a_hash_that_did_not_match_is_not_written(folder: Path, book: Path) -> None:
    (folder / "wrong").write_bytes(b"else")
    (folder / "right").write_bytes(b"some")
    assert not matches(book, folder / "wrong")
    assert not book.exists()
    assert matches(book, folder / "right")
    assert list(rows(book)) == ["right"]


def test_a_flipped_byte_is_found_although_size_and_time_are_set_back(
    tmp_path: Path, hub: Hub, book: Path
) -> None:
    made(tmp_path, hub, book).pull("toy")
    made(tmp_path, hub, book).require("toy")
    path = tmp_path / "weights" / "toy" / "model.bin"
    before = path.stat()
    with path.open("r+b") as opened:
        opened.write(bytes([DATA["model.bin"][0] ^ 1]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(WeightsError, match="damaged"):
        made(tmp_path, hub, book).require("toy")


def test_a_file_that_was_replaced_is_read(folder: Path, book: Path) -> None:
    path, other = folder / "file", folder / "other"
    path.write_bytes(b"some")
    assert matches(book, path)
    other.write_bytes(b"else")
    other.replace(path)
    assert not matches(book, path)


ROW = [1, 2, 3, 4, 5, "0" * 64]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b"[" * 100_000,
        json.dumps({"file": ROW[1:]}).encode(),
        json.dumps({"file": [*ROW[:5], "0" * 63]}).encode(),
        json.dumps({"file": [*ROW[:5], None]}).encode(),
        json.dumps({"file": ["1", *ROW[1:]]}).encode(),
        json.dumps({"\0": ROW, "\ud800": ROW, "a" * 5000: ROW}).encode(),
        b"\xff",
    ],
)
def test_a_damaged_book_is_ignored_and_replaced(folder: Path, book: Path, data: bytes) -> None:
    book.write_bytes(data)
    (folder / "file").write_bytes(b"some")
    assert matches(book, folder / "file")
    assert list(rows(book)) == ["file"]


def test_a_book_is_written_only_if_it_would_change(folder: Path, book: Path) -> None:
    (folder / "file").write_bytes(b"some")
    assert matches(book, folder / "file")
    first = book.stat().st_ino, book.stat().st_mtime_ns
    assert matches(book, folder / "file")
    assert (book.stat().st_ino, book.stat().st_mtime_ns) == first


def test_rows_of_files_that_are_gone_are_left_out(folder: Path, book: Path) -> None:
    for name in ("gone", "here"):
        (folder / name).write_bytes(b"some")
        assert matches(book, folder / name)
    (folder / "gone").unlink()
    (folder / "new").write_bytes(b"some")
    assert matches(book, folder / "new")
    assert list(rows(book)) == ["here", "new"]


def test_what_several_lanes_write_at_once_is_all_kept(folder: Path, book: Path) -> None:
    paths = [folder / f"file-{number}" for number in range(12)]
    for path in paths:
        path.write_bytes(b"some")
    with ThreadPoolExecutor(6) as threads:
        assert all(threads.map(lambda path: matches(book, path), paths))
    assert set(rows(book)) == {path.name for path in paths}
    assert not list(book.parent.glob(".book.json.*.new"))


def test_a_book_is_bounded(folder: Path, book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hash_book, "MOST_ROWS", 2)
    for name in ("a", "b", "c"):
        (folder / name).write_bytes(b"some")
        assert matches(book, folder / name)
    assert list(rows(book)) == ["b", "c"]


def test_a_book_that_cannot_be_written_is_left_out(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "file").write_bytes(b"some")
    caplog.set_level(logging.DEBUG, "app.models.hash_book")
    assert matches(folder / "file" / "book.json", folder / "file")
    assert "could not be kept" in caplog.text
