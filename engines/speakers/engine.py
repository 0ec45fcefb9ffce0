"""Who spoke when, on ONNX Runtime: segmentation 3.0 and CAM++, block by block, and a clustering at the end.

Both networks are published as PyTorch checkpoints. Their arrays are read without PyTorch
(`safe_unpickling.py`) and put into graphs of ours (`segmentation.py`, `campplus.py`) each time that the model
is loaded, which takes a third of a second: nothing derived lies on the disk, so nothing there can be out of
date.

Law: engine calls only; which threads and whose turn it is are the app's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.errors import EngineError, EngineMissing
from engines.speakers.windows import FoundSpeakers, Windows, joined
from engines.types import SAMPLE_RATE, Diarization, DiarizeOptions, EngineOptions, Pcm, Samples

LIBRARIES = ("onnx", "onnxruntime", "scipy")
SEGMENTATION = "segmentation.bin"
"""Name of the segmentation model's file in the folder of the encoder's file."""
WINDOW_STEP = 2.5
"""Seconds between two windows of the segmentation."""


def check() -> None:
    """Checks that the libraries are installed, without importing them. Raises `EngineMissing`."""
    if not all(find_spec(name) for name in LIBRARIES):
        raise EngineMissing("speakers", "speakers")


def load(folder: Path, options: EngineOptions) -> SpeakersDiarizer:
    """Loads the networks from their folder. Raises `EngineMissing` or `WeightsBroken`."""
    check()
    from engines.common.onnx import shrinking
    from engines.speakers import encoder, segmentation

    segment = encoder.network(folder / SEGMENTATION, segmentation.graph, options, key="state_dict")
    return SpeakersDiarizer(segment, encoder.load(folder, options), shrinking(options))


class SpeakersDiarizer:
    """The two networks. Calls are independent of each other."""

    def __init__(self, segmentation: Any, encoder: Any, shrink: Any = None) -> None:
        """`shrink`: options of a run after which a network keeps no memory for the next one."""
        from engines.speakers.segmentation import WINDOW_SECONDS

        self._segmentation = segmentation
        self._encoder = encoder
        self._shrink = shrink
        self._windows = Windows(self._segment, encoder, seconds=WINDOW_SECONDS, step=WINDOW_STEP)
        self.span, self.hop = self._windows.span, self._windows.hop

    def look(self, samples: Samples, start: float, *, end: bool) -> FoundSpeakers:
        """The speakers in `samples`, which begin at `start` seconds of the audio."""
        return self._windows.look(samples, start, end=end)

    def assemble(self, seen: Sequence[object], options: DiarizeOptions) -> Diarization:
        """Who spoke when, from the results of all `look` calls in order. Raises `EngineError`."""
        from engines.speakers.clustering import Bounds, clusters
        from engines.speakers.known_speakers import diarization
        from engines.speakers.turns import Frames

        whole = joined(seen)
        if np.isnan(whole.vectors).any(axis=2).all():
            return Diarization()
        bounds = Bounds(options.speakers or options.least or 1, options.speakers or options.most)
        if bounds.most is not None and bounds.least > bounds.most:
            raise EngineError("The least number of speakers is greater than the most.")
        labels, centroids = clusters(whole.active, whole.vectors, bounds)
        frames = Frames(whole.active, labels, len(centroids), step=WINDOW_STEP)
        turns, exclusive = frames.turns(whole.seconds), frames.turns(whole.seconds, most=1)
        return diarization(turns, exclusive, centroids, options.known)

    def embed(self, sound: Pcm) -> Samples:
        """A unit vector of the voice. `sound`: speech of `SAMPLE_RATE` hertz without long silence."""
        vector: Samples = self._encoder.embed(sound)
        return vector

    def rest(self) -> None:
        """ONNX Runtime keeps the memory of its largest run. A short run with `shrink` gives it back."""
        if self._shrink:
            self._segmentation.run(None, {"sound": np.zeros((1, SAMPLE_RATE), np.float32)}, self._shrink)
        self._encoder.rest()

    def close(self) -> None:
        self._encoder.close()
        self._segmentation = None

    def _segment(self, windows: Samples) -> NDArray[np.bool_]:
        from engines.speakers.segmentation import active

        return active(self._segmentation.run(None, {"sound": windows})[0])
