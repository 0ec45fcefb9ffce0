"""Cues that people can read, for any words at any times."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.wire import cue_breaks
from app.wire.cue_breaks import CueRules, columns, lines_of
from app.wire.subtitles import Cue, make_cues, to_srt, to_vtt
from engines.types import Segment, Word
from tests.support.sample_transcripts import SPEECH, spoken

RULES = CueRules()
LATIN = st.text("abcdefghijklmnop", min_size=1, max_size=14)
WIDE = st.text("音声認識は面白い漢字", min_size=1, max_size=3)
MARKS = st.sampled_from(["", "", "", ",", ".", "?", "。"])


@st.composite
def speech(draw: st.DrawFn) -> list[Segment]:
    """Words in one language, with or without spaces, at rising times."""
    piece, space = draw(st.sampled_from([(LATIN, " "), (WIDE, "")]))
    drawn = draw(
        st.lists(st.tuples(piece, MARKS, st.floats(0, 3), st.floats(0, 1.5)), min_size=1, max_size=80)
    )
    words, at = [], 0.0
    for text, mark, pause, length in drawn:
        at += pause if pause > 2 else 0.05
        words.append(Word(space + text + mark, round(at, 2), round(at + length, 2), 0.9))
        at += length
    text = "".join(word.text for word in words)
    return [Segment(words[0].start, words[-1].end, text, words=tuple(words))]


@settings(deadline=None, max_examples=150)
@given(speech())
def test_cues_are_readable_and_complete(segments: list[Segment]) -> None:
    words = segments[0].words or ()
    cues = make_cues(segments, RULES, words[-1].end + 1)
    assert "".join("".join(cue.lines) for cue in cues).replace(" ", "") == segments[0].text.replace(" ", "")
    for cue in cues:
        assert 1 <= len(cue.lines) <= RULES.lines
        assert all(0 < columns(line) <= RULES.width for line in cue.lines)
        assert 0 < cue.end - cue.start <= RULES.longest + 0.01
    assert all(a.end <= b.start + 1e-9 for a, b in pairwise(cues))


@settings(deadline=None, max_examples=50)
@given(speech())
def test_written_cues_read_back(segments: list[Segment]) -> None:
    cues = make_cues(segments, RULES, 1000)
    for text, mark in ((to_srt(cues), ","), (to_vtt(cues).removeprefix("WEBVTT\n\n"), ".")):
        assert [cue.lines for cue in read(text, mark)] == [cue.lines for cue in cues]
        for cue, again in zip(cues, read(text, mark), strict=True):
            assert again.start == pytest.approx(cue.start, abs=0.001)
            assert again.end == pytest.approx(cue.end, abs=0.001)


def read(text: str, mark: str) -> list[Cue]:
    clock = rf"(\d\d):(\d\d):(\d\d)\{mark}(\d\d\d)"
    found = []
    for block in [block for block in text.split("\n\n") if block.strip()]:
        lines = [line for line in block.split("\n") if line]
        lines = lines[1:] if lines[0].isdigit() else lines
        times = re.fullmatch(rf"{clock} --> {clock}", lines[0])
        assert times, lines
        h, m, s, ms, *end = (int(part) for part in times.groups())
        h2, m2, s2, ms2 = end
        found.append(
            Cue(h * 3600 + m * 60 + s + ms / 1000, h2 * 3600 + m2 * 60 + s2 + ms2 / 1000, tuple(lines[1:]))
        )
    return found


def test_a_slow_cue_stays_until_it_is_read() -> None:
    cues = make_cues([spoken("Yes.", 1.0, per_word=0.2)], RULES, 60.0)
    assert cues[0].end - cues[0].start == pytest.approx(RULES.shortest)


def test_cues_end_with_sentences_and_clauses() -> None:
    text = "The boats come in at dawn, and the market opens. Nobody has to speak."
    cues = make_cues([spoken(text, 0)], CueRules(width=30), 60.0)
    assert [" ".join(cue.lines)[-1] for cue in cues] in ([".", "."], [",", ".", "."])


def test_a_long_pause_is_never_inside_a_cue() -> None:
    cues = make_cues([spoken("One.", 0), spoken("Two.", 30)], RULES, 60.0)
    assert len(cues) == 2
    assert cues[0].end < 3


def test_a_word_of_500_letters_is_broken() -> None:
    cues = make_cues([spoken("a" * 500, 0, per_word=20)], RULES, 20.0)
    assert all(columns(line) <= RULES.width for cue in cues for line in cue.lines)


def test_segments_without_word_times() -> None:
    bare = Segment(0, 8, " The boats come in at dawn, and the market opens its doors.")
    cues = make_cues([bare], RULES, 8.0)
    assert " ".join(" ".join(cue.lines) for cue in cues) == bare.text.strip()
    assert (cues[0].start, cues[-1].end) == (0, 8)


def test_other_shapes() -> None:
    cues = make_cues(SPEECH.segments, CueRules(width=20, lines=3), 14.3)
    assert max(len(cue.lines) for cue in cues) == 3
    assert all(columns(line) <= 20 for cue in cues for line in cue.lines)


def test_hours_have_two_digits_and_more() -> None:
    assert "100:00:00,000" in to_srt([Cue(359_999.0, 360_000.0, ("a",))])


def brute_force(words: list[Word], rules: CueRules) -> list[tuple[str, ...]]:
    """The cheapest of all possible divisions, found by trying each one. The real search
    must find the same.
    """
    best: tuple[float, list[tuple[str, ...]]] = (math.inf, [])
    for cuts in range(2 ** (len(words) - 1)):
        stops = [i + 1 for i in range(len(words) - 1) if cuts >> i & 1] + [len(words)]
        groups = [words[a:b] for a, b in pairwise([0, *stops])]
        if all(fits(group, rules) for group in groups):
            cost = sum(
                cost_of(words, stop, len(group), rules) for stop, group in zip(stops, groups, strict=True)
            )
            if cost < best[0] - 1e-9:
                best = (cost, [lines_of(group, rules) for group in groups])
    return best[1]


def fits(group: list[Word], rules: CueRules) -> bool:
    shown = lines_of(group, rules)
    seconds = group[-1].end - group[0].start
    return len(group) == 1 or (
        len(shown) <= rules.lines
        and seconds <= rules.longest
        and sum(columns(word.text) for word in group) <= rules.width * rules.lines + 1
    )


def cost_of(words: list[Word], stop: int, count: int, rules: CueRules) -> float:
    group = words[stop - count : stop]
    seconds, size = group[-1].end - group[0].start, sum(columns(word.text) for word in group)
    after = words[stop].start if stop < len(words) else math.inf
    room = min(max(after - group[0].start, seconds), rules.longest)
    hurry = max(0.0, size / rules.speed - room) + 2 * max(0.0, rules.shortest - room)
    last = words[stop - 1].text
    if stop == len(words) or last[-1] in ".?。":
        break_cost = 0.0
    elif last[-1] == "," or after - group[-1].end >= 0.4:
        break_cost = 0.7
    else:
        break_cost = 2.5 if words[stop].text.startswith(" ") else 3.0
    return 1 + 2 * hurry + break_cost + (0.3 if len(lines_of(group, rules)) > 1 else 0.0)


@settings(deadline=None, max_examples=60)
@given(speech(), st.sampled_from([(14, 1, 3.0), (20, 2, 7.0), (18, 3, 60.0)]))
def test_the_division_is_the_cheapest(segments: list[Segment], shape: tuple[int, int, float]) -> None:
    width, lines, longest = shape
    rules = CueRules(width=width, lines=lines, longest=longest)
    words = list(segments[0].words or ())[:9]
    run = [word for index, word in enumerate(words) if not index or word.start - words[index - 1].end < 2]
    cues = make_cues([Segment(0, 100, "", words=tuple(run))], rules, 1000)
    pauses = any(b.start - a.end >= 2 for a, b in pairwise(run))
    if not pauses and all(columns(word.text.strip()) <= rules.width for word in run):
        assert [cue.lines for cue in cues] == brute_force(run, rules)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(42, 2, 7.0), (200, 2, 60.0), (200, 5, 60.0), (10, 1, 1.0)])
@pytest.mark.parametrize("piece", [" a", "音"])
def test_many_words_take_a_bounded_number_of_steps(
    shape: tuple[int, int, float], piece: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever shape a client asks for; steps are counted, not seconds."""
    steps = 0
    cost, size = cue_breaks._CueSearch._cost, cue_breaks.columns

    def counted(*arguments: Any) -> float:
        nonlocal steps
        steps += 1
        return cost(*arguments)

    def measured(text: str) -> int:
        nonlocal steps
        steps += 1
        return size(text)

    monkeypatch.setattr(cue_breaks._CueSearch, "_cost", counted)
    monkeypatch.setattr(cue_breaks, "columns", measured)
    words = tuple(Word(piece, i * 0.3, i * 0.3 + 0.28, 0.9) for i in range(3000))
    width, lines, longest = shape
    make_cues([Segment(0, 900, "", words=words)], CueRules(width=width, lines=lines, longest=longest), 900)
    assert steps < len(words) * (cue_breaks.LONGEST_CUE + 5)
