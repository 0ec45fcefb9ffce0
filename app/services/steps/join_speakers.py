"""Joins words with speaker turns: who said what.

Law: pure functions. Words keep their order, every word gets a speaker, and a segment never mixes two
speakers.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from string import ascii_uppercase

from app.domain import SpokenSegment
from engines.types import Diarization, Segment, SpeakerTurn, Word

SENTENCE = tuple(".!?…。！？")  # noqa: RUF001 - full-width marks are meant
SEGMENT_PAUSE = 1.0
"""Seconds of silence that end a segment."""
LONG_SEGMENT = 15.0
"""A segment of more seconds than this ends with its sentence."""
LONGEST_SEGMENT = 60.0
"""Seconds after which a segment ends in any case, so that a stream never waits for longer."""
STRAY_SECONDS = 0.6
"""A single word of another speaker within a sentence is taken for an error if it is shorter than this, in
seconds.
"""
NEAR_WORDS = 3
"""Greatest number of words by which a change of speakers is moved to the end of a sentence."""
PAUSE_TOLERANCE, SPEECH_TOLERANCE = 0.35, 0.2
"""Seconds by which a word's time may be wrong where speakers change: after a pause, and without one."""
PAUSE_SECONDS = 0.3
"""Seconds of a pause at which speakers are likely to change."""


@dataclass(frozen=True, slots=True)
class _Said:
    word: Word
    speaker: int


class SpeakerJoiner:
    """Joins words and turns: call `feed` with the segments of each window, in order, then `flush`."""

    def __init__(self, diarization: Diarization) -> None:
        self._turns = TurnIndex(diarization.exclusive or diarization.turns)
        self._names = dict(enumerate(diarization.names))
        taken = set(diarization.names)
        self._free = (letters for letters in _letters() if letters not in taken)
        self._labels: dict[int, str] = {}
        self._open: list[_Said] = []

    def feed(self, segments: Sequence[Segment]) -> list[SpokenSegment]:
        """Takes the segments of a window. Returns the spoken segments that no later word can change."""
        words = [word for segment in segments for word in words_of(segment)]
        said = smoothed([_Said(word, self._turns.speaker(word)) for word in words], self._turns)
        groups = list(_groups([*self._open, *said]))
        self._open = groups.pop() if groups else []
        return [self._segment(group) for group in groups]

    def flush(self) -> list[SpokenSegment]:
        """Returns the last spoken segment."""
        rest, self._open = self._open, []
        return [self._segment(rest)] if rest else []

    def _segment(self, group: Sequence[_Said]) -> SpokenSegment:
        words = tuple(said.word for said in group)
        start = words[0].start
        end = max(start + 0.01, *(word.end for word in words))
        return SpokenSegment(start, end, self._label(group[0].speaker), words)

    def _label(self, speaker: int) -> str:
        """The label of a speaker: a known name, or a letter. Letters follow the order of first words, not of
        first sounds.
        """
        if speaker not in self._labels:
            self._labels[speaker] = self._names.get(speaker) or next(self._free)
        return self._labels[speaker]


class TurnIndex:
    """Speaker turns that do not overlap, looked up by time."""

    def __init__(self, turns: Iterable[SpeakerTurn]) -> None:
        self._turns = sorted(turns, key=lambda turn: turn.start)
        self._starts = [turn.start for turn in self._turns]

    def speaker(self, word: Word) -> int:
        """The speaker who talks during most of the word. If nobody does, the speaker of the nearest turn."""
        near = self._near(word)
        if not near:
            return 0
        return max(near, key=lambda turn: (_shared(turn, word), -_away(turn, word))).speaker

    def near(self, word: Word, speaker: int, seconds: float) -> bool:
        """Whether the word could belong to `speaker` if its time were wrong by `seconds`."""
        return any(t.speaker == speaker and _away(t, word) <= seconds for t in self._near(word))

    def _near(self, word: Word) -> list[SpeakerTurn]:
        at = bisect_left(self._starts, word.start)
        until = bisect_left(self._starts, word.end)
        return self._turns[max(0, at - 2) : until + 1]


