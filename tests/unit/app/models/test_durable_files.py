"""Hashes of files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from app.models import durable_files


def read_again(_file: object, _name: str) -> object:
    raise AssertionError("the file was read again")


def test_a_file_that_has_not_changed_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable_files, "SETTLED_SECONDS", -1.0)
    path = tmp_path / "weights"
    path.write_bytes(b"some")
    digest = durable_files.hash_of(path)
    assert digest == hashlib.sha256(b"some").hexdigest()
    with monkeypatch.context() as patch:
        patch.setattr(hashlib, "file_digest", read_again)
        assert durable_files.hash_of(path) == digest
        path.write_bytes(b"more of it")
        with pytest.raises(AssertionError):
            durable_files.hash_of(path)


def test_a_file_that_was_just_written_is_read_each_time(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    for data in (b"some", b"else"):  # of one size, and perhaps with one time
        path.write_bytes(data)
        assert durable_files.hash_of(path) == hashlib.sha256(data).hexdigest()
