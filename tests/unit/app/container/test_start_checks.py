"""What a setting names must exist, or the server does not start and says which setting it was."""

from __future__ import annotations

import ast
import asyncio
import dataclasses
import inspect
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest

from app.container import Container, StartRefused, builders, model_registry, start_checks
from app.container.start_checks import check_models, check_ray, check_replicas, check_spelling, check_tracing
from app.services import consents, diarization, speech, transcription, voices
from app.services.use_cases import UseCases
from app.settings import Settings
from tests.conftest import ROOT
from tests.support.migrated_database import migrated


def changed(settings: Settings, group: str, **values: Any) -> Settings:
    old = getattr(settings, group)
    return settings.model_copy(update={group: old.model_copy(update=values)})


TYPOS: list[tuple[str, str, Any]] = [
    ("diarization", "model", "pyannote-startr"),
    ("diarization", "model", "owner/no-such-pipeline"),
    ("diarization", "model", "/no/such/folder"),
    ("voices", "phrase_model", "whisper-bse"),
    ("voices", "cloner", "kokoro-mtch"),
    ("voices", "cloner_model", "kokoro-82"),
    ("models", "preload", ("whisper-bse",)),
]


@pytest.mark.parametrize(("group", "name", "value"), TYPOS, ids=range(len(TYPOS)))
def test_a_typo_stops_the_start(settings: Settings, group: str, name: str, value: Any) -> None:
    wrong = changed(settings, group, **{name: value})
    with pytest.raises(StartRefused) as caught:
        check_models(wrong, model_registry(wrong))
    assert f"`{group}.{name}`" in str(caught.value)
    assert str(value[0] if isinstance(value, tuple) else value) in str(caught.value)


@pytest.mark.parametrize(("group", "name", "value"), TYPOS[:1] + TYPOS[3:4] + TYPOS[5:], ids=range(4))
def test_a_typo_is_told_before_anything_is_fetched(
    settings: Settings, group: str, name: str, value: Any
) -> None:
    wrong = changed(settings, group, **{name: value})
    with pytest.raises(StartRefused, match=f"`{group}.{name}` names") as caught:
        check_spelling(wrong, model_registry(wrong))
    assert "the operator" not in str(caught.value).lower(), "it is the operator who reads it"
    pulled = changed(settings, "diarization", model="owner/not-yet-here")
    check_spelling(pulled, model_registry(pulled))


def test_what_exists_starts(settings: Settings, tmp_path: Path) -> None:
    check_models(settings, model_registry(settings))
    (settings.weights_folder / "owner--pipeline").mkdir()
    for model in ("owner/pipeline", str(tmp_path), "pyannote-starter"):
        right = changed(settings, "diarization", model=model)
        check_models(right, model_registry(right))


async def test_readiness_tells_the_database(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrated(settings.database_url)
    container = Container(settings)
    assert "database" not in await container.services.readiness.look()
    monkeypatch.setattr("app.store.database.free_bytes", lambda _: 0.0)
    assert "full" in (await container.services.readiness.look())["database"]
    monkeypatch.undo()
    file = tmp_path / "antiphon.db"
    await asyncio.to_thread(file.rename, tmp_path / "gone.db")
    assert "gone" in (await container.services.readiness.look())["database"]
    await container.close()


@pytest.mark.parametrize("module", [consents, diarization, speech, transcription, voices, builders])
def test_rules_go_by_name(module: ModuleType) -> None:
    """Rules take their values by name only: if two numbers of the same type were swapped by position, nobody
    would notice.
    """
    for name, kind in inspect.getmembers(module, inspect.isclass):
        if name.endswith("Rules") and kind.__module__ == module.__name__:
            assert all(field.kw_only for field in dataclasses.fields(cast("Any", kind))), name


def test_routes_see_use_cases_alone() -> None:
    """What a route reaches by `services` is a use case; what reads requests comes as `intake`. Of the app's
    state, only `deps` reads more than whether the server is stopping.
    """
    known = {field.name for field in dataclasses.fields(UseCases)}
    reaching: dict[str, set[str]] = {}
    for path in sorted((ROOT / "app/api").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value).endswith("services"):
                reaching.setdefault(path.stem, set()).add(node.attr)
            if isinstance(node, ast.Attribute) and ast.unparse(node.value).endswith(".state"):
                assert path.stem == "deps" or node.attr in ("stopping", "services"), path
    assert len(reaching) >= 8
    assert not {name: attributes - known for name, attributes in reaching.items() if attributes - known}


async def test_several_servers_need_postgresql(settings: Settings) -> None:
    several = changed(settings, "server", replicas=2)
    container = Container(several)
    with pytest.raises(StartRefused, match=r"`server.replicas` is 2, and the database is SQLite"):
        await container.open()
    await container.close()
    check_replicas(changed(several, "storage", database_url="postgresql://db/antiphon"))


def test_traces_need_their_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = changed(Settings(), "tracing", endpoint="http://127.0.0.1:4318")
    check_tracing(wanted)
    monkeypatch.setattr(start_checks, "tracing_installed", lambda: False)
    check_tracing(Settings())
    with pytest.raises(StartRefused, match="OTEL=1"):
        check_tracing(wanted)


def test_a_ray_cluster_needs_its_extra_and_a_token(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = changed(settings, "runtime", placement="ray")
    monkeypatch.delenv("RAY_AUTH_TOKEN_PATH", raising=False)
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(start_checks, "find_spec", lambda _: None)
    check_ray(settings)
    with pytest.raises(StartRefused, match="RAY=1"):
        check_ray(wanted)
    monkeypatch.setattr(start_checks, "find_spec", lambda name: name)
    with pytest.raises(StartRefused, match="no token"):
        check_ray(wanted)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    with pytest.raises(StartRefused, match="cannot read it"):
        check_ray(wanted)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "of the cluster")
    check_ray(wanted)
