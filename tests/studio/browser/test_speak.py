"""Speak: heard while it is made, compared, saved, stopped."""

from __future__ import annotations

import io
import json
from pathlib import Path

import av
from playwright.sync_api import Page, Route

from tests.studio.stage import PageOf, Visit, with_about
from tests.support.server import Server, waiting_jobs
from tests.support.waiting import wait_until

CONTEXTS = """
window.contexts = [];
window.AudioContext = class extends AudioContext {
  constructor(...given) { super(...given); window.contexts.push(this); }
};
"""
TEXT = "Good morning. It is half past seven."


def speaking(page_of: PageOf, server: Server) -> tuple[Visit, Page]:
    made = page_of(server)
    made.page.add_init_script(CONTEXTS)
    page = made.open("speak")
    page.wait_for_selector(".voices li")
    return made, page


def seconds(path: Path) -> float:
    with av.open(io.BytesIO(path.read_bytes()), "r") as sound:
        return sum(frame.samples / frame.sample_rate for frame in sound.decode(audio=0))


def test_25_a_paragraph_is_heard(page_of: PageOf, fake: Server) -> None:
    made, page = speaking(page_of, fake)
    page.get_by_role("textbox", name="Text").fill(TEXT)
    page.get_by_role("button", name="Speak", exact=True).click()
    page.wait_for_function(
        "() => window.contexts.some(one => one.state === 'running' && one.currentTime > 0.2)"
    )
    page.wait_for_selector(".takes li")
    assert "first sound after" in page.locator(".takes li").inner_text()
    assert made.paths("POST") == ["/v1/audio/speech"]


def test_26_voices_are_listed_found_and_filtered(page_of: PageOf, fake: Server) -> None:
    _, page = speaking(page_of, fake)
    listed = page.evaluate("fetch('v1/audio/voices').then(answer => answer.json())")["data"]
    assert page.locator(".voices li").count() == len(listed) >= 5
    assert "female" in page.locator(".voices li", has_text="alloy").inner_text()
    page.get_by_role("searchbox").fill("ced")
    page.wait_for_function("() => document.querySelectorAll('.voices li').length === 1")
    page.wait_for_selector("text=one voice")
    page.get_by_role("searchbox").fill("")
    page.get_by_role("combobox", name="All languages").select_option("es")
    page.wait_for_function("count => document.querySelectorAll('.voices li').length < count", arg=len(listed))
    spanish = [voice["id"] for voice in listed if voice["language"].startswith("es")]
    assert page.locator(".voices li label [dir]").all_inner_texts() == spanish
    assert "Spanish" in page.locator(".voices li").first.inner_text()
    assert "coral" in spanish


def test_26_the_search_is_still_there_when_the_user_comes_back(page_of: PageOf, fake: Server) -> None:
    _, page = speaking(page_of, fake)
    page.get_by_role("searchbox").fill("cor")
    page.get_by_role("combobox", name="All languages").select_option("es")
    page.wait_for_selector("text=one voice")
    page.get_by_role("link", name="Server").click()
    page.wait_for_selector("h1:text-is('Server')")
    page.get_by_role("link", name="Speak").click()
    page.wait_for_selector("text=one voice")
    assert page.get_by_role("searchbox").input_value() == "cor"
    assert page.get_by_role("combobox", name="All languages").input_value() == "es"


def test_a_sample_ends_what_is_spoken(page_of: PageOf, fake: Server) -> None:
    _, page = speaking(page_of, fake)
    page.get_by_role("textbox", name="Text").fill("This sentence is one of many that are alike. " * 80)
    page.get_by_role("button", name="Speak", exact=True).click()
    page.wait_for_function("() => window.contexts[0]?.currentTime > 0.1")
    page.get_by_role("button", name="Hear a sample of coral").click()
    page.wait_for_function("() => window.contexts.length === 2 && window.contexts[0].state === 'closed'")


def test_26_a_sample_is_of_the_voice_s_own_language(page_of: PageOf, fake: Server) -> None:
    _, page = speaking(page_of, fake)
    for voice, words in (("coral", "Buenos días."), ("cedar", "Good morning.")):
        with page.expect_request("**/v1/audio/speech") as asking:
            page.get_by_role("button", name=f"Hear a sample of {voice}").click()
        body = json.loads(asking.value.post_data or "")
        assert body["voice"] == voice
        assert body["input"].startswith(words)
    page.get_by_role("button", name="Stop").wait_for(state="detached")
    assert page.locator(".takes li").count() == 0


