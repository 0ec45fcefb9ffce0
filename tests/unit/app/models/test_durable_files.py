"""Hashes of files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from app.models import durable_files


def read_again(_file: object, _name: str) -> object:
    raise AssertionError("the file was read again")


def test_a_file_that_was_right_and_has_not_changed_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable_files, "SETTLED_SECONDS", -1.0)
    path = tmp_path / "weights"
    path.write_bytes(b"some")
    digest = hashlib.sha256(b"some").hexdigest()
    assert durable_files.has_hash(path, digest)
    with monkeypatch.context() as patch:
        patch.setattr(hashlib, "file_digest", read_again)
        assert durable_files.has_hash(path, digest)
        with pytest.raises(AssertionError):
            durable_files.has_hash(path, "0" * 64)
        path.write_bytes(b"more of it")
        with pytest.raises(AssertionError):
            durable_files.has_hash(path, digest)


def test_a_file_that_was_wrong_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable_files, "SETTLED_SECONDS", -1.0)
    path = tmp_path / "weights"
    path.write_bytes(b"some")
    assert not durable_files.has_hash(path, "0" * 64)
    monkeypatch.setattr(hashlib, "file_digest", read_again)
    with pytest.raises(AssertionError):
        durable_files.has_hash(path, "0" * 64)


def test_a_file_that_was_just_written_is_read_each_time(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    digest = hashlib.sha256(b"some").hexdigest()
    for data in (b"some", b"else"):  # of one size, and perhaps with one time
        path.write_bytes(data)
        assert durable_files.has_hash(path, digest) == (data == b"some")


def test_a_file_is_written_without_following_a_link_and_leaves_nothing_beside(tmp_path: Path) -> None:
    other, path = tmp_path / "other", tmp_path / "in" / "book.json"
    other.write_bytes(b"mine")
    path.parent.mkdir()
    path.with_name(".book.json.new").symlink_to(other)
    path.symlink_to(other)
    durable_files.write_atomically(path, b"new")
    assert (other.read_bytes(), path.read_bytes(), path.is_symlink()) == (b"mine", b"new", False)
    assert {one.name for one in path.parent.iterdir()} == {".book.json.new", "book.json"}
