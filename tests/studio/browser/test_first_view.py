"""The first view as the server sends it: it is painted and used before the page's own modules are there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route

from tests.studio.access import SIZES, violations
from tests.studio.recorded import told as file_of
from tests.studio.stage import DRAWN, DROP_ZONE, ELSEWHERE, PageOf, Visit
from tests.support.server import Server

TREE = """() => {
  const shown = (one) => one.localName === 'option' || one.checkVisibility({ visibilityProperty: true });
  const tree = (one) => ({
    tag: one.localName,
    text: [...one.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data.trim()).join(''),
    attributes: Object.fromEntries([...one.attributes].map(({ name, value }) => [name, value.trim()])),
    box: ['x', 'y', 'width', 'height'].map((side) => Math.round(one.getBoundingClientRect()[side])),
    inside: [...one.children].filter(shown).map(tree),
  });
  return tree(document.querySelector('#app'));
}"""
"""What is seen of the page, and where."""
WATCH = """() => {
  window.moved = [];
  new PerformanceObserver((list) => {
    for (const { sources } of list.getEntries()) {
      const boxes = sources.map((one) => [JSON.stringify(one.previousRect), JSON.stringify(one.currentRect)]);
      window.moved.push(...boxes.filter(([before, now]) => before !== now));
    }
  }).observe({ type: 'layout-shift' });
}"""
"""Notes what moves by itself from now on; words that are replaced in their place have not moved."""
MOVED = "() => new Promise((told) => requestAnimationFrame(() => setTimeout(() => told(window.moved))))"
STYLED = "() => getComputedStyle(document.body).display === 'grid'"


def held(made: Visit, view: str = "") -> tuple[Page, Callable[[], None]]:
    """The page as the server sends it, and what lets its modules come."""
    page = made.page
    waiting: list[Route] = []

    def hold(route: Route) -> None:
        waiting.append(route)

    page.route("**/js/main.js", hold)
    page.goto("about:blank")
    page.goto(f"{made.root}/{view}", wait_until="commit")
    page.wait_for_selector(".drop", state="attached")
    page.wait_for_function(STYLED)

    def release() -> None:
        for route in waiting:
            route.continue_()
        page.unroute("**/js/main.js")
        page.wait_for_selector(DRAWN)

    return page, release


def with_limits_untold(made: Visit) -> Callable[[], None]:
    """Holds back what the server says of itself; returns what lets it come."""
    waiting: list[Route] = []

    def hold(route: Route) -> None:
        waiting.append(route)

    made.page.route("**/v1/about", hold)

    def release() -> None:
        with made.page.expect_response("**/v1/about"):
            waiting.pop().continue_()
        made.page.wait_for_function("() => /\\d/.test(document.querySelector('.limits').textContent)")

    return release


def boxes(tree: dict[str, Any]) -> list[tuple[str, list[int]]]:
    """Where everything is."""
    return [(tree["tag"], tree["box"]), *(box for one in tree["inside"] for box in boxes(one))]


@pytest.mark.parametrize(
    ("code", "host"),
    [("en", "127.0.0.1"), ("de", "127.0.0.1"), ("es", "127.0.0.1"), ("fr", "127.0.0.1"), ("en", ELSEWHERE)],
)
@pytest.mark.parametrize("size", SIZES)
def test_1_the_page_draws_what_the_server_has_sent_and_nothing_moves(
    page_of: PageOf, fake: Server, code: str, host: str, size: str
) -> None:
    """In each language, and where there is no microphone; also when the limits of the server are known."""
    made = page_of(fake.root.replace("127.0.0.1", host), locale=code, viewport=SIZES[size])
    tell = with_limits_untold(made)
    page, release = held(made)
    sent = page.evaluate(TREE)
    page.evaluate(WATCH)
    release()
    drawn = page.evaluate(TREE)
    assert drawn == sent
    tell()
    assert boxes(page.evaluate(TREE)) == boxes(sent)
    assert page.evaluate(MOVED) == []


def test_1_what_the_server_sends_can_be_read_by_everybody(page_of: PageOf, fake: Server) -> None:
    page, _ = held(page_of(fake, viewport=SIZES["phone"]))
    assert page.get_by_role("heading", level=1).inner_text() == "Turn speech into text"
    assert violations(page) == []


def test_1_a_file_is_chosen_before_the_modules_are_there(cleared: Visit) -> None:
    made = cleared
    page, release = held(made)
    with page.expect_file_chooser() as choosing:
        page.get_by_text("Choose a file").click()
    choosing.value.set_files(file_of("early.wav"))
    page.wait_for_selector("[data-taken]")
    release()
    page.wait_for_selector("h1:text-is('early.wav')")
    page.wait_for_selector("text=done in")
    assert made.paths("POST") == ["/v1/audio/transcriptions"]


def test_1_a_dialog_that_is_open_while_the_modules_come_gives_its_file(cleared: Visit) -> None:
    page, release = held(cleared)
    with page.expect_file_chooser() as choosing:
        page.get_by_text("Choose a file").click()
    release()
    choosing.value.set_files(file_of("late.wav"))
    page.wait_for_selector("h1:text-is('late.wav')")


DROPPED = """(name) => {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File(['RIFF'], name ?? 'dropped.wav', {type: 'audio/wav'}));
  const [over, drop] = ['dragover', 'drop'].map(
    (name) => new DragEvent(name, {dataTransfer, bubbles: true, cancelable: true}));
  return [over, drop].map((event) => document.body.dispatchEvent(event));
}"""
"""Drops a file on the page. Gives for both events whether the browser may act on them."""


MAIN_RUN = "() => import(document.querySelector('script[type=module]').src).then(() => undefined)"
"""Waits until the first module has run, which then waits for the language."""


@pytest.mark.parametrize(("view", "posts"), [("", 1), ("#/speak", 0)])
def test_1_a_file_is_dropped_before_the_modules_are_there(cleared: Visit, view: str, posts: int) -> None:
    """The browser would leave the page for the file. Where no file is wanted, nothing is sent."""
    made = cleared
    made.allowed = (400,)  # it is no sound
    page, release = held(made, view)
    assert page.evaluate(DROPPED) == [False, False]
    with page.expect_event("requestfinished", lambda asked: asked.url.endswith("about")):
        release()
    page.wait_for_selector("h1:text-is('dropped.wav')" if posts else ".voices li")
    page.wait_for_load_state("networkidle")
    assert len(made.paths("POST")) == posts


def test_1_each_file_that_is_dropped_early_is_named_and_kept_wherever_the_user_goes(cleared: Visit) -> None:
    made = cleared
    made.allowed = (400,)
    page, release = held(made)
    page.evaluate(DROPPED, "first.wav")
    page.evaluate(DROPPED, "<b>second</b>.wav")
    assert page.locator(".limits").inner_text() == "first.wav, <b>second</b>.wav"
    assert page.get_by_role("status").inner_text() == "first.wav, <b>second</b>.wav"
    page.get_by_role("link", name="Voices").click()
    release()
    page.wait_for_selector("h1:text-is('first.wav')")
    page.wait_for_selector("nav.list >> text='<b>second</b>.wav'")
    page.wait_for_load_state("networkidle")
    assert made.paths("POST") == ["/v1/audio/transcriptions"] * 2


def test_1_a_file_dropped_on_a_hidden_view_is_kept(cleared: Visit) -> None:
    """The stored language is not that of the browser; and the transcript of the address is gone."""
    made = cleared
    made.allowed = (400,)
    page = made.open()
    page.get_by_role("combobox", name="Language of the page").select_option("de")
    for view in ("", "#/transcribe/gone", "#/unknown"):
        page, release = held(made, view)
        assert page.title() == "Antiphon"
        assert not page.get_by_text("Datei wählen").is_visible()
        page.evaluate(DROPPED)
        release()
        page.wait_for_selector("h1:text-is('dropped.wav')")


def test_1_a_file_dropped_while_the_language_comes_is_transcribed_once(page_of: PageOf, fake: Server) -> None:
    made = page_of(fake, locale="de", allowed=(400,))
    waiting: list[Route] = []

    def hold(route: Route) -> None:
        waiting.append(route)

    made.page.route("**/js/i18n/de.js", hold)
    page = made.page
    page.goto(made.root, wait_until="commit")
    page.wait_for_selector(".limits")
    page.evaluate(MAIN_RUN)
    page.evaluate(DROPPED)
    for route in waiting:
        route.continue_()
    page.wait_for_selector("h1:text-is('dropped.wav')")
    page.wait_for_load_state("networkidle")
    assert made.paths("POST") == ["/v1/audio/transcriptions"]


@pytest.mark.parametrize("view", ["", "#/speak"])
def test_1_a_module_that_does_not_come_is_told(cleared: Visit, view: str) -> None:
    """The page takes no more files then, and loads again when the user says so."""
    made = cleared
    made.page.route("**/js/state/take.js", lambda route: route.abort())
    made.page.goto(f"{made.root}/{view}")
    page = made.page
    alert = page.get_by_role("alert")
    alert.get_by_text("This page could not be loaded").wait_for()
    assert page.locator("main > :visible").count() == 1
    assert page.evaluate(DROPPED) == [True, True]
    assert violations(page) == []
    page.unroute_all()
    alert.get_by_role("link", name="Load it again").click()
    page.wait_for_selector(f"{DRAWN} a[aria-current=page] >> text='{'Speak' if view else 'Transcribe'}'")
    assert page.get_by_role("alert").count() == 0


def test_1_modules_that_come_late_are_waited_for_and_taken(page_of: PageOf, fake: Server) -> None:
    made = page_of(fake)
    made.page.clock.install()
    page, release = held(made)
    page.clock.run_for(5_000)  # time also goes on by itself
    assert page.get_by_role("alert").count() == 0
    page.clock.run_for(10_500)
    page.get_by_role("alert").get_by_text("This page could not be loaded").wait_for()
    release()
    page.wait_for_selector(DROP_ZONE)


def test_1_38_an_early_press_opens_no_microphone_later(cleared: Visit) -> None:
    """The last press counts."""
    page, release = held(cleared)
    example = page.get_by_role("button", name="Try an example")
    example.click()
    assert example.get_attribute("aria-busy") == "true"
    page.get_by_role("button", name="Record").click()
    assert example.get_attribute("aria-busy") is None
    page.evaluate("() => { const now = Date.now; Date.now = () => now() + 2100; }")
    release()
    assert page.evaluate("document.activeElement.textContent.trim()") == "Record"
    assert page.get_by_role("button", name="Cancel").count() == 0
    assert cleared.paths("POST") == []


def test_a_menu_that_is_open_while_the_modules_come_gives_its_choice(cleared: Visit) -> None:
    page, release = held(cleared)
    old = page.locator("header select").element_handle()
    theme = page.get_by_role("button", name="Theme")
    theme.click()
    theme.click()
    release()
    old.evaluate("menu => { menu.value = 'de'; menu.dispatchEvent(new Event('change', {bubbles: true})); }")
    page.wait_for_selector(f"{DROP_ZONE} h1 >> text='Aufnahme hier ablegen'")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"


def test_the_page_names_the_language_that_it_speaks(page_of: PageOf, fake: Server) -> None:
    """English, where the browser wants German."""
    made = page_of(fake, locale="de")
    page = made.open()
    page.get_by_role("combobox", name="Sprache der Seite").select_option("en")
    page.goto("about:blank")
    page = made.open()
    page.wait_for_selector(f"{DROP_ZONE} h1 >> text='Drop a recording here'")
    assert page.locator("html").get_attribute("lang") == "en"


def test_1_38_what_was_pressed_opened_chosen_and_focused_stays_so(cleared: Visit) -> None:
    page, release = held(cleared)
    page.locator("summary", has_text="Options").click()
    page.get_by_role("button", name="Theme").click()
    page.get_by_role("combobox", name="Language of the page").select_option("de")
    page.locator("summary", has_text="Options").focus()
    release()
    page.wait_for_selector(f"{DROP_ZONE} h1 >> text='Aufnahme hier ablegen'")
    assert page.get_by_text("Sprache der Aufnahme").is_visible()
    assert page.evaluate("document.activeElement.textContent") == "Optionen"
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:text-is('kennedy-1961.opus')")


def test_1_38_a_link_keeps_the_focus_and_a_button_pressed_early_acts(cleared: Visit) -> None:
    page, release = held(cleared)
    page.evaluate("() => { const now = Date.now(); Date.now = () => now; }")  # a busy machine takes longer
    page.get_by_role("button", name="Record").click()
    page.get_by_role("link", name="Voices").focus()
    release()
    assert page.evaluate("document.activeElement.textContent") == "Voices"
    page.get_by_role("button", name="Stop and transcribe").wait_for()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Record").wait_for()


def test_what_was_not_asked_for_is_not_shown_first(page_of: PageOf, fake: Server) -> None:
    """Another view or another language; and the theme that the user chose is there at once."""
    made = page_of(fake, color_scheme="light")
    page, release = held(made, "#/speak")
    assert page.get_by_role("link", name="Antiphon").is_visible()
    assert not page.get_by_text("Choose a file").is_visible()
    release()
    page.wait_for_selector(".voices li")
    paper = "() => getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    page.get_by_role("button", name="Theme").click()
    page.get_by_role("combobox", name="Language of the page").select_option("de")
    page.get_by_role("link", name="Abschrift").click()
    page.wait_for_selector("h1 >> text='Aufnahme hier ablegen'")
    page, release = held(made)
    assert page.evaluate(paper) != light
    assert not page.get_by_text("Choose a file").is_visible()
    release()
    page.wait_for_selector("h1 >> text='Aufnahme hier ablegen'")


def test_without_scripts_the_page_says_what_it_needs_in_the_user_s_language(
    page_of: PageOf, fake: Server
) -> None:
    page = page_of(fake, java_script_enabled=False, locale="fr").page
    page.goto(fake.root)
    told = page.locator("body").inner_text()
    assert "Cette page a besoin de JavaScript." in told
    assert page.locator("noscript code").all_inner_texts() == ["/v1"]
    assert "Choisir un fichier" not in told
    assert page.locator("a:visible, button:visible, select:visible, label:visible").all_inner_texts() == [
        "Antiphon"
    ]
