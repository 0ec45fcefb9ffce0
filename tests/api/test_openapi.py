"""/openapi.json describes everything that the server offers, and a client generated from it can use all of
it.
"""

from __future__ import annotations

import importlib
import io
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import httpx
import httpx2
import numpy as np
import pytest
from jsonschema import Draft202012Validator

from app.api.openapi_document import OPERATIONS
from app.audio.cut_windows import EverythingIsSpeech
from app.container import Container
from app.domain import ModelSpec
from app.main import create_app
from app.runtime.admission import Permit
from app.services import consents
from app.settings import Settings
from app.text.consent_phrases import PhraseMatch
from app.wire import request_fields as table
from app.wire.field_row import AUDIO_FORMATS, FORMATS, RENDER_FORMATS, Endpoint
from engines.kokoro.match import SPEAKERS
from engines.types import Pcm, Samples
from tests.conftest import ROOT
from tests.support.fake_diarizer import ToneDiarization, ToneDiarizer
from tests.support.fake_engines import EchoTranscriber, engines_of
from tests.support.migrated_database import migrated
from tests.support.sound import tone, wav

pytestmark = pytest.mark.slow

CLIENT = "generated_client"


@pytest.fixture
def document(container: Container) -> dict[str, Any]:
    return create_app(container).openapi()


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def body(document: dict[str, Any], endpoint: Endpoint) -> dict[str, Any]:
    (key,) = [key for key, operation in OPERATIONS.items() if operation.endpoint == endpoint]
    method, path = key
    operation = document["paths"][path][method]
    if not OPERATIONS[key].body:
        return {"properties": {p["name"]: p["schema"] for p in operation["parameters"]}, "required": []}
    schema: dict[str, Any] = operation["requestBody"]["content"][OPERATIONS[key].body]["schema"]
    return schema


async def test_it_is_served_as_it_is_made(client: httpx2.AsyncClient, document: dict[str, Any]) -> None:
    answer = await client.get("http://test/openapi.json")
    assert answer.status_code == 200
    assert answer.json() == json.loads(json.dumps(document))


@pytest.mark.parametrize("endpoint", get_args(Endpoint))
def test_it_has_every_field_of_the_table_and_no_other(document: dict[str, Any], endpoint: Endpoint) -> None:
    schema = body(document, endpoint)
    rows = {row.form_name: row for row in table.of(endpoint)}
    assert set(schema["properties"]) == set(rows)
    assert set(schema["required"]) == {name for name, row in rows.items() if row.required}
    for name, row in rows.items():
        shown = schema["properties"][name]
        assert (endpoint in row.extension) == shown.get("x-antiphon-extension", False), name
        if row.kind == "choice":
            assert shown["enum"] == list(row.choices)


def test_bounds_are_the_settings_own(settings: Settings) -> None:
    limits = settings.limits.model_copy(update={"prompt_characters": 77})
    app = create_app(Container(settings.model_copy(update={"limits": limits})))
    schema = body(app.openapi(), "transcriptions")
    assert schema["properties"]["prompt"]["maxLength"] == 77
    assert "77 characters" in schema["properties"]["prompt"]["description"]


def test_every_route_has_the_error_model_and_no_other(document: dict[str, Any]) -> None:
    assert {(method, path) for method, path, _ in operations(document)} >= set(OPERATIONS)
    for method, path, operation in operations(document):
        assert "422" not in operation["responses"], (method, path)
        failures = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
        assert "500" in failures
        for status, answer in failures.items():
            schema = answer["content"]["application/json"]["schema"]
            own = (method, path) in OPERATIONS and int(status) in OPERATIONS[method, path].also
            assert own or schema == {"$ref": "#/components/schemas/Error"}, (method, path, status)
    assert "HTTPValidationError" not in json.dumps(document)


