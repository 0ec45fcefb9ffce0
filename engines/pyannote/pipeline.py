"""pyannote's `SpeakerDiarization`, whose first two steps (segmentation, embedding) are done outside, window
by window.

Law: its classes inherit from pyannote's, so that importing this file imports pyannote. Only `engine.load`
does that, after `setup`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from pyannote.audio.pipelines import SpeakerDiarization
from pyannote.core import SlidingWindow, SlidingWindowFeature

from engines.speakers.similar_voices import LocalSpeaker, Mask, RunBook
from engines.types import SAMPLE_RATE, Samples


class Streamed(SpeakerDiarization):  # type: ignore[misc]  # pyannote has no types
    """Clusters and reconstructs results of segmentation and embedding that were computed before."""

    def get_segmentations(self, file: Any, hook: Any = None) -> Any:
        return file["segmentations"]

    def get_embeddings(self, file: Any, *_: Any, **__: Any) -> Any:
        return file["embeddings"]


def adopt(pipeline: SpeakerDiarization, where: torch.device) -> SpeakerDiarization:
    """Wraps a pipeline that was loaded from its own configuration, so that its first two steps are done
    outside.
    """
    pipeline.__class__ = Streamed
    return pipeline.to(where)


def features(table: Samples, seconds: float, step: float) -> SlidingWindowFeature:
    """Converts an array (windows, frames, speakers) to pyannote's type. `seconds`: of a window; `step`:
    between two windows.
    """
    return SlidingWindowFeature(table, SlidingWindow(start=0.0, duration=seconds, step=step))


class PipelineVoices:
    """The speaker encoder of a pipeline. It gets whole windows, with a mask for each speaker."""

    def __init__(self, pipeline: Any) -> None:
        self._encoder = pipeline._embedding  # noqa: SLF001 - the only place where the pipeline keeps it
        self._exclude = pipeline.embedding_exclude_overlap
        self._samples = pipeline._segmentation.duration * SAMPLE_RATE  # noqa: SLF001 - as above

    def speakers(self, window: Samples, active: Mask, start: float, book: RunBook) -> list[LocalSpeaker]:
        columns = [column for column in active.T if column.any()]
        if not columns:
            return []
        masks = np.stack([self._mask(column, active) for column in columns]).astype(np.float32)
        sound = torch.from_numpy(window)[None, None].expand(len(columns), 1, -1)
        vectors = self._encoder(sound, masks=torch.from_numpy(masks))
        return [
            LocalSpeaker(column, None if np.isnan(vector).any() else vector)
            for column, vector in zip(columns, vectors, strict=True)
        ]

    def embed(self, samples: Samples) -> Samples:
        vector = self._encoder(torch.from_numpy(samples)[None, None])[0]
        return np.asarray(vector / np.linalg.norm(vector), np.float32)

    def _mask(self, column: Mask, active: Mask) -> Mask:
        """The frames in which only this speaker talks, if they are enough for a vector; else all of the
        speaker's frames.
        """
        clean = column & (active.sum(axis=1) < 2)
        enough = clean.mean() > self._encoder.min_num_samples / self._samples
        return clean if self._exclude and enough else column
