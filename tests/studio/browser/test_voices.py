"""The view of voices: it compares what was said with the expected phrase, shows the API's decision, and
deletes a consent together with its voices.
"""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Page, Route

from tests.studio.keyboard import stop
from tests.studio.stage import PageOf
from tests.support.server import Server
from tests.support.sound import tone, wav

HUM = wav(tone(3))
CONSENT = {"object": "audio.voice_consent", "id": "cons_1", "name": "Anna", "language": "en", "created_at": 1}
VOICE = {
    "object": "audio.voice",
    "id": "voice_1",
    "name": "Anna reads",
    "type": "audio_sample",
    "consent": "cons_1",
    "matched_voice": "coral",
    "similarity": 0.734,
}


def own(page: Page) -> list[str]:
    """A server on which Anna gave a consent and made a voice; returns methods and paths that were asked."""
    asked: list[str] = []
    there = [True]

    def answer(route: Route) -> None:
        request = route.request
        path = request.url.split("/v1/")[1].split("?")[0]
        asked.append(f"{request.method} {path}")
        if request.method == "DELETE":
            there[0] = False
            route.fulfill(json={"deleted": True})
        elif path == "audio/voices":
            told: dict[str, Any] = json.loads(route.fetch().text())
            told["data"] = [VOICE] * there[0] + told["data"]
            route.fulfill(json=told)
        else:
            route.fulfill(json={"object": "list", "data": [CONSENT] * there[0], "has_more": False})

    page.route("**/v1/audio/voice*", answer)
    page.route("**/v1/audio/voice_consents/*", answer)
    return asked


def test_29_a_wrong_phrase_is_marked_and_gets_the_verdict_of_the_api(page_of: PageOf, fake: Server) -> None:
    made = page_of(fake, allowed=(400,))
    page = made.open("voices")
    page.wait_for_selector("blockquote:not(:empty)")
    page.set_input_files("main input[type=file]", {"name": "hum.wav", "mimeType": "audio/wav", "buffer": HUM})
    page.wait_for_selector("dl.compared")
    heard, expected = page.locator("dl.compared dd").all()
    assert heard.locator("mark").all_inner_texts() == ["word0", "word1", "word2"]
    assert len(expected.locator("mark").all()) == len(page.locator("blockquote").inner_text().split())
    page.wait_for_selector("text=The marked words differ")
    assert page.locator("audio").is_visible()
    page.get_by_role("textbox", name="Name").fill("Anna")
    with page.expect_response("**/v1/audio/voice_consents") as answering:
        page.get_by_role("button", name="Send").click()
    told = page.get_by_role("alert")
    told.wait_for()
    assert answering.value.json()["error"]["message"] in told.inner_text()
    assert "field: recording" in told.inner_text()
    assert page.evaluate("fetch('v1/audio/voice_consents').then(answer => answer.json())")["data"] == []


def test_29_a_take_is_sent_whether_or_not_it_was_heard_and_the_wait_is_told(
    page_of: PageOf, fake: Server
) -> None:
    page = page_of(fake).open("voices")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/v1/audio/transcriptions", hold)
    page.route("**/v1/audio/voice_consents", hold)
    page.wait_for_selector("blockquote:not(:empty)")
    page.set_input_files("main input[type=file]", {"name": "hum.wav", "mimeType": "audio/wav", "buffer": HUM})
    page.wait_for_selector("text=Listening to the recording")
    page.get_by_role("textbox", name="Name").fill("Anna")
    page.get_by_role("button", name="Send").click()
    page.wait_for_selector("text=The server checks it")
    hearing, sending = held
    sending.fulfill(json=CONSENT)
    page.wait_for_selector("[aria-current=step]:text('2 Sample')")
    hearing.fulfill(json={"text": "Too late."})


def test_29_what_was_heard_is_of_the_last_take(page_of: PageOf, fake: Server) -> None:
    """The first take is transcribed later than the second."""
    page = page_of(fake).open("voices")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/v1/audio/transcriptions", hold)
    page.wait_for_selector("blockquote:not(:empty)")
    for name in ("first.wav", "second.wav"):
        with page.expect_request("**/v1/audio/transcriptions"):
            page.set_input_files(
                "main input[type=file]", {"name": name, "mimeType": "audio/wav", "buffer": HUM}
            )
        page.wait_for_selector(f"text={name}")
    first, second = held
    second.fulfill(json={"text": "The second take."})
    page.wait_for_selector("dd:has-text('The second take.')")
    first.fulfill(json={"text": "The first take."})
    page.wait_for_timeout(200)
    assert page.locator("dl.compared dd").first.inner_text().strip() == "The second take."


def test_30_deleting_a_consent_names_the_voices_that_go(page_of: PageOf, fake: Server) -> None:
    made = page_of(fake)
    asked = own(made.page)
    page = made.open("voices")
    page.wait_for_selector("text=mostly coral; not the speaker’s own voice (similarity 73%)")
    page.get_by_role("link", name="Speak").click()
    page.get_by_role("radio", name="Anna reads").check()
    page.get_by_role("link", name="Voices").click()
    page.get_by_role("button", name="Delete the consent of Anna", exact=True).click()
    page.locator("dialog").get_by_text("These voices go with it: Anna reads").wait_for()
    assert stop(page)["name"] == "Cancel", "what cannot be undone is not the first choice"
    page.locator("dialog").get_by_role("button", name="Cancel").click()
    assert not [line for line in asked if line.startswith("DELETE")]
    page.get_by_role("button", name="Delete the consent of Anna", exact=True).click()
    page.locator("dialog").get_by_role("button", name="Delete").click()
    page.wait_for_selector("text=mostly coral", state="detached")
    assert "DELETE audio/voice_consents/cons_1" in asked
    page.get_by_role("link", name="Speak").click()
    page.wait_for_selector(".voices li")
    assert page.get_by_role("radio", name="Anna reads").count() == 0
    assert page.get_by_role("radio", name="cedar").is_checked()


def test_a_consent_makes_more_than_one_voice(page_of: PageOf, fake: Server) -> None:
    made = page_of(fake)
    own(made.page)
    page = made.open("voices")
    page.get_by_role("button", name="Make another voice with it").click()
    page.wait_for_selector("[aria-current=step]:text('2 Sample')")
    assert page.locator("blockquote").count() == 0