def test_what_creates_something_can_be_sent_again(document: dict[str, Any]) -> None:
    """The operations that take `Idempotency-Key` say so, and no others."""
    creating = {"createVoice", "createVoiceConsent"}
    for _, _, operation in operations(document):
        headers = {given["name"] for given in operation.get("parameters", []) if given["in"] == "header"}
        again = "Idempotent-Replayed" in operation["responses"].get("200", {}).get("headers", {})
        creates = operation["operationId"] in creating
        assert (headers == {"Idempotency-Key"}, again, "409" in operation["responses"]) == (creates,) * 3
        creating.discard(operation["operationId"])
    assert not creating


def test_no_route_is_left_out(container: Container) -> None:
    """Each path of the API and of the health checks has a row in the table of operations."""
    served = {
        (method.lower(), path)
        for path, methods in create_app(container).openapi()["paths"].items()
        for method in methods
        if path.startswith(("/v1/", "/health/", "/metrics"))
    }
    assert served == set(OPERATIONS)
    for path in sorted((ROOT / "app/api").glob("*.py")):
        hidden = "include_in_schema=False" in path.read_text()
        assert not hidden or path.stem in ("studio", "index"), path


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for name, schema in schemas.items():
        Draft202012Validator.check_schema(schema)
        assert name in json.dumps(document["paths"]) or f"schemas/{name}" in json.dumps(schemas), name
    for part in json.dumps(document).split('"#/components/schemas/')[1:]:
        assert part.partition('"')[0] in schemas


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The Python package that openapi-python-client generates from the document of a server with default
    settings.
    """
    folder = tmp_path_factory.mktemp("client")
    settings = Settings.model_validate({"storage": {"folder": folder}})
    (folder / "openapi.json").write_text(json.dumps(create_app(Container(settings)).openapi()))
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"]
    done = subprocess.run(
        [*command, "--path", folder / "openapi.json", "--output-path", folder / CLIENT],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "will be omitted" not in done.stdout + done.stderr
    assert "unsupported" not in (done.stdout + done.stderr).lower()
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(CLIENT)
    finally:
        sys.path.remove(str(folder))


@pytest.fixture
async def typed(generated: ModuleType, container: Container) -> AsyncIterator[Any]:
    async with calling(generated, container) as client:
        yield client


@asynccontextmanager
async def calling(generated: ModuleType, container: Container) -> AsyncIterator[Any]:
    """A generated client that calls the app in this process."""
    made = generated.Client(base_url="http://test")
    transport = httpx.ASGITransport(create_app(container))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as calls:
        yield made.set_async_httpx_client(calls)


def part(name: str) -> Any:
    return importlib.import_module(f"{CLIENT}.{name}")


async def call(client: Any, name: str, *path: str, **arguments: Any) -> Any:
    return await part(f"api.{name}").asyncio_detailed(*path, client=client, **arguments)


def clip(seconds: float = 1) -> Any:
    file = io.BytesIO(wav(tone(seconds)))
    return part("types").File(payload=file, file_name="a.wav", mime_type="audio/wav")


@pytest.mark.parametrize("form", [form for form in FORMATS if form != "diarized_json"])
async def test_a_generated_client_transcribes_in_every_format(typed: Any, form: str) -> None:
    models = part("models")
    request = models.CreateTranscriptionBody(
        file=clip(),
        model="whisper-1",
        response_format=models.CreateTranscriptionBodyResponseFormat(form),
        vad_filter=False,  # the clip is a tone, which the speech detection would not take for speech
        hotwords=["Antiphon"],
        languages=["en"],
        timestamp_granularities=[models.CreateTranscriptionBodyTimestampGranularitiesItem("word")],
        chunking_strategy=models.CreateTranscriptionBodyChunkingStrategyType0("auto"),
    )
    answer = await call(typed, "audio.create_transcription", body=request)
    assert answer.status_code == 200, answer.content
    assert "word0" in answer.parsed


@pytest.fixture
async def diarizing(generated: ModuleType, settings: Settings, engine: EchoTranscriber) -> AsyncIterator[Any]:
    """A generated client of a server that tells tones apart."""
    migrated(settings.database_url)
    chosen = settings.diarization.model_copy(update={"model": str(settings.weights_folder)})
    update = {"diarization": chosen}
    made = Container(
        settings.model_copy(update=update),
        lambda _: engines_of(engine),
        diarizers=lambda _: ToneDiarization(ToneDiarizer()),
    )
    await made.open()
    async with calling(generated, made) as client:
        yield client
    await made.close()


async def test_a_generated_client_can_ask_who_speaks(diarizing: Any) -> None:
    models = part("models")
    answer = await call(
        diarizing,
        "audio.create_transcription",
        body=models.CreateTranscriptionBody(
            file=clip(3),
            model="whisper-1",
            vad_filter=False,
            response_format=models.CreateTranscriptionBodyResponseFormat("diarized_json"),
            chunking_strategy=models.CreateTranscriptionBodyChunkingStrategyType0("auto"),
            num_speakers=1,
        ),
    )
    assert answer.status_code == 200, answer.content
    assert [segment["speaker"] for segment in json.loads(answer.content)["segments"]] == ["A"]


async def test_a_mistake_about_speakers_is_typed(typed: Any) -> None:
    models = part("models")
    diarized = models.CreateTranscriptionBodyResponseFormat("diarized_json")
    request = models.CreateTranscriptionBody(
        file=clip(), model="whisper-1", response_format=diarized, known_speaker_names=["Anna"], num_speakers=2
    )
    answer = await call(typed, "audio.create_transcription", body=request)
    assert answer.status_code == 400
    assert answer.parsed.error.param == "known_speaker_references"


async def test_a_generated_client_streams_and_translates(typed: Any) -> None:
    models = part("models")
    request = models.CreateTranscriptionBody(file=clip(), model="whisper-1", stream=True)
    answer = await call(typed, "audio.create_transcription", body=request)
    assert answer.parsed.endswith("data: [DONE]\n\n")
    translated = models.CreateTranslationBody(file=clip(), model="whisper-1")
    answer = await call(typed, "audio.create_translation", body=translated)
    assert answer.status_code == 200


@pytest.mark.parametrize("form", AUDIO_FORMATS)
async def test_a_generated_client_speaks_in_every_format(typed: Any, form: str) -> None:
    models = part("models")
    request = models.CreateSpeechBody(
        model="tts-1",
        input_="Hello there.",
        voice="alloy",
        response_format=models.CreateSpeechBodyResponseFormat(form),
    )
    answer = await call(typed, "audio.create_speech", body=request)
    assert answer.status_code == 200, answer.content
    assert len(answer.content) > 100


async def test_a_generated_client_lists_and_finds(typed: Any) -> None:
    voices = await call(typed, "audio.list_voices", limit=2)
    assert [voice.object_.value for voice in voices.parsed.data] == ["audio.voice"] * 2
    assert (await call(typed, "audio.retrieve_voice", "alloy")).parsed.name == "alloy"
    assert (await call(typed, "audio.list_voice_consents")).parsed.data == []
    assert (await call(typed, "models.list_models")).parsed.data[0].object_.value == "model"
    assert (await call(typed, "models.retrieve_model", "whisper-1")).parsed.id == "whisper-1"
    for name in ("retrieve_voice_consent", "delete_voice_consent"):
        missing = await call(typed, f"audio.{name}", "cons_0")
        assert (missing.status_code, missing.parsed.error.code) == (404, "consent_not_found")
    rename = part("models").UpdateVoiceConsentBody(name="n")
    assert (await call(typed, "audio.update_voice_consent", "cons_0", body=rename)).status_code == 404
    assert (await call(typed, "audio.delete_voice", "voice_0")).status_code == 404
    assert (await call(typed, "health.live")).parsed.status == "live"


@pytest.fixture
def trusting(container: Container, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every recording says the phrase, and every sound is speech of one speaker, so that no weights are
    needed.
    """
    with np.load(SPEAKERS) as stock:
        speaker = np.asarray(stock["vectors"][0], np.float32)

    async def embed(_: ModelSpec, __: Pcm, ___: Permit) -> Samples:
        return speaker

    async def load(_: ModelSpec, __: Permit) -> None:
        return None

    monkeypatch.setattr(container.runner, "embed", embed)
    monkeypatch.setattr(container.runner, "load", load)
    monkeypatch.setattr(container.runner, "detect", EverythingIsSpeech)
    monkeypatch.setattr(consents, "match", lambda *_: PhraseMatch("yes", "yes", 1.0, negated=False))


