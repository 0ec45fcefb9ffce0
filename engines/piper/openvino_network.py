"""A Piper voice's network in two parts: ONNX Runtime computes what is said and when, and OpenVINO makes the
sound of it (seven tenths of the work).

On CPUs that compute in bfloat16 it takes seven tenths of the time of the whole graph in ONNX Runtime
(docs/decisions/0015). A sample depends on few frames around it. So the sound is made in pieces of one length:
for each length, OpenVINO would prepare and keep something.

Law: the inputs of the published graph in, its sound out.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engines.common.evictable_arrays import EvictableArrays
from engines.common.onnx import session
from engines.common.openvino import compiled, give_back, where_it_suits
from engines.cores import cores
from engines.openvino_library import import_openvino
from engines.types import EngineOptions, Samples

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, RunOptions
    from openvino import CompiledModel

    from engines.common.onnx_parts import StoredGraph

FIRST_LAYER = "/dec/conv_pre/Conv"
"""The first layer of what makes the sound."""
PIECE_FRAMES = 128
"""Frames of a piece."""
NEIGHBOUR_FRAMES = 16
"""Frames on each side of a piece that its first and last samples depend on, at most: 11 in the voices of
medium quality, 14 in those of high quality.
"""


class PiperParts:
    """The network. Several threads may call it; their sounds are made one after the other."""

    def __init__(self, before: InferenceSession, vocoder: CompiledModel, arrays: EvictableArrays) -> None:
        """`arrays`: where the weights of the first part are."""
        self._arrays = arrays
        self._before = before
        self._vocoder = vocoder
        self._inference = vocoder.create_infer_request()
        self._lock = threading.Lock()

    def run(self, names: None, inputs: Mapping[str, Any], options: RunOptions | None = None) -> list[Samples]:
        """As `InferenceSession.run`."""
        frames = self._before.run(names, inputs, options)[0]
        with self._lock:
            made = [
                self._sound(frames[:, :, start:end])[kept] for start, end, kept in pieces(frames.shape[2])
            ]
        return [np.concatenate(made)]

    def rest(self) -> None:
        """Gives memory back: what OpenVINO keeps for the next piece, and the weights. The next sentence reads
        the weights from their file.
        """
        with self._lock:
            self._arrays.evict()
            give_back(self._vocoder)

    def _sound(self, frames: Samples) -> Samples:
        """The sound of a piece, as (frames, samples of a frame)."""
        count = frames.shape[2]
        padded = np.pad(frames, ((0, 0), (0, 0), (0, PIECE_FRAMES - count)))
        sound = np.array(self._inference.infer([padded], share_inputs=True)[0], np.float32)
        return sound.reshape(PIECE_FRAMES, -1)[:count]


def pieces(frames: int) -> Iterator[tuple[int, int, slice]]:
    """Where pieces start and end, and which frames of each are kept: those that have all their neighbours."""
    done = 0
    while done < frames:
        start = max(0, done - NEIGHBOUR_FRAMES)
        end = min(frames, start + PIECE_FRAMES)
        upto = end if end == frames else end - NEIGHBOUR_FRAMES
        yield start, end, slice(done - start, upto - start)
        done = upto


def load_parts(model: Path, options: EngineOptions) -> PiperParts | None:
    """The network. None if the options exclude OpenVINO, or if the CPU or the voice does not suit it."""
    return where_it_suits(lambda: _load(model, options), options, model.name)


def _load(model: Path, options: EngineOptions) -> PiperParts:
    before, vocoder = _parts(model)
    network = import_openvino().Core().read_model(vocoder.message())
    ours = compiled(network, calls=1, threads=options.threads or cores(), group=0)
    arrays = EvictableArrays(model)
    moved = before.move_large_arrays(model, arrays)
    first = session(before.message(), options, optimized=False, given=moved)
    return PiperParts(first, ours, arrays)


def _parts(model: Path) -> tuple[StoredGraph, StoredGraph]:
    """The graphs of the two parts."""
    from engines.common.onnx_parts import StoredGraph, UnknownGraph
    from engines.common.quick_operators import with_bfloat16_weights, with_quick_operators

    whole = StoredGraph.read(model)
    first = [node for node in whole.nodes if node.name == FIRST_LAYER]
    if len(first) != 1:
        raise UnknownGraph(f"It has no {FIRST_LAYER}.")
    name, weights = first[0].input[:2]
    size = whole[weights].shape[1]
    given, sound = {name: (1, size, PIECE_FRAMES)}, {whole.outputs[0]: (1, 1, "samples")}
    vocoder = whole.part(given, sound)
    if vocoder.inputs != [name]:
        raise UnknownGraph("The sound needs more than its frames, such as the number of a speaker.")
    with_quick_operators(vocoder)
    with_bfloat16_weights(vocoder)
    return whole.part({}, {name: (1, size, "frames")}), vocoder.part(given, sound)
