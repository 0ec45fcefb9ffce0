"""Fixtures: one Chromium for all tests, servers with fake engines, and for each test a visit of the page that
is checked at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.studio.stage import CHROMIUM, ELSEWHERE, WHERE_FROM, PageOf, Visit, chromium, visit
from tests.support.fake_server import serving
from tests.support.server import Server

HERE = Path(__file__).parent
HOSTS = f'["{ELSEWHERE}"]'
VOICES = '{ "alloy" = ["high"], "cedar" = ["low"], "coral" = ["alto"], "echo" = ["low"], "marin" = ["high"] }'


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here starts a browser, which `make unit` does not."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.skipif(CHROMIUM is None, reason=WHERE_FROM))


# Not of the session: Playwright's loop runs in this thread until it closes, and others test coroutines.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made


@pytest.fixture(scope="package")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The real HTTP server with fakes as engines, and no keys."""
    folder = tmp_path_factory.mktemp("fake")
    with serving(folder, AUTH_KEYS="", SPEECH_VOICES=VOICES, SERVER_ALLOWED_HOSTS=HOSTS) as server:
        yield server


@pytest.fixture(scope="package")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """As `fake`, but each window of a recording takes 0.7 seconds."""
    folder = tmp_path_factory.mktemp("slow")
    with serving(folder, seconds=0.7, AUTH_KEYS="", SPEECH_VOICES=VOICES) as server:
        yield server


@pytest.fixture(scope="package")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """As `fake`, with a key and a limit of 200 kB."""
    folder = tmp_path_factory.mktemp("locked")
    with serving(folder, SPEECH_VOICES=VOICES, LIMITS_UPLOAD_BYTES="200000") as server:
        yield server


@pytest.fixture(scope="package")
def used(browser: Browser, fake: Server) -> Iterator[Visit]:
    """The visit of all tests with `cleared`."""
    made = visit(browser, fake.root)
    made.page.on("dialog", lambda dialog: dialog.accept())  # "leave the page?"
    yield made
    made.context.close()


@pytest.fixture
def cleared(used: Visit) -> Iterator[Visit]:
    """A visit that has been used and is as good as new: nothing stored, intercepted or allowed.

    It costs half of a new one. For tests that need no options and add nothing to the page that would stay.
    """
    used.clear()
    used.allowed = ()
    yield used
    used.judge()


@pytest.fixture
def page_of(browser: Browser) -> Iterator[PageOf]:
    """Opens visits of the page. At the end of the test, each is checked with `judge` and closed."""
    made: list[Visit] = []

    def opened(server: Server | str, **options: object) -> Visit:
        root = server if isinstance(server, str) else server.root
        made.append(visit(browser, root, **options))  # type: ignore[arg-type]
        return made[-1]

    yield opened
    for one in made:
        one.context.close()
    for one in made:
        one.judge()