def smoothed(said: Sequence[_Said], turns: TurnIndex) -> list[_Said]:
    """Corrects single words of another speaker within a sentence, and moves changes of speakers to ends of
    sentences.
    """
    found = list(said)
    for i in range(1, len(found) - 1):
        before, here, after = found[i - 1], found[i], found[i + 1]
        alone = before.speaker == after.speaker != here.speaker
        if (
            alone
            and here.word.end - here.word.start <= STRAY_SECONDS
            and _inside(before.word, here.word, after.word)
        ):
            found[i] = _Said(here.word, before.speaker)
    for i in range(1, len(found)):
        _snap(found, i, turns)
    return found


def words_of(segment: Segment) -> list[Word]:
    """The words of a segment. A segment without word times becomes one long word."""
    if segment.words:
        return list(segment.words)
    return [Word(segment.text, segment.start, segment.end, 1.0)] if segment.text.strip() else []


def _snap(said: list[_Said], change: int, turns: TurnIndex) -> None:
    """Moves a change of speakers by a few words to the end of a sentence, if the times allow that.

    A speaker never loses all words: only a part of a longer run is moved.
    """
    before, after = said[change - 1].speaker, said[change].speaker
    if before == after or _ends(said[change - 1].word):
        return
    for count in range(1, NEAR_WORDS + 1):
        first, last = change - count, change + count
        if _border(said, first, first - 1, before) and _movable(said, first, change, before, after, turns):
            said[first:change] = [_Said(s.word, after) for s in said[first:change]]
            return
        if _border(said, last, last, after) and _movable(said, change, last, after, before, turns):
            said[change:last] = [_Said(s.word, before) for s in said[change:last]]
            return


def _border(said: Sequence[_Said], at: int, stays: int, speaker: int) -> bool:
    """Whether a sentence ends before word `at`, and word `stays` keeps its `speaker`."""
    return 0 < at < len(said) and _ends(said[at - 1].word) and said[stays].speaker == speaker


def _movable(said: Sequence[_Said], first: int, last: int, owner: int, to: int, turns: TurnIndex) -> bool:
    """Whether the words first..last could belong to the other speaker. After a pause, larger errors of their
    times are allowed.
    """
    pause = said[first].word.start - said[first - 1].word.end
    edge = PAUSE_TOLERANCE if pause >= PAUSE_SECONDS else SPEECH_TOLERANCE
    return all(s.speaker == owner and turns.near(s.word, to, edge) for s in said[first:last])


def _inside(before: Word, word: Word, after: Word) -> bool:
    """Whether a word is in the middle of a sentence that is spoken without a pause."""
    flows = word.start - before.end < PAUSE_TOLERANCE and after.start - word.end < PAUSE_TOLERANCE
    return flows and not _ends(before) and not _ends(word)


def _ends(word: Word) -> bool:
    return word.text.rstrip("\"'”’)» ").endswith(SENTENCE)  # noqa: RUF001 - closing marks of all kinds are meant


def _groups(said: Sequence[_Said]) -> Iterator[list[_Said]]:
    if not said:
        return
    group = [said[0]]
    for before, here in pairwise(said):
        if _breaks(group, before, here):
            yield group
            group = []
        group.append(here)
    yield group


def _breaks(group: Sequence[_Said], before: _Said, here: _Said) -> bool:
    length = before.word.end - group[0].word.start
    return (
        before.speaker != here.speaker
        or here.word.start - before.word.end >= SEGMENT_PAUSE
        or (length >= LONG_SEGMENT and _ends(before.word))
        or length >= LONGEST_SEGMENT
    )


def _shared(turn: SpeakerTurn, word: Word) -> float:
    return max(0.0, min(turn.end, word.end) - max(turn.start, word.start))


def _away(turn: SpeakerTurn, word: Word) -> float:
    return max(0.0, turn.start - word.end, word.start - turn.end)


def _letters() -> Iterator[str]:
    """A, B, ... Z, AA, AB, ..."""
    number = 0
    while True:
        text, rest = "", number
        while rest >= 0:
            text = ascii_uppercase[rest % 26] + text
            rest = rest // 26 - 1
        yield text
        number += 1
