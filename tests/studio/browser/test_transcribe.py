"""Transcribe: drop, watch, stop, and what goes wrong on the way."""

from __future__ import annotations

import json
import re
from pathlib import Path

from playwright.sync_api import FilePayload, Page, Route

from tests.studio.recorded import HARBOUR, answer_with, body, events
from tests.studio.stage import PageOf, Visit, with_about
from tests.support.breakable_line import line_to
from tests.support.server import Server, waiting_jobs, worked_seconds
from tests.support.sound import encode, tone, wav
from tests.support.waiting import wait_until

UPLOAD = "**/v1/audio/transcriptions"
HUM = wav(tone(3))
LONG_SECONDS = 300
LONG = wav(tone(LONG_SECONDS)[::2], 8_000)
"""Half of the usual samples: each upload is copied four times before the server has it."""
LONGER_SECONDS = 1_200
GROWTHS = 3


def payload(name: str, data: bytes = HUM) -> FilePayload:
    return {"name": name, "mimeType": "audio/wav", "buffer": data}


def drop(page: Page, *files: FilePayload) -> None:
    page.locator("input[type=file]").first.set_input_files(list(files))


def test_5_a_dropped_file_is_named_and_its_text_appears(cleared: Visit) -> None:
    page = cleared.open()
    data = page.evaluate_handle(
        """bytes => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], 'dropped.wav', {type: 'audio/wav'}));
          return data;
        }""",
        list(HUM),
    )
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/v1/models", hold, times=1)
    page.dispatch_event(".drop", "drop", {"dataTransfer": data})
    page.wait_for_selector("h1:text-is('dropped.wav')")
    assert page.title() == "dropped.wav · Antiphon", "before the server has answered anything"
    wait_until(lambda: page.evaluate("true") and held, 60)  # Playwright calls `hold` while it is asked
    held[0].continue_()
    page.wait_for_selector("text=3 words")
    assert page.locator(".turn p").all_inner_texts() == ["word0 word1 word2"]


def test_6_while_it_runs_text_time_and_stop_are_there_and_text_grows(page_of: PageOf, slow: Server) -> None:
    """And the page asks before it leaves its work."""
    page = page_of(slow).open()
    assert page.evaluate(LEAVING) is False
    drop(page, payload("long.wav", LONG))
    page.wait_for_selector("text=/0\\d:\\d\\d of 05:00/")
    page.wait_for_selector("[data-at]")
    for _ in range(GROWTHS):
        before = page.locator("[data-at]").count()
        page.wait_for_function("count => document.querySelectorAll('[data-at]').length > count", arg=before)
        assert before < LONG_SECONDS, "the text came as a whole"
    page.wait_for_selector("text=/about .* left|nearly done/")
    assert page.evaluate(LEAVING) is True
    page.get_by_role("button", name="Stop").click()
    page.wait_for_selector("text=/^Stopped/")
    assert page.evaluate(LEAVING) is False


LEAVING = """() => {
  const leaving = new Event('beforeunload', {cancelable: true});
  window.dispatchEvent(leaving);
  return leaving.defaultPrevented;
}"""


def test_7_stop_keeps_the_text_and_ends_the_work(page_of: PageOf, slow: Server) -> None:
    page = page_of(slow).open()
    before = worked_seconds(slow)
    longer = encode(tone(LONGER_SECONDS), "flac", "flac", rate=8_000)
    drop(page, {"name": "longer.flac", "mimeType": "audio/flac", "buffer": longer})
    page.wait_for_selector("[data-at]")
    page.get_by_role("button", name="Stop").click()
    page.wait_for_selector("text=/^Stopped. The text so far is kept/")
    count = page.locator("[data-at]").count()
    assert 0 < count < LONGER_SECONDS
    wait_until(lambda: waiting_jobs(slow) == 0, 60)
    assert page.locator("[data-at]").count() == count
    worked = worked_seconds(slow) - before
    print(f"{worked:.0f} s of {LONGER_SECONDS} s were worked on")
    assert worked < LONGER_SECONDS / 2


def test_7_what_waits_for_its_turn_can_be_stopped(page_of: PageOf, slow: Server) -> None:
    made = page_of(slow)
    page = made.open()
    drop(page, payload("first.wav", LONG), payload("second.wav"))
    page.get_by_role("link", name="second.wav").click()
    page.wait_for_selector("text=Waiting for its turn")
    page.get_by_role("button", name="Stop").click()
    page.wait_for_selector("text=/^Stopped/")
    page.get_by_role("link", name="first.wav").click()
    page.wait_for_selector("[data-at]")
    page.get_by_role("button", name="Stop").click()
    page.wait_for_selector("text=/^Stopped/")
    assert made.paths("POST") == ["/v1/audio/transcriptions"]


