"""Writes an ONNX graph node by node, from the arrays of a checkpoint.

Law: the same arrays give the same bytes: every name, version and order is fixed here, and nothing is computed
that could be rounded differently on another machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from engines.errors import WeightsBroken
from engines.types import Samples

OPSET_VERSION, FORMAT_VERSION = 17, 9
"""Versions of the operators and of the format: old ones, so that any ONNX Runtime since 1.15 reads the
graphs."""


class Graph:
    """Nodes in the order in which they are added; each has one output, and is known by that output's name."""

    def __init__(self, name: str, weights: Mapping[str, Any]) -> None:
        self._name = name
        self._weights = weights
        self._nodes: list[Any] = []
        self._initializers: dict[str, Any] = {}

    def array(self, name: str, *shape: int) -> Samples:
        """An array of the checkpoint. Raises `WeightsBroken` if it is absent or has another shape."""
        found = self._weights.get(name)
        if not isinstance(found, np.ndarray) or found.shape != shape or found.dtype != np.float32:
            raise WeightsBroken(f"The weights of the model have no `{name}` of the right shape.")
        return found

    def weight(self, name: str, *shape: int) -> str:
        """Adds an array of the checkpoint to the graph. Returns its name, for the inputs of nodes."""
        return self.constant(self.array(name, *shape), name)

    def constant(self, values: Any, name: str = "") -> str:
        """Adds a constant to the graph and returns its name. Lists of whole numbers become int64."""
        array = np.asarray(values)
        name = name or f"constant_{len(self._initializers)}"
        self._initializers.setdefault(name, numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        output = f"{operator.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def norm(self, given: str, name: str, channels: int) -> str:
        """Batch normalisation with the statistics of the training."""
        parts = [
            self.weight(f"{name}.{p}", channels) for p in ("weight", "bias", "running_mean", "running_var")
        ]
        return self.node("BatchNormalization", given, *parts, epsilon=1e-5)

    def bytes(self, given: tuple[str, Sequence[Any]], output: tuple[str, Sequence[Any]]) -> bytes:
        """The model. `given`, `output`: name and shape; text in a shape is a size that varies."""
        inputs = [helper.make_tensor_value_info(given[0], TensorProto.FLOAT, given[1])]
        outputs = [helper.make_tensor_value_info(output[0], TensorProto.FLOAT, output[1])]
        graph = helper.make_graph(self._nodes, self._name, inputs, outputs)
        versions = [helper.make_opsetid("", OPSET_VERSION)]
        model = helper.make_model(
            graph, opset_imports=versions, ir_version=FORMAT_VERSION, producer_name="antiphon"
        )
        for name in [*self._initializers]:  # one by one, because protobuf copies what is added
            model.graph.initializer.append(self._initializers.pop(name))
        return bytes(model.SerializeToString(deterministic=True))
