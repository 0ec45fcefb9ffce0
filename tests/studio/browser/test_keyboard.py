"""All jobs by keyboard alone: the focus is seen wherever it goes, and nothing that closes loses it."""

from __future__ import annotations

from tests.conftest import JFK
from tests.studio.keyboard import stop, tab_to
from tests.studio.recorded import HARBOUR, SOUND, answer_with, body, events
from tests.studio.stage import DROP_ZONE, PageOf, Visit
from tests.support.server import Server


def test_38_transcribe_name_correct_and_export(cleared: Visit) -> None:
    page = cleared.open()
    answer_with(page, body(events(HARBOUR)))
    tab_to(page, "Choose a file")
    with page.expect_file_chooser() as choosing:
        page.keyboard.press("Space")
    choosing.value.set_files({"name": "harbour.wav", "mimeType": "audio/wav", "buffer": SOUND})
    page.wait_for_selector("text=done in")
    tab_to(page, "Name of speaker A")
    page.keyboard.press("Control+A")
    page.keyboard.type("Anna")
    tab_to(page, "Export")
    assert page.locator(".turn strong").first.inner_text() == "Anna"
    page.keyboard.press("Enter")
    tab_to(page, "Subtitles (srt)")
    with page.expect_download() as saving:
        page.keyboard.press("Enter")
    assert b"Anna" in saving.value.path().read_bytes()
    assert stop(page)["name"] == "Export"
    assert page.locator(".menu[open]").count() == 0
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    assert stop(page)["name"] == "Export"
    assert page.locator(".menu[open]").count() == 0


def test_38_speak_and_download(cleared: Visit) -> None:
    page = cleared.open()
    tab_to(page, "Speak")
    page.keyboard.press("Enter")
    page.wait_for_selector(".voices li")
    tab_to(page, "Text")
    page.keyboard.type("Good day.")
    tab_to(page, "Speak")
    page.keyboard.press("Enter")
    assert stop(page)["name"] == "Stop"
    page.wait_for_selector(".takes li")
    page.get_by_role("button", name="Stop").wait_for(state="detached")
    assert stop(page)["name"] == "Speak"
    tab_to(page, "Download")
    with page.expect_download():
        page.keyboard.press("Enter")


def test_38_the_call_and_back(cleared: Visit) -> None:
    page = cleared.open()
    answer_with(page, body(events(HARBOUR)))
    page.set_input_files("input[type=file]", {"name": "a.wav", "mimeType": "audio/wav", "buffer": SOUND})
    page.wait_for_selector("text=done in")
    tab_to(page, "Show the call")
    page.keyboard.press("Enter")
    tab_to(page, "python")
    page.keyboard.press("Enter")
    page.wait_for_selector("pre[aria-label=python]")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog", state="detached")
    assert stop(page)["name"] == "Show the call"


def test_38_a_take_for_a_voice(cleared: Visit) -> None:
    page = cleared.open("voices")
    page.wait_for_selector("blockquote:not(:empty)")
    tab_to(page, "Record")
    page.keyboard.press("Enter")
    page.wait_for_selector(".recording .time:text-is('00:01')")
    assert stop(page)["name"] == "Stop recording"
    page.keyboard.press("Enter")
    page.wait_for_selector("dl.compared")
    assert stop(page)["name"] == "Record"
    tab_to(page, "Name of the voice’s owner")


def test_38_the_server(cleared: Visit) -> None:
    page = cleared.open()
    tab_to(page, "Server")
    page.keyboard.press("Enter")
    page.wait_for_selector("table td")


def test_38_the_focus_is_not_lost_when_what_had_it_goes(page_of: PageOf, slow: Server) -> None:
    page = page_of(slow).open()
    page.set_input_files("input[type=file]", str(JFK))
    page.wait_for_selector("main:focus h1:text('jfk.flac')")
    tab_to(page, "Stop")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=/^Stopped/")
    assert not stop(page)["body"]
    page.get_by_role("button", name="Forget: jfk.flac").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(DROP_ZONE)
    assert not stop(page)["body"]


def test_27_the_keys_play_the_compared_voices(cleared: Visit) -> None:
    page = cleared.open("speak")
    page.wait_for_selector(".voices li")
    page.get_by_role("textbox", name="Text").fill("Good day.")
    for voice in ("alloy", "cedar", "coral", "echo"):
        page.get_by_role("checkbox", name=f"Compare {voice}").check()
    page.get_by_role("button", name="Compare 4").click()
    page.wait_for_function("() => document.querySelectorAll('.takes li').length === 4")
    page.wait_for_selector("button:has-text('Compare 4')")
    page.wait_for_selector("text=The keys 1 to 4 play them again.")
    for key in "1234":
        page.keyboard.press(key)
        page.wait_for_selector("[role=status]:text-is('Heard again')")
        page.wait_for_selector("[role=status]:text-is('Heard again')", state="detached")
    page.keyboard.press("9")
    page.get_by_role("textbox", name="Text").focus()
    page.keyboard.press("1")
    assert page.locator("[role=status]:text-is('Heard again')").count() == 0
    assert page.get_by_role("textbox", name="Text").input_value() == "Good day.1"
