"""Fixtures: real weights, a real server, and an app in this process with an engine that needs no weights."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from app.container import Container
from app.main import create_app
from app.models.weights import WeightsStore
from app.settings import Settings
from engines.pyannote.setup import QUIET
from tests.support.command import Command
from tests.support.fake_engines import EchoTranscriber, ToneEngine, ToneSynthesizer, engines_of
from tests.support.migrated_database import migrated
from tests.support.postgres import emptied, running_postgres
from tests.support.server import Server, running

# The same examples in every run: a red test is about the change. HYPOTHESIS_PROFILE=explore looks for more.
# Nothing here is timed: a busy machine must not make a test red.
UNTIMED = hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.register_profile("same", UNTIMED, derandomize=True)
hypothesis_settings.register_profile("explore", UNTIMED, max_examples=1000)
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

# A shell lets what it starts in the background ignore SIGINT, and every server of a test would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

AT_THE_START = set(os.environ)
ROOT = Path(__file__).parents[1]
JFK = ROOT / "tests/data/jfk.flac"
JFK_TEXT = (
    "And so my fellow Americans, ask not what your country can do for you, "
    "ask what you can do for your country."
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite-golden", action="store_true", help="write the golden files anew")
    parser.addoption("--fuzz-cases", type=int, help="cases of each fuzzer in tests/fuzz")
    parser.addoption("--fuzz-first", type=int, default=0, help="number of the first case, to run one again")


def needs_postgres(item: pytest.Item) -> bool:
    """Whether a test starts a PostgreSQL server, by itself or by a parameter of `any_database`."""
    given = getattr(item, "callspec", None)
    return "postgres" in getattr(item, "fixturenames", ()) or (
        given is not None and given.params.get("any_database") == "postgresql"
    )


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, so that the workers end at about the same time: a file is run by one
    worker (`--dist loadfile`), and one of a minute that begins last keeps the other waiting. Files with real
    models come last, because their libraries stay in the process.
    """
    for item in items:
        marks, part = (
            {mark.name for mark in item.iter_markers()},
            item.path.relative_to(ROOT / "tests").parts[0],
        )
        quick = "slow" not in marks or part in ("unit", "contract")
        if quick and marks.isdisjoint({"real", "uncounted"}):
            item.add_marker("covered")
        if needs_postgres(item):  # which takes seconds to start, and half a second to migrate for each test
            item.add_marker("slow")
    slow, real = ({item.path for item in items if item.get_closest_marker(mark)} for mark in ("slow", "real"))
    items.sort(key=lambda item: (item.path in real, item.path not in slow))


def pytest_collection_finish() -> None:
    """Modules and tests stay to the end: the garbage collector need not look at them during every test."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def _environment_as_at_the_start() -> None:
    """What engines set for their libraries in fixtures of one module never reaches the next module."""
    for name in {*QUIET, "OMP_WAIT_POLICY", "CUDA_DEVICE_ORDER"} - AT_THE_START:
        os.environ.pop(name, None)


@pytest.fixture(autouse=True)
def _environment_as_before() -> Iterator[None]:
    """Engines set variables for their libraries; the next test and its processes see none of them."""
    before = dict(os.environ)
    yield
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture(scope="session")
def storage() -> Path:
    """The storage folder with the starter weights, fetched once and kept between runs."""
    folder = ROOT / "data"
    store = WeightsStore(folder / "weights", hub="https://huggingface.co")
    for model in (
        "whisper-base",
        "piper-en-us-joe-medium",
        "kokoro-82m",
        "pyannote-starter",
    ):
        store.pull(model)
    return folder


@pytest.fixture(scope="session")
def whisper_folder(storage: Path) -> Path:
    return storage / "weights" / "whisper-base"


@pytest.fixture(scope="session")
def server(storage: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real server with real weights and a database of its own."""
    folder = tmp_path_factory.mktemp("server")
    database = f"sqlite:///{folder}/antiphon.db"
    with running(storage, folder / "log", STORAGE_DATABASE_URL=database) as running_server:
        yield running_server


@pytest.fixture
def engine() -> EchoTranscriber:
    return EchoTranscriber()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    with running_postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def any_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/deep/er/antiphon.db"
        return
    url: str = request.getfixturevalue("postgres")
    yield url
    emptied(url)


@pytest.fixture
def antiphon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs the command in an empty working folder."""
    folder = tmp_path / "work"
    folder.mkdir()
    return Command(folder, monkeypatch, capsys)


@pytest.fixture
def synthesizer() -> ToneSynthesizer:
    return ToneSynthesizer()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "model").mkdir()
    (tmp_path / "weights" / "tones").mkdir(parents=True)
    (tmp_path / "weights" / "tones" / "tone.onnx").touch()
    return Settings.model_validate(
        {
            "server": {"allowed_hosts": ["test"]},
            "storage": {"folder": tmp_path},
            "models": {"aliases": {"whisper-1": str(tmp_path / "model")}, "preload": []},
            "transcription": {"vad": False},
            "runtime": {"placement": "threads", "isolate_readers": False},
            "speech": {"voices": {"alloy": ["high"], "echo": ["low"], "nova": ["not there"]}},
        }
    )


@pytest.fixture
async def container(
    settings: Settings, engine: EchoTranscriber, synthesizer: ToneSynthesizer
) -> AsyncIterator[Container]:
    """All of the app but the real engine, on a migrated database."""
    migrated(settings.database_url)
    made = Container(settings, lambda _: engines_of(engine), lambda _: ToneEngine(synthesizer))
    await made.open()
    yield made
    engine.gate.set()
    synthesizer.gate.set()
    await made.close()


@pytest.fixture
async def client(container: Container) -> AsyncIterator[httpx2.AsyncClient]:
    """Calls the app in this process."""
    transport = httpx2.ASGITransport(create_app(container), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test/v1") as made:
        yield made
