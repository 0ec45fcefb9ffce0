"""Who spoke when: the pipelines of pyannote.audio, on PyTorch, block by block.

Bredin (2023), pyannote.audio 2.1 speaker diarization pipeline, https://doi.org/10.21437/Interspeech.2023-105;
Plaquet, Bredin (2023), Powerset multi-class cross entropy loss, https://arxiv.org/abs/2310.13025.

Windows are segmented and their speakers embedded as the sound comes in; what is kept are numbers, not
samples. Clustering and reconstruction, which need all of them, are pyannote's own and run at the end.

Law: engine calls only; which threads and whose turn it is are the app's business.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.errors import EngineError, WeightsBroken
from engines.pyannote import setup
from engines.speakers.windows import FoundSpeakers, SpeakerVoices, Windows, joined
from engines.types import SAMPLE_RATE, Diarization, DiarizeOptions, EngineOptions, Pcm, Samples

SHORTEST_TURN_SECONDS = 0.05
"""Seconds; shorter turns are noise of the segmentation and are dropped."""


def check() -> None:
    """Checks that the libraries are installed. Raises `EngineMissing`."""
    setup.check()


def load(folder: Path, options: EngineOptions) -> PyannoteDiarizer:
    """Loads a pipeline from its folder. Raises `EngineMissing` or `WeightsBroken`."""
    if not (folder / setup.PIPELINE).exists():
        raise WeightsBroken(f"The folder holds no diarization pipeline: it has no `{setup.PIPELINE}`.")
    setup.prepare(options)
    from engines.pyannote.pipeline import PipelineVoices, adopt

    where = setup.device(options)
    pipeline = adopt(setup.pipeline(folder, trusted=options.trusted), where)
    return PyannoteDiarizer(pipeline, PipelineVoices(pipeline), device=str(where.type))


class PyannoteDiarizer:
    """One pipeline. Calls are independent of each other."""

    def __init__(self, pipeline: Any, voices: SpeakerVoices, *, device: str = "cpu") -> None:
        self._pipeline = pipeline
        self._voices = voices
        self.device = device
        """`cpu` or `cuda`. With the option `auto`, it is known only when the pipeline is loaded."""
        inference = pipeline._segmentation  # noqa: SLF001 - pyannote keeps the model there and offers no other door
        self._infer = inference.infer
        self._seconds, self._step = inference.duration, inference.step
        self._windows = Windows(self._segment, voices, seconds=self._seconds, step=self._step)
        self.span, self.hop = self._windows.span, self._windows.hop

    def look(self, samples: Samples, start: float, *, end: bool) -> FoundSpeakers:
        """The speakers in `samples`, which begin at `start` seconds of the audio."""
        return self._windows.look(samples, start, end=end)

    def assemble(self, seen: Sequence[object], options: DiarizeOptions) -> Diarization:
        """Who spoke when, from the results of all `look` calls in order. Raises `EngineError`."""
        whole = joined(seen)
        if np.isnan(whole.vectors).any(axis=2).all():
            return Diarization()
        return _diarization(self._clustered(whole, options), whole.seconds, options)

    def embed(self, sound: Pcm) -> Samples:
        """A unit vector. `sound`: speech of `SAMPLE_RATE` hertz without long silence."""
        short = max(0, SAMPLE_RATE // 2 - len(sound.samples))
        return self._voices.embed(np.pad(sound.samples, (0, short)))

    def close(self) -> None:
        self._pipeline = None

    def _segment(self, windows: Samples) -> NDArray[np.bool_]:
        import torch

        return np.asarray(self._infer(torch.from_numpy(windows)[:, None])) > 0.5

    def _clustered(self, whole: FoundSpeakers, options: DiarizeOptions) -> Any:
        from engines.pyannote.pipeline import features

        file = {
            "uri": "audio",
            "segmentations": features(whole.active.astype(np.float32), self._seconds, self._step),
            "embeddings": whole.vectors,
        }
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # the library prints how many clusters it found
                return self._pipeline.apply(
                    file,
                    num_speakers=options.speakers,
                    min_speakers=options.least,
                    max_speakers=options.most,
                )
        except (ValueError, IndexError) as wrong:
            raise EngineError("The speakers of this audio could not be told apart.") from wrong


def _diarization(result: Any, seconds: float, options: DiarizeOptions) -> Diarization:
    """Converts pyannote's annotations to turns."""
    from engines.speakers.known_speakers import diarization

    labels = result.speaker_diarization.labels()
    turns = _turns(result.speaker_diarization, labels, seconds)
    exclusive = _turns(result.exclusive_speaker_diarization, labels, seconds)
    return diarization(turns, exclusive, result.speaker_embeddings, options.known)


def _turns(annotation: Any, labels: Sequence[str], seconds: float) -> list[tuple[float, float, int]]:
    """Start, end and speaker of each turn. A turn is cut at the end of the audio, because the last window
    is padded.
    """
    turns = []
    for segment, _, label in annotation.itertracks(yield_label=True):
        end = min(segment.end, seconds)
        if end - segment.start >= SHORTEST_TURN_SECONDS:
            turns.append((max(segment.start, 0.0), end, labels.index(label)))
    return sorted(turns)
