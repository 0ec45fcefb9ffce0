"""Keys of the text and the player: each does what the list says, and none acts while the user types."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.studio.recorded import conversation, shown, told, word
from tests.studio.stage import Visit

FOCUSED = "() => document.activeElement.textContent"
ARABIC = conversation(["مرحبا بكم في الميناء القديم", "أي ميناء كان"])


@pytest.fixture
def page(cleared: Visit) -> Page:
    return shown(cleared)


def presses(page: Page, *keys: str) -> str:
    """The text of what has the focus after these keys."""
    for key in keys:
        page.keyboard.press(key)
    told: str = page.evaluate(FOCUSED)
    return told


def now(page: Page) -> float:
    seconds: float = page.evaluate("window.heard.currentTime")
    return seconds


def paused_at(page: Page, text: str) -> float:
    """Plays from a word, pauses, and says where."""
    word(page, text).click()
    page.wait_for_function("() => window.heard && !window.heard.paused")
    page.evaluate("window.heard.pause()")
    page.wait_for_selector("button[aria-label=Play]")
    return now(page)


def test_arrows_go_from_word_to_word_and_from_turn_to_turn(page: Page) -> None:
    word(page, "And").focus()
    assert presses(page, "ArrowRight") == "so"
    assert presses(page, "ArrowLeft") == "And"
    assert presses(page, "ArrowDown") == "Which"
    assert presses(page, "ArrowLeft") == "Käse."
    assert presses(page, "ArrowRight") == "Which"
    assert presses(page, "ArrowDown", "ArrowDown", "ArrowUp") == "The"
    assert page.locator("[data-at][tabindex='0']").all_inner_texts() == ["The"], "one word is a tab stop"


def test_in_a_text_from_right_to_left_the_left_arrow_goes_on(cleared: Visit) -> None:
    page = shown(cleared, ARABIC)
    assert page.locator(".turn p").first.evaluate("one => getComputedStyle(one).direction") == "rtl"
    first, second = (page.locator("[data-at]").nth(number) for number in (0, 1))
    assert first.evaluate("one => one.getBoundingClientRect().x") > second.evaluate(
        "one => one.getBoundingClientRect().x"
    )
    first.focus()
    assert presses(page, "ArrowLeft") == second.inner_text()
    assert presses(page, "ArrowRight") == first.inner_text()


def test_enter_plays_from_the_word(page: Page) -> None:
    word(page, "And").focus()
    assert presses(page, *["ArrowDown"] * 2, *["ArrowRight"] * 5) == "lighthouse."
    page.keyboard.press("Enter")
    page.wait_for_function("() => window.heard && !window.heard.paused")
    begins = 9.5
    assert begins - 0.15 <= now(page) <= begins + 1


def test_space_j_and_l_move_the_player(page: Page) -> None:
    at = paused_at(page, "harbour")
    page.keyboard.press("l")
    assert now(page) == pytest.approx(at + 5, abs=0.1)
    page.keyboard.press("J")
    assert now(page) == pytest.approx(at, abs=0.1)
    page.keyboard.press(" ")
    page.wait_for_function("() => !window.heard.paused")
    page.keyboard.press(" ")
    page.wait_for_function("() => window.heard.paused")


def test_brackets_change_the_speed_and_the_menu_says_so(page: Page) -> None:
    speed = page.get_by_role("combobox", name="Speed")
    paused_at(page, "harbour")
    for key, expected in (("]", 1.25), ("]", 1.5), ("]", 2), ("]", 2), ("[", 1.5)):
        page.keyboard.press(key)
        assert page.evaluate("window.heard.playbackRate") == expected
        assert speed.input_value() == f"{expected:g}"
    speed.select_option("0.75")
    for key, expected in (("]", 1), ("[", 0.75)):
        word(page, "And").press(key)
        assert speed.input_value() == f"{expected:g}"
        assert page.evaluate("window.heard.playbackRate") == expected


def test_another_recording_is_played_at_the_speed_that_is_shown(page: Page) -> None:
    page.get_by_role("combobox", name="Speed").select_option("1.5")
    page.locator("nav.list input[type=file]").set_input_files(told("other.wav"))
    page.wait_for_selector("h1:text('other.wav')")
    word(page, "harbour").click()
    page.wait_for_function("() => window.heard && !window.heard.paused")
    assert page.get_by_role("combobox", name="Speed").input_value() == "1.5"
    assert page.evaluate("window.heard.playbackRate") == 1.5


def test_escape_stops_following(page: Page) -> None:
    paused_at(page, "harbour")
    assert page.get_by_role("button", name="Back to").count() == 0
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Back to").click()
    page.get_by_role("button", name="Back to").wait_for(state="detached")


def test_keys_count_in_the_text_and_the_player_alone(page: Page) -> None:
    at = paused_at(page, "harbour")
    page.locator("summary", has_text="Export").press("l")
    page.get_by_role("link", name="Antiphon").press("l")
    assert now(page) == at
    page.get_by_role("button", name="Show the call").press("l")
    assert now(page) == pytest.approx(at + 5, abs=0.1)


def test_what_is_typed_into_a_turn_or_a_name_is_text(page: Page) -> None:
    at = paused_at(page, "harbour")
    before = page.locator(".turn strong").all_inner_texts()
    page.get_by_role("button", name="Edit this turn").first.click()
    field = page.get_by_role("textbox", name="Text of this turn")
    field.fill("")
    page.keyboard.type("l 2 e [?]")
    assert field.input_value() == "l 2 e [?]"
    page.keyboard.press("Escape")
    page.get_by_role("textbox", name="Name of speaker A").fill("")
    page.keyboard.type("j2")
    assert page.get_by_role("textbox", name="Name of speaker A").input_value() == "j2"
    assert now(page) == at
    assert page.locator(".turn strong").all_inner_texts() == before
    assert page.locator("dialog").count() == 0


def test_leaving_the_field_of_a_turn_gives_the_focus_to_its_text(page: Page) -> None:
    word(page, "And").focus()
    assert presses(page, "ArrowDown") == "Which"
    page.keyboard.press("e")
    page.wait_for_selector("textarea:focus")
    page.keyboard.press("Escape")
    page.wait_for_selector("[data-at]:focus")
    assert page.evaluate(FOCUSED) == "Which"


def test_the_sound_stops_when_the_user_goes_to_another_view(page: Page) -> None:
    word(page, "And").click()
    page.wait_for_function("() => window.heard && !window.heard.paused")
    page.get_by_role("link", name="Server").click()
    page.wait_for_function("() => window.heard.paused")
