"""A transcript: heard, corrected, named, kept, forgotten, taken away."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import docx
import pytest
from playwright.sync_api import Page

from tests.studio.keyboard import stop
from tests.studio.recorded import (
    BEGUN,
    HARBOUR,
    SOUND,
    STAND_STILL,
    WORD_SECONDS,
    Stream,
    answer_with,
    body,
    events,
    shown,
    told,
    word,
)
from tests.studio.stage import Visit
from tests.support.waiting import wait_until


def names(page: Page) -> list[str]:
    return page.locator(".turn header strong").all_inner_texts()


def times(page: Page) -> dict[str, str]:
    found: list[list[str]] = page.evaluate(
        "[...document.querySelectorAll('[data-at]')].map(word => [word.textContent, word.dataset.at])"
    )
    return {f"{text}@{at}": at for text, at in found}


def exported(page: Page, form: str) -> bytes:
    """The file that the export menu gives."""
    menu = page.locator("details.menu", has_text="Export")
    if menu.get_attribute("open") is None:
        menu.locator("summary").click()
    with page.expect_download() as saving:
        menu.get_by_role("button", name=f"({form})" if form != "txt" else "Text").click()
    assert saving.value.suggested_filename == f"harbour.{form}"
    data = saving.value.path().read_bytes()
    assert data
    return data


def edit(page: Page, turn: int, text: str) -> None:
    page.get_by_role("button", name="Edit this turn").nth(turn).click()
    page.get_by_role("textbox", name="Text of this turn").fill(text)
    page.keyboard.press("Escape")
    page.wait_for_selector("textarea", state="detached")


def test_11_turns_have_letters_times_and_colours_and_the_strip_agrees(cleared: Visit) -> None:
    page = shown(cleared)
    assert names(page) == ["A", "B", "A", "B"]
    assert page.locator(".turn .time").all_inner_texts() == ["00:00", "00:05", "00:07", "00:10"]
    assert page.locator(".strip .lane").count() == 2
    assert page.locator(".strip .lanes li").all_inner_texts() == ["A", "B"]
    for speaker, letter in (("A", "a"), ("B", "b")):
        lane = page.locator(f".strip .lane.speaker-{letter}").get_attribute("d") or ""
        begins = [float(start) for start in re.findall(r"M([\d.]+)", lane)]
        assert begins == [turn.start for turn in HARBOUR if turn.speaker == speaker]
        lasts = [float(length) for length in re.findall(r"h([\d.]+)", lane)]
        assert lasts == [turn.end - turn.start for turn in HARBOUR if turn.speaker == speaker]
    colours = page.locator(".turn header strong").evaluate_all(
        "all => all.map(one => getComputedStyle(one).color)"
    )
    assert colours == [colours[0], colours[1]] * 2
    assert colours[0] != colours[1]


def test_12_text_is_readable_before_speakers_are_known_and_no_word_moves(cleared: Visit) -> None:
    page = cleared.open()
    stream = Stream(page)
    page.set_input_files("input[type=file]", told("harbour.wav"))
    early = list(events(HARBOUR, told=False))[:-1]
    stream.tell(early)
    page.wait_for_selector("[data-at]:text-is('myself.')")
    assert names(page) == []
    spoken = " ".join(" ".join(turn.words) for turn in HARBOUR)
    assert " ".join(page.locator(".turn p").all_inner_texts()) == spoken
    before = times(page)
    stream.end(list(events(HARBOUR))[len(early) :])
    page.wait_for_selector("text=done in")
    assert names(page) == ["A", "B", "A", "B"]
    assert times(page) == before


def test_14_a_click_on_a_word_plays_from_there(cleared: Visit) -> None:
    page = shown(cleared)
    word(page, "lighthouse.").click()
    assert abs(page.evaluate(BEGUN) - 9.5) <= 0.15


WATCH = """() => {
  window.seen = [];
  const look = () => {
    const marked = [...document.querySelectorAll('.heard')];
    window.seen.push([window.heard.currentTime, marked.length, Number(marked[0]?.dataset.at)]);
    if (window.seen.length < 600) requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""
"""Notes at every animation frame: the time, the number of marked words, and the start of the marked one."""


def test_15_exactly_one_word_is_marked_and_it_follows(cleared: Visit) -> None:
    page = shown(cleared)
    word(page, "Which").click()
    page.wait_for_selector(".heard")
    page.evaluate(WATCH)
    page.wait_for_function("() => new Set(window.seen.map((one) => one[2])).size >= 3")
    for now, count, at in page.evaluate("window.seen"):
        assert count == 1
        assert at - 0.02 <= now <= at + WORD_SECONDS + 0.02, "the word that is heard is the marked one"
    page.mouse.wheel(0, 40)
    back = page.get_by_role("button", name=re.compile("^Back to "))
    back.click()
    back.wait_for(state="detached")
    page.set_viewport_size({"width": 1280, "height": 430})
    page.locator("[data-at]").first.click()
    page.wait_for_function("() => document.querySelector('[data-at]').classList.contains('heard')")
    page.evaluate("scrollBy({top: 200, behavior: 'instant'})")  # as the scrollbar does, without a wheel
    back.wait_for()
    back.click()
    back.wait_for(state="detached")
    page.set_viewport_size({"width": 1280, "height": 720})


def test_16_a_new_name_is_everywhere_and_undo_takes_it_back(cleared: Visit) -> None:
    page = shown(cleared)
    field = page.get_by_role("textbox", name="Name of speaker A")
    field.fill("Anna")
    field.press("Tab")
    page.wait_for_selector(".turn strong:text-is('Anna')")
    assert names(page) == ["Anna", "B", "Anna", "B"]
    assert page.locator(".strip .lanes li").all_inner_texts() == ["Anna", "B"]
    share = page.locator(".people li").first
    assert share.get_by_role("textbox").input_value() == "Anna"
    assert share.get_by_label("% of the time").is_visible()
    for form in ("srt", "vtt", "txt", "json"):
        assert b"Anna" in exported(page, form)
    spoken = [one.text for one in docx.Document(io.BytesIO(exported(page, "docx"))).paragraphs]
    assert sum("Anna" in text for text in spoken) == 2
    page.get_by_role("button", name="Undo").click()
    page.wait_for_selector(".turn strong:text-is('A')")
    assert names(page) == ["A", "B", "A", "B"]
    assert page.locator(".strip .lanes li").all_inner_texts() == ["A", "B"]
    assert b"Anna" not in exported(page, "srt")


def test_17_a_correction_leaves_the_times_of_all_other_words(cleared: Visit) -> None:
    page = shown(cleared)
    before = times(page)
    cues = exported(page, "srt").decode().strip().split("\n\n")
    edit(page, 2, "The new one by the windmill.")
    after = times(page)
    changed = {key.partition("@")[0] for key in set(before) ^ set(after)}
    assert changed == {"old", "new", "lighthouse.", "windmill."}
    again = exported(page, "srt").decode().strip().split("\n\n")
    assert [old for old, new in zip(cues, again, strict=True) if old != new] == [
        cue for cue in cues if "lighthouse" in cue
    ]


def test_18_split_join_speaker_and_replace_by_keyboard_alone(cleared: Visit) -> None:
    page = shown(cleared)
    page.get_by_role("button", name="Edit this turn").nth(2).focus()
    page.keyboard.press("e")
    page.wait_for_selector("textarea:focus")
    page.keyboard.press("Control+Home")
    for _ in "The old one":
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Control+Enter")
    page.wait_for_function("() => document.querySelectorAll('.turn').length === 5")
    page.get_by_role("button", name="Edit this turn").nth(3).focus()
    page.keyboard.press("2")
    page.wait_for_selector(".turn:nth-of-type(4).speaker-b")
    page.get_by_role("button", name="Edit this turn").nth(3).focus()
    page.keyboard.press("e")
    page.wait_for_selector("textarea:focus")
    page.keyboard.press("Control+Home")
    page.keyboard.press("Backspace")
    page.wait_for_function("() => document.querySelectorAll('.turn').length === 4")
    for _ in range(3):
        page.get_by_role("button", name="Undo").focus()
        page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelectorAll('.turn').length === 4")
    assert names(page) == ["A", "B", "A", "B"]
    page.locator("summary", has_text="Replace everywhere").focus()
    page.keyboard.press("Enter")
    page.get_by_role("textbox", name="Find").focus()
    page.keyboard.type("harbour")
    page.keyboard.press("Tab")
    page.keyboard.type("port")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-at]:text-is('port')")
    assert page.locator("[data-at]:text-is('port')").count() == 2
    page.locator("[data-at]").first.focus()
    page.keyboard.press("Control+Z")
    page.wait_for_selector("[data-at]:text-is('harbour')")
    assert page.locator("[data-at]:text-is('harbour')").count() == 2


def test_18_a_turn_or_all_turns_change_their_speaker_by_keyboard(cleared: Visit) -> None:
    page = shown(cleared)
    people = "[...document.querySelectorAll('.turn strong')].map(one => one.textContent).join()"
    for turn, group, choice, expected in (
        (0, "This turn only", "B", "B,A,B"),
        (2, "All turns of A", "C", "B,C,B"),
        (0, "All turns of B", "A", "A,C,A"),
    ):
        page.get_by_role("button", name="Who speaks").nth(turn).focus()
        page.keyboard.press("Enter")
        page.wait_for_selector("dialog[open]")
        button = page.get_by_role("group", name=group).get_by_role("button", name=choice, exact=True)
        for _ in range(10):
            if button.evaluate("one => one === document.activeElement"):
                break
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_function(f"names => {people} === names", arg=expected)
        page.wait_for_selector("dialog", state="detached")
        assert stop(page)["name"].startswith("Who speaks"), "the dialog gives the focus back"
    for expected in ("B,C,B", "B,A,B", "A,B,A,B"):
        page.keyboard.press("Control+z")
        page.wait_for_function(f"names => {people} === names", arg=expected)


def test_two_letters_of_one_person_become_one(cleared: Visit) -> None:
    page = shown(cleared)
    page.get_by_role("button", name="B: Same person as").click()
    page.locator("dialog[open]").get_by_role("button", name="A", exact=True).click()
    page.wait_for_function("() => document.querySelectorAll('.people li').length === 1")
    assert names(page) == ["A"]
    page.get_by_role("button", name="Undo").click()
    page.wait_for_function("() => document.querySelectorAll('.people li').length === 2")


def test_19_a_reload_keeps_every_edit_and_asks_for_the_file(cleared: Visit) -> None:
    page = shown(cleared)
    for number in range(10):
        edit(page, number % 4, f"Edit number {number} of ten.")
    field = page.get_by_role("textbox", name="Name of speaker A")
    field.fill("Anna")
    field.press("Tab")
    page.wait_for_selector(".turn strong:text-is('Anna')")
    edit(page, 0, "Taken back.")
    page.get_by_role("button", name="Undo").click()
    expected = page.locator(".turn p").all_inner_texts()
    assert expected[1] == "Edit number 9 of ten."
    page.reload()
    page.wait_for_selector(".turn p")
    assert page.locator(".turn p").all_inner_texts() == expected
    assert names(page) == ["Anna", "B", "Anna", "B"]
    assert page.locator(".strip .peaks").get_attribute("d"), "the loudness is kept"
    asking = page.locator("dialog[open]", has_text="choose the same file again: harbour.wav")
    assert page.locator("dialog, .sheet input[type=file]").count() == 0
    page.get_by_role("button", name="Play", exact=True).click()
    asking.wait_for()
    asking.get_by_role("button", name="Cancel").click()
    asking.wait_for(state="detached")
    begins = float(word(page, "7").get_attribute("data-at") or "nan")
    word(page, "7").click()
    asking.locator("input[type=file]").set_input_files(told("other.wav"))
    asking.get_by_text("other.wav is another file").wait_for()
    asking.locator("input[type=file]").set_input_files({**told("harbour.wav"), "buffer": SOUND[:-2]})
    asking.get_by_text("harbour.wav is another file").wait_for()
    asking.locator("input[type=file]").set_input_files(told("harbour.wav"))
    asking.get_by_text("harbour.wav has another date").wait_for()
    asking.get_by_role("button", name="Use it all the same").click()
    asking.wait_for(state="detached")
    page.wait_for_function("() => window.heard && !window.heard.paused")
    assert page.evaluate("window.heard.currentTime") >= begins - 0.15


def test_20_forget_leaves_nothing_and_never_keep_writes_nothing(cleared: Visit) -> None:
    page = shown(cleared)
    wait_until(lambda: stored(page) == 1, 60)
    page.get_by_role("button", name="Forget: harbour.wav").click()
    page.wait_for_selector("dialog[open]")
    assert stop(page)["name"] == "Cancel", "what cannot be undone is not the first choice"
    page.locator("dialog[open]").get_by_role("button", name="Forget").click()
    wait_until(lambda: stored(page) == 0, 60)
    page.set_input_files("input[type=file]", told("harbour.wav"))
    page.wait_for_selector("text=done in")
    page.evaluate(f"(() => {{ {STAND_STILL} }})()")
    page.locator("nav.list input[type=file]").set_input_files(told("unfinished.wav"))
    page.wait_for_selector("h1:text('unfinished.wav')")
    page.wait_for_selector("[data-at]")
    page.get_by_role("button", name="Forget: unfinished.wav").click()
    page.locator("dialog[open]").get_by_role("button", name="Forget").click()
    page.get_by_role("link", name="harbour.wav").click()
    page.wait_for_selector("text=done in")
    assert stored(page) == 1, "what is forgotten while it is transcribed is not kept when its work ends"
    page.get_by_role("button", name="Never keep").click()
    wait_until(lambda: stored(page) == 0, 60)
    edit(page, 0, "Not kept.")
    page.wait_for_timeout(200)
    assert stored(page) == 0
    page.get_by_role("button", name="Keep them again").click()
    wait_until(lambda: stored(page) == 1, 60)
    page.get_by_role("button", name="Never keep").click()
    page.reload()
    page.wait_for_selector("text=Nothing is kept")
    assert stored(page) == 0


def stored(page: Page) -> int:
    """How many transcripts IndexedDB has."""
    keys: list[str] = page.evaluate(STORED)
    return len(keys)


def test_19_a_file_that_is_added_again_gives_its_text_the_sound(cleared: Visit, tmp_path: Path) -> None:
    file = tmp_path / "harbour.wav"
    file.write_bytes(SOUND)
    page = shown(cleared, file=file)
    wait_until(lambda: stored(page) == 1, 60)
    page.reload()
    page.wait_for_selector(".turn p")
    page.locator("nav.list input[type=file]").set_input_files(file)
    word(page, "Which").click()
    page.wait_for_function("() => window.heard && !window.heard.paused")
    assert page.locator("nav.list li").count() == 1


STORED = """() => new Promise((resolve) => {
  const opening = indexedDB.open('keyval-store');
  opening.onsuccess = () => {
    const reading = opening.result.transaction('keyval').objectStore('keyval').getAllKeys();
    reading.onsuccess = () => { opening.result.close(); resolve(reading.result); };
  };
})"""


def test_21_exports_have_names_edits_and_umlauts(cleared: Visit) -> None:
    page = shown(cleared)
    field = page.get_by_role("textbox", name="Name of speaker B")
    field.fill("Jürgen")
    field.press("Tab")
    edit(page, 1, "Größe oder Hafen?")
    for form in ("srt", "vtt", "txt"):
        text = exported(page, form).decode()
        assert "Jürgen" in text
        assert "Größe" in text
        assert "Käse." in text
    mark = r"\d\d:\d\d:\d\d[,.]\d{3} --> \d\d:\d\d:\d\d[,.]\d{3}"
    srt = exported(page, "srt").decode().strip().split("\n\n")
    assert [cue.split("\n")[0] for cue in srt] == [str(number + 1) for number in range(len(srt))]
    assert all(re.fullmatch(mark, cue.split("\n")[1]) for cue in srt)
    vtt = exported(page, "vtt").decode()
    assert vtt.startswith("WEBVTT\n\n")
    assert len(re.findall(mark, vtt)) == len(srt)
    segments = json.loads(exported(page, "json"))["segments"]
    assert [segment["speaker"] for segment in segments] == ["A", "Jürgen", "A", "Jürgen"]
    assert [(one["start"], one["end"]) for one in segments] == [(turn.start, turn.end) for turn in HARBOUR]
    document = docx.Document(io.BytesIO(exported(page, "docx")))
    assert document.paragraphs[0].text == "harbour.wav"
    spoken = [paragraph.text for paragraph in document.paragraphs if re.search(r"[.?]$", paragraph.text)]
    assert len(spoken) == 4
    assert "Größe oder Hafen?" in spoken[1]
    assert "Jürgen" in spoken[1]


def test_24_what_the_browser_cannot_play_stays_readable(cleared: Visit) -> None:
    page = cleared.open()
    answer_with(page, body(events(HARBOUR)))
    page.set_input_files("input[type=file]", {"name": "a.amr", "mimeType": "audio/amr", "buffer": b"#!AMR\n"})
    page.wait_for_selector("text=Your browser cannot play this kind of file")
    assert names(page) == ["A", "B", "A", "B"]


@pytest.mark.parametrize("key", ["?"])
def test_the_keys_are_listed(cleared: Visit, key: str) -> None:
    page = shown(cleared)
    page.get_by_role("button", name="Edit this turn").first.focus()
    page.keyboard.press(key)
    page.wait_for_selector("dialog[open] dl.keys")