def test_27_voices_are_compared_and_downloaded(page_of: PageOf, fake: Server) -> None:
    _, page = speaking(page_of, fake)
    page.get_by_role("textbox", name="Text").fill("Good day.")
    for voice in ("alloy", "cedar", "coral", "echo"):
        page.get_by_role("checkbox", name=f"Compare {voice}").check()
    page.get_by_role("button", name="Compare 4").click()
    page.wait_for_function("() => document.querySelectorAll('.takes li').length === 4")
    page.wait_for_selector("button:has-text('Compare 4')")
    assert page.locator(".takes li strong").all_inner_texts() == ["alloy", "cedar", "coral", "echo"]
    for form in ("wav", "mp3"):
        page.get_by_role("combobox", name="File format").select_option(form)
        with page.expect_download() as saving:
            page.get_by_role("button", name="Download").nth(1).click()
        assert saving.value.suggested_filename == f"cedar.{form}"
        assert seconds(saving.value.path()) > 0.4


def test_28_a_long_text_is_spoken_in_parts_and_stops(page_of: PageOf, fake: Server) -> None:
    made, page = speaking(page_of, fake)
    sentence = "This sentence is one of very many, and all of them are alike. "
    page.get_by_role("textbox", name="Text").fill((sentence * 200)[:12_000])
    page.get_by_role("button", name="Speak", exact=True).click()
    page.wait_for_selector("text=/Part \\d of 3/")
    page.wait_for_function("() => window.contexts.some(one => one.currentTime > 0.1)")
    page.get_by_role("button", name="Stop").click()
    page.wait_for_function("() => window.contexts.every(one => one.state === 'closed')")
    page.get_by_role("button", name="Speak", exact=True).wait_for()
    sent = len(made.paths("POST"))
    page.wait_for_timeout(300)
    assert len(made.paths("POST")) == sent <= 3
    wait_until(lambda: waiting_jobs(fake) == 0, 60)


def test_28_stop_ends_the_request(page_of: PageOf, fake: Server) -> None:
    made, page = speaking(page_of, fake)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/v1/audio/speech", hold)
    page.get_by_role("textbox", name="Text").fill(TEXT)
    with page.expect_request("**/v1/audio/speech"):
        page.get_by_role("button", name="Speak", exact=True).click()
    with page.expect_event("requestfailed"):
        page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Speak", exact=True).wait_for()
    assert page.get_by_role("alert").count() == 0
    assert made.paths("POST") == ["/v1/audio/speech"]


def test_a_failure_has_the_api_s_words(page_of: PageOf, fake: Server) -> None:
    made, page = speaking(page_of, fake)
    made.allowed = (400,)
    page.get_by_role("textbox", name="Text").fill("Добрый день, дорогие друзья.")
    page.get_by_role("spinbutton", name="Speed").fill("9")
    page.get_by_role("button", name="Speak", exact=True).click()
    told = page.get_by_role("alert").inner_text()
    assert "The server answered 400" in told
    assert "field: speed" in told


def test_34_what_was_spoken_keeps_its_speed(page_of: PageOf, fake: Server) -> None:
    """The call and the file are those of the sound that was heard, whatever the fields say by then."""
    _, page = speaking(page_of, fake)
    page.get_by_role("textbox", name="Text").fill("Good day.")
    page.get_by_role("button", name="Speak", exact=True).click()
    page.wait_for_selector(".takes li")
    page.get_by_role("button", name="Stop").wait_for(state="detached")
    page.get_by_role("spinbutton", name="Speed").fill("2")
    page.get_by_role("combobox", name="File format").select_option("mp3")
    with page.expect_request("**/v1/audio/speech") as asking, page.expect_download():
        page.get_by_role("button", name="Download").click()
    assert json.loads(asking.value.post_data or "")["speed"] == 1
    page.get_by_role("button", name="Show the call").click()
    assert '"speed":1,' in page.locator("dialog pre").inner_text()


def test_28_a_text_of_several_requests_is_saved_whole(page_of: PageOf, fake: Server) -> None:
    """The file is a wav, whatever format is chosen, and the call that is shown is one that the server
    accepts.
    """
    made = page_of(fake)
    with_about(made.page, lambda about: about["limits"].update(input_characters=40))
    page = made.open("speak")
    page.get_by_role("textbox", name="Text").fill("Good morning, everybody. " * 3)
    page.get_by_role("combobox", name="File format").select_option("mp3")
    page.get_by_role("button", name="Speak", exact=True).click()
    page.wait_for_selector("text=Spoken in 3 requests")
    page.get_by_role("button", name="Stop").click()
    with page.expect_download() as saving:
        page.get_by_role("button", name="Download").click()
    assert saving.value.suggested_filename == "cedar.wav"
    assert len(made.paths("POST")) == 3
    assert seconds(saving.value.path()) > 3.5, "three times 21 letters"
    page.get_by_role("button", name="Show the call").click()
    assert page.locator("dialog pre").inner_text().count("Good morning") == 1
