"""Error rates of diarization: who spoke when (DER, JER) and who said what (cpWER, WDER)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
from scipy.optimize import linear_sum_assignment

from bench.accuracy import plain
from tests.support.conversations import Said


def read_rttm(path: Path) -> list[Said]:
    rows = (line.split() for line in path.read_text().splitlines() if line.startswith("SPEAKER"))
    return [Said(float(row[3]), float(row[3]) + float(row[4]), row[7]) for row in rows]


def read_stm(path: Path) -> list[Said]:
    rows = (line.split(maxsplit=5) for line in path.read_text("utf-8").splitlines() if line.strip())
    said = [Said(float(row[3]), float(row[4]), row[2], row[5] if len(row) > 5 else "") for row in rows]
    return sorted(said, key=lambda turn: turn.start)


def annotation(turns: Sequence[Said]) -> Any:
    from pyannote.core import Annotation, Segment

    made = Annotation()
    for number, turn in enumerate(turns):
        made[Segment(turn.start, turn.end), number] = turn.speaker
    return made


@dataclass
class Turns:
    """The parts of the diarization error rate, added up over files, in seconds."""

    missed: float = 0.0
    alarm: float = 0.0
    confused: float = 0.0
    total: float = 0.0

    def add(self, reference: Sequence[Said], found: Sequence[Said], seconds: float, collar: float) -> None:
        from pyannote.core import Segment, Timeline
        from pyannote.metrics.diarization import DiarizationErrorRate

        # pyannote.metrics takes the whole width of the collar around a border; NIST's usual figure is one
        # side.
        metric = DiarizationErrorRate(collar=2 * collar)
        whole = Timeline([Segment(0, seconds)])
        parts = metric(annotation(reference), annotation(found), uem=whole, detailed=True)
        self.missed += parts["missed detection"]
        self.alarm += parts["false alarm"]
        self.confused += parts["confusion"]
        self.total += parts["total"]

    @property
    def rate(self) -> float:
        """DER in percent."""
        return 100 * (self.missed + self.alarm + self.confused) / max(self.total, 1e-9)


def jer(reference: Sequence[Said], found: Sequence[Said], seconds: float) -> float:
    """Jaccard error rate in percent (Ryant et al. 2019)."""
    from pyannote.core import Segment, Timeline
    from pyannote.metrics.diarization import JaccardErrorRate

    whole = Timeline([Segment(0, seconds)])
    return 100 * float(JaccardErrorRate()(annotation(reference), annotation(found), uem=whole))


@dataclass
class Words:
    """Sums over files, in words of the reference."""

    errors: int = 0
    """Word errors of the transcript without regard to speakers (WER)."""
    speaker_errors: int = 0
    """Word errors when each speaker's words are joined, for the best assignment of speakers (cpWER)."""
    aligned: int = 0
    astray: int = 0
    """Words that were understood and given to the wrong speaker (WDER, Shafey et al. 2019)."""
    total: int = 0

    def add(self, reference: Sequence[Said], found: Sequence[Said]) -> None:
        ours, theirs = _joined(found), _joined(reference)
        self.total += len(plain(" ".join(theirs.values())).split())
        self.errors += _distance(_in_order(reference), _in_order(found))
        self.speaker_errors += _assigned(list(theirs.values()), list(ours.values()))
        aligned, astray = _astray(reference, found)
        self.aligned += aligned
        self.astray += astray

    def __str__(self) -> str:
        total = max(self.total, 1)
        return (
            f"WER {100 * self.errors / total:.1f} cpWER {100 * self.speaker_errors / total:.1f} "
            f"WDER {100 * self.astray / max(self.aligned, 1):.1f}"
        )


def _joined(said: Sequence[Said]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for turn in said:
        texts[turn.speaker] = f"{texts.get(turn.speaker, '')} {turn.text}"
    return texts


def _in_order(said: Sequence[Said]) -> str:
    return " ".join(turn.text for turn in said)


def _distance(reference: str, found: str) -> int:
    one, two = plain(reference), plain(found)
    if not one or not two:
        return len(one.split()) + len(two.split())
    done = jiwer.process_words(one, two)
    return int(done.substitutions + done.deletions + done.insertions)


def _assigned(reference: list[str], found: list[str]) -> int:
    size = max(len(reference), len(found))
    pad = [""] * size
    costs = np.array([[_distance(r, f) for f in [*found, *pad][:size]] for r in [*reference, *pad][:size]])
    rows, columns = linear_sum_assignment(costs)
    return int(costs[rows, columns].sum())


def _astray(reference: Sequence[Said], found: Sequence[Said]) -> tuple[int, int]:
    theirs = [(word, turn.speaker) for turn in reference for word in plain(turn.text).split()]
    ours = [(word, turn.speaker) for turn in found for word in plain(turn.text).split()]
    if not theirs or not ours:
        return 0, 0
    done = jiwer.process_words(" ".join(w for w, _ in theirs), " ".join(w for w, _ in ours))
    pairs = [
        (theirs[r][1], ours[h][1])
        for chunk in done.alignments[0]
        if chunk.type in ("equal", "substitute")
        for r, h in zip_longest(
            range(chunk.ref_start_idx, chunk.ref_end_idx), range(chunk.hyp_start_idx, chunk.hyp_end_idx)
        )
    ]
    names, labels = sorted({a for a, _ in pairs}), sorted({b for _, b in pairs})
    table = np.zeros((len(names), len(labels)), int)
    for a, b in pairs:
        table[names.index(a), labels.index(b)] += 1
    rows, columns = linear_sum_assignment(table, maximize=True)
    return len(pairs), len(pairs) - int(table[rows, columns].sum())
