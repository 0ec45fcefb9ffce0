"""What the user does while the server works: neither text nor what was typed is lost."""

from __future__ import annotations

from tests.studio.recorded import HARBOUR, Stream, events, told
from tests.studio.stage import Visit

TURN = ".turn p"
EVENTS = list(events(HARBOUR))
HALF = {"type": "antiphon.progress", "seconds": 5, "expected": 10}
SAID = [" ".join(turn.words) for turn in HARBOUR]
TYPED = "And so we came back to the harbour for Käse. Which harbour was it?"


def test_what_is_typed_stays_while_text_speakers_and_another_recording_go_on(cleared: Visit) -> None:
    page = cleared.open()
    stream = Stream(page)
    page.set_input_files("input[type=file]", told("harbour.wav"))
    stream.tell(EVENTS[:3])
    page.get_by_role("button", name="Edit this turn").click()
    field = page.get_by_role("textbox", name="Text of this turn")
    field.fill(TYPED)
    stream.tell(EVENTS[3:-1])
    assert field.input_value() == TYPED
    page.keyboard.press("Escape")
    page.wait_for_function("() => document.querySelectorAll('.turn').length === 4")
    typed = [SAID[0].replace("went", "came"), SAID[1].replace("that", "it"), *SAID[2:]]
    assert page.locator(TURN).all_inner_texts() == typed
    page.keyboard.press("Control+z")
    page.locator(TURN, has_text="went").wait_for()
    assert page.locator(TURN).all_inner_texts() == SAID, "undo takes no text that came after the edit"
    assert page.locator(".turn strong").all_inner_texts() == ["A", "B", "A", "B"]
    stream.end(EVENTS[-1:])
    page.wait_for_selector("text=done in")

    page.locator("nav.list input[type=file]").set_input_files(told("second.wav"))
    page.get_by_role("link", name="harbour.wav").click()
    name = page.get_by_role("textbox", name="Name of speaker A")
    name.select_text()
    page.keyboard.type("An")
    stream.tell([HALF], upload=1)
    page.wait_for_selector("nav.list li:has-text('50%')")
    assert name.input_value() == "An"
    page.keyboard.type("na")
    page.keyboard.press("Tab")
    page.wait_for_selector(".turn strong:text-is('Anna')")
    name.fill("  ")
    name.press("Tab")
    page.wait_for_selector(".turn strong:text-is('A')")
    assert name.input_value() == "A"


def test_19_a_reload_keeps_the_text_so_far_and_the_open_field(cleared: Visit) -> None:
    page = cleared.open()
    stream = Stream(page)
    page.set_input_files("input[type=file]", told("harbour.wav"))
    stream.tell(EVENTS[:3])
    page.get_by_role("button", name="Edit this turn").click()
    page.get_by_role("textbox", name="Text of this turn").fill("We went back.")
    page.reload()
    page.wait_for_selector("text=/^Stopped/")
    assert page.locator(TURN).all_inner_texts() == ["We went back."]
    assert page.locator("progress").count() == 0


def test_a_text_that_was_deleted_whole_can_be_brought_back(cleared: Visit) -> None:
    page = cleared.open()
    stream = Stream(page)
    page.set_input_files("input[type=file]", told("harbour.wav"))
    stream.end([*EVENTS[:2], EVENTS[-1]])
    page.get_by_role("button", name="Edit this turn").click()
    page.get_by_role("textbox", name="Text of this turn").fill("")
    page.keyboard.press("Escape")
    page.wait_for_selector("text=All of its text was deleted.")
    page.get_by_role("button", name="Undo").click()
    page.wait_for_selector(TURN)
    assert page.locator(TURN).all_inner_texts() == SAID[:1]


DRAGGED = """([selector, file]) => {
  const dataTransfer = new DataTransfer();
  if (file) dataTransfer.items.add(new File(['RIFF'], 'dropped.wav', {type: 'audio/wav'}));
  else dataTransfer.setData('text/plain', 'Good day.');
  const target = document.querySelector(selector);
  return ['dragover', 'drop'].map(
    (name) => target.dispatchEvent(new DragEvent(name, {dataTransfer, bubbles: true, cancelable: true})));
}"""
"""Drags a file, or else a text, to an element. Gives for both events whether the browser may act on them."""


def test_text_is_dropped_into_fields_and_a_file_where_one_is_wanted(cleared: Visit) -> None:
    cleared.page.route("**/v1/audio/transcriptions", lambda route: route.fulfill(json={"text": "Good day."}))
    page = cleared.open("speak")
    page.wait_for_selector("textarea")
    assert page.evaluate(DRAGGED, ["textarea", False]) == [True, True]
    assert page.evaluate(DRAGGED, ["main h1", False]) == [False, False]
    assert page.evaluate(DRAGGED, ["main h1", True]) == [False, False]
    assert cleared.paths("POST") == []
    page.get_by_role("link", name="Voices").click()
    page.wait_for_selector("blockquote:not(:empty)")
    page.evaluate(DRAGGED, ["main h1", True])
    page.wait_for_selector("dl.compared")
    assert page.locator("text=dropped.wav").is_visible()
    assert page.url.endswith("#/voices")
