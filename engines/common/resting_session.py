"""A whole ONNX graph in ONNX Runtime, whose weights can be given back while nothing is computed.

The session is given its weights in a file without a name, and has no copy of those of convolutions. It does
not rewrite the graph: Piper and Kokoro take the same time without (docs/decisions/0015), and convolutions of
images, which take a third more without, are written otherwise before.

Law: nothing here is about a certain model.
"""

from __future__ import annotations

import logging
import mmap
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.common.evictable_arrays import EvictableArrays
from engines.common.moved_arrays import without_large_arrays
from engines.common.onnx import rewritten, session
from engines.types import EngineOptions

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, RunOptions

log = logging.getLogger(__name__)


class RestingSession:
    """A session, and its weights."""

    def __init__(self, network: InferenceSession, weights: EvictableArrays | None = None) -> None:
        """`weights`: None if they stay where they are."""
        self._network = network
        self._weights = weights

    def get_inputs(self) -> Any:
        return self._network.get_inputs()

    def run(
        self, names: Sequence[str] | None, inputs: Mapping[str, Any], options: RunOptions | None = None
    ) -> Any:
        """As `InferenceSession.run`."""
        return self._network.run(names, inputs, options)

    def rest(self) -> None:
        """Gives the memory of the weights back. The next run reads those that it needs from their file."""
        if self._weights:
            self._weights.evict()


def resting_session(
    model: Path,
    options: EngineOptions,
    *,
    memory_plans: bool = True,
    packed: bool = True,
    rewrite: Callable[[bytes], bytes] | None = None,
    rewrite_all: Callable[[memoryview], memoryview | bytes] | None = None,
) -> RestingSession:
    """A session of that file. On a GPU its weights stay where they are. The rest is as `session` has it.

    `rewrite`: changes the graph, which is given without its large arrays; `rewrite_all`: before that, with
    all of them. If they raise anything, or ONNX Runtime refuses what they made, the graph is computed as it
    is written.
    """
    if options.device == "cuda":
        return RestingSession(session(model, options))
    written = partial(_resting, model, options, memory_plans=memory_plans, packed=packed)
    if rewrite or rewrite_all:
        try:
            return written(rewrite or bytes, rewrite_all or memoryview)
        except Exception as reason:  # noqa: BLE001 - nobody has measured such a graph
            why = " ".join(str(reason).split())
            log.info("`%s` is computed as it is written, which takes longer: %s", model.name, why)
    try:
        return written(bytes, memoryview)
    except (OSError, ValueError):
        return RestingSession(session(model, options))  # which tells what is wrong with the file


def _resting(
    model: Path,
    options: EngineOptions,
    rewrite: Callable[[bytes], bytes],
    rewrite_all: Callable[[memoryview], memoryview | bytes],
    *,
    memory_plans: bool,
    packed: bool,
) -> RestingSession:
    """Raises `OSError`, `ValueError`, or what `session` and the functions raise."""
    weights = EvictableArrays(model)
    with model.open("rb") as file:
        whole = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    # The whole graph in its new form goes before the session is made, which needs as much memory.
    graph, given = without_large_arrays(memoryview(rewrite_all(whole)), model, weights)
    graph = rewrite(graph)
    if not given.arrays:  # nobody has measured such a graph as it is written
        return RestingSession(session(model, options, memory_plans=memory_plans, packed=packed))
    made = session(graph, options, memory_plans=memory_plans, optimized=False, given=given, packed=packed)
    return RestingSession(made, weights)


def resting_graph(graph: bytes, file: Path, options: EngineOptions) -> RestingSession:
    """A session of a graph in memory, on the CPU. `file`: the one that its weights are from.

    Raises as `session` does.
    """
    changed = rewritten(graph, options)
    if changed is None:
        return RestingSession(session(graph, options, memory_plans=False))
    weights = EvictableArrays(file, len(changed))
    kept, given = without_large_arrays(changed, file, weights)
    made = session(kept, options, memory_plans=False, optimized=False, given=given)
    return RestingSession(made, weights)
