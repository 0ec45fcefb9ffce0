"""Speak: heard while it is made, compared, saved, stopped."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import av
import httpx2
from playwright.sync_api import Page, Route

from tests.studio.stage import Visit, with_about
from tests.support.fake_engines import SlowlySpeaking
from tests.support.server import Server, waiting_jobs
from tests.support.waiting import wait_until

CONTEXTS = """
window.contexts ??= (() => {
  window.AudioContext = class extends AudioContext {
    constructor(...given) {
      super(...given);
      window.contexts.push(this);
      this.ear = this.createAnalyser();
      this.ear.connect(super.destination);
      this.listening = setInterval(() => { this.heard ||= this.state === 'running' && this.loud; }, 20);
    }
    get destination() { return this.ear ?? super.destination; }
    get loud() {
      const samples = new Float32Array(this.ear.fftSize);
      this.ear.getFloatTimeDomainData(samples);
      return samples.some((value) => Math.abs(value) > 0.001);
    }
  };
  return [];
})();
"""
"""A script: notes every `AudioContext`, and whether anything that it played could be heard."""
HEARD = "() => window.contexts.some((one) => one.heard)"
TEXT = "Good morning. It is half past seven."
SPEECH = "**/v1/audio/speech"


def speaking(made: Visit) -> Page:
    made.page.add_init_script(CONTEXTS)
    page = made.open("speak")
    page.wait_for_selector(".voices li")
    return page


def seconds(path: Path) -> float:
    with av.open(io.BytesIO(path.read_bytes()), "r") as sound:
        return sum(frame.samples / frame.sample_rate for frame in sound.decode(audio=0))


def test_25_a_paragraph_is_heard(cleared: Visit) -> None:
    page = speaking(cleared)
    page.get_by_role("textbox", name="Text").fill(TEXT)
    page.get_by_role("button", name="Speak", exact=True).click()
    page.wait_for_function(HEARD)
    page.wait_for_selector(".takes li")
    assert re.search(r"first sound after [\d.]+ sec", page.locator(".takes li").inner_text())
    assert cleared.paths("POST") == ["/v1/audio/speech"]


def test_26_voices_are_listed_found_and_filtered(cleared: Visit) -> None:
    page = speaking(cleared)
    listed = page.evaluate("fetch('v1/audio/voices').then(answer => answer.json())")["data"]
    assert page.locator(".voices li").count() == len(listed) >= 5
    assert "female" in page.locator(".voices li", has_text="alloy").inner_text()
    page.get_by_role("searchbox").fill("ced")
    page.wait_for_function("() => document.querySelectorAll('.voices li').length === 1")
    page.wait_for_selector("text=one voice")
    page.get_by_role("searchbox").fill("")
    page.get_by_role("combobox", name="All languages").select_option("es")
    page.wait_for_function("count => document.querySelectorAll('.voices li').length < count", arg=len(listed))
    spanish = [voice["id"] for voice in listed if voice["language"].startswith("es")]
    assert page.locator(".voices li label [dir]").all_inner_texts() == spanish
    assert "Spanish" in page.locator(".voices li").first.inner_text()
    assert "coral" in spanish


LANGUAGES = {
    "en-US": ("American English", "Good morning."),
    "en-GB": ("British English", "Good morning."),
    "de-DE": ("German (Germany)", "Guten Morgen."),
    "es": ("Spanish", "Buenos días."),
    "fr-FR": ("French (France)", "Bonjour."),
    "it": ("Italian", "Buongiorno."),
    "pt-BR": ("Brazilian Portuguese", "Bom dia."),
    "hi": ("Hindi", "सुप्रभात।"),
    "ja": ("Japanese", "おはようございます。"),
    "zh": ("Chinese", "早上好。"),
}


def test_26_each_voice_is_listed_with_its_language_and_gender_and_speaks_its_language(cleared: Visit) -> None:
    many = [
        {"id": f"{gender}-{code}", "language": code, "gender": gender}
        for code in LANGUAGES
        for gender in ("female", "male")
    ]
    cleared.page.route("**/v1/audio/voices", lambda route: route.fulfill(json={"data": many}))
    cleared.page.route(SPEECH, lambda route: route.fulfill(body=b""))
    page = speaking(cleared)
    told = dict(
        zip(
            page.locator(".voices li label [dir]").all_inner_texts(),
            page.locator(".voices li label .quiet").all_inner_texts(),
            strict=True,
        )
    )
    assert told == {one["id"]: f"{one['gender']}, {LANGUAGES[one['language']][0]}" for one in many}
    for one in many:
        with page.expect_request(SPEECH) as asking:
            page.get_by_role("button", name=f"Hear a sample of {one['id']}", exact=True).click()
        asked = json.loads(asking.value.post_data or "")
        assert asked["voice"] == one["id"]
        assert asked["input"].startswith(LANGUAGES[one["language"]][1])
    page.get_by_role("button", name="Stop").wait_for(state="detached")
    assert page.locator(".takes li").count() == 0


def test_26_the_search_is_still_there_when_the_user_comes_back(cleared: Visit) -> None:
    page = speaking(cleared)
    page.get_by_role("searchbox").fill("cor")
    page.get_by_role("combobox", name="All languages").select_option("es")
    page.wait_for_selector("text=one voice")
    page.get_by_role("link", name="Server").click()
    page.wait_for_selector("h1:text-is('Server')")
    page.get_by_role("link", name="Speak").click()
    page.wait_for_selector("text=one voice")
    assert page.get_by_role("searchbox").input_value() == "cor"
    assert page.get_by_role("combobox", name="All languages").input_value() == "es"


def test_a_sample_ends_what_is_spoken(cleared: Visit) -> None:
    page = speaking(cleared)
    page.get_by_role("textbox", name="Text").fill("This sentence is one of many that are alike. " * 80)
    page.get_by_role("button", name="Speak", exact=True).click()
    page.wait_for_function("() => window.contexts[0]?.currentTime > 0.1")
    page.get_by_role("button", name="Hear a sample of coral").click()
    page.wait_for_function("() => window.contexts.length === 2 && window.contexts[0].state === 'closed'")


def test_27_voices_are_compared_and_downloaded(cleared: Visit) -> None:
    page = speaking(cleared)
    page.get_by_role("textbox", name="Text").fill("Good morning.")
    for voice in ("alloy", "cedar", "coral", "echo"):
        page.get_by_role("checkbox", name=f"Compare {voice}").check()
    page.get_by_role("button", name="Compare 4").click()
    page.wait_for_function("() => document.querySelectorAll('.takes li').length === 4")
    page.wait_for_selector("button:has-text('Compare 4')")
    assert page.locator(".takes li strong").all_inner_texts() == ["alloy", "cedar", "coral", "echo"]
    for told in page.locator(".takes li").all_inner_texts():
        assert re.search(r"first sound after [\d.]+ sec, [\d.]+ sec of sound", told)
    for form in ("wav", "mp3", "opus", "aac", "flac"):
        page.get_by_role("combobox", name="File format").select_option(form)
        with page.expect_download() as saving:
            page.get_by_role("button", name="Download").nth(1).click()
        assert saving.value.suggested_filename == f"cedar.{form}"
        assert seconds(saving.value.path()) > 0.4
    page.evaluate("window.contexts.forEach((one) => { one.heard = false; })")
    page.get_by_role("button", name="Play: coral").click()
    page.wait_for_function(HEARD)


def made_seconds(server: Server) -> float:
    """Seconds of sound that the server's voices have made so far."""
    told = httpx2.get(f"{server.root}/metrics", timeout=60).text
    counts = re.findall(r'^antiphon_sound_seconds_total{[^}]*model="tones"[^}]*} (\S+)$', told, re.MULTILINE)
    return sum(map(float, counts))


