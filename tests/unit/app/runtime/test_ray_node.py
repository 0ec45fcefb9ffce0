from __future__ import annotations

from pathlib import Path

import pytest

from app.runtime.ray_node import found_token, kept_token, token_file


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def test_a_token_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    file = token_file(tmp_path)
    token = kept_token(file)
    assert len(token) == 64
    assert kept_token(file) == token
    assert file.stat().st_mode & 0o777 == 0o600


def test_where_a_token_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found_token(tmp_path) is None
    own = tmp_path / "home" / ".ray" / "auth_token"
    own.parent.mkdir(parents=True)
    own.write_text("ray's\n")
    assert found_token(tmp_path) == "ray's"
    assert found_token(tmp_path) == "ray's"
    made = kept_token(token_file(tmp_path))
    assert found_token(tmp_path) == made
    named = tmp_path / "named"
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(named))
    assert found_token(tmp_path) is None, (
        "another token than the one that is named would be of another cluster"
    )
    named.write_text("named")
    assert found_token(tmp_path) == "named"
    monkeypatch.setenv("RAY_AUTH_TOKEN", "told")
    assert found_token(tmp_path) == "told"
