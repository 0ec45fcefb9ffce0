"""What the browser, the network or the server does not give: the page says so, and goes on."""

from __future__ import annotations

from playwright.sync_api import Route

from tests.studio.recorded import HARBOUR, answer_with, body, events, told
from tests.studio.stage import DROP_ZONE, PageOf, Visit
from tests.support.server import Server

BLOCKED = """(() => {
  const refuse = () => { throw new DOMException('Access is denied for this document.', 'SecurityError'); };
  for (const name of ['localStorage', 'sessionStorage']) {
    Object.defineProperty(window, name, { get: refuse });
  }
  IDBFactory.prototype.open = refuse;
  window.BroadcastChannel = class { constructor() { refuse(); } };
})()"""
"""A script: the user has told the browser to keep nothing of any site."""
FULL = {"error": {"message": "Too many requests.", "param": None, "code": "rate_limit_exceeded"}}


def test_with_blocked_storage_and_without_its_language_the_page_works(page_of: PageOf, fake: Server) -> None:
    made = page_of(fake, locale="de")
    made.page.add_init_script(BLOCKED)
    made.page.route("**/i18n/de.js", lambda route: route.abort())
    page = made.open()
    page.wait_for_selector(f"{DROP_ZONE} h1 >> text='Drop a recording here'")
    assert page.locator("html").get_attribute("lang") == "en"
    answer_with(page, body(events(HARBOUR)))
    page.set_input_files("input[type=file]", told("harbour.wav"))
    page.wait_for_selector("text=done in")
    page.wait_for_selector("text=This browser cannot keep this text")
    page.get_by_role("button", name="Theme").click()
    language = page.get_by_role("combobox", name="Language of the page")
    language.select_option("de")
    page.wait_for_function("() => document.querySelector('header select').value === 'en'")
    language.select_option("fr")
    page.wait_for_selector("text=Ce navigateur ne peut pas garder ce texte")
    page.get_by_role("button", name="Oublier: harbour.wav").click()
    page.locator("dialog[open]").get_by_role("button", name="Oublier").click()
    page.wait_for_selector(DROP_ZONE)


def test_what_could_not_be_loaded_is_told_and_loaded_when_the_user_tries_again(cleared: Visit) -> None:
    """What the server says of itself, and the module of a view."""
    cleared.allowed = (429,)

    def refuse(route: Route) -> None:
        route.fulfill(status=429, json=FULL)

    cleared.page.route("**/v1/about", refuse)
    page = cleared.open("voices")
    page.get_by_role("alert").get_by_text("Too many requests.").wait_for()
    assert page.locator("blockquote").count() + page.get_by_role("button", name="Send").count() == 0
    page.get_by_role("link", name="Live").click()
    page.get_by_role("alert").get_by_text("Too many requests.").wait_for()
    page.unroute_all()
    page.get_by_role("alert").get_by_role("button", name="Try again").click()
    page.get_by_role("button", name="Start speaking").wait_for()
    page.get_by_role("link", name="Voices").click()
    page.wait_for_selector("blockquote:not(:empty)")
    page.route("**/js/views/server.js*", lambda route: route.abort())
    page.get_by_role("link", name="Server").click()
    page.get_by_role("alert").get_by_text("This view could not be loaded").wait_for()
    page.unroute_all()
    page.get_by_role("alert").get_by_role("button", name="Try again").click()
    page.wait_for_selector("table td")
