"""Joining words and speaker turns: who said which word."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.domain import SpokenSegment
from app.services.steps.join_speakers import LONGEST_SEGMENT, SEGMENT_PAUSE, SpeakerJoiner
from engines.types import Diarization, Segment, SpeakerTurn, Word
from tests.support.sample_transcripts import spoken


def joined(
    segments: list[Segment], turns: list[tuple[float, float, int]], *names: str | None
) -> list[SpokenSegment]:
    made = tuple(SpeakerTurn(*turn) for turn in turns)
    speakers = 1 + max((turn.speaker for turn in made), default=-1)
    joiner = SpeakerJoiner(Diarization(made, made, names or (None,) * speakers))
    return [*joiner.feed(segments), *joiner.flush()]


def told(found: list[SpokenSegment]) -> list[tuple[str, str]]:
    return [(segment.speaker, segment.text) for segment in found]


def test_words_go_to_whoever_speaks_at_their_time() -> None:
    found = joined([spoken("Who is there? It is me.", 0.0)], [(0.0, 1.2, 0), (1.2, 3.0, 1)])
    assert told(found) == [("A", "Who is there?"), ("B", "It is me.")]


def test_letters_follow_the_order_of_words_and_pass_over_names() -> None:
    turns = [(0.0, 1.2, 1), (1.2, 2.4, 0), (2.4, 4.0, 2)]
    found = joined([spoken("One two three. Four five six. Seven eight nine.", 0.0)], turns, "A", None, None)
    assert [segment.speaker for segment in found] == ["B", "A", "C"]


def test_letters_go_on_after_z() -> None:
    segments = [spoken("Yes.", 2.0 * n) for n in range(28)]
    found = joined(segments, [(2.0 * n, 2.0 * n + 1, n) for n in range(28)])
    assert [segment.speaker for segment in found][-3:] == ["Z", "AA", "AB"]


def test_a_stray_word_within_a_sentence_is_no_turn() -> None:
    found = joined([spoken("I think we should go now.", 0.0)], [(0, 0.8, 0), (0.8, 1.2, 1), (1.2, 2.4, 0)])
    assert told(found) == [("A", "I think we should go now.")]


def test_an_answer_of_one_word_is_a_turn() -> None:
    found = joined(
        [spoken("Shall we go?", 0.0), spoken("Yes.", 1.6), spoken("Then come.", 2.4)],
        [(0, 1.2, 0), (1.5, 2.1, 1), (2.4, 3.2, 0)],
    )
    assert told(found) == [("A", "Shall we go?"), ("B", "Yes."), ("A", "Then come.")]


def test_a_change_near_the_end_of_a_sentence_is_at_it() -> None:
    found = joined([spoken("We are done. And you are late.", 0.0)], [(0, 1.45, 0), (1.45, 3.0, 1)])
    assert told(found) == [("A", "We are done."), ("B", "And you are late.")]
    found = joined([spoken("We are done. And you are late.", 0.0)], [(0, 0.9, 0), (0.9, 3.0, 1)])
    assert told(found) == [("A", "We are done."), ("B", "And you are late.")]


def test_pauses_break_segments_and_words_in_no_turn_go_to_the_nearest() -> None:
    found = joined([spoken("First part.", 0.0), spoken("Second part.", 0.8 + SEGMENT_PAUSE)], [(0.0, 0.7, 0)])
    assert told(found) == [("A", "First part."), ("A", "Second part.")]
    assert told(joined([spoken("Nobody was found.", 0.0)], [])) == [("A", "Nobody was found.")]


def test_a_segment_without_words_keeps_its_text() -> None:
    found = joined([Segment(1.0, 2.0, " Words without times."), Segment(2.5, 3.0, " ")], [(0, 3, 0)])
    assert told(found) == [("A", "Words without times.")]


def test_long_talk_is_cut_so_that_a_stream_goes_on() -> None:
    found = joined([spoken(" ".join(["word"] * 400), 0.0)], [(0, 160, 0)])
    assert len(found) == 3
    assert all(segment.end - segment.start <= LONGEST_SEGMENT + 1 for segment in found)


times = st.floats(0, 60, allow_nan=False)


@st.composite
def talks(draw: st.DrawFn) -> tuple[list[list[Segment]], Diarization]:
    at, windows = 0.0, []
    for _ in range(draw(st.integers(0, 4))):
        words = []
        for text in draw(st.lists(st.sampled_from([" a", " b.", " c?", " d,", "e"]), max_size=12)):
            start = at + draw(st.floats(0, 2))
            at = start + draw(st.floats(0, 1))
            words.append(Word(text, start, at, 0.9))
        text = "".join(word.text for word in words)
        windows.append([Segment(words[0].start if words else at, at, text, words=tuple(words))])
    count = draw(st.integers(0, 4))
    turns = [
        SpeakerTurn(start, start + draw(st.floats(0.01, 9)), draw(st.integers(0, max(0, count - 1))))
        for start in (draw(st.lists(times, max_size=8)) if count else [])
    ]
    return windows, Diarization(tuple(turns), tuple(turns), (None,) * count)


@given(talks())
def test_every_word_is_said_once_in_order_by_one_speaker(
    talk: tuple[list[list[Segment]], Diarization],
) -> None:
    windows, diarization = talk
    joiner = SpeakerJoiner(diarization)
    found = [segment for window in windows for segment in joiner.feed(window)] + joiner.flush()
    words = [word for window in windows for segment in window for word in segment.words or ()]
    assert [word for segment in found for word in segment.words] == words
    assert all(segment.start < segment.end for segment in found)
    assert [segment.start for segment in found] == sorted(segment.start for segment in found)
    order = list(dict.fromkeys(segment.speaker for segment in found))
    assert order == list("ABCDEFGH"[: len(order)])