def test_25_28_a_long_text_is_heard_before_it_is_made_and_stop_ends_the_work(
    cleared: Visit, fake: Server
) -> None:
    """Each utterance takes the server more than a second; a request has some twenty of them."""
    page = speaking(cleared)
    field = page.get_by_role("textbox", name="Text")
    field.fill("a" * 100_001)
    page.wait_for_selector("text=That is more than 100,000 characters")
    sentence = f"This sentence is read {SlowlySpeaking.WORD}, and there are very many others like it here. "
    field.fill((sentence * 200)[:12_000])
    page.wait_for_selector("text=12,000 characters, spoken in parts")
    before = made_seconds(fake)
    page.get_by_role("button", name="Speak", exact=True).click()
    page.wait_for_selector("text=Part 1 of 3")
    page.wait_for_function(HEARD)
    page.get_by_role("button", name="Stop").click()
    page.wait_for_function("() => window.contexts.every((one) => one.state === 'closed')")
    page.get_by_role("button", name="Speak", exact=True).wait_for()
    assert "it ends in part 1 of 3" in page.locator(".takes li").inner_text()
    wait_until(lambda: waiting_jobs(fake) == 0, 60)
    assert len(cleared.paths("POST")) == 1
    whole = 0.06 * sum(sign.isalnum() for sign in (sentence * 200)[:4_000])
    assert 0 < made_seconds(fake) - before < whole / 2


