"""Settings: which source takes precedence, and the messages about wrong ones."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from app.settings import Settings
from app.settings.load import SettingsError, groups, load_settings, variable


def load(tmp_path: Path, text: str = "", **environment: str) -> Settings:
    file = tmp_path / "config.toml"
    file.write_text(text)
    return load_settings(file, environment)


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    text = "[server]\nport = 1\nhost = '127.0.0.2'\n"
    settings = load(tmp_path, text, ANTIPHON_SERVER_PORT="2")
    assert (settings.server.port, settings.server.host) == (2, "127.0.0.2")


@pytest.mark.parametrize("text", ["a,b", "a, b", '["a", "b"]'])
def test_lists_in_the_environment(tmp_path: Path, text: str) -> None:
    assert load(tmp_path, ANTIPHON_AUTH_KEYS=text).auth.keys == ("a", "b")


def test_tables_in_the_environment(tmp_path: Path) -> None:
    settings = load(tmp_path, ANTIPHON_MODELS_ALIASES='{ "whisper-1" = "x" }')
    assert settings.models.aliases["whisper-1"] == "x"


def test_tables_add_to_the_default_ones(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        ANTIPHON_MODELS_ALIASES='{ "mine" = "x", "gpt-transcribe" = "" }',
        ANTIPHON_SPEECH_MODELS='{ "say" = "fast", "tts-1" = "" }',
        ANTIPHON_SPEECH_VOICES='{ "ann" = ["af_heart"], "alloy" = [] }',
    )
    assert settings.models.aliases["mine"] == "x"
    assert settings.models.aliases["whisper-1"] == "whisper-base"
    assert "gpt-transcribe" not in settings.models.aliases
    assert settings.speech.models["say"] == "fast"
    assert settings.speech.models["tts-1-hd"] == "best"
    assert "tts-1" not in settings.speech.models
    assert settings.speech.voices["ann"] == ("af_heart",)
    assert "echo" in settings.speech.voices
    assert "alloy" not in settings.speech.voices


@pytest.mark.parametrize("value", ["7", '"x"', "[]", '{ "a" = 7 }'])
def test_what_is_no_table(tmp_path: Path, value: str) -> None:
    with pytest.raises(SettingsError):
        load(tmp_path, ANTIPHON_MODELS_ALIASES=value)


@pytest.mark.parametrize(
    ("text", "environment", "told"),
    [
        ("[server]\nprot = 1", {}, ("server.prot", "server.port")),
        ("[sever]\nport = 1", {}, ("sever", "server")),
        ("port = 1", {}, ("port", "server.port")),
        ("server = 1", {}, ("server",)),
        ("server = 1", {"ANTIPHON_SERVER_PORT": "1"}, ("[server]",)),
        ("[server]\nport = 'x'", {}, ("server.port",)),
        ("[server]\nport = 70000", {}, ("server.port",)),
        ("[server", {}, ("not valid TOML",)),
        ("[auth]\nkeys = ['a b']", {}, ("auth.keys",)),
        ("", {"ANTIPHON_SERVER_PROT": "1"}, ("ANTIPHON_SERVER_PROT", "ANTIPHON_SERVER_PORT")),
        ("", {"ANTIPHON_MODELS_ALIASES": "x"}, ("ANTIPHON_MODELS_ALIASES",)),
    ],
)
def test_what_is_wrong_is_named_with_the_nearest(
    tmp_path: Path, text: str, environment: dict[str, str], told: tuple[str, ...]
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, text, **environment)
    for part in told:
        assert part in str(caught.value)


def test_secrets_are_read_from_files(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("sk-one\nsk-two\n")
    assert load(tmp_path, ANTIPHON_AUTH_KEYS_FILE=str(secret)).auth.keys == ("sk-one", "sk-two")
    secret.write_text("postgresql://user:word@host/name\n")
    settings = load(tmp_path, ANTIPHON_STORAGE_DATABASE_URL_FILE=str(secret))
    assert settings.database_url == "postgresql://user:word@host/name"


def test_every_setting_can_be_in_a_file_of_its_own(tmp_path: Path) -> None:
    environment = {}
    for group, model in groups().items():
        for key, field in model.model_fields.items():
            file = tmp_path / f"{group}.{key}"
            file.write_text(_as_variable(field.default) + "\n")
            environment[f"{variable(group, key)}_FILE"] = str(file)
    assert len(environment) > 80
    assert load(tmp_path, **environment) == Settings()


def _as_variable(value: object) -> str:
    """A default value as it is written into an environment variable."""
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{json.dumps(name)} = {json.dumps(item)}" for name, item in value.items()) + "}"
        )
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def test_an_empty_file_is_an_empty_value(tmp_path: Path) -> None:
    """compose.yaml gives every container files for its secrets; they are empty where none is needed."""
    empty = tmp_path / "empty"
    empty.touch()
    names = ("AUTH_KEYS", "STORAGE_DATABASE_URL")
    assert load(tmp_path, **{f"ANTIPHON_{name}_FILE": str(empty) for name in names}) == Settings()


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        (
            {"ANTIPHON_AUTH_KEYS_FILE": "/nowhere/keys"},
            "ANTIPHON_AUTH_KEYS_FILE: /nowhere/keys cannot be read",
        ),
        ({"ANTIPHON_AUTH_KEYS_FILE": "a", "ANTIPHON_AUTH_KEYS": "b"}, "both set"),
        ({"ANTIPHON_AUTH_KEY_FILE": "a"}, "Did you mean `ANTIPHON_AUTH_KEYS`"),
    ],
)
def test_a_secret_that_cannot_be_read_is_told(tmp_path: Path, environment: dict[str, str], told: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(told)):
        load(tmp_path, **environment)


def test_a_secret_file_is_bounded_text(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    for data, told in ((b"x" * 2_000_000, "longer than"), (b"\xff\xfe\x00", "not UTF-8")):
        secret.write_bytes(data)
        with pytest.raises(SettingsError, match=told):
            load(tmp_path, ANTIPHON_AUTH_KEYS_FILE=str(secret))


@pytest.mark.parametrize(
    "name",
    ["SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT", "PORT_8000_TCP", "PORT_8000_TCP_ADDR"],
)
def test_links_to_a_service_of_our_name_are_no_settings(tmp_path: Path, name: str) -> None:
    assert load(tmp_path, **{f"ANTIPHON_{name}": "tcp://10.0.0.1:8000"}) == Settings()


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(tmp_path / "none.toml", {})
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(None, {"ANTIPHON_CONFIG": str(tmp_path / "none.toml")})


@pytest.mark.parametrize("endpoint", ["collector:4318", "ftp://collector", "http://"])
def test_the_endpoint_of_traces_is_a_url(endpoint: str) -> None:
    with pytest.raises(SettingsError, match="http://"):
        load_settings(environment={"ANTIPHON_TRACING_ENDPOINT": endpoint})


@pytest.mark.parametrize(("given", "numbers"), [("1", (1,)), ("0,1", (0, 1)), ("", ()), ("[2]", (2,))])
def test_gpus_in_the_environment(
    given: str, numbers: tuple[int, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANTIPHON_TRANSCRIPTION_DEVICE_INDEX", given)
    assert load_settings().transcription.device_index == numbers