@pytest.mark.usefixtures("trusting")
async def test_a_generated_client_makes_a_voice_once(typed: Any) -> None:
    models = part("models")

    async def consent() -> Any:
        asked = models.CreateVoiceConsentBody(name="Ann", language="en", recording=clip(2))
        return await call(typed, "audio.create_voice_consent", body=asked, idempotency_key="one")

    first, again = await consent(), await consent()
    assert first.status_code == 200, first.content
    assert again.parsed.id == first.parsed.id
    assert again.headers["idempotent-replayed"] == "true"
    asked = models.CreateVoiceBody(name="Ann", consent=first.parsed.id, audio_sample=clip(2))
    voice = await call(typed, "audio.create_voice", body=asked)
    assert voice.status_code == 200, voice.content
    assert (await call(typed, "audio.retrieve_voice", voice.parsed.id)).parsed.name == "Ann"
    renamed = models.UpdateVoiceConsentBody(name="Bea")
    assert (
        await call(typed, "audio.update_voice_consent", first.parsed.id, body=renamed)
    ).parsed.name == "Bea"
    assert (await call(typed, "audio.delete_voice", voice.parsed.id)).parsed.deleted is True
    assert (await call(typed, "audio.delete_voice_consent", first.parsed.id)).parsed.deleted is True


