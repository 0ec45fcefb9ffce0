"""The lists of models, the health checks, and API keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.container import Container, StartRefused, check_exposure
from app.main import create_app
from app.runtime import memory_shortage, model_life
from app.settings import Settings
from app.settings.load import load_settings
from app.settings.server import is_loopback
from engines.errors import WeightsBroken, import_failure
from engines.types import EngineOptions
from tests.support.fake_engines import EchoTranscriber
from tests.support.migrated_database import migrated
from tests.support.sound import tone, wav
from tests.support.waiting import until


async def test_models_are_listed_and_found_as_listed(client: httpx2.AsyncClient) -> None:
    listing = (await client.get("/models")).json()
    assert set(listing) == {"object", "data"}
    for model in listing["data"]:
        assert set(model) - {"state"} == {"id", "object", "created", "owned_by"}
        assert (await client.get(f"/models/{model['id']}")).json() == model


async def test_models_tell_whether_they_are_in_memory(client: httpx2.AsyncClient) -> None:
    async def state() -> object:
        return (await client.get("/models/whisper-1")).json().get("state")

    assert await state() == "idle"
    sound = {"file": wav(tone(1))}
    assert (await client.post("/audio/transcriptions", data={"model": "whisper-1"}, files=sound)).is_success
    assert await state() == "loaded"
    voices_decide = (await client.get("/models/tts-1")).json()
    assert "state" not in voices_decide


async def test_a_model_with_a_slash(client: httpx2.AsyncClient, container: Container) -> None:
    folder = container.settings.weights_folder / "owner--small"
    folder.mkdir(parents=True)
    (folder / "model.bin").write_bytes(b"x")
    for name in ("owner/small", "owner%2Fsmall"):
        assert (await client.get(f"/models/{name}")).json()["id"] == "owner/small"
    assert container.registry.resolve("owner/small").folder == folder


async def test_every_default_name_is_served() -> None:
    names = set(Settings().models.aliases)
    assert {"whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe", "gpt-transcribe"} <= names


async def test_health(client: httpx2.AsyncClient) -> None:
    assert (await client.get("http://test/health/live")).json()["status"] == "live"
    assert (await client.get("http://test/health/ready")).status_code == 200


async def test_not_ready_says_why(settings: Settings) -> None:
    models = settings.models.model_copy(update={"preload": ("whisper-base",)})
    container = Container(settings.model_copy(update={"models": models}))
    container.runner.preload([container.registry.resolve("whisper-base")])
    transport = httpx2.ASGITransport(create_app(container))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:

        async def says_why() -> bool:
            answer = await client.get("/health/ready")
            assert answer.status_code == 503
            return "antiphon models pull whisper-base" in answer.text

        await until(says_why)
    await container.close()


@pytest.mark.slow
@pytest.mark.covered
async def test_readiness_recovers_without_a_request(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights are copied in late. A load balancer sends no request meanwhile that could try to load them
    again.
    """
    monkeypatch.setattr(model_life, "FIRST_PAUSE_SECONDS", 0.05)
    migrated(settings.database_url)
    there = tmp_path / "copied"

    def load(folder: Path, options: EngineOptions) -> EchoTranscriber:
        if not there.exists():
            raise WeightsBroken("The weights are not there yet.")
        return EchoTranscriber()

    models = settings.models.model_copy(update={"preload": ("whisper-1",)})
    container = Container(settings.model_copy(update={"models": models}), lambda _: load)
    container.runner.preload([container.registry.resolve("whisper-1")])
    transport = httpx2.ASGITransport(create_app(container))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:

        async def told(status: int, words: str) -> None:
            async def says() -> bool:
                answer = await client.get("/health/ready")
                return answer.status_code == status and words in answer.text

            await until(says, what=f"readiness is {status} with {words!r}")

        await told(503, "not there yet")
        there.touch()
        await told(200, "ready")
    await container.close()


async def test_memory_that_was_refused_is_a_503_and_readiness_says_so(
    client: httpx2.AsyncClient,
    container: Container,
    engine: EchoTranscriber,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.services.readiness.FRESH_SECONDS", 0.0)
    form: dict[str, Any] = {"data": {"model": "whisper-1"}, "files": {"file": ("a", wav(tone(1)))}}
    engine.failure = RuntimeError("CUDA failed with error out of memory")
    answer = await client.post("/audio/transcriptions", **form)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "out_of_memory")
    assert int(answer.headers["retry-after"]) > 0
    assert "installed" not in answer.text
    ready = await client.get("http://test/health/ready")
    assert (ready.status_code, list(ready.json()["problems"])) == (503, ["memory"])
    engine.failure = None
    monkeypatch.setattr(memory_shortage, "LASTS_SECONDS", 0.0)
    assert (await client.get("http://test/health/ready")).status_code == 200
    assert (await client.post("/audio/transcriptions", **form)).status_code == 200


