"""The page in each of its languages: no English remains, and nothing overflows on a phone."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page

from tests.studio.access import SIZES
from tests.studio.recorded import HARBOUR, SOUND, answer_with, body, events
from tests.studio.stage import DROP_ZONE, PageOf
from tests.support.server import Server

VIEWS = ("transcribe", "speak", "voices", "server", "live")
WAITED_FOR = {
    "speak": ".voices li",
    "voices": "blockquote:not(:empty)",
    "server": "table td",
    "transcribe": DROP_ZONE,
    "live": "main h1",
}
TEXTS = """() => {
  const told = [];
  const walker = document.createTreeWalker(document.querySelector('#app'), NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const parent = walker.currentNode.parentElement;
    const named = parent.closest('option[lang], blockquote, code, kbd, th, [dir=auto]');
    if (!named) told.push(walker.currentNode.data);
  }
  for (const one of document.querySelectorAll('#app *, #player *')) {
    for (const name of ['aria-label', 'title', 'placeholder']) told.push(one.getAttribute(name) ?? '');
  }
  return told.map((text) => text.trim()).filter(Boolean);
}"""
SAME = {
    "de": {"Export", "Hindi", "Live", "Position", "Server", "Text", "Version", "Word (docx)"},
    "es": {"Word (docx)"},
    "fr": {"Options", "Position", "Version", "Word (docx)"},
}
"""Words that the language has in common with English."""
NAMES = re.compile(
    r"Antiphon|wav|mp3|opus|aac|flac|curl|python|node|[A-Z]( [\d:]+)?|[\d\W]+|harbour.*|\d+ [kMG]B"
)
"""Names, numbers and file formats, which no language translates."""


def words(page: Page) -> set[str]:
    return {text for text in page.evaluate(TEXTS) if not NAMES.fullmatch(text)}


def everywhere(page_of: PageOf, fake: Server, code: str) -> set[str]:
    """All that the four views and a transcript say in a language, on a phone; nothing of it overflows."""
    made = page_of(fake, viewport=SIZES["phone"], locale=code)
    told: set[str] = set()
    for view in VIEWS:
        page = made.open(view)
        page.wait_for_selector(WAITED_FOR[view])
        told |= words(page)
        fits(page, f"{code} {view}")
    page = made.open()
    assert page.locator("html").get_attribute("lang") == code
    answer_with(page, body(events(HARBOUR)))
    page.set_input_files(
        "input[type=file]", {"name": "harbour.wav", "mimeType": "audio/wav", "buffer": SOUND}
    )
    page.wait_for_selector(".turn strong")
    page.wait_for_selector("details.menu")
    told |= words(page)
    fits(page, f"{code} transcript")
    for opens, shown in DIALOGS.items():
        page.locator(opens).first.evaluate("button => button.click()")
        page.wait_for_selector(f"dialog[open] {shown}")
        told |= words(page)
        fits(page, f"{code} {opens}")
        page.keyboard.press("Escape")
        page.wait_for_selector("dialog", state="detached")
    made.allowed = (400, 401, 429, 503)
    for status in (429, 400):
        fail_with(page, status)
        page.locator("input[type=file]").first.set_input_files(
            {"name": "harbour.wav", "mimeType": "audio/wav", "buffer": SOUND}
        )
        page.wait_for_selector(f".sheet [role=alert]{'' if status == 429 else ' strong'}")
        told |= words(page)
        fits(page, f"{code} {status}")
        page.locator(".list li button").last.evaluate("button => button.click()")
    page.route("**/health/ready", lambda route: route.fulfill(status=503, json={"problems": PROBLEMS}))
    page.route("**/v1/models", lambda route: route.fulfill(status=401, json={"error": WRONG}))
    page = made.open("server")
    page.wait_for_selector("dialog[open] input[type=password]")
    told |= words(page)
    fits(page, f"{code} key")
    return told


DIALOGS = {
    ".calls": "pre",
    ".helps": "dl.keys",
    ".whose": "[role=group]",
    ".list li button": "h2",
}
"""What opens each dialog, and what is in it."""
WRONG = {"message": "4711", "param": "file", "code": "invalid_value"}
PROBLEMS = {"storage": "4711"}


def fail_with(page: Page, status: int) -> None:
    """Every upload is answered so."""
    page.route(
        "**/v1/audio/transcriptions",
        lambda route: route.fulfill(status=status, headers={"retry-after": "60"}, json={"error": WRONG}),
    )


def fits(page: Page, what: str) -> None:
    """No sideways scrolling, and no control whose text is wider than the control."""
    width = SIZES["phone"]["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width, what
    assert page.evaluate(CUT) == [], what
    for box in page.evaluate(BOXES):
        assert 0 <= box["left"] < box["right"] <= width, what
        assert box["inner"] <= box["outer"], what


CUT = """() => [...document.querySelectorAll('button, .button, nav a, th, td')]
  .filter((one) => one.checkVisibility() && one.scrollWidth > one.clientWidth + 1)
  .map((one) => one.innerText)"""
BOXES = """() => [...document.querySelectorAll('dialog[open], .failure')].map((one) => {
  const { left, right } = one.getBoundingClientRect();
  return { left, right, inner: one.scrollWidth, outer: one.clientWidth };
})"""
"""Dialogs and failures: where they begin and end, and whether something in them is wider."""


@pytest.fixture(scope="module")
def english() -> dict[str, set[str]]:
    return {}


@pytest.mark.parametrize("code", ["de", "es", "fr"])
def test_40_no_english_remains_and_nothing_overflows(
    page_of: PageOf, fake: Server, english: dict[str, set[str]], code: str
) -> None:
    if "en" not in english:
        english["en"] = everywhere(page_of, fake, "en")
    told = everywhere(page_of, fake, code)
    assert len(told) > 40
    assert told & english["en"] - SAME[code] == set()


@pytest.mark.parametrize("system", ["light", "dark"])
def test_the_first_press_on_the_theme_is_seen(page_of: PageOf, fake: Server, system: str) -> None:
    page = page_of(fake, color_scheme=system).open()
    paper = "() => getComputedStyle(document.body).backgroundColor"
    theme = page.get_by_role("button", name="Theme")
    seen = [page.evaluate(paper)]
    for _ in range(3):
        theme.click()
        seen.append(page.evaluate(paper))
    assert seen[0] == seen[2] == seen[3]
    assert seen[1] != seen[0]
    theme.click()
    page.reload()
    page.wait_for_selector(DROP_ZONE)
    assert page.evaluate(paper) == seen[1], "it is remembered"


def test_40_the_language_is_chosen_and_remembered(page_of: PageOf, fake: Server) -> None:
    made = page_of(fake, locale="en")
    page = made.open()
    page.get_by_role("combobox", name="Language of the page").select_option("de")
    page.wait_for_selector(f"{DROP_ZONE} h1 >> text='Aufnahme hier ablegen'")
    assert page.title() == "Abschrift · Antiphon"
    page.reload()
    page.wait_for_selector(f"{DROP_ZONE} h1 >> text='Aufnahme hier ablegen'")
    assert page.locator("html").get_attribute("lang") == "de"
