"""Live dictation: a microphone that plays a real recording, and the transcript that is left of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from tests.conftest import JFK
from tests.studio.stage import CHROMIUM, DROP_ZONE, PageOf, Visit, visit, with_about
from tests.support.server import KEY, Server
from tests.support.sound import decode, silence, wav

FLAGS = (
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--mute-audio",
)


@pytest.fixture(scope="module")
def speaker(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser whose microphone plays a speech, again and again."""
    path = tmp_path_factory.mktemp("sound") / "speech.wav"
    path.write_bytes(wav(np.concatenate([decode(JFK.read_bytes()), silence(2)])))
    flags = [*FLAGS, f"--use-file-for-fake-audio-capture={path}"]
    made = browser.browser_type.launch(executable_path=CHROMIUM, args=flags)
    yield made
    made.close()


@pytest.fixture
def speaking(speaker: Browser, fake: Server) -> Iterator[Visit]:
    made = visit(speaker, fake.root)
    made.context.grant_permissions(["microphone"])
    yield made
    made.context.close()
    made.judge()


def test_press_speak_read_press_and_the_text_is_a_transcript(speaking: Visit) -> None:
    page = speaking.open("live")
    page.get_by_role("button", name="Start speaking").click()
    page.wait_for_function("() => document.querySelector('meter')?.value > 0.3")
    page.wait_for_function("() => /word\\d/.test(document.querySelector('.said')?.textContent ?? '')")
    page.get_by_role("button", name="Stop and keep the text").click()
    page.wait_for_selector("h1:text('dictation ')")
    assert re.fullmatch(r"dictation \d{4}-\d\d-\d\d \d\d\.\d\d", page.locator("h1").inner_text())
    page.wait_for_selector("[data-at]")
    page.wait_for_selector("text=This text has no sound.")
    assert page.get_by_role("button", name="Show the call").count() == 0, "it has no file"
    name = page.locator("h1").inner_text()
    page.locator("summary", has_text="Export").click()
    with page.expect_download() as saving:
        page.get_by_role("button", name="Text", exact=True).click()
    assert saving.value.suggested_filename == f"{name}.txt"
    page.reload()
    page.wait_for_selector("h1:text('dictation ')")
    page.wait_for_selector("[data-at]")  # it is kept as other transcripts are


OPENED = """
window.sockets = [];
window.streams = [];
window.WebSocket = class extends WebSocket {
  constructor(...given) { super(...given); window.sockets.push(this); }
};
const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (wish) => {
  const stream = await open(wish);
  window.streams.push(stream);
  return stream;
};
"""
SILENT = "() => window.streams.flatMap((one) => one.getTracks()).every((one) => one.readyState === 'ended')"


def dictating(made: Visit) -> Page:
    """A visit whose user dictates, and has seen the first words."""
    made.page.add_init_script(OPENED)
    page = made.open("live")
    page.get_by_role("button", name="Start speaking").click()
    page.wait_for_function("() => /word\\d/.test(document.querySelector('.said')?.textContent ?? '')")
    return page


def test_a_lost_connection_leaves_what_was_said(speaking: Visit) -> None:
    page = dictating(speaking)
    page.evaluate("window.sockets[0].close()")
    page.get_by_role("link", name="What was said until then is kept.").click()
    page.wait_for_selector("h1:text('dictation ')")
    page.wait_for_selector("[data-at]")
    page.wait_for_function(SILENT)


def test_the_microphone_closes_when_the_user_goes_to_another_view(speaking: Visit) -> None:
    page = dictating(speaking)
    page.get_by_role("link", name="Server").click()
    page.wait_for_function(SILENT)
    page.get_by_role("link", name="Transcribe").click()
    page.get_by_role("link", name=re.compile("^dictation ")).click()
    page.wait_for_selector("[data-at]")


def test_what_is_cancelled_leaves_nothing(speaking: Visit) -> None:
    page = dictating(speaking)
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Start speaking").wait_for()
    assert page.locator(".said p").count() == 0
    page.wait_for_function(SILENT)
    page.wait_for_function("() => window.sockets.every((one) => one.readyState >= WebSocket.CLOSING)")
    page.get_by_role("link", name="Transcribe").click()
    page.wait_for_selector(DROP_ZONE)
    assert page.get_by_role("link", name=re.compile("^dictation ")).count() == 0


def test_a_browser_without_a_microphone_says_why(speaking: Visit) -> None:
    refuse = "navigator.mediaDevices.getUserMedia = async () => { throw new Error('Permission denied'); }"
    speaking.page.add_init_script(OPENED + refuse)
    page = speaking.open("live")
    page.get_by_role("button", name="Start speaking").click()
    page.wait_for_selector("text=The browser gave no microphone: Permission denied")
    page.get_by_role("button", name="Start speaking").wait_for()
    page.wait_for_function("() => window.sockets.every((one) => one.readyState >= WebSocket.CLOSING)")


def test_a_server_with_keys_asks_for_one_and_it_is_in_no_address(speaker: Browser, locked: Server) -> None:
    made = visit(speaker, locked.root, allowed=(401,))
    made.context.grant_permissions(["microphone"])
    sockets: list[str] = []
    made.page.on("websocket", lambda opened: sockets.append(opened.url))
    page = made.open("live")
    page.get_by_label("API key").fill(KEY)
    page.get_by_role("button", name="Use this key").click()
    page.get_by_role("button", name="Start speaking").click()
    page.wait_for_function("() => document.querySelector('meter')?.value > 0")
    page.get_by_role("button", name="Cancel").click()
    assert len(sockets) == 1
    assert KEY not in sockets[0]
    assert "ek_" not in sockets[0]
    made.context.close()
    made.judge()


def test_it_is_offered_only_where_the_server_has_it(page_of: PageOf, fake: Server) -> None:
    made = page_of(fake)
    page = made.open()
    offered = page.get_by_role("navigation", name="Views").get_by_role("link", name="Live")
    offered.wait_for()
    with_about(page, lambda about: about["features"].update(live=False))
    page.reload()
    page.wait_for_selector("text=Any audio or video, up to")
    assert offered.count() == 0
    page = made.open("live")
    page.wait_for_selector("text=Live sessions are switched off on this server (realtime.enabled).")
