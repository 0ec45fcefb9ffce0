"""What sound attends to in the silence after it, when that silence is not encoded with it.

Whisper was trained on windows of 30 seconds, so most of a short one is silence, and every position attends to
it. The keys and values of silence hardly depend on the sound before. So they are taken from an encoding of
silence alone, and only of some positions, each of which counts as often as the positions that it stands for
(docs/decisions/0004).

Law: chooses positions and counts them; no model is run here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.types import Samples

POSITION_STEP = 10
"""Of so many positions one is kept. Steps of 4, 8 and 16 are worse, because the keys of silence repeat every
four positions.
"""


@dataclass(frozen=True, slots=True)
class AttendedSilence:
    """The keys and values of the positions that are kept."""

    kept: Sequence[NDArray[np.uint16]]
    """For each layer the keys, then the values, in bfloat16: (1, kept positions, width)."""
    positions: int
    """Of how many positions they were taken."""

    def after(self, position: int) -> list[NDArray[np.uint16]]:
        """The keys and values from `position` on."""
        return [one[:, -(-position // POSITION_STEP) :] for one in self.kept]

    def counts(self, position: int) -> Samples:
        """For positions of sound up to `position`, and for those that `after` gives: the logarithm of the
        number of positions that each stands for.
        """
        kept = self.after(position)[0].shape[1]
        each = np.log(max(1, self.positions - position) / max(1, kept))
        return np.concatenate([np.zeros(position), np.full(kept, each)]).astype(np.float32)


def no_silence(layers: int, width: int) -> AttendedSilence:
    """For sound that has no silence after it that it was not encoded with."""
    return AttendedSilence([np.zeros((1, 0, width), np.uint16)] * (2 * layers), 0)
