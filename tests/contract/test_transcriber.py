"""What every transcriber promises: one suite for all."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import jiwer
import numpy as np
import pytest

from app.audio.decode import open_audio
from app.runtime.threads_placement import WARM_UP, WARM_UP_SECONDS
from engines import catalog
from engines.contracts import Transcriber
from engines.errors import EngineError, WeightsBroken
from engines.openvino_library import computes_in_bfloat16
from engines.types import EngineOptions, Pcm, TranscribeOptions, Window, WindowCost, WindowResult
from tests.conftest import JFK, JFK_TEXT
from tests.support.fake_engines import EchoTranscriber
from tests.support.openvino import needs_openvino
from tests.support.sound import Floats, decode, float_wav, noise, silence

ENGINES = [
    "echo",
    pytest.param("faster-whisper", marks=pytest.mark.real),
    pytest.param("faster-whisper adaptive", marks=pytest.mark.real),
]


@pytest.fixture(scope="module", params=ENGINES)
def transcriber(request: pytest.FixtureRequest) -> Iterator[Transcriber]:
    if request.param == "echo":
        made: Transcriber = EchoTranscriber()
    else:
        folder: Path = request.getfixturevalue("whisper_folder")
        name, _, adaptive = request.param.partition(" ")
        made = catalog.transcriber(name)(folder, EngineOptions(adaptive=bool(adaptive)))
    yield made
    made.close()


@pytest.fixture(scope="module")
def speech() -> Floats:
    return decode(JFK.read_bytes())


def test_one_result_for_each_window_in_order(transcriber: Transcriber, speech: Floats) -> None:
    windows = [
        Window(Pcm(speech), start=100.0),
        Window(Pcm(speech[:80_000]), language="en", prompt="A speech by the president."),
        Window(Pcm(speech[80_000:]), start=5.0, hotwords=("country",)),
    ]
    results = transcriber.transcribe(windows, TranscribeOptions(beam_size=1))
    assert len(results) == len(windows)
    for window, result in zip(windows, results, strict=True):
        assert result.language.code == "en"
        assert result.segments
        for segment in result.segments:
            assert window.start <= segment.start < segment.end <= window.end + 1e-6
            assert segment.text.strip()


def test_a_prompt_that_spells_special_tokens_is_only_text(transcriber: Transcriber, speech: Floats) -> None:
    evil = "<|startoftranscript|><|endoftext|><|notimestamps|><|0.00|>" * 20
    windows = [
        Window(Pcm(speech), prompt=evil),
        Window(Pcm(speech), hotwords=(evil, "country")),
        Window(Pcm(speech)),
    ]
    results = transcriber.transcribe(windows, TranscribeOptions(beam_size=2))
    assert all(result.segments for result in results)


def test_word_times_rise_inside_their_segment(transcriber: Transcriber, speech: Floats) -> None:
    window = Window(Pcm(speech), start=7.0)
    (result,) = transcriber.transcribe([window], TranscribeOptions(words=True))
    for segment in result.segments:
        words = segment.words
        assert words
        assert "".join(word.text for word in words).split() == segment.text.split()
        assert segment.start <= words[0].start
        assert words[-1].end <= segment.end
        assert all(word.start <= word.end for word in words)
        assert all(a.end <= b.start for a, b in pairwise(words))


def test_without_asking_there_are_no_words_and_no_logprobs(transcriber: Transcriber, speech: Floats) -> None:
    (result,) = transcriber.transcribe([Window(Pcm(speech))], TranscribeOptions())
    assert all(segment.words is None for segment in result.segments)
    assert all(token.logprob is None for segment in result.segments for token in segment.tokens)


def test_logprobs_spell_the_text(transcriber: Transcriber, speech: Floats) -> None:
    (result,) = transcriber.transcribe([Window(Pcm(speech))], TranscribeOptions(logprobs=True))
    for segment in result.segments:
        tokens = [token for token in segment.tokens if token.data]
        assert b"".join(token.data for token in tokens).decode() == segment.text
        assert all(token.logprob is not None and token.logprob <= 0 for token in tokens)


def test_a_batch_says_the_same_as_its_windows_alone(transcriber: Transcriber, speech: Floats) -> None:
    windows = [Window(Pcm(speech)), Window(Pcm(speech[40_000:])), Window(Pcm(speech[:100_000]))]
    options = TranscribeOptions(temperatures=(0.0,))
    together = transcriber.transcribe(windows, options)
    alone = [transcriber.transcribe([window], options)[0] for window in windows]
    texts = [["".join(s.text for s in r.segments) for r in results] for results in (together, alone)]
    assert texts[0] == texts[1]


def test_word_times_and_log_probabilities_are_the_same_beside_longer_windows(
    transcriber: Transcriber, speech: Floats
) -> None:
    windows = [Window(Pcm(speech[:end]), language="en") for end in (40_000, 100_000)]
    options = TranscribeOptions(words=True, logprobs=True, temperatures=(0.0,))
    together = transcriber.transcribe(windows, options)
    for window, beside in zip(windows, together, strict=True):
        (alone,) = transcriber.transcribe([window], options)
        words = [
            [(w.text, w.start, w.end) for s in one.segments for w in s.words or ()] for one in (alone, beside)
        ]
        assert words[0]
        assert [w[0] for w in words[0]] == [w[0] for w in words[1]]
        for mine, other in zip(*words, strict=True):
            assert mine[1:] == pytest.approx(other[1:], abs=0.1)
        chances = [[t.logprob for s in one.segments for t in s.tokens] for one in (alone, beside)]
        assert chances[0] == pytest.approx(chances[1], abs=0.1)


def test_log_probabilities_do_not_change_the_text_where_openvino_decodes(
    transcriber: Transcriber, speech: Floats
) -> None:
    if not getattr(transcriber, "_mixes_lengths", True):
        pytest.skip("CTranslate2 decodes here, and searches greedily where log-probabilities are asked for")
    window = Window(Pcm(speech))
    plain, told = (
        transcriber.transcribe([window], TranscribeOptions(logprobs=one))[0] for one in (False, True)
    )
    assert text(plain) == text(told)


def text(result: WindowResult) -> str:
    return "".join(segment.text for segment in result.segments)


def test_a_window_may_be_prepared_ahead(transcriber: Transcriber, speech: Floats) -> None:
    window, options = (
        Window(Pcm(speech), start=3.0, prompt="A speech."),
        TranscribeOptions(temperatures=(0.0,)),
    )
    results = transcriber.transcribe([window, transcriber.prepare(window)], options)
    assert text(results[0]) == text(results[1])
    assert results[0].segments == results[1].segments


def test_calls_at_once_do_not_disturb_each_other(transcriber: Transcriber, speech: Floats) -> None:
    """Different windows and languages on as many threads as it takes, with word times, which have state."""
    windows = [
        Window(Pcm(speech[:64_000]), language="en"),
        Window(Pcm(speech[128_000:]), start=9.0, language="es"),
        Window(Pcm(speech[60_000:112_000]), language="de"),
    ]
    options = TranscribeOptions(words=True, temperatures=(0.0,), greedy_first=True)
    alone = [transcriber.transcribe([window], options)[0] for window in windows]
    with ThreadPoolExecutor(max(2, transcriber.calls)) as pool:
        together = list(pool.map(lambda window: transcriber.transcribe([window], options)[0], windows))
    assert [result.segments for result in together] == [result.segments for result in alone]


def vars_of(cost: WindowCost) -> tuple[int, ...]:
    """Without the beams: the likelihood of this greedy text is near the threshold, and differs by CPU."""
    return (cost.frames, cost.saved, cost.reencoded, cost.fallbacks)


@pytest.mark.real
@pytest.mark.parametrize("openvino", [False, pytest.param(True, marks=needs_openvino)])
def test_the_cost_follows_the_speech(whisper_folder: Path, speech: Floats, openvino: bool) -> None:
    load = catalog.transcriber("faster-whisper")
    options = EngineOptions(device="cpu", openvino=openvino)
    full, adaptive = (load(whisper_folder, replace(options, adaptive=kind)) for kind in (False, True))
    # Where the CPU suits OpenVINO, short encodings have three seconds of silence; elsewhere four.
    encoded, hissed = (1500, 700) if openvino and computes_in_bfloat16() else (1600, 800)
    greedy = TranscribeOptions(greedy_first=True)
    costs = [engine.transcribe([Window(Pcm(speech))], greedy)[0].cost for engine in (full, adaptive)]
    assert vars_of(costs[0]) == (3000, 0, 0, 0)
    assert vars_of(costs[1]) == (encoded, 3000 - encoded, 0, 0)
    hiss = adaptive.transcribe([Window(Pcm(noise(3, 0.3)))], replace(greedy, temperatures=(0.0,)))[0].cost
    assert hiss.reencoded == 1, "a doubtful result is done again on a full window"
    assert hiss.frames == hissed + 3000
    for engine in (full, adaptive):
        engine.close()


@pytest.mark.real
def test_a_warm_up_encodes_no_full_window(whisper_folder: Path) -> None:
    """The encoding of silence and a doubted draft would take the start 1.8 CPU seconds."""
    engine = catalog.transcriber("faster-whisper")(whisper_folder, EngineOptions(device="cpu", adaptive=True))
    quiet = np.zeros(int(WARM_UP_SECONDS * 16_000), np.float32)
    cost = engine.transcribe([Window(Pcm(quiet))], WARM_UP)[0].cost
    assert vars_of(cost)[:3] == (1000, 2000, 0)
    engine.close()


BAD: dict[str, Callable[[Floats], Floats]] = {
    "one infinite sample": lambda sound: _with(sound, np.inf),
    "one sample of 1e30": lambda sound: _with(sound, 1e30),
    "the scale of integers": lambda sound: sound * 1000,
    "a tenth of the level": lambda sound: sound * np.float32(0.1),
    "NaN here and there": lambda sound: np.where(np.arange(len(sound)) % 400, sound, np.nan),
}


def _with(sound: Floats, value: float) -> Floats:
    changed = sound.copy()
    changed[30_000] = value
    return changed


@pytest.mark.real
@pytest.mark.parametrize("greedy_first", [False, True])
def test_a_bad_clip_costs_at_most_three_times_a_good_one(
    whisper_folder: Path, speech: Floats, greedy_first: bool
) -> None:
    """The cost is counted in frames and tokens, not in time, so it does not depend on the machine."""
    whisper = catalog.transcriber("faster-whisper")(whisper_folder, EngineOptions(adaptive=True))

    def result_of(sound: Floats) -> WindowResult:
        source = open_audio(io.BytesIO(float_wav(sound)), limit=60, cancelled=lambda: False)
        samples = np.concatenate(list(source.blocks()))
        source.close()
        return whisper.transcribe([Window(Pcm(samples))], TranscribeOptions(greedy_first=greedy_first))[0]

    good = result_of(speech[:64_000])
    for name, change in BAD.items():
        bad = result_of(change(speech[:64_000]))
        assert bad.cost.fallbacks == 0, f"{name}: no sampling"
        assert bad.cost.frames <= 3 * good.cost.frames, name
        assert len(bad.segments[0].tokens) <= 3 * len(good.segments[0].tokens), name
        assert "fellow" in text(bad), f"{name} is still understood"
    whisper.close()


@pytest.mark.real
def test_whisper_hears_what_was_said(whisper_folder: Path, speech: Floats) -> None:
    whisper = catalog.transcriber("faster-whisper")(whisper_folder, EngineOptions())
    (result,) = whisper.transcribe([Window(Pcm(speech))], TranscribeOptions(words=True))
    said = "".join(segment.text for segment in result.segments)
    plain = jiwer.Compose(
        [jiwer.ToLowerCase(), jiwer.RemovePunctuation(), jiwer.Strip(), jiwer.ReduceToListOfListOfWords()]
    )
    error = jiwer.wer(JFK_TEXT, said, reference_transform=plain, hypothesis_transform=plain)
    assert error <= 0.05, said
    country = [w for s in result.segments for w in s.words or () if "country" in w.text]
    assert [round(word.start) for word in country] == [6, 10]
    whisper.close()


@pytest.mark.real
def test_whisper_takes_any_window(whisper_folder: Path) -> None:
    whisper = catalog.transcriber("faster-whisper")(whisper_folder, EngineOptions())
    for sound in (silence(5), silence(0.1), noise(30), noise(0.01), noise(31)):
        options = TranscribeOptions(words=True, temperatures=(0.0, 1.0))
        (result,) = whisper.transcribe([Window(Pcm(sound))], options)
        assert all(0 <= s.start <= s.end <= len(sound) / 16_000 for s in result.segments)
    whisper.close()


def test_broken_weights_and_unknown_engines(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"not a model")
    with pytest.raises(WeightsBroken):
        catalog.transcriber("faster-whisper")(tmp_path, EngineOptions(device="cpu"))
    with pytest.raises(EngineError, match="known ones: faster-whisper"):
        catalog.transcriber("none")


def test_a_missing_library_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for device in ("auto", "cuda"):
        with monkeypatch.context() as without:
            for name in ("faster_whisper", "ctranslate2"):
                without.setitem(sys.modules, name, None)
            with pytest.raises(EngineError, match=r"make \w+ ALL=1"):
                catalog.transcriber("faster-whisper")(tmp_path, EngineOptions(device=device))
    for name in ("faster_whisper", "onnxruntime"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(EngineError, match=r"make \w+ ALL=1"):
        catalog.transcriber("faster-whisper")(tmp_path, EngineOptions())
    with pytest.raises(EngineError, match=r"make \w+ ALL=1"):
        catalog.speech_detector("silero")()