async def test_a_detector_whose_library_finds_no_memory_is_not_called_absent(
    client: httpx2.AsyncClient, container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused() -> None:
        raise import_failure(ImportError("failed to map segment from shared object"), "silero", "whisper")

    monkeypatch.setattr(container.runner, "detect", refused)
    data = {"model": "whisper-1", "chunking_strategy": "auto"}
    answer = await client.post("/audio/transcriptions", data=data, files={"file": ("a", wav(tone(1)))})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "out_of_memory")


async def test_absent_weights_are_503_with_the_command(
    client: httpx2.AsyncClient, container: Container
) -> None:
    answer = await client.post(
        "/audio/transcriptions", data={"model": "whisper-base"}, files={"file": ("a", wav(tone(1)))}
    )
    assert answer.status_code == 503
    assert "antiphon models pull whisper-base" in answer.json()["error"]["message"]
    assert answer.headers["retry-after"]


async def test_keys_are_asked_for_on_every_path_of_the_api(container: Container) -> None:
    _, secret = await container.keys.create("a")
    transport = httpx2.ASGITransport(create_app(container))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        for path in ("/v1", "/v1/models", "/v1/no/such", "/v1/audio/speech"):
            refused = await client.get(path)
            assert refused.status_code == 401
            assert set(refused.json()["error"]) == {"message", "type", "param", "code"}
        allowed = await client.get("/v1/models", headers={"authorization": f"Bearer {secret}"})
        assert allowed.status_code == 200
        assert (await client.get("/health/live")).status_code == 200


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104 - the address is what is tested
        ("::", False),
        ("192.168.1.2", False),
        ("example.org", False),
        ("", False),
    ],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


async def test_an_open_server_listens_to_itself_only(container: Container) -> None:
    def settings(**environment: str) -> Settings:
        return load_settings(None, {"ANTIPHON_SERVER_HOST": "192.168.1.2", **environment})

    with pytest.raises(StartRefused, match="antiphon keys create"):
        await check_exposure(settings(), container.keys)
    await check_exposure(settings(ANTIPHON_AUTH_ALLOW_OPEN="true"), container.keys)
    await container.keys.create("a")
    await check_exposure(settings(), container.keys)


async def test_the_openapi_document_tells_the_form(
    client: httpx2.AsyncClient, engine: EchoTranscriber
) -> None:
    document = (await client.get("http://test/openapi.json")).json()
    form = document["paths"]["/v1/audio/transcriptions"]["post"]["requestBody"]["content"][
        "multipart/form-data"
    ]
    assert {"file", "model", "stream", "timestamp_granularities[]"} <= set(form["schema"]["properties"])
    assert form["schema"]["properties"]["beam_size"]["x-antiphon-extension"]


async def test_metrics_tell_of_models(client: httpx2.AsyncClient) -> None:
    speech = {"model": "tts-1", "voice": "alloy", "input": "Good morning."}
    assert (await client.post("/audio/speech", json=speech)).status_code == 200
    answer = await client.get("http://test/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'antiphon_batch_rows_count{model="tones"} 1.0' in answer.text
    assert "Good morning" not in answer.text


async def test_a_dead_alias_is_told_at_the_start_and_not_listed(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    aliases = settings.models.aliases | {"whisper-tiny": "nowhere"}
    models = settings.models.model_copy(update={"aliases": aliases})
    container = Container(settings.model_copy(update={"models": models}))
    migrated(settings.database_url)
    with caplog.at_level("WARNING"):
        await container.open()
    (told,) = [line for line in caplog.messages if "nowhere" in line]
    assert "`whisper-tiny` of `models.aliases` has no effect" in told
    assert "whisper-tiny" not in [model.id for model in container.registry.listing()]
    await container.close()


async def test_an_unknown_preload_advises_a_command_that_works(settings: Settings) -> None:
    models = settings.models.model_copy(update={"preload": ("whisper-tiny",)})
    container = Container(settings.model_copy(update={"models": models}))
    migrated(settings.database_url)
    with pytest.raises(StartRefused, match="antiphon models pull Systran/faster-whisper-tiny"):
        await container.open()
    await container.close()