def test_8_a_file_above_the_limit_is_refused_and_not_sent(cleared: Visit) -> None:
    made = cleared
    with_about(made.page, lambda about: about["limits"].update(upload_bytes=50_000))
    page = made.open()
    page.wait_for_selector("text=50 kB")
    drop(page, payload("large.wav"))
    told = page.get_by_role("alert").inner_text()
    assert "large.wav" in told
    assert "96.1 kB" in told
    assert "50 kB" in told
    assert "the setting limits.upload_bytes raises it" in told
    page.wait_for_timeout(300)
    assert made.paths("POST") == []


def test_8_limits_that_come_after_the_file_count_too(cleared: Visit) -> None:
    """The page learns the limits from the server, and before that the user may have to enter an API key."""
    made = cleared
    held: list[Route] = []

    def late(route: Route) -> None:
        if not held:
            held.append(route)
            return
        about = route.fetch().json()
        about["limits"]["upload_bytes"] = 50_000
        route.fulfill(json=about)

    with made.page.expect_request("**/v1/about"):
        made.page.route("**/v1/about", late)
        page = made.open()
    drop(page, payload("large.wav"))
    told = page.get_by_role("alert").inner_text()
    assert "limits.upload_bytes" in told
    assert made.paths("POST") == []


def test_a_screen_reader_hears_that_it_began_and_ended(cleared: Visit) -> None:
    page = cleared.open()
    page.evaluate(HEARD)
    drop(page, payload("a.wav"))
    page.wait_for_selector("text=3 words")
    page.wait_for_function("() => window.said.includes('a.wav: done')")
    assert page.evaluate("window.said")[0] == "a.wav: started"


HEARD = """() => {
  window.said = [];
  const region = document.querySelector('[aria-live]');
  new MutationObserver(() => window.said.push(region.textContent))
    .observe(region, {childList: true, characterData: true, subtree: true});
}"""


def test_9_what_is_no_sound_gets_the_api_s_own_words(page_of: PageOf, fake: Server) -> None:
    made = page_of(fake, allowed=(400,))
    page = made.open()
    with page.expect_response(UPLOAD) as answering:
        drop(page, {"name": "a.mp3", "mimeType": "audio/mpeg", "buffer": b"no sound at all " * 99})
    answer = answering.value
    error = answer.json()["error"]
    told = page.get_by_role("alert").inner_text()
    assert error["message"] in told
    assert "field: file" in told
    request_id = answer.headers["x-request-id"]
    assert request_id in told
    assert request_id in Path(fake.settings["LOG"]).read_text()


def test_10_three_files_are_a_queue(cleared: Visit) -> None:
    """One is added while the first is worked on, and one is taken out."""
    page = cleared.open()
    order: list[str] = []
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.on("request", lambda asked: order.append("begun") if asked.method == "POST" else None)
    page.on("requestfinished", lambda asked: order.append("ended") if asked.method == "POST" else None)
    page.route(UPLOAD, hold, times=1)
    with page.expect_request(UPLOAD):
        drop(page, payload("one.wav"), payload("two.wav"))
    page.wait_for_selector("h1:text-is('one.wav')")
    page.locator("nav.list input[type=file]").set_input_files([payload("three.wav")])
    page.wait_for_selector("nav.list li:nth-child(3)")
    # A second upload would have begun by the time of this answer.
    page.evaluate("fetch('v1/models').then((answer) => answer.text())")
    listed = page.locator("nav.list li")
    assert [text.split("\n")[0] for text in listed.all_inner_texts()] == ["one.wav", "two.wav", "three.wav"]
    page.get_by_role("button", name="Forget: two.wav").click()
    held[0].continue_()
    for name in ("one.wav", "three.wav"):
        page.get_by_role("link", name=name).click()
        page.wait_for_selector(f"h1:text-is('{name}')")
        page.wait_for_selector("text=3 words")
    assert listed.count() == 2
    assert order == ["begun", "ended"] * 2, "one after the other"


def test_13_without_diarization_the_switch_is_off_and_says_why(cleared: Visit) -> None:
    made = cleared
    with_about(made.page, lambda about: about["features"].update(diarization=False))
    page = made.open()
    page.locator("summary", has_text="Options").click()
    page.wait_for_selector("input[name=speakers]:disabled")
    assert not page.locator("input[name=speakers]").is_checked()
    told = page.locator(".options").inner_text()
    assert "cannot tell speakers apart" in told
    assert "add it with make serve." in told


