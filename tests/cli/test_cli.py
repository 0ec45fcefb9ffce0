"""The command, as a person types it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import jiwer
import pytest

from app.models.weights import WeightsStore
from app.settings.example import example_toml
from app.store.tables import HEAD
from tests.conftest import JFK, JFK_TEXT
from tests.support.server import KEY, Server, free_port, run_cli
from tests.support.sound import decode, wav

COMMANDS = [
    (),
    ("serve",),
    ("transcribe",),
    ("models",),
    ("models", "list"),
    ("models", "pull"),
    ("models", "verify"),
    ("models", "remove"),
    ("models", "export"),
    ("models", "import"),
    ("keys",),
    ("keys", "create"),
    ("keys", "list"),
    ("keys", "revoke"),
    ("db",),
    ("db", "upgrade"),
    ("db", "downgrade"),
    ("db", "current"),
    ("doctor",),
    ("config",),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_teaches(tmp_path: Path, command: tuple[str, ...]) -> None:
    done = run_cli(tmp_path, *command, "--help")
    assert done.returncode == 0
    if command and command not in (("models",), ("keys",), ("db",)):
        assert "Example" in done.stdout
        assert f"antiphon {' '.join(command)}" in done.stdout
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def words() -> jiwer.Compose:
    return jiwer.Compose(
        [jiwer.ToLowerCase(), jiwer.RemovePunctuation(), jiwer.Strip(), jiwer.ReduceToListOfListOfWords()]
    )


@pytest.mark.real
def test_one_file_to_standard_output(storage: Path, words: jiwer.Compose) -> None:
    done = run_cli(storage, "transcribe", str(JFK))
    assert done.returncode == 0, done.stderr
    assert jiwer.wer(JFK_TEXT, done.stdout, reference_transform=words, hypothesis_transform=words) <= 0.05


@pytest.mark.real
def test_standard_input_in_every_format(storage: Path) -> None:
    begins = {"json": '{"text"', "srt": "1\n00:00", "vtt": "WEBVTT\n", "verbose_json": '{"task"'}
    for form, begin in begins.items():
        done = run_cli(storage, "transcribe", "-f", form, "-", stdin=JFK.read_bytes())
        assert done.stdout.startswith(begin), done.stderr
    assert json.loads(done.stdout)["words"]


@pytest.mark.real
def test_folders_and_several_files_at_once(storage: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in" / "deep"
    folder.mkdir(parents=True)
    shutil.copy(JFK, folder / "a.flac")
    shutil.copy(JFK, tmp_path / "in" / "b.flac")
    (tmp_path / "in" / "notes.txt").write_text("no sound")
    (tmp_path / "in" / "broken.mp3").write_bytes(b"no sound either")
    done = run_cli(storage, "transcribe", "-f", "srt", "-o", str(tmp_path / "out"), str(tmp_path / "in"))
    assert done.returncode == 1
    assert "broken.mp3" in done.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a.srt", "b.srt"}


@pytest.mark.real
def test_a_folder_as_the_model(storage: Path, whisper_folder: Path, tmp_path: Path) -> None:
    mine = tmp_path / "my-whisper"
    shutil.copytree(whisper_folder, mine)
    done = run_cli(storage, "transcribe", "--model", str(mine), "--language", "english", str(JFK))
    assert "country" in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("transcribe", "nowhere.wav"), "no file nowhere.wav"),
        (("transcribe", "."), "no audio file"),
        (("transcribe", "--diarize", "-f", "json", str(JFK)), "cannot say who speaks"),
        (("transcribe", "--speaker", "Anna", str(JFK)), "write NAME=FILE"),
        (("transcribe", "--speaker", "Anna=nowhere.wav", str(JFK)), "there is no file nowhere.wav"),
        (("transcribe", "--language", "klingon", str(JFK)), "klingon"),
        (("transcribe", "--model", "nope", str(JFK)), "`nope`"),
        (("transcribe", str(JFK)), "antiphon models pull whisper-base"),
        (("models", "pull", "nope"), "Known: kokoro-82m"),
        (("models", "pull", "../x"), "no model name"),
        (("models", "pull", "--offline"), "antiphon models import"),
        (("models", "export"), "antiphon models pull kokoro-82m"),
        (("keys", "list"), "antiphon db upgrade"),
        (("serve",), "antiphon db upgrade"),
    ],
    ids=lambda value: " ".join(value)[:30],
)
def test_what_is_wrong_is_a_sentence(
    tmp_path: Path, arguments: tuple[str, ...], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    done = run_cli(tmp_path / "data", *arguments)
    assert done.returncode != 0
    assert told in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr


def test_settings_are_checked_at_the_start(tmp_path: Path) -> None:
    done = run_cli(tmp_path, "serve", settings={"SERVER_PROT": "1"})
    assert done.returncode == 1
    assert "Did you mean `ANTIPHON_SERVER_PORT`?" in done.stderr


def test_a_reachable_server_without_keys_is_refused(tmp_path: Path) -> None:
    run_cli(tmp_path, "db", "upgrade")
    done = run_cli(tmp_path, "serve", "--host", "0.0.0.0", "--port", str(free_port()))  # noqa: S104 - to be refused
    assert done.returncode == 1
    assert "antiphon keys create" in done.stderr


def test_keys(tmp_path: Path) -> None:
    run_cli(tmp_path, "db", "upgrade")
    made = run_cli(tmp_path, "keys", "create", "newsroom", "--project", "news")
    assert made.stdout.startswith("sk-")
    key = made.stderr.split()[0]
    listed = run_cli(tmp_path, "keys", "list")
    assert key in listed.stdout
    assert made.stdout.strip() not in listed.stdout
    assert run_cli(tmp_path, "keys", "revoke", key).returncode == 0
    assert run_cli(tmp_path, "keys", "revoke", key).returncode == 1
    assert "revoked" in run_cli(tmp_path, "keys", "list").stdout


def test_database(tmp_path: Path) -> None:
    assert run_cli(tmp_path, "db", "current").stdout.startswith("empty")
    run_cli(tmp_path, "db", "upgrade")
    assert run_cli(tmp_path, "db", "current").stdout.startswith(HEAD)
    run_cli(tmp_path, "db", "downgrade", "base")
    assert run_cli(tmp_path, "db", "current").stdout.startswith("empty")


def test_config_prints_the_example(tmp_path: Path) -> None:
    assert run_cli(tmp_path, "config").stdout == example_toml()


@pytest.mark.real
def test_the_list_tells_what_the_server_has_in_memory(storage: Path, server: Server) -> None:
    settings = {"SERVER_PORT": server.root.rpartition(":")[2], "AUTH_KEYS": KEY}
    lines = run_cli(storage, "models", "list", settings=settings).stdout.splitlines()
    (whisper,) = [line for line in lines if "whisper-base" in line]
    assert "loaded" in whisper
    nobody = run_cli(storage, "models", "list", settings={"SERVER_PORT": str(free_port())})
    assert nobody.returncode == 0
    assert "No server answers" in nobody.stdout


@pytest.mark.real
def test_models_are_carried_to_another_machine(storage: Path, tmp_path: Path) -> None:
    here, offline = tmp_path / "here", {"WEIGHTS_OFFLINE": "true"}
    assert "ready" in run_cli(storage, "models", "list").stdout
    tar = str(tmp_path / "set.tar")
    assert run_cli(storage, "models", "export", "-o", tar).returncode == 0
    assert "absent" in run_cli(here, "models", "list", settings=offline).stdout
    done = run_cli(here, "models", "import", tar, settings=offline)
    assert done.returncode == 0, done.stderr
    assert run_cli(here, "models", "verify").returncode == 0
    model = WeightsStore(here / "weights", hub="").path("whisper-base") / "model.bin"
    with model.open("r+b") as file:
        file.seek(1_000_000)
        byte = file.read(1)
        file.seek(1_000_000)
        file.write(bytes([byte[0] ^ 1]))
    broken = run_cli(here, "models", "verify")
    assert broken.returncode == 1
    assert "model.bin: damaged" in broken.stdout
    refused = run_cli(here, "transcribe", str(JFK), settings=offline)
    assert "are damaged" in refused.stderr
    mirrors = {"WEIGHTS_MIRRORS": str(storage / "weights")}
    repaired = run_cli(here, "models", "pull", settings=offline | mirrors)
    assert repaired.returncode == 0, repaired.stderr
    assert run_cli(here, "models", "verify").returncode == 0
    assert "removed" in run_cli(here, "models", "remove", "whisper-base").stdout


@pytest.mark.real
def test_doctor(storage: Path, tmp_path: Path) -> None:
    port = str(free_port())
    database = f"sqlite:///{tmp_path}/antiphon.db"
    settings = {"SERVER_PORT": port, "STORAGE_DATABASE_URL": database}
    ill = run_cli(storage, "doctor", settings=settings)
    assert ill.returncode == 1
    assert "antiphon db upgrade" in ill.stdout
    run_cli(storage, "db", "upgrade", settings=settings)
    well = run_cli(storage, "doctor", settings=settings)
    assert well.returncode == 0, well.stdout
    for part in ("Python", "Codecs", "Weights", "Database", "GPU", "Port"):
        assert part in well.stdout


@pytest.mark.real
def test_transcribe_says_who_speaks(storage: Path, tmp_path: Path) -> None:
    """And who spoke how much, in a table beside the transcript."""
    done = run_cli(
        storage, "transcribe", "--speaker", f"Jack={clip(tmp_path)}", "-f", "diarized_json", str(JFK)
    )
    assert done.returncode == 0, done.stderr
    segments = json.loads(done.stdout)["segments"]
    assert {segment["speaker"] for segment in segments} == {"Jack"}
    assert "share" in done.stderr
    assert "100 %" in done.stderr


def clip(folder: Path) -> Path:
    """Five seconds of the same speaker."""
    path = folder / "jack.wav"
    path.write_bytes(wav(decode(JFK.read_bytes())[: 5 * 16_000]))
    return path
