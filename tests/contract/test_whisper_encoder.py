"""The encoder on OpenVINO beside CTranslate2's own, with real weights and real speech."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engines.common.openvino import compiled
from engines.whisper.ctranslate2_arrays import numbers
from engines.whisper.ctranslate2_weights import Weights, read_arrays
from engines.whisper.features import Features
from engines.whisper.openvino_encoder import QUANTISED_GROUP, OpenVinoEncoder, network_of
from tests.conftest import JFK
from tests.support.openvino import needs_openvino
from tests.support.sound import decode


@pytest.mark.real
@needs_openvino
@pytest.mark.parametrize("precision", ["bf16", "f32"])
def test_it_is_as_near_to_float32_as_ctranslate2_in_int8(whisper_folder: Path, precision: str) -> None:
    from faster_whisper import WhisperModel

    precise, quick = (
        WhisperModel(str(whisper_folder), device="cpu", compute_type=kind, local_files_only=True)
        for kind in ("float32", "int8")
    )
    weights = Weights(read_arrays(whisper_folder / "model.bin"), "encoder")
    network = compiled(network_of(weights), calls=1, threads=1, group=QUANTISED_GROUP, precision=precision)
    ours = OpenVinoEncoder(network, len(weights["conv2/bias"]))
    whole = Features(precise.feature_extractor, 1).of(decode(JFK.read_bytes()))[None]
    for frames in (300, 700, 1100):
        features = np.ascontiguousarray(whole[:, :, :frames])
        true = numbers(precise.encode(features))
        theirs = numbers(quick.encode(features))
        error = np.abs(ours.encode(features) - true).mean()
        assert error < 0.1 * np.abs(true).mean()
        assert error < np.abs(theirs - true).mean()