@pytest.mark.parametrize("form", RENDER_FORMATS)
async def test_a_generated_client_renders_every_file(typed: Any, form: str) -> None:
    models = part("models")
    segment = models.RenderTranscriptionBodySegmentsItem(start=0, end=1, text="Hello there.", speaker="A")
    asked = models.RenderTranscriptionBody(
        segments=[segment], format_=models.RenderTranscriptionBodyFormat(form)
    )
    answer = await call(typed, "audio.render_transcription", body=asked)
    assert answer.status_code == 200, answer.content
    assert answer.content


async def test_a_generated_client_gets_keys_for_live_sessions(typed: Any) -> None:
    models = part("models")
    secret = await call(typed, "realtime.create_client_secret", body=models.ClientSecretRequest())
    assert secret.parsed.value.startswith("ek_")
    beta = models.TranscriptionSessionRequest()
    session = await call(typed, "realtime.create_transcription_session", body=beta)
    assert session.parsed.client_secret.value.startswith("ek_")


async def test_a_generated_client_learns_about_the_server(typed: Any) -> None:
    assert (await call(typed, "models.about")).parsed.version
    assert (await call(typed, "models.list_audio_models")).parsed.data
    assert (await call(typed, "health.ready")).parsed.status in ("ready", "not ready")
    assert "antiphon_" in (await call(typed, "health.metrics")).parsed


def test_every_operation_is_called() -> None:
    """Each but the upgrade to a WebSocket, which no such client makes, is called by a test of this file."""
    called = set(re.findall(r'"\w+\.(\w+)"', Path(__file__).read_text()))
    called |= {f"{verb}_voice_consent" for verb in ("retrieve", "delete")}
    wanted = {re.sub(r"(?<!^)([A-Z])", r"_\1", one.id).lower() for one in OPERATIONS.values()}
    assert wanted - called == {"connect_realtime"}
