"""A diarization pipeline laid out as `pyannote/speaker-diarization-community-1`, with weights of our own.

The segmentation model is the starter's real one; the speaker encoder (a WeSpeaker ResNet34) and the scoring
(PLDA) have the true shapes and random numbers: what is tested is that such a folder loads and runs.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from engines.pyannote import setup as pyannote_setup
from engines.types import EngineOptions

CONFIG = """\
dependencies:
  pyannote.audio: 4.0.0
pipeline:
  name: pyannote.audio.pipelines.SpeakerDiarization
  params:
    clustering: VBxClustering
    segmentation: $model/segmentation
    segmentation_batch_size: 8
    embedding: $model/embedding
    embedding_batch_size: 8
    embedding_exclude_overlap: true
    plda: $model/plda
params:
  clustering:
    threshold: 0.6
    Fa: 0.07
    Fb: 0.8
  segmentation:
    min_duration_off: 0.0
"""


def write_pipeline(starter: Path, folder: Path) -> None:
    """`starter`: the folder of the starter model."""
    for name in ("segmentation", "embedding", "plda"):
        (folder / name).mkdir(parents=True)
    (folder / "config.yaml").write_text(CONFIG)
    shutil.copy(starter / "segmentation.bin", folder / "segmentation/pytorch_model.bin")
    _write_encoder(folder / "embedding/pytorch_model.bin")
    chance = np.random.default_rng(1)
    lda = np.linalg.qr(chance.normal(size=(256, 128)))[0]
    np.savez(folder / "plda/xvec_transform.npz", mean1=np.zeros(256), mean2=np.zeros(128), lda=lda)
    psi = np.linspace(3, 0.1, 128)
    np.savez(folder / "plda/plda.npz", mu=np.zeros(128), tr=np.eye(128), psi=psi)


def _write_encoder(path: Path) -> None:
    pyannote_setup.prepare(EngineOptions())
    import torch
    from pyannote.audio.core.task import Problem, Resolution, Specifications
    from pyannote.audio.models.embedding import WeSpeakerResNet34

    torch.manual_seed(1)
    model = WeSpeakerResNet34()
    torch.save(
        {
            "state_dict": model.state_dict(),
            "hyper_parameters": dict(model.hparams),
            "pytorch-lightning_version": "2.0.0",
            "pyannote.audio": {
                "versions": {"torch": "2.0.0", "pyannote.audio": "4.0.0"},
                "architecture": {
                    "module": "pyannote.audio.models.embedding",
                    "class": "WeSpeakerResNet34",
                },
                "specifications": Specifications(Problem.REPRESENTATION, Resolution.CHUNK, 10.0),
            },
        },
        path,
    )
