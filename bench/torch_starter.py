"""The starter model on PyTorch and pyannote.audio: the reference that the ONNX engine is measured by.

The same weights, windows and runs; the networks, the filter banks, the clustering and the reconstruction are
theirs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bench.torch_campplus import BANDS, NUMBERS, CamPlusPlus
from bench.torch_campplus import load as load_encoder
from engines.pyannote import setup
from engines.pyannote.engine import PyannoteDiarizer
from engines.speakers import clustering
from engines.speakers.encoder import WEIGHTS
from engines.speakers.engine import SEGMENTATION
from engines.speakers.similar_voices import LocalSpeaker, Mask, RunBook, local_speakers
from engines.types import SAMPLE_RATE, EngineOptions, Samples


def load(folder: Path, options: EngineOptions) -> PyannoteDiarizer:
    """Loads the diarizer from its folder. Raises `EngineMissing` or `WeightsBroken`."""
    model, network = networks(folder, options)
    return PyannoteDiarizer(_pipeline(model), OwnVoices(network))


def networks(folder: Path, options: EngineOptions) -> tuple[Any, CamPlusPlus]:
    """The segmentation model and the speaker encoder."""
    setup.prepare(options)
    from engines.pyannote import safe_loading

    model = safe_loading.read_model(folder / SEGMENTATION, safe_loading.SEGMENTATION)
    return model, load_encoder(folder / WEIGHTS)


def _pipeline(model: Any) -> Any:
    from pyannote.audio.core.plda import PLDA

    from engines.pyannote.pipeline import Streamed

    pipeline = Streamed(
        segmentation=model,
        segmentation_step=0.25,
        # No probabilistic scoring here, but the constructor would fetch one; and oracle clustering is the
        # only kind for which it does not load a speaker encoder. Both are replaced below.
        plda=PLDA.__new__(PLDA),
        clustering="OracleClustering",
    )
    pipeline.klustering = "AgglomerativeClustering"
    pipeline.clustering = _clusters()
    pipeline._expects_num_speakers = False
    pipeline._embedding = _Described()
    rules = {
        "method": "average",
        "min_cluster_size": clustering.LARGE_CLUSTER,
        "threshold": clustering.MERGE_DISTANCE,
    }
    pipeline.instantiate({"segmentation": {"min_duration_off": 0.0}, "clustering": rules})
    return pipeline


def _clusters() -> Any:
    from pyannote.audio.pipelines.clustering import AgglomerativeClustering

    class Clusters(AgglomerativeClustering):  # type: ignore[misc]  # pyannote has no types
        """The clustering of pyannote.audio, for short audio and for very long."""

        def filter_embeddings(self, embeddings: Any, segmentations: Any = None, _: float = 0.2) -> Any:
            for ratio in clustering.SOLO_SHARES:
                chosen = super().filter_embeddings(embeddings, segmentations, ratio)
                if len(chosen[0]):
                    break
            step = -(-len(chosen[0]) // clustering.MOST_VECTORS) or 1
            return tuple(part[::step] for part in chosen)

    return Clusters(metric="cosine")


class _Described:
    """The properties of a speaker encoder that pyannote asks for, although it does not run this one."""

    metric = "cosine"
    sample_rate = SAMPLE_RATE
    dimension = NUMBERS


class OwnVoices:
    """CAM++ on PyTorch, which hears each run of speech once."""

    def __init__(self, network: CamPlusPlus) -> None:
        self._network = network

    def speakers(self, window: Samples, active: Mask, start: float, book: RunBook) -> list[LocalSpeaker]:
        at = np.arange(len(window)) * len(active) // len(window)
        frame = len(window) / SAMPLE_RATE / len(active)
        return local_speakers(active, start, frame, book, lambda frames: self.embed(window[frames[at]]))

    def embed(self, samples: Samples) -> Samples:
        import torch

        heard = torch_bands(samples)
        with torch.inference_mode():
            vector = self._network((heard - heard.mean(0))[None])[0]
            return np.asarray(vector / vector.norm(), np.float32)


def torch_bands(samples: Samples) -> Any:
    """(frames, 80) log-mel bands, 100 frames a second."""
    import torch
    from torchaudio.compliance import kaldi

    sound = torch.from_numpy(np.ascontiguousarray(samples))[None]
    return kaldi.fbank(sound, num_mel_bins=BANDS, sample_frequency=SAMPLE_RATE, dither=0.0)