def test_28_stop_ends_the_request(cleared: Visit) -> None:
    page = speaking(cleared)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(SPEECH, hold)
    page.get_by_role("textbox", name="Text").fill(TEXT)
    with page.expect_request(SPEECH):
        page.get_by_role("button", name="Speak", exact=True).click()
    with page.expect_event("requestfailed"):
        page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Speak", exact=True).wait_for()
    assert page.get_by_role("alert").count() == 0
    assert cleared.paths("POST") == ["/v1/audio/speech"]


def test_a_failure_has_the_api_s_words(cleared: Visit) -> None:
    page = speaking(cleared)
    cleared.allowed = (400,)
    page.get_by_role("textbox", name="Text").fill("Добрый день, дорогие друзья.")
    page.get_by_role("spinbutton", name="Speed").fill("9")
    page.get_by_role("button", name="Speak", exact=True).click()
    told = page.get_by_role("alert").inner_text()
    assert "The server answered 400" in told
    assert "field: speed" in told


def test_34_what_was_spoken_keeps_its_speed(cleared: Visit) -> None:
    """The call and the file are those of the sound that was heard, whatever the fields say by then."""
    page = speaking(cleared)
    page.get_by_role("textbox", name="Text").fill("Good day.")
    page.get_by_role("button", name="Speak", exact=True).click()
    page.wait_for_selector(".takes li")
    page.get_by_role("button", name="Stop").wait_for(state="detached")
    page.get_by_role("spinbutton", name="Speed").fill("2")
    page.get_by_role("combobox", name="File format").select_option("mp3")
    with page.expect_request(SPEECH) as asking, page.expect_download():
        page.get_by_role("button", name="Download").click()
    assert json.loads(asking.value.post_data or "")["speed"] == 1
    page.get_by_role("button", name="Show the call").click()
    assert '"speed":1,' in page.locator("dialog pre").inner_text()


BREAK = """() => {
  const real = window.fetch;
  let asked = 0;
  window.fetch = async (path, ...given) => {
    const answer = await real(path, ...given);
    asked += path.endsWith('audio/speech');
    if (asked !== 2) return answer;
    asked += 1;
    const broken = new ReadableStream({ start: (one) => one.error(new TypeError('network error')) });
    return new Response(broken, { headers: answer.headers });
  };
}"""
"""The connection of the second request for speech breaks."""


def test_28_a_text_of_several_requests_is_completed_and_saved_whole(cleared: Visit) -> None:
    """One request breaks off: what was spoken stays, and the rest is made. The file is a wav, whatever format
    is chosen, and the call that is shown is one that the server accepts.
    """
    with_about(cleared.page, lambda about: about["limits"].update(input_characters=40))
    page = speaking(cleared)
    page.evaluate(BREAK)
    page.get_by_role("textbox", name="Text").fill("Good morning, everybody. " * 3)
    page.get_by_role("combobox", name="File format").select_option("mp3")
    page.get_by_role("button", name="Speak", exact=True).click()
    page.wait_for_selector("text=it ends in part 2 of 3")
    page.get_by_role("alert").get_by_role("button", name="Try again").click()
    page.wait_for_selector("text=Spoken in 3 requests")
    page.wait_for_selector("text=it ends in part 2 of 3", state="detached")
    assert page.get_by_role("alert").count() == 0
    page.get_by_role("button", name="Stop").wait_for(state="detached")
    with page.expect_download() as saving:
        page.get_by_role("button", name="Download").click()
    assert saving.value.suggested_filename == "cedar.wav"
    assert len(cleared.paths("POST")) == 4
    assert 3.5 < seconds(saving.value.path()) < 7.5, "three times 21 letters and pauses, none of them twice"
    page.get_by_role("button", name="Show the call").click()
    assert page.locator("dialog pre").inner_text().count("Good morning") == 1
