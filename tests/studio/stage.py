"""Visits of the page with Chromium: the requests that a visit makes, and the messages of its console.

Law: every visit is a new profile, or one that was cleared. A visit that asks another origin for anything,
or whose console says anything, makes its test fail.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import (
    Browser,
    BrowserContext,
    BrowserType,
    ConsoleMessage,
    Page,
    Request,
    Route,
    sync_playwright,
)

CHROMIUM = shutil.which("chromium")
WHERE_FROM = "no chromium here: apt-get install chromium"
ELSEWHERE = "studio.test"
"""A name of this machine that the browser takes for another one: no microphone over plain http."""
PATIENCE_MILLISECONDS = 60_000
"""What a busy machine may take for a step."""
FLAGS = (
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--mute-audio",
    f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1",
)
USUAL = ("Failed to load resource", "The Cross-Origin-Opener-Policy header has been ignored")
"""What Chromium itself writes: for each status from 400 on, which `Visit.allowed` judges, and for a
header that counts over https alone.
"""


def launched(kind: BrowserType, microphone: Path | None = None) -> Browser:
    """A browser; the caller closes it. `microphone`: a WAV file that its fake microphone plays once."""
    sound = [f"--use-file-for-fake-audio-capture={microphone}%noloop"] if microphone else []
    return kind.launch(executable_path=CHROMIUM, args=[*FLAGS, *sound])


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = launched(playwright.chromium)
        try:
            yield browser
        finally:
            browser.close()


DRAWN = "html:not([data-served])"
"""The page in the place of what the server has sent."""
DROP_ZONE = f"{DRAWN} .drop"
CLEAR = """() => new Promise((resolve, reject) => {
  localStorage.clear();
  sessionStorage.clear();
  const opening = indexedDB.open('keyval-store');
  opening.onupgradeneeded = () => opening.result.createObjectStore('keyval');
  opening.onerror = opening.onblocked = () => reject(new Error('the storage does not open'));
  opening.onsuccess = () => {
    const clearing = opening.result.transaction('keyval', 'readwrite').objectStore('keyval').clear();
    clearing.onsuccess = () => { opening.result.close(); resolve(); };
  };
})"""


@dataclass
class Visit:
    """One visit: a new browser profile that shows the page of one server."""

    root: str
    context: BrowserContext
    page: Page
    allowed: tuple[int, ...] = ()
    """Statuses from 400 on that the test brings about."""
    requests: list[Request] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)

    def open(self, view: str = "transcribe") -> Page:
        self.page.goto(f"{self.root}/#/{view}")
        self.page.wait_for_selector(f"{DRAWN} nav a[aria-current=page]")
        return self.page

    def ask(self, request: Request) -> None:
        self.requests.append(request)

    def clear(self) -> None:
        """Makes it as good as new; the page is empty then."""
        self.page.unroute_all()
        if self.page.url.startswith(self.root):
            self.page.evaluate(CLEAR)
        self.page.goto("about:blank")
        self.judge()
        for told in (self.requests, self.said, self.statuses):
            told.clear()

    def paths(self, method: str = "GET") -> list[str]:
        return [urlsplit(request.url).path for request in self.requests if request.method == method]

    def judge(self) -> None:
        """Nothing was asked of another origin, and the console is empty."""
        host = urlsplit(self.root).netloc
        elsewhere = [
            request.url
            for request in self.requests
            if not request.url.startswith(("blob:", "data:")) and urlsplit(request.url).netloc != host
        ]
        assert not elsewhere, elsewhere
        assert not self.said, self.said
        assert not self.statuses, self.statuses


def visit(browser: Browser, root: str, *, allowed: tuple[int, ...] = (), **options: Any) -> Visit:
    """Begins a visit with a new profile; the caller closes its `context`."""
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"], **options)
    context.set_default_timeout(PATIENCE_MILLISECONDS)
    page = context.new_page()
    made = Visit(root, context, page, allowed)
    page.on("request", made.ask)
    page.on("console", lambda message: _hear(made, message))
    page.on("pageerror", lambda error: made.said.append(f"pageerror: {error}"))
    page.on(
        "response",
        lambda answer: (
            made.statuses.append(f"{answer.status} {answer.url}")
            if answer.status >= 400 and answer.status not in made.allowed
            else None
        ),
    )
    return made


def with_about(page: Page, change: Callable[[dict[str, Any]], None]) -> None:
    """The page is told what `change` makes of the server's answer."""

    def answer(route: Route) -> None:
        told = route.fetch().json()
        change(told)
        route.fulfill(json=told)

    page.route("**/v1/about", answer)


def _hear(made: Visit, message: ConsoleMessage) -> None:
    if message.type in {"error", "warning"} and not message.text.startswith(USUAL):
        made.said.append(f"{message.type}: {message.text}")


PageOf = Callable[..., Visit]
