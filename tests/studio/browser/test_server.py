"""Server: models, counters, and silence while nobody looks."""

from __future__ import annotations

from playwright.sync_api import Page, Route

from tests.studio.stage import PageOf, Visit
from tests.support.server import Server


def test_36_models_queue_and_version_are_shown(cleared: Visit) -> None:
    page = cleared.open("server")
    page.wait_for_selector("table tr")
    listed = page.evaluate("fetch('v1/models').then(answer => answer.json())")["data"]
    known = [model["id"] for model in listed if model.get("state")]
    assert page.locator("table th").all_inner_texts() == known
    told = page.locator("main").inner_text()
    about = page.evaluate("fetch('v1/about').then(answer => answer.json())")
    for word in (about["version"], "Waiting", "Real-time factor", "Refused", "upload_bytes"):
        assert word in told


METRICS = """# HELP antiphon_queue_jobs Work that waits
antiphon_queue_jobs{model="a"} 2
antiphon_queue_jobs{model="b"} 3
antiphon_work_seconds_total{kind="a"} 10
antiphon_work_seconds_total{kind="b"} 15
antiphon_sound_seconds_total 100
antiphon_refused_total{why="full"} 7
"""


def test_36_the_figures_are_those_of_the_server(cleared: Visit) -> None:
    cleared.page.route("**/metrics", lambda route: route.fulfill(body=METRICS))
    page = cleared.open("server")
    page.wait_for_selector(".cards")
    assert page.locator(".cards dd:not(.quiet)").all_inner_texts() == ["5", "0.25", "7"]


def test_36_a_server_that_is_not_ready_says_why(cleared: Visit) -> None:
    cleared.allowed = (503,)
    problems = {"storage": "The disk is full."}
    cleared.page.route(
        "**/health/ready", lambda route: route.fulfill(status=503, json={"problems": problems})
    )
    page = cleared.open("server")
    page.wait_for_selector("text=Not ready")
    page.wait_for_selector("li:text('storage: The disk is full.')")


BEGIN = 1_800_000_000
"""A time that stands still: the clock of the page goes on when the test says so."""
PATHS = ("**/v1/models", "**/metrics", "**/health/ready")


def timeless(made: Visit) -> Page:
    """The view, whose timers count only what `page.clock.run_for` adds."""
    made.page.clock.install(time=BEGIN)
    made.page.clock.pause_at(BEGIN + 60_000)
    page = made.open()
    page.wait_for_selector("text=Any audio or video, up to")  # the view asks for no more than its own figures
    page.get_by_role("link", name="Server").click()
    return page


def test_36_a_model_that_is_loaded_is_seen_within_three_seconds_and_a_hidden_tab_asks_nothing(
    page_of: PageOf, fake: Server
) -> None:
    made = page_of(fake)
    state = ["idle"]
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(json={"object": "list", "data": [{"id": "whisper-large", "state": state[0]}]})

    made.page.route("**/v1/models", answer)
    page = timeless(made)
    page.wait_for_selector("td:text-is('loaded at first use')")
    for name, words in (("loading", "being loaded"), ("loaded", "in memory")):
        state[0] = name
        page.clock.run_for(2900)  # twice three seconds would be three times two
        page.wait_for_selector(f"td:text-is('{words}')")
    assert len(asked) == 3, "it asks every two seconds"
    page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    requests = len(made.requests)
    page.clock.run_for(10_000)
    assert len(made.requests) == requests
    page.evaluate("delete document.hidden")
    with page.expect_request("**/metrics"):
        page.clock.run_for(3000)


def test_36_a_server_that_is_gone_or_refuses_is_not_called_unready_or_empty(
    page_of: PageOf, fake: Server
) -> None:
    """Each of the three questions has its own answer, and the view goes on asking."""
    made = page_of(fake, allowed=(403, 429))
    refusal = {"error": {"message": "This key lacks the scope “read”.", "param": None, "code": None}}
    made.page.route("**/v1/models", lambda route: route.fulfill(status=403, json=refusal))
    made.page.route("**/metrics", lambda route: route.fulfill(status=429, body=""))
    page = timeless(made)
    page.wait_for_selector("text=This key lacks the scope “read”.")
    page.wait_for_selector("text=The server answered 429")
    page.wait_for_selector("[role=status]:has-text('Ready')")
    assert page.locator("table").count() == 0
    assert page.get_by_text("the proxy in front hides /metrics").count() == 0
    page.unroute_all()
    for path in PATHS:
        page.route(path, lambda route: route.abort())
    page.clock.run_for(3000)
    page.wait_for_selector("text=The server cannot be reached.")
    assert page.get_by_role("alert").count() == 1
    assert page.get_by_text("Not ready").count() + page.locator("table, .cards").count() == 0
    page.unroute_all()
    page.clock.run_for(3000)
    page.wait_for_selector("table td")
    assert page.get_by_role("alert").count() == 0


def test_36_where_a_proxy_hides_the_counters_it_says_so(cleared: Visit) -> None:
    cleared.allowed = (404,)
    cleared.page.route("**/metrics", lambda route: route.fulfill(status=404, body=""))
    page = cleared.open("server")
    page.wait_for_selector("text=the proxy in front hides /metrics")
