"""Converts instructions in plain words to the settings that they ask for: pace, pauses and loudness.

Law: pure. A clause is obeyed only if it asks for one of these things and nothing else. The rest (mood,
accent, character) is left to engines that understand it, and `complete` tells the client.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NOISE = re.compile(
    r"\b(please|speak|speaking|talk|read|say|it|this|the|text|a|an|at|in|with|and|very|rather|bit|little|more|"
    r"slightly|voice|tone|pace|speed|rate|use|make|take|sound|your|of|between|sentences|words|volume|be|to)\b"
)
_ASKED = (
    (re.compile(r"\b(slow|slowly|slower|calm and slow|unhurried)\b"), "pace", 0.85),
    (re.compile(r"\b(fast|faster|quick|quickly|quicker|rapid|rapidly|brisk|briskly)\b"), "pace", 1.18),
    (re.compile(r"\b(long|longer) (pause|pauses)\b|\bpause(s)? longer\b"), "pause", 2.0),
    (re.compile(r"\b(short|shorter|few|fewer) (pause|pauses)\b"), "pause", 0.5),
    (re.compile(r"\b(loud|loudly|louder)\b"), "gain", 4.0),
    (re.compile(r"\b(quiet|quietly|quieter|soft|softly|softer)\b"), "gain", -6.0),
)
_NEGATION = re.compile(r"\b(not|no|never|don['’]?t|without|avoid|too)\b")


@dataclass(frozen=True, slots=True)
class Delivery:
    """The settings that instructions ask for."""

    pace: float = 1.0
    """Factor by which the tempo is multiplied."""
    pause: float = 1.0
    """Factor by which pauses are multiplied."""
    gain: float = 0.0
    """Decibels that are added to the loudness."""
    complete: bool = True
    """Whether the instructions asked for nothing else."""


def delivery(instructions: str) -> Delivery:
    """The settings that `instructions` ask for, as far as they are understood here."""
    settings = {"pace": 1.0, "pause": 1.0, "gain": 0.0}
    complete = True
    for clause in re.split(r"[.,;!\n]| and | but ", instructions.lower()):
        asked = [(kind, value) for pattern, kind, value in _ASKED if pattern.search(clause)]
        if _NEGATION.search(clause) or len(asked) > 1:
            complete = False
            continue
        settings.update(asked)
        rest = clause
        for pattern, _, _ in _ASKED:
            rest = pattern.sub("", rest)
        complete = complete and not re.search(r"\w", _NOISE.sub("", rest))
    return Delivery(settings["pace"], settings["pause"], settings["gain"], complete)
