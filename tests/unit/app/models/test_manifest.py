"""Manifests from strangers: each invalid one is refused with a message that says what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.models.errors import WeightsError
from app.models.manifest import MANIFEST, find_manifest, manifest_bytes, read_manifest
from tests.support.toy_model import TOY

GOOD: dict[str, Any] = json.loads(manifest_bytes(TOY))
HASH = "a" * 64


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "not valid JSON"),
        (b"[]", "not a JSON object"),
        (b"7", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b"[" * 900_000, "not valid JSON"),
        (b'{"a":' * 100_000, "not valid JSON"),
        (b"9" * 10_000, "not valid JSON"),
        (b"\xff\xfe\x00", "not valid JSON"),
        (b" " * 2_000_000 + b"{}", "longer than 1 MiB"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_is_no_manifest(data: bytes, told: str) -> None:
    with pytest.raises(WeightsError, match=told):
        read_manifest("toy", data)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"kind": "virus"}, "`kind` must be one of"),
        ({"kind": ["speech"]}, "`kind` must be one of"),
        ({"engine": 7}, "`engine` must be a text"),
        ({"title": "x" * 300}, "`title` must be a text"),
        ({"created": "now"}, "`created` must be"),
        ({"created": True}, "`created` must be"),
        ({"hub": []}, "`hub` must have"),
        ({"hub": {"repo": "a/b"}}, "`hub` must have"),
        ({"hub": {"repo": "a/b", "revision": "c", "host": "d"}}, "`hub` must have"),
        ({"files": []}, "`files` must name"),
        ({"files": {}}, "`files` must name"),
        ({"files": {str(number): {} for number in range(2000)}}, "`files` must name 1 to 1000"),
        ({"files": {"a": 7}}, "must have a `size`"),
        ({"files": {"a": {"size": -1, "sha256": HASH}}}, "must have a `size`"),
        ({"files": {"a": {"size": 1.5, "sha256": HASH}}}, "must have a `size`"),
        ({"files": {"a": {"size": 1 << 60, "sha256": HASH}}}, "must have a `size`"),
        ({"files": {"a": {"size": 1}}}, "must have a `sha256`"),
        ({"files": {"a": {"size": 1, "sha256": ""}}}, "must have a `sha256`"),
        ({"files": {"a": {"size": 1, "sha256": HASH.upper()}}}, "must have a `sha256`"),
        ({"files": {"a": {"size": 1, "sha256": HASH, "url": "x"}}}, "nothing but"),
        ({"files": {"../a": {"size": 1, "sha256": HASH}}}, "not the name of a file"),
        ({"files": {"a/b/c": {"size": 1, "sha256": HASH}}}, "not the name of a file"),
        ({"files": {"a\n": {"size": 1, "sha256": HASH}}}, "not the name of a file"),
        ({"files": {MANIFEST: {"size": 1, "sha256": HASH}}}, "not the name of a file"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_values_that_a_manifest_may_not_have(change: dict[str, Any], told: str, tmp_path: Path) -> None:
    data = json.dumps(GOOD | change).encode()
    with pytest.raises(WeightsError, match=told):
        read_manifest("toy", data)
    (tmp_path / MANIFEST).write_bytes(data)
    assert find_manifest("toy", tmp_path) is None


def test_a_manifest_names_no_place_to_fetch_from() -> None:
    extra = {"packages": {"evil": {"name": "evil"}}, "starter": True, "anything": [[[]]]}
    assert read_manifest("toy", json.dumps(GOOD | extra).encode()) == read_manifest(
        "toy", manifest_bytes(TOY)
    )


def test_no_manifest(tmp_path: Path) -> None:
    assert find_manifest("toy", tmp_path) is None
    (tmp_path / MANIFEST).mkdir()
    assert find_manifest("toy", tmp_path) is None
