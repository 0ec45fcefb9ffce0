"""The parts of Whisper's networks as OpenVINO operations.

Law: weights and nodes in, nodes out; nothing is compiled or run here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engines.common.evictable_arrays import EvictableArrays
from engines.openvino_library import import_openvino
from engines.whisper.ctranslate2_weights import Weights
from engines.whisper.file_matrix import FileMatrix

if TYPE_CHECKING:
    from openvino import Node

VARIANCE_EPSILON = 1e-5
"""What a layer normalisation adds to the variance."""
LARGEST_NORMALISED = 3
"""Before its factors are applied, a layer normalisation gives few values that are larger than this."""
SMALLEST_SIZE = 1e-6
"""Smaller sizes count as this one."""
Numbers: TypeAlias = NDArray[Any]


class NetworkParts:
    """Makes nodes from the weights of one part of a model."""

    def __init__(self, weights: Weights, arrays: EvictableArrays | None = None) -> None:
        """`arrays`: where the weights in int8 are; None: in memory."""
        import_openvino()
        from openvino import opset13

        self.weights = weights
        self.arrays = arrays
        self.ops: Any = opset13

    def constant(self, values: Numbers | list[int] | int) -> Node:
        array = values if isinstance(values, np.ndarray) else np.array(values, np.int64)
        return self.ops.constant(np.ascontiguousarray(array))

    def int8(self, weight: FileMatrix) -> Node:
        """A matrix (outputs, inputs) as int8, with one scale for each output."""
        whole = self.arrays.new(weight.shape) if self.arrays else np.empty(weight.shape, np.int8)
        scales = weight.in_int8(whole)
        numbers = self.ops.constant(whole, shared_memory=True)
        return self.ops.multiply(self.ops.convert(numbers, "f32"), self.constant(scales))

    def product(self, x: Node, weight: FileMatrix, bias: Numbers) -> Node:
        """`x` (..., inputs) times a matrix (outputs, inputs), plus the bias."""
        return self.ops.add(
            self.ops.matmul(x, self.int8(weight), transpose_a=False, transpose_b=True),
            self.constant(bias[None, None]),
        )

    def linear(self, x: Node, name: str) -> Node:
        return self.product(x, self.weights.matrix(f"{name}/weight"), self.weights[f"{name}/bias"])

    def normalised(self, x: Node, name: str, balance: Numbers | None = None) -> Node:
        """A layer normalisation over the last axis, divided by `balance`."""
        by: Numbers | float = 1.0 if balance is None else balance
        gamma, beta = (self.weights[f"{name}/{which}"] / by for which in ("gamma", "beta"))
        flat = self.ops.mvn(
            x, self.constant([-1]), normalize_variance=True, eps=VARIANCE_EPSILON, eps_mode="INSIDE_SQRT"
        )
        return self.ops.add(self.ops.multiply(flat, self.constant(gamma)), self.constant(beta))

    def balance(self, norm: str, matrix: FileMatrix) -> Numbers:
        """By what the outputs of a layer normalisation are divided, and the columns of the matrix after it
        multiplied, so that both lose less when they are rounded to int8.

        One large input takes most of the steps of int8 from all others of its row. The factor makes an input
        as large as the column that it meets, as in SmoothQuant (Xiao et al. 2022, equation 4), but its size
        is taken from the normalisation, not from data.
        """
        gamma, beta = (np.abs(self.weights[f"{norm}/{which}"]) for which in ("gamma", "beta"))
        sizes = LARGEST_NORMALISED * gamma + beta
        columns = matrix.largest_of_columns()
        factors = np.sqrt(np.maximum(sizes, SMALLEST_SIZE) / np.maximum(columns, SMALLEST_SIZE))
        return np.asarray(factors / np.exp(np.log(factors).mean()), np.float32)

    def feed_forward(self, x: Node, layer: str) -> Node:
        """The block of two linear layers, with what goes around it."""
        norm, first = f"{layer}/ffn/layer_norm", f"{layer}/ffn/linear_0"
        matrix, bias = self.weights.matrix(f"{first}/weight"), self.weights[f"{first}/bias"]
        balance = self.balance(norm, matrix)
        inner = self.product(self.normalised(x, norm, balance), matrix.columns_times(balance), bias)
        return self.ops.add(x, self.linear(self.ops.gelu(inner, "ERF"), f"{layer}/ffn/linear_1"))

    def split_heads(self, x: Node, heads: int, width: int) -> Node:
        """(rows, positions, width) -> (rows, heads, positions, width of a head)."""
        parts = self.ops.reshape(x, self.constant([0, 0, heads, width // heads]), special_zero=True)
        return self.ops.transpose(parts, self.constant([0, 2, 1, 3]))

    def join_heads(self, x: Node, width: int) -> Node:
        """(rows, heads, positions, width of a head) -> (rows, positions, width)."""
        turned = self.ops.transpose(x, self.constant([0, 2, 1, 3]))
        return self.ops.reshape(turned, self.constant([0, 0, width]), special_zero=True)
