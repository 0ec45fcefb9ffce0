"""Instructions in plain English become pace, pauses and loudness."""

from __future__ import annotations

import pytest

from app.text.instructions import Delivery, delivery

INSTRUCTIONS = [
    ("", Delivery()),
    ("Speak slowly.", Delivery(pace=0.85)),
    ("Please speak a bit faster and louder", Delivery(pace=1.18, gain=4.0)),
    ("Make longer pauses between sentences", Delivery(pause=2.0)),
    ("Speak calmly.", Delivery(complete=False)),
    ("Do not speak fast", Delivery(complete=False)),
    ("Quietly, like a pirate", Delivery(gain=-6.0, complete=False)),
]


@pytest.mark.parametrize(("asked", "expected"), INSTRUCTIONS)
def test_instructions_are_honoured_as_far_as_is_honest(asked: str, expected: Delivery) -> None:
    assert delivery(asked) == expected
