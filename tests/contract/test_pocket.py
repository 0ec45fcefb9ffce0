"""Cloned voices, by a small model of the real architecture with random weights: it only hums."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from app.models.registry import Registry
from engines import catalog, pocket
from engines.errors import EngineError, WeightsBroken
from engines.types import EngineOptions, Pcm, SpeakerSample, Utterance
from tests.support.pocket_model import write_pocket_model
from tests.support.server import running

pytestmark = pytest.mark.real
MIB = 1 << 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pocket") / "pocket-tts"
    write_pocket_model(made)
    return made


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[pocket.PocketSynthesizer]:
    made = pocket.load(folder, EngineOptions())
    yield made
    made.close()


def sample(seconds: float) -> SpeakerSample:
    sound = np.random.default_rng(3).normal(0, 0.1, int(seconds * pocket.RATE)).astype(np.float32)
    return SpeakerSample(Pcm(sound, pocket.RATE), np.ones(256, np.float32), "en-US")


def test_a_profile_is_made_once_and_speaks(engine: pocket.PocketSynthesizer) -> None:
    profile = catalog.voice_cloner("pocket-tts").enroll(sample(7), engine)
    assert profile.engine == "pocket-tts"
    assert 0 < len(profile.data) < 10 * MIB
    spoken = engine.synthesize(Utterance("Good morning to you.", "", "en-US", profile.data))
    assert spoken.rate == 24_000
    assert 0.3 < spoken.seconds < 30
    assert np.isfinite(spoken.samples).all()


def test_long_samples_are_bounded(engine: pocket.PocketSynthesizer) -> None:
    at_most = pocket.enroll(sample(pocket.LONGEST_SAMPLE), engine)
    assert len(pocket.enroll(sample(30), engine).data) == len(at_most.data)


def test_a_state_is_ready_in_milliseconds(engine: pocket.PocketSynthesizer) -> None:
    profile = pocket.enroll(sample(10), engine)
    began = time.perf_counter()
    first = engine._state(profile.data)
    assert engine._state(profile.data) is first
    assert time.perf_counter() - began < 5  # usually a millisecond; the bound is for machines that stall


@pytest.mark.parametrize("text", ["", "...", "\0", "😀", "Привет.", "x" * 300])
def test_any_text(engine: pocket.PocketSynthesizer, text: str) -> None:
    profile = pocket.enroll(sample(2), engine)
    assert engine.synthesize(Utterance(text, "", "en-US", profile.data)).rate == 24_000


def test_what_cannot_be(engine: pocket.PocketSynthesizer, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsBroken):
        engine.synthesize(Utterance("Hello.", "", "en-US", b"no profile"))
    with pytest.raises(EngineError):
        engine.synthesize(Utterance("Hello.", "nobody", "en-US"))
    with pytest.raises(EngineError):
        pocket.enroll(sample(0.5), engine)
    with pytest.raises(EngineError):
        pocket.enroll(sample(2), None)
    shutil.copytree(folder, tmp_path / "broken")
    (tmp_path / "broken/model.safetensors").write_bytes(b"no weights")
    with pytest.raises(WeightsBroken):
        pocket.load(tmp_path / "broken", EngineOptions())


def test_stock_voices_lie_beside_the_model(engine: pocket.PocketSynthesizer, folder: Path) -> None:
    assert pocket.voices(folder) == ()
    (folder / "alba.safetensors").write_bytes(pocket.enroll(sample(3), engine).data)
    assert [voice.name for voice in pocket.voices(folder)] == ["alba"]
    assert engine.synthesize(Utterance("Hello.", "alba", "en-US")).seconds > 0.3
    (folder / "alba.safetensors").unlink()
    assert Registry({}, folder.parent).resolve("pocket-tts").kind == "speech"


def test_a_cloned_voice_over_http(storage: Path, folder: Path, tmp_path: Path) -> None:
    """A voice is created from a consent and a sample, speaks, and is deleted, on a server that clones."""
    weights = tmp_path / "storage/weights"
    weights.mkdir(parents=True)
    for model in (storage / "weights").iterdir():
        if not model.name.startswith("."):
            (weights / model.name).symlink_to(model)
    (weights / "pocket-tts").symlink_to(folder)
    settings = {
        "STORAGE_DATABASE_URL": f"sqlite:///{tmp_path}/antiphon.db",
        "VOICES_CLONER": "pocket-tts",
        "VOICES_PHRASE_CHECK": "warn",
    }
    with (
        running(tmp_path / "storage", tmp_path / "log", ready=True, **settings) as server,
        server.client() as client,
    ):
        body = {
            "model": "tts-1",
            "voice": "cedar",
            "input": "The library closes at nine.",
            "response_format": "wav",
        }
        speech = client.post("/audio/speech", json=body).content
        files = {"recording": ("r.wav", speech)}
        form = {"name": "Ann", "language": "en-US"}
        consent = client.post("/audio/voice_consents", data=form, files=files).json()["id"]
        made = client.post(
            "/audio/voices",
            data={"name": "Ann", "consent": consent},
            files={"audio_sample": ("s.wav", speech)},
        )
        assert made.status_code == 200, made.text
        voice = made.json()["id"]
        told = client.get(f"/audio/voices/{voice}").json()
        assert (told["cloner"], told["engine"], told["model"]) == ("pocket-tts",) * 3
        assert "matched_voice" not in told
        spoken = client.post("/audio/speech", json=body | {"voice": {"id": voice}, "response_format": "pcm"})
        assert spoken.status_code == 200
        assert len(spoken.content) > 24_000
        client.delete(f"/audio/voice_consents/{consent}")
        assert client.post("/audio/speech", json=body | {"voice": {"id": voice}}).status_code == 404
