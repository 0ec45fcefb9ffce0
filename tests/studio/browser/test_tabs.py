"""Two tabs on one server: what one keeps, changes or forgets, the other knows."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.studio.recorded import HARBOUR, Stream, events, shown, told
from tests.studio.stage import DROP_ZONE, PageOf, Visit
from tests.support.server import Server

TURN = ".turn p"


def both(page_of: PageOf, fake: Server) -> tuple[Page, Page]:
    """Two tabs with the same transcript."""
    return both_of(page_of(fake))


def both_of(made: Visit) -> tuple[Page, Page]:
    one = shown(made)
    other = made.context.new_page()
    other.goto(one.url)
    other.wait_for_selector(TURN)
    return one, other


def edit(page: Page, turn: int, text: str) -> None:
    page.get_by_role("button", name="Edit this turn").nth(turn).click()
    page.get_by_role("textbox", name="Text of this turn").fill(text)
    page.keyboard.press("Escape")
    page.wait_for_selector("textarea", state="detached")


COUNT = """
window.persisted = [];
navigator.storage.persist = async () => window.persisted.push(1) > 0;
"""


def test_an_edit_in_one_tab_is_kept_by_an_edit_in_the_other(page_of: PageOf, fake: Server) -> None:
    """The browser is asked once to keep what is there; some ask the user each time."""
    made = page_of(fake)
    made.context.add_init_script(COUNT)
    one, other = both_of(made)
    edit(one, 0, "Edited in one tab.")
    other.locator(TURN, has_text="Edited in one tab.").wait_for()
    edit(other, 1, "And in the other.")
    one.locator(TURN, has_text="And in the other.").wait_for()
    assert [len(tab.evaluate("window.persisted")) for tab in (one, other)] == [1, 0]
    one.reload()
    for text in ("Edited in one tab.", "And in the other."):
        one.locator(TURN, has_text=text).wait_for()


def test_what_one_tab_transcribes_another_shows_and_edits(page_of: PageOf, fake: Server) -> None:
    made = page_of(fake)
    one = made.open()
    stream = Stream(one)
    one.set_input_files("input[type=file]", told("harbour.wav"))
    every = list(events(HARBOUR))
    stream.tell(every[:2])
    edit(one, 0, "And so we came back.")
    other = made.context.new_page()
    other.goto(one.url)
    other.wait_for_selector("text=Another tab is transcribing it")
    other.get_by_role("button", name="Edit this turn").first.click()
    stream.tell(every[2:4])
    other.get_by_role("textbox", name="Text of this turn").fill("So we came back.")
    other.keyboard.press("Escape")
    one.locator(TURN, has_text="So we came back. Which harbour was that? The old one").wait_for()
    stream.end(every[4:])
    other.wait_for_selector("text=done in")
    expected = ["So we came back.", *[" ".join(turn.words) for turn in HARBOUR[1:]]]
    assert one.locator(TURN).all_inner_texts() == expected
    assert other.locator(TURN).all_inner_texts() == expected


def test_what_a_tab_that_crashes_was_transcribing_is_stopped_in_the_other(
    page_of: PageOf, fake: Server
) -> None:
    """A crash says nothing to the other tabs, so this tab says nothing when it goes."""
    made = page_of(fake)
    one = made.open()
    stream = Stream(one)
    one.set_input_files("input[type=file]", told("harbour.wav"))
    stream.tell(list(events(HARBOUR))[:3])
    edit(one, 0, "And so we came back.")
    other = made.context.new_page()
    other.goto(one.url)
    other.wait_for_selector("text=Another tab is transcribing it")
    one.evaluate("BroadcastChannel.prototype.postMessage = () => undefined")
    one.close()
    other.wait_for_selector("text=/^Stopped/")
    assert other.locator(TURN).first.inner_text().startswith("And so we came back.")
    edit(other, 0, "We came back.")


def test_what_one_tab_forgets_is_gone_from_the_other(page_of: PageOf, fake: Server) -> None:
    one, other = both(page_of, fake)
    one.get_by_role("button", name="Forget: harbour.wav").click()
    one.locator("dialog[open]").get_by_role("button", name="Forget").click()
    other.wait_for_selector(DROP_ZONE)
    other.reload()
    other.wait_for_selector(DROP_ZONE)
    assert other.get_by_role("link", name="harbour.wav").count() == 0


def test_where_one_tab_keeps_nothing_the_other_keeps_nothing(page_of: PageOf, fake: Server) -> None:
    one, other = both(page_of, fake)
    one.get_by_role("button", name="Never keep").click()
    other.wait_for_selector("text=Nothing is kept")
    edit(other, 0, "Not kept.")
    other.reload()
    other.wait_for_selector(DROP_ZONE)
    other.get_by_role("button", name="Keep them again").click()
    one.wait_for_selector("text=Kept in this browser only.")
    edit(one, 0, "Kept again.")
    other.wait_for_selector("nav.list a:text-is('harbour.wav')")


HOLD_STORAGE = """(() => {
  const wait = new Promise((resolve) => { window.release = resolve; });
  const open = IDBFactory.prototype.open;
  IDBFactory.prototype.open = function (...names) {
    const request = open.apply(this, names);
    const late = (then) => request.addEventListener('success', () => void wait.then(then));
    Object.defineProperty(request, 'onsuccess', { set: late });
    return request;
  };
})()"""
"""A script: the browser's storage opens only after `release()`."""


def test_forget_all_forgets_what_is_still_being_loaded(page_of: PageOf, fake: Server) -> None:
    made = page_of(fake)
    for tab in both_of(made):  # the second one has read what is kept
        tab.close()
    made.page = made.context.new_page()
    made.page.add_init_script(HOLD_STORAGE)
    page = shown(made, name="later.wav")
    assert page.get_by_role("link", name="harbour.wav").count() == 0
    page.get_by_role("button", name="Forget all").click()
    page.locator("dialog[open]").get_by_role("button", name="Forget").click()
    page.evaluate("release()")
    page.get_by_role("link", name="later.wav").wait_for(state="detached")
    other = made.context.new_page()
    other.goto(page.url)
    other.wait_for_selector(DROP_ZONE)
    other.set_input_files("input[type=file]", told("last.wav"))
    other.wait_for_selector("nav.list a:text-is('last.wav')")
    assert other.locator("nav.list a").all_inner_texts() == ["last.wav"]
