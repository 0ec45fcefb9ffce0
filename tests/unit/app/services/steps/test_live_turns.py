"""Where turns begin and end, and what is worth transcribing. In the tests, each digit is a frame: its
probability in tenths.
"""

from __future__ import annotations

import pytest

from app.services.steps.live_turns import TurnFinder, TurnRules, stretch


def edges(digits: str, *, silence: int = 3, padding: int = 2, longest: int = 100) -> list[tuple[str, int]]:
    finder = TurnFinder(TurnRules(threshold=0.5, padding=padding, longest=longest), 0)
    told = [finder.feed(frame, int(digit) / 10, silence) for frame, digit in enumerate(digits)]
    return [(edge.kind, edge.frame) for some in told for edge in some]


@pytest.mark.parametrize(
    ("digits", "expected"),
    [
        ("0000000000", []),
        ("0000900009", []),
        ("0000990000", [("start", 2), ("stop", 9)]),
        ("9900099", [("start", 0), ("stop", 5), ("start", 5)]),
        ("00009944449000", [("start", 2), ("stop", 14)]),
        ("0000990099000", [("start", 2), ("stop", 13)]),
        ("000099", [("start", 2)]),
    ],
)
def test_turns_begin_after_two_frames_and_end_after_silence(
    digits: str, expected: list[tuple[str, int]]
) -> None:
    assert edges(digits) == expected


def test_a_turn_that_never_ends_is_cut_where_the_next_one_begins() -> None:
    assert edges("9" * 12, padding=0, longest=5) == [
        ("start", 0),
        ("stop", 5),
        ("start", 5),
        ("stop", 10),
        ("start", 10),
    ]


def test_a_turn_that_the_client_ended_gives_no_stop_and_the_next_one_begins_after_it() -> None:
    finder = TurnFinder(TurnRules(threshold=0.5, padding=5, longest=100), 0)
    assert next(e for f in range(4) for e in finder.feed(f, 0.9, 3)).kind == "start"
    finder.end(4)
    later = [e for f in range(4, 8) for e in finder.feed(f, 0.9, 3)]
    assert [(e.kind, e.frame) for e in later] == [("start", 4)]


def test_a_turn_that_another_finder_found_ends_as_any_other() -> None:
    finder = TurnFinder(TurnRules(threshold=0.5, padding=5, longest=100), 4)
    finder.begin(4)
    later = [e for f in range(4, 12) for e in finder.feed(f, 0.9 if f < 8 else 0.0, 3)]
    assert [(e.kind, e.frame) for e in later] == [("stop", 11)]


def chances(digits: str) -> list[float]:
    return [int(digit) / 10 for digit in digits]


def test_silence_and_clicks_are_not_worth_transcribing() -> None:
    assert stretch(chances("0" * 50), 0.5, most=20, pad=2) is None
    assert stretch(chances("0090090000"), 0.5, most=20, pad=2) is None


def test_a_stretch_has_the_speech_and_a_margin() -> None:
    part = stretch(chances("00000999000999000000"), 0.5, most=50, pad=2)
    assert part
    assert (part.start, part.end, part.full) == (3, 16, False)


def test_a_long_stretch_ends_in_its_longest_silence() -> None:
    digits = "9" * 12 + "0" + "9" * 3 + "0000" + "9" * 20
    part = stretch(chances(digits), 0.5, most=24, pad=0)
    assert part
    assert part.full
    assert 16 <= part.end <= 20


def test_a_long_stretch_without_silence_is_cut_all_the_same() -> None:
    part = stretch(chances("9" * 60), 0.5, most=20, pad=0)
    assert part
    assert part.full
    assert 10 <= part.end <= 21
