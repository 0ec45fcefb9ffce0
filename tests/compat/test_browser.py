"""A real browser plays what we send, to the end. Needs Debian's packages chromium and chromium-driver."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.server import KEY, Server, free_port
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        not shutil.which("chromedriver"),
        reason="no chromedriver here: apt-get install chromium chromium-driver",
    ),
]
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--mute-audio",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
)  # fmt: skip
PLAY = """
const [key, form, done] = arguments;
(async () => {
  const answer = await fetch('/v1/audio/speech', {
    method: 'POST',
    headers: {'content-type': 'application/json', authorization: `Bearer ${key}`},
    body: JSON.stringify({
      model: 'tts-1', voice: 'cedar', input: 'Good morning, dear friend.', response_format: form,
    }),
  });
  const audio = new Audio(URL.createObjectURL(await answer.blob()));
  audio.onended = () => done({played: audio.currentTime, duration: audio.duration});
  audio.onerror = () => done({failure: audio.error.message || audio.error.code});
  await audio.play();
})().catch((failure) => done({failure: String(failure)}));
"""


@pytest.fixture(scope="module")
def browser(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    """A WebDriver session on a page of the server's own origin."""
    port = free_port()
    log = tmp_path_factory.mktemp("driver") / "log"
    with log.open("wb") as output:
        driver = subprocess.Popen(["chromedriver", f"--port={port}"], stdout=output, stderr=output)
    base = f"http://127.0.0.1:{port}"
    try:
        _wait(base, log)
        options = {"goog:chromeOptions": {"args": [*FLAGS, f"--user-data-dir={log.parent / 'profile'}"]}}
        made = httpx2.post(f"{base}/session", json={"capabilities": {"alwaysMatch": options}}, timeout=60)
        session = made.json()["value"]["sessionId"]
        with httpx2.Client(base_url=f"{base}/session/{session}", timeout=60) as client:
            client.post("/url", json={"url": f"{server.root}/health/live"})
            client.post("/timeouts", json={"script": 40_000})
            yield client
        # Not through the client, whose paths end in a slash that the driver does not know.
        assert httpx2.delete(f"{base}/session/{session}", timeout=60).status_code == 200
    finally:
        driver.terminate()
        driver.wait(10)


@pytest.mark.parametrize("form", ["mp3", "opus", "aac", "flac", "wav"])
def test_an_audio_element_plays_to_the_end(browser: httpx2.Client, form: str) -> None:
    answer = browser.post("/execute/async", json={"script": PLAY, "args": [KEY, form]}).json()
    found: dict[str, Any] = answer["value"]
    assert "failure" not in found, found
    assert 1.0 < found["played"] < 4.0
    assert found["played"] == pytest.approx(found["duration"], abs=0.1)


def _wait(base: str, log: Path) -> None:
    def is_ready() -> bool:
        try:
            return bool(httpx2.get(f"{base}/status").json()["value"]["ready"])
        except httpx2.HTTPError:
            return False

    wait_until(is_ready, what=f"the driver of {log.read_text()}")