def test_35_a_429_counts_down_and_then_succeeds(cleared: Visit) -> None:
    made = cleared
    made.allowed = (429,)
    page = made.open()
    refusals: list[str] = []

    def answer(route: Route) -> None:
        if refusals:
            route.continue_()
            return
        refusals.append(route.request.url)
        error = {
            "message": "The server is full.",
            "type": "server_error",
            "param": None,
            "code": "overloaded",
        }
        route.fulfill(status=429, headers={"retry-after": "2"}, body=json.dumps({"error": error}))

    page.route(UPLOAD, answer)
    drop(page, payload("a.wav"))
    page.wait_for_selector("text=/The server is full. Trying again in (one|2) second/")
    page.wait_for_selector("text=3 words")
    assert len(refusals) == 1
    assert made.paths("POST").count("/v1/audio/transcriptions") == 2


def test_35_the_countdown_can_be_stopped(cleared: Visit) -> None:
    made = cleared
    made.allowed = (429,)
    page = made.open()

    def answer(route: Route) -> None:
        error = {"message": "The server is full.", "type": "server_error", "code": "overloaded"}
        route.fulfill(status=429, headers={"retry-after": "600"}, body=json.dumps({"error": error}))

    page.route(UPLOAD, answer)
    drop(page, payload("a.wav"))
    page.wait_for_selector("text=/Trying again in \\d+ seconds/")
    page.get_by_role("button", name="Stop").click()
    page.wait_for_selector("text=/^Stopped/")
    assert made.paths("POST") == ["/v1/audio/transcriptions"]
    page.unroute(UPLOAD)
    page.get_by_role("button", name="Try again").click()
    page.wait_for_selector("text=3 words")


def test_35_a_stream_that_breaks_off_keeps_its_text_and_says_so(cleared: Visit) -> None:
    page = cleared.open()
    answer_with(page, body(list(events(HARBOUR))[:3], whole=False))
    drop(page, payload("a.wav"))
    page.wait_for_selector("text=The text is missing from")
    assert re.match("And so we went", page.locator(".turn p").first.inner_text())


def test_35_a_connection_that_is_cut_keeps_text_and_edits(page_of: PageOf, slow: Server) -> None:
    with line_to(slow) as line:
        page = page_of(line.root).open()
        drop(page, payload("long.wav", LONG))
        page.wait_for_selector("[data-at]")
        page.get_by_role("button", name="Edit this turn").first.click()
        page.get_by_role("textbox", name="Text of this turn").fill("We went back.")
        page.keyboard.press("Escape")
        line.cut()
        page.wait_for_selector("text=The connection broke off before the end.")
        page.wait_for_selector("text=The text is missing from")
        assert page.locator(".turn p").first.inner_text().startswith("We went back.")
        page.get_by_role("button", name="Try again").wait_for()


def test_35_an_error_in_the_stream_keeps_the_text(cleared: Visit) -> None:
    page = cleared.open()
    late = {"error": {"message": "The speakers could not be told apart.", "type": "server_error"}}
    answer_with(page, body([*list(events(HARBOUR, told=False))[:-1], late], whole=False))
    drop(page, payload("a.wav"))
    page.wait_for_selector("text=The speakers could not be told apart.")
    assert page.locator("[data-at]").count() == sum(len(turn.words) for turn in HARBOUR)


def test_35_without_a_network_text_and_edits_stay(page_of: PageOf, fake: Server) -> None:
    made = page_of(fake)
    page = made.open()
    answer_with(page, body(events(HARBOUR)))
    drop(page, payload("a.wav"))
    page.wait_for_selector("text=done in")
    page.get_by_role("button", name="Edit this turn").first.click()
    page.get_by_role("textbox", name="Text of this turn").fill("We went back.")
    page.keyboard.press("Escape")
    made.context.set_offline(True)
    page.locator("summary", has_text="Export").click()
    page.get_by_role("button", name="Subtitles (srt)").click()
    page.wait_for_selector("text=The server cannot be reached. Your text and your edits are still here.")
    assert page.locator(".turn p").first.inner_text() == "We went back."
    made.context.set_offline(False)
    page.locator("summary", has_text="Export").click()
    with page.expect_download() as saving:
        page.get_by_role("button", name="Subtitles (srt)").click()
    assert b"We went back." in saving.value.path().read_bytes()
    page.get_by_role("alert").wait_for(state="detached")
