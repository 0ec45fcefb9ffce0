"""Record: a take becomes a recording; what a page over plain http may not do."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page

from tests.studio.recorded import HARBOUR, answer_with, body, events
from tests.studio.stage import ELSEWHERE, PageOf, Visit
from tests.support.server import Server

NO_MICROPHONE = "Browsers give a microphone to pages over https or on this machine only"


def recording(page: Page) -> None:
    page.get_by_role("button", name="Record", exact=True).click()
    page.wait_for_function("() => document.querySelector('meter')?.value > 0")
    page.wait_for_selector(".recording .time:text-is('00:01')")


def test_a_take_is_transcribed(cleared: Visit) -> None:
    page = cleared.open()
    recording(page)
    page.get_by_role("button", name="Stop and transcribe").click()
    page.wait_for_selector("text=done in")
    assert re.fullmatch(r"recording \d{4}-\d\d-\d\d \d\d\.\d\d\.webm", page.locator("h1").inner_text())
    assert page.locator("[data-at]").count() >= 1


def test_a_take_can_be_thrown_away(cleared: Visit) -> None:
    page = cleared.open()
    recording(page)
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Record", exact=True).wait_for()
    assert cleared.paths("POST") == []


def test_a_take_is_not_lost_by_going_to_another_view_or_recording(cleared: Visit) -> None:
    page = cleared.open()
    recording(page)
    page.get_by_role("link", name="Server").click()
    page.wait_for_selector("h1:text('recording ')")
    page.wait_for_selector("text=done in")
    page.get_by_role("link", name="Antiphon").click()
    recording(page)
    page.locator("nav.list a").click()
    page.wait_for_selector("nav.list li:nth-child(2) a[aria-current=true]")
    page.wait_for_selector("text=done in")
    assert len(cleared.paths("POST")) == 2


def test_a_browser_without_a_microphone_says_why(page_of: PageOf, fake: Server) -> None:
    made = page_of(fake)
    refuse = "navigator.mediaDevices.getUserMedia = async () => { throw new Error('Permission denied'); }"
    made.page.add_init_script(refuse)
    page = made.open()
    page.get_by_role("button", name="Record", exact=True).click()
    page.wait_for_selector("text=The browser gave no microphone: Permission denied")
    assert page.get_by_text("Choose a file").is_visible()


@pytest.mark.parametrize("view", ["transcribe", "voices"])
def test_31_over_plain_http_from_another_host_it_explains_itself(
    page_of: PageOf, fake: Server, view: str
) -> None:
    page = page_of(fake.root.replace("127.0.0.1", ELSEWHERE)).open(view)
    page.wait_for_selector(f"text={NO_MICROPHONE}")
    assert page.get_by_role("button", name="Record", exact=True).count() == 0
    assert page.locator("main input[type=file]").count() == 1


def test_over_plain_http_from_another_host_the_rest_works(page_of: PageOf, fake: Server) -> None:
    """Browsers hide more than the microphone there: random UUIDs, the clipboard, wake locks."""
    page = page_of(fake.root.replace("127.0.0.1", ELSEWHERE)).open()
    answer_with(page, body(events(HARBOUR)))
    page.set_input_files("input[type=file]", {"name": "a.wav", "mimeType": "audio/wav", "buffer": b"RIFF"})
    page.wait_for_selector("text=done in")
    page.get_by_role("button", name="Show the call").click()
    page.get_by_role("button", name="Copy", exact=True).click()
    page.get_by_role("button", name="Copied", exact=True).wait_for()
    page.get_by_role("button", name="Close").click()
    page.evaluate("document.body.append(document.createElement('textarea'))")
    page.locator("body > textarea").focus()
    page.keyboard.press("Control+V")
    assert page.locator("body > textarea").input_value().startswith("curl -N http://studio.test")
